//! Checks whether a connection is alive, and its server still the master.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use redis::Value;
use tokio::time::timeout;

use super::connection::Connection;
use super::stats::LinkCounters;

/// A connection is lost if it has received nothing this long after a ping.
const PING_TIMEOUT: Duration = Duration::from_secs(5);

/// A check under way. Its output is what is wrong with the connection; `None` if nothing is.
pub(super) type HealthCheck = Pin<Box<dyn Future<Output = Option<String>>>>;

/// Waits for the check, if one is under way.
pub(super) async fn poll_check(check: &mut Option<HealthCheck>) -> Option<String> {
    match check {
        Some(check) => check.await,
        None => None,
    }
}

/// Begins a check. `has_roles` says whether the server may have become a replica.
pub(super) fn check(
    connection: Connection,
    counters: Arc<LinkCounters>,
    has_roles: bool,
) -> HealthCheck {
    Box::pin(find_fault(connection, counters, has_roles))
}

async fn find_fault(
    mut connection: Connection,
    counters: Arc<LinkCounters>,
    has_roles: bool,
) -> Option<String> {
    let received = counters.received.value();
    let ping = redis::cmd(if has_roles { "ROLE" } else { "PING" });
    match timeout(PING_TIMEOUT, ping.query_async(&mut connection)).await {
        Ok(Ok(Value::Array(role))) if !is_master(&role) => {
            Some("the server is no longer the master".into())
        }
        Ok(Ok(_)) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(_) if counters.received.value() != received => None,
        Err(_) => Some("Redis does not answer".into()),
    }
}

fn is_master(role: &[Value]) -> bool {
    matches!(role.first(), Some(Value::BulkString(name)) if name == b"master")
}
