//! Where Redis is, and how to get there. redis-rs 1 does it: the client that Redis itself keeps
//! up, with RESP3, Cluster, Sentinel and rustls; it gives pushed messages to a function at once,
//! where fred 10 (last released in 2025) has a channel that drops what is not taken in time.

use std::fmt;
use std::time::Duration;

use redis::aio::{AsyncPushSender, ConnectionLike, MultiplexedConnection};
use redis::cluster::{ClusterClient, ClusterClientBuilder};
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{MultipleNodeRoutingInfo, RoutingInfo};
use redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, ClientTlsConfig, Cmd, ConnectionAddr, ConnectionInfo,
    IntoConnectionInfo, Pipeline, ProtocolVersion, RedisError, RedisFuture, RedisResult,
    TlsCertificates, TlsMode, Value,
};

use super::Channel;

/// How long it may take to make a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Commands that wait for the connection; those that do not fit wait as well.
const PIPELINE: usize = 1024;

/// Channels of one command.
const CHANNELS: usize = 512;

/// What is wrong with a description of a server.
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
    /// Who may sign the server's certificate; Mozilla's list if there is none.
    pub ca: Option<Vec<u8>>,
    /// Our certificate, and its key.
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

/// One of the ways in which Redis is run.
#[derive(Debug)]
pub struct Server(Kind);

#[derive(Debug)]
enum Kind {
    Single(Client),
    /// The master that Sentinels name.
    Sentinel(Sentinels),
    Cluster(Seeds),
}

/// What makes a client of Sentinels, again for each connection.
#[derive(Debug)]
struct Sentinels {
    infos: Vec<ConnectionInfo>,
    name: String,
    username: Option<String>,
    password: Option<String>,
    tls: TlsFiles,
}

/// What makes a client of a Redis Cluster, again for each connection.
#[derive(Debug)]
struct Seeds {
    infos: Vec<ConnectionInfo>,
    tls: TlsFiles,
}

impl Server {
    /// The server of a URL: `redis[s]://[[user]:password@]host[:port][/db]`, or
    /// `redis+unix:///path`.
    ///
    /// # Errors
    ///
    /// [`InvalidServer`] where it is none, or where certificates are none.
    pub fn single(url: &str, tls: &TlsFiles) -> Result<Self, InvalidServer> {
        let info = connection_info(url)?;
        let client = if is_tls(&info) {
            use_ring();
            Client::build_with_tls(info, tls.certificates())?
        } else {
            Client::open(info)?
        };
        Ok(Self(Kind::Single(client)))
    }

    /// The Redis Cluster that has the servers of these URLs, whose user and password are the
    /// first's.
    ///
    /// # Errors
    ///
    /// See [`single`](Self::single).
    pub fn cluster(urls: &[String], tls: TlsFiles) -> Result<Self, InvalidServer> {
        let seeds = Seeds { infos: connection_infos(urls)?, tls };
        seeds.builder().build()?;
        Ok(Self(Kind::Cluster(seeds)))
    }

    /// The master of this name that the Sentinels of these URLs know. User and password in the
    /// URLs are for the Sentinels.
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
        Ok(Self(Kind::Sentinel(sentinels)))
    }

    /// Whether a master can become another server's replica without ending connections.
    pub(super) const fn has_roles(&self) -> bool {
        matches!(self.0, Kind::Sentinel(_))
    }

    /// A connection, whose messages go to `push`.
    pub(super) async fn connect(
        &self,
        push: impl AsyncPushSender + Clone,
    ) -> RedisResult<Connection> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(None)
            .set_pipeline_buffer_size(PIPELINE)
            .set_push_sender(push.clone());
        match &self.0 {
            Kind::Single(client) => {
                let connection = client.get_multiplexed_async_connection_with_config(&config);
                connection.await.map(Connection::One)
            }
            Kind::Sentinel(sentinels) => {
                let mut client = sentinels.build()?;
                let connection = client.get_async_connection_with_config(&config);
                connection.await.map(Connection::One)
            }
            Kind::Cluster(seeds) => {
                let client = seeds.builder().push_sender(push).build()?;
                client.get_async_connection().await.map(Connection::Cluster)
            }
        }
    }
}

