//! The options of a link.

use napi::{Error, Result, Status};
use napi_derive::napi;

use crate::cluster::{InvalidServer, Server, TlsFiles};

/// The deployment of Redis.
#[napi]
pub enum Topology {
    /// One server, of the first URL.
    Single = 0,
    /// The URLs are those of Sentinels.
    Sentinel = 1,
    /// The URLs are those of servers of a Redis Cluster.
    Cluster = 2,
}

/// The options of a link. `maxPublishQueue` is in bytes and may be `Infinity`. Certificates and
/// keys are PEM.
#[napi(object)]
pub struct RedisLinkOptions {
    pub topology: Topology,
    pub urls: Vec<String>,
    pub max_publish_queue: f64,
    pub sentinel_name: Option<String>,
    pub username: Option<String>,
    pub password: Option<String>,
    pub ca: Option<String>,
    pub cert: Option<String>,
    pub key: Option<String>,
}

/// Throws if the options of a link are invalid.
#[napi(catch_unwind)]
pub fn check_redis_link_options(options: RedisLinkOptions) -> Result<()> {
    server(options).map(drop)
}

/// Returns the server that the options name.
pub(super) fn server(options: RedisLinkOptions) -> Result<Server> {
    let RedisLinkOptions {
        topology, urls, sentinel_name, username, password, ca, cert, key, ..
    } = options;
    let client = cert.zip(key).map(|(cert, key)| (cert.into_bytes(), key.into_bytes()));
    let tls = TlsFiles { ca: ca.map(String::into_bytes), client };
    let server = match topology {
        Topology::Single => Server::single(urls.first().map_or("", String::as_str), &tls),
        Topology::Cluster => Server::cluster(&urls, tls),
        Topology::Sentinel => {
            let name = sentinel_name.unwrap_or_default();
            Server::sentinel(&urls, name, username, password, tls)
        }
    };
    server.map_err(|error: InvalidServer| Error::new(Status::InvalidArg, error.to_string()))
}
