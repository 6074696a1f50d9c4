//! The address of Redis, and connections to it.
//!
//! The client is redis-rs 1, which Redis itself maintains, with RESP3, Cluster, Sentinel and
//! rustls. It passes pushed messages to a function at once; fred 10 (last released in 2025) has a
//! channel that drops messages which are not taken in time.

use std::fmt;
use std::time::Duration;

use redis::aio::AsyncPushSender;
use redis::cluster::{ClusterClient, ClusterClientBuilder};
use redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, ClientTlsConfig, ConnectionAddr, ConnectionInfo,
    IntoConnectionInfo, ProtocolVersion, RedisError, RedisResult, TlsCertificates, TlsMode,
};

use super::connection::Connection;

/// Deadline of one attempt to connect to a server.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The number of commands that the client queues in front of its socket; further ones wait for room.
const PIPELINE_BUFFER: usize = 1024;

/// The reason why a server or its certificates are invalid.
#[derive(Debug)]
pub struct InvalidServer(String);

impl fmt::Display for InvalidServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InvalidServer {}

impl From<RedisError> for InvalidServer {
    fn from(error: RedisError) -> Self {
        let (text, kind) = (error.to_string(), format!(" - {:?}", error.kind()));
        Self(text.strip_suffix(&kind).unwrap_or(&text).into())
    }
}

/// Certificates and keys, as PEM.
#[derive(Clone, Debug, Default)]
pub struct TlsFiles {
    /// The authorities that may sign the server's certificate; `None` for Mozilla's list.
    pub ca: Option<Vec<u8>>,
    /// The client's certificate and its key.
    pub client: Option<(Vec<u8>, Vec<u8>)>,
}

impl TlsFiles {
    fn certificates(&self) -> TlsCertificates {
        TlsCertificates {
            root_cert: self.ca.clone(),
            client_tls: self
                .client
                .clone()
                .map(|(client_cert, client_key)| ClientTlsConfig { client_cert, client_key }),
        }
    }
}

/// The server or servers that a link connects to. It is valid once made, and says nothing of
/// whether Redis can be reached.
#[derive(Debug)]
pub struct Server(Topology);

#[derive(Debug)]
enum Topology {
    Single(Client),
    /// The master that Sentinels name.
    Sentinel(Sentinels),
    Cluster(Seeds),
}

/// The settings of a client of Sentinels, which is made for each connection.
#[derive(Debug)]
struct Sentinels {
    infos: Vec<ConnectionInfo>,
    name: String,
    username: Option<String>,
    password: Option<String>,
    tls: TlsFiles,
}

/// The settings of a client of a Redis Cluster, which is made for each connection.
#[derive(Debug)]
struct Seeds {
    infos: Vec<ConnectionInfo>,
    tls: TlsFiles,
}

impl Server {
    /// Returns the server of a URL: `redis[s]://[[user]:password@]host[:port][/db]`, or
    /// `redis+unix:///path`.
    ///
    /// # Errors
    ///
    /// [`InvalidServer`] if the URL or a certificate is invalid.
    pub fn single(url: &str, tls: &TlsFiles) -> Result<Self, InvalidServer> {
        let info = connection_info(url)?;
        let client = if is_tls(&info) {
            use_ring();
            Client::build_with_tls(info, tls.certificates())?
        } else {
            Client::open(info)?
        };
        Ok(Self(Topology::Single(client)))
    }

    /// Returns the Redis Cluster of which these URLs name some servers. The first has the user
    /// and the password of all.
    ///
    /// # Errors
    ///
    /// See [`single`](Self::single).
    pub fn cluster(urls: &[String], tls: TlsFiles) -> Result<Self, InvalidServer> {
        let seeds = Seeds { infos: connection_infos(urls)?, tls };
        seeds.builder().build()?;
        Ok(Self(Topology::Cluster(seeds)))
    }

    /// Returns the master of this name, as the Sentinels of these URLs know it. User and password
    /// in the URLs are for the Sentinels.
    ///
    /// # Errors
    ///
    /// See [`single`](Self::single).
    pub fn sentinel(
        urls: &[String],
        name: String,
        username: Option<String>,
        password: Option<String>,
        tls: TlsFiles,
    ) -> Result<Self, InvalidServer> {
        let infos = connection_infos(urls)?;
        if infos.is_empty() {
            return Err(InvalidServer("no Sentinels".into()));
        }
        let sentinels = Sentinels { infos, name, username, password, tls };
        sentinels.build()?;
        Ok(Self(Topology::Sentinel(sentinels)))
    }

