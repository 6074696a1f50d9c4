//! Requests to Redis that it has not answered.

use std::future::{Future, poll_fn};
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use redis::aio::ConnectionLike;
use redis::{Pipeline, RedisError, Value};

use super::channel::{Channel, SubscriptionChange};
use super::connection::Connection;
use super::outbox::{Answer, LinkEvent, Outbox};
use super::publication::Publication;
use super::stats::LinkCounters;

/// A request. Its error is what Redis has refused.
pub(super) type Request = Pin<Box<dyn Future<Output = Result<(), String>>>>;

/// Requests that Redis has not answered.
#[derive(Default)]
pub(super) struct Requests(FuturesUnordered<Request>);

impl Requests {
    /// Sends a request after those that were started before it: a request is sent when it is
    /// first polled.
    pub(super) async fn start(&mut self, mut request: Request, outbox: &Outbox) {
        match poll_fn(|context| Poll::Ready(request.as_mut().poll(context))).await {
            Poll::Ready(result) => report(result, outbox),
            Poll::Pending => self.0.push(request),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Waits until Redis answers a request.
    pub(super) async fn progress(&mut self, outbox: &Outbox) {
        if let Some(result) = self.0.next().await {
            report(result, outbox);
        }
    }

    /// Waits until Redis has answered all requests.
    pub(super) async fn finish(&mut self, outbox: &Outbox) {
        while !self.is_empty() {
            self.progress(outbox).await;
        }
    }
}

fn report(result: Result<(), String>, outbox: &Outbox) {
    if let Err(error) = result {
        outbox.push(LinkEvent::Error(error));
    }
}

/// Subscribes to channels, or unsubscribes from them.
pub(super) async fn change_subscriptions(
    mut connection: Connection,
    change: SubscriptionChange,
    channels: Vec<Channel>,
) -> Result<(), String> {
    refusal(connection.change(change, channels).await)
}

/// Keeps the errors by which Redis refuses a request. The loss of a connection is reported once,
/// by the driver.
fn refusal(result: Result<(), RedisError>) -> Result<(), String> {
    match result {
        Err(error) if !error.is_unrecoverable_error() => Err(error.to_string()),
        _ => Ok(()),
    }
}

/// Counts the subscribers of a channel and answers the question.
pub(super) async fn count_subscribers(
    mut connection: Connection,
    mut question: Question,
    channel: Bytes,
    is_sharded: bool,
) -> Result<(), String> {
    let kind = if is_sharded { "SHARDNUMSUB" } else { "NUMSUB" };
    let mut command = redis::cmd("PUBSUB");
    command.arg(kind).arg(&*channel);
    question.result = connection.count(&command).await.map_err(|error| error.to_string());
    Ok(())
}

/// A question that is not answered yet. It is answered when it is dropped, with an error unless
/// Redis has replied.
pub(super) struct Question {
    id: u32,
    outbox: Arc<Outbox>,
    result: Result<i64, String>,
}

impl Question {
    pub(super) fn new(outbox: &Arc<Outbox>, id: u32) -> Self {
        let result = Err("the connection to Redis was lost".into());
        Self { id, outbox: Arc::clone(outbox), result }
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        let result = mem::replace(&mut self.result, Ok(0));
        answer(&self.outbox, self.id, result);
    }
}

/// Answers a question of JavaScript.
pub(super) fn answer(outbox: &Outbox, id: u32, result: Result<i64, String>) {
    outbox.push(LinkEvent::Answer(Answer { id, result }));
}

/// Accounts for a publication until Redis has accepted it. Counts it as failed when it is dropped
/// before that.
pub(super) struct Unconfirmed {
    counters: Arc<LinkCounters>,
    bytes: usize,
    is_accepted: bool,
}

impl Unconfirmed {
    pub(super) fn new(counters: &Arc<LinkCounters>, publication: &Publication) -> Self {
        let (counters, bytes) = (Arc::clone(counters), publication.queued_bytes());
        Self { counters, bytes, is_accepted: false }
    }

    fn accept(mut self) {
        self.is_accepted = true;
        self.counters.published.add(1);
    }
}

impl Drop for Unconfirmed {
    fn drop(&mut self) {
        self.counters.queued_bytes.subtract(self.bytes);
        if !self.is_accepted {
            self.counters.publish_failed.add(1);
        }
    }
}

/// Publishes messages in one piece.
pub(super) async fn publish(
    mut connection: Connection,
    publications: Vec<(Publication, Unconfirmed)>,
) -> Result<(), String> {
    let mut pipeline = Pipeline::new();
    let mut sent = Vec::with_capacity(publications.len());
    for (publication, unconfirmed) in publications {
        let name = if publication.is_sharded { "SPUBLISH" } else { "PUBLISH" };
        if let Some(message) = publication.body.encode() {
            pipeline.cmd(name).arg(&*publication.channel).arg(&*message);
            sent.push(unconfirmed);
        }
    }
    if sent.is_empty() {
        return Ok(());
    }
    let answers = connection.req_packed_commands(&pipeline, 0, sent.len()).await;
    let answers = match answers {
        Ok(answers) => answers,
        Err(error) => return refusal(Err(error)),
    };
    let mut result = Ok(());
    for (unconfirmed, answer) in sent.into_iter().zip(answers) {
        match answer {
            Value::ServerError(error) => result = Err(RedisError::from(error).to_string()),
            _ => unconfirmed.accept(),
        }
    }
    result
}
