//! A connection to Redis, whether to one server or to a Redis Cluster.

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{MultipleNodeRoutingInfo, RoutingInfo};
use redis::{Cmd, Pipeline, RedisFuture, RedisResult, Value};

use super::channel::{Channel, SubscriptionChange};

/// The most channels that one command names.
const MAX_CHANNELS: usize = 512;

/// A connection to one server, or to all servers of a Redis Cluster. Clones share it.
#[derive(Clone)]
pub(super) enum Connection {
    One(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Connection {
    /// Subscribes to channels, or unsubscribes from them.
    pub(super) async fn change(
        &mut self,
        change: SubscriptionChange,
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
        for names in named.chunks(MAX_CHANNELS) {
            self.change_named(change, names).await?;
        }
        for names in patterns.chunks(MAX_CHANNELS) {
            self.change_patterns(change, names).await?;
        }
        for name in shards {
            self.change_shard(change, name).await?;
        }
        Ok(())
    }

    async fn change_named(
        &mut self,
        change: SubscriptionChange,
        names: &[&[u8]],
    ) -> RedisResult<()> {
        match (self, change) {
            (Self::One(one), SubscriptionChange::Subscribe) => one.subscribe(names).await,
            (Self::One(one), SubscriptionChange::Unsubscribe) => one.unsubscribe(names).await,
            (Self::Cluster(cluster), SubscriptionChange::Subscribe) => {
                cluster.subscribe(names).await
            }
            (Self::Cluster(cluster), SubscriptionChange::Unsubscribe) => {
                cluster.unsubscribe(names).await
            }
        }
    }

    async fn change_patterns(
        &mut self,
        change: SubscriptionChange,
        names: &[&[u8]],
    ) -> RedisResult<()> {
        match (self, change) {
            (Self::One(one), SubscriptionChange::Subscribe) => one.psubscribe(names).await,
            (Self::One(one), SubscriptionChange::Unsubscribe) => one.punsubscribe(names).await,
            (Self::Cluster(cluster), SubscriptionChange::Subscribe) => {
                cluster.psubscribe(names).await
            }
            (Self::Cluster(cluster), SubscriptionChange::Unsubscribe) => {
                cluster.punsubscribe(names).await
            }
        }
    }

    async fn change_shard(&mut self, change: SubscriptionChange, name: &[u8]) -> RedisResult<()> {
        match (self, change) {
            (Self::One(one), SubscriptionChange::Subscribe) => {
                redis::cmd("SSUBSCRIBE").arg(name).exec_async(one).await
            }
            (Self::One(one), SubscriptionChange::Unsubscribe) => {
                redis::cmd("SUNSUBSCRIBE").arg(name).exec_async(one).await
            }
            (Self::Cluster(cluster), SubscriptionChange::Subscribe) => {
                cluster.ssubscribe(name).await
            }
            (Self::Cluster(cluster), SubscriptionChange::Unsubscribe) => {
                cluster.sunsubscribe(name).await
            }
        }
    }

    /// Returns the number of subscribers that `PUBSUB NUMSUB` counts on all servers, replicas
    /// included: clients of other nodes may subscribe there.
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

    /// Returns whether several commands may be sent in one piece, wherever their keys are.
    pub(super) const fn has_pipelines(&self) -> bool {
        matches!(self, Self::One(_))
    }
}

/// Adds up the numbers in the answers of servers, each of which is a channel and its count.
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