/// Where it is, for messages: without users and passwords.
impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (before, infos) = match &self.0 {
            Kind::Single(client) => return client.get_connection_info().addr().fmt(f),
            Kind::Sentinel(Sentinels { infos, .. }) => ("Sentinel ", infos),
            Kind::Cluster(Seeds { infos, .. }) => ("Redis Cluster ", infos),
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

/// The cryptography of TLS. Another part of the process may have chosen one.
fn use_ring() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// A connection to one server, or to all of a cluster.
#[derive(Clone)]
pub(super) enum Connection {
    One(MultiplexedConnection),
    Cluster(ClusterConnection),
}

/// What is done with channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Subscribe,
    Unsubscribe,
}

impl Connection {
    /// Subscribes to channels, or ends that.
    pub(super) async fn change(
        &mut self,
        change: Change,
        channels: Vec<Channel>,
    ) -> RedisResult<()> {
        let (mut named, mut patterns, mut shards) = (Vec::new(), Vec::new(), Vec::new());
        for channel in &channels {
            match channel {
                Channel::Named(name) => named.push(&**name),
                Channel::Pattern(pattern) => patterns.push(&**pattern),
                Channel::Shard(name) => shards.push(&**name),
            }
        }
        for names in named.chunks(CHANNELS) {
            self.change_named(change, names).await?;
        }
        for names in patterns.chunks(CHANNELS) {
            self.change_patterns(change, names).await?;
        }
        for name in shards {
            self.change_shard(change, name).await?;
        }
        Ok(())
    }

    async fn change_named(&mut self, change: Change, names: &[&[u8]]) -> RedisResult<()> {
        match (self, change) {
            (Self::One(one), Change::Subscribe) => one.subscribe(names).await,
            (Self::One(one), Change::Unsubscribe) => one.unsubscribe(names).await,
            (Self::Cluster(cluster), Change::Subscribe) => cluster.subscribe(names).await,
            (Self::Cluster(cluster), Change::Unsubscribe) => cluster.unsubscribe(names).await,
        }
    }

    async fn change_patterns(&mut self, change: Change, names: &[&[u8]]) -> RedisResult<()> {
        match (self, change) {
            (Self::One(one), Change::Subscribe) => one.psubscribe(names).await,
            (Self::One(one), Change::Unsubscribe) => one.punsubscribe(names).await,
            (Self::Cluster(cluster), Change::Subscribe) => cluster.psubscribe(names).await,
            (Self::Cluster(cluster), Change::Unsubscribe) => cluster.punsubscribe(names).await,
        }
    }

    async fn change_shard(&mut self, change: Change, name: &[u8]) -> RedisResult<()> {
        match (self, change) {
            (Self::One(one), Change::Subscribe) => {
                redis::cmd("SSUBSCRIBE").arg(name).exec_async(one).await
            }
            (Self::One(one), Change::Unsubscribe) => {
                redis::cmd("SUNSUBSCRIBE").arg(name).exec_async(one).await
            }
            (Self::Cluster(cluster), Change::Subscribe) => cluster.ssubscribe(name).await,
            (Self::Cluster(cluster), Change::Unsubscribe) => cluster.sunsubscribe(name).await,
        }
    }

    /// The subscribers that `PUBSUB NUMSUB` counts, on all servers: clients of other nodes
    /// subscribe at replicas, too.
    pub(super) async fn count(&mut self, command: &Cmd) -> RedisResult<i64> {
        let value = match self {
            Self::One(one) => command.query_async(one).await?,
            Self::Cluster(cluster) => {
                let routing = RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllNodes, None));
                cluster.route_command(command.clone(), routing).await?
            }
        };
        Ok(sum_counts(&value))
    }

    /// Whether several commands may go in one piece, wherever their keys are.
    pub(super) const fn has_pipelines(&self) -> bool {
        matches!(self, Self::One(_))
    }
}

/// The sum of the numbers in what servers have answered, each the channel and a number.
fn sum_counts(value: &Value) -> i64 {
    match value {
        Value::Int(count) => *count,
        Value::Array(values) => values.iter().map(sum_counts).sum(),
        Value::Map(pairs) => pairs.iter().map(|(_, value)| sum_counts(value)).sum(),
        _ => 0,
    }
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::One(one) => one.req_packed_command(cmd),
            Self::Cluster(cluster) => cluster.req_packed_command(cmd),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::One(one) => one.req_packed_commands(pipeline, offset, count),
            Self::Cluster(cluster) => cluster.req_packed_commands(pipeline, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::One(one) => one.get_db(),
            Self::Cluster(cluster) => cluster.get_db(),
        }
    }
}