    /// Returns whether a master may become a replica without closing connections.
    pub(super) const fn has_roles(&self) -> bool {
        matches!(self.0, Topology::Sentinel(_))
    }

    /// Connects. The connection passes data that Redis pushes to `push`.
    pub(super) async fn connect(
        &self,
        push: impl AsyncPushSender + Clone,
    ) -> RedisResult<Connection> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(None)
            .set_pipeline_buffer_size(PIPELINE_BUFFER)
            .set_push_sender(push.clone());
        match &self.0 {
            Topology::Single(client) => {
                let connection = client.get_multiplexed_async_connection_with_config(&config);
                connection.await.map(Connection::One)
            }
            Topology::Sentinel(sentinels) => {
                let mut client = sentinels.build()?;
                let connection = client.get_async_connection_with_config(&config);
                connection.await.map(Connection::One)
            }
            Topology::Cluster(seeds) => {
                let client = seeds.builder().push_sender(push).build()?;
                client.get_async_connection().await.map(Connection::Cluster)
            }
        }
    }
}

/// The addresses, for error messages: without users and passwords.
impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (before, infos) = match &self.0 {
            Topology::Single(client) => return client.get_connection_info().addr().fmt(f),
            Topology::Sentinel(Sentinels { infos, .. }) => ("Sentinel ", infos),
            Topology::Cluster(Seeds { infos, .. }) => ("Redis Cluster ", infos),
        };
        let addresses: Vec<_> = infos.iter().map(|info| info.addr().to_string()).collect();
        write!(f, "{before}{}", addresses.join(", "))
    }
}

impl Seeds {
    fn builder(&self) -> ClusterClientBuilder {
        let builder = ClusterClient::builder(self.infos.clone())
            .use_protocol(ProtocolVersion::RESP3)
            .connection_timeout(CONNECT_TIMEOUT)
            .response_timeout(CONNECT_TIMEOUT);
        if self.infos.iter().any(is_tls) {
            use_ring();
            builder.certs(self.tls.certificates())
        } else {
            builder
        }
    }
}

impl Sentinels {
    fn build(&self) -> RedisResult<SentinelClient> {
        let addresses = self.infos.iter().map(|info| info.addr().clone());
        let mut builder =
            SentinelClientBuilder::new(addresses, &self.name, SentinelServerType::Master)?
                .set_client_to_redis_protocol(ProtocolVersion::RESP3);
        if self.infos.iter().any(is_tls) {
            use_ring();
            builder = builder
                .set_client_to_redis_tls_mode(TlsMode::Secure)
                .set_client_to_sentinel_tls_mode(TlsMode::Secure)
                .set_client_to_redis_certificates(self.tls.certificates())
                .set_client_to_sentinel_certificates(self.tls.certificates());
        }
        if let Some(username) = &self.username {
            builder = builder.set_client_to_redis_username(username);
        }
        if let Some(password) = &self.password {
            builder = builder.set_client_to_redis_password(password);
        }
        let first = self.infos.first().map(ConnectionInfo::redis_settings);
        if let Some(username) = first.and_then(|first| first.username()) {
            builder = builder.set_client_to_sentinel_username(username);
        }
        if let Some(password) = first.and_then(|first| first.password()) {
            builder = builder.set_client_to_sentinel_password(password);
        }
        builder.build()
    }
}

fn is_tls(info: &ConnectionInfo) -> bool {
    matches!(info.addr(), ConnectionAddr::TcpTls { .. })
}

fn connection_infos(urls: &[String]) -> Result<Vec<ConnectionInfo>, InvalidServer> {
    urls.iter().map(|url| connection_info(url)).collect()
}

fn connection_info(url: &str) -> Result<ConnectionInfo, InvalidServer> {
    let info = url.into_connection_info()?;
    let settings = info.redis_settings().clone();
    let settings = settings
        .set_protocol(ProtocolVersion::RESP3)
        .set_lib_name("socket.io-turbo", env!("CARGO_PKG_VERSION"));
    Ok(info.set_redis_settings(settings))
}

/// Installs the cryptography of TLS, unless another part of the process has installed one.
fn use_ring() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}
