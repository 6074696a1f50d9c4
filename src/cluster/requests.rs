//! What Redis is asked, and has not answered.

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

use super::outbox::{Answer, Outbox, Outgoing};
use super::publication::Publication;
use super::stats::Counters;
use super::subscriptions::Channel;
use super::topology::{Change, Connection};

/// Something that Redis is to answer. What it refuses is the error.
pub(super) type Request = Pin<Box<dyn Future<Output = Result<(), String>>>>;

/// Requests that Redis has not answered.
#[derive(Default)]
pub(super) struct Requests(FuturesUnordered<Request>);

impl Requests {
    /// Sends a request behind those that were started before: what is polled first is sent
    /// first.
    pub(super) async fn start(&mut self, mut request: Request, outbox: &Outbox) {
        match poll_fn(|context| Poll::Ready(request.as_mut().poll(context))).await {
            Poll::Ready(result) => report(result, outbox),
            Poll::Pending => self.0.push(request),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Waits for an answer.
    pub(super) async fn progress(&mut self, outbox: &Outbox) {
        if let Some(result) = self.0.next().await {
            report(result, outbox);
        }
    }

    /// Waits for all answers.
    pub(super) async fn finish(&mut self, outbox: &Outbox) {
        while !self.is_empty() {
            self.progress(outbox).await;
        }
    }
}

fn report(result: Result<(), String>, outbox: &Outbox) {
    if let Err(error) = result {
        outbox.push(Outgoing::Error(error));
    }
}

pub(super) async fn change_channels(
    mut connection: Connection,
    change: Change,
    channels: Vec<Channel>,
) -> Result<(), String> {
    refused(connection.change(change, channels).await)
}

/// What Redis refuses is an error. That a connection is lost is told once, elsewhere.
fn refused(result: Result<(), RedisError>) -> Result<(), String> {
    match result {
        Err(error) if !error.is_unrecoverable_error() => Err(error.to_string()),
        _ => Ok(()),
    }
}

pub(super) async fn count(
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

/// A question that Redis has not answered. Dropped, it is answered with what is known.
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

/// A publication that Redis has not answered. Dropped, it has failed.
pub(super) struct Sending {
    counters: Arc<Counters>,
    bytes: usize,
    is_done: bool,
}

impl Sending {
    pub(super) fn new(counters: &Arc<Counters>, publication: &Publication) -> Self {
        Self { counters: Arc::clone(counters), bytes: publication.len(), is_done: false }
    }

    fn succeed(mut self) {
        self.is_done = true;
        self.counters.published.add(1);
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        self.counters.queued_bytes.subtract(self.bytes);
        if !self.is_done {
            self.counters.publish_failed.add(1);
        }
    }
}

pub(super) async fn publish(
    mut connection: Connection,
    publications: Vec<(Publication, Sending)>,
) -> Result<(), String> {
    let mut pipeline = Pipeline::new();
    let mut sendings = Vec::with_capacity(publications.len());
    for (publication, sending) in publications {
        let name = if publication.is_sharded { "SPUBLISH" } else { "PUBLISH" };
        if let Some(message) = publication.body.encode() {
            pipeline.cmd(name).arg(&*publication.channel).arg(&*message);
            sendings.push(sending);
        }
    }
    if sendings.is_empty() {
        return Ok(());
    }
    let answers = connection.req_packed_commands(&pipeline, 0, sendings.len()).await;
    let answers = match answers {
        Ok(answers) => answers,
        Err(error) => return refused(Err(error)),
    };
    let mut refusal = Ok(());
    for (sending, answer) in sendings.into_iter().zip(answers) {
        match answer {
            Value::ServerError(error) => refusal = Err(RedisError::from(error).to_string()),
            _ => sending.succeed(),
        }
    }
    refusal
}

pub(super) fn answer(outbox: &Outbox, id: u32, result: Result<i64, String>) {
    outbox.push(Outgoing::Answer(Answer { id, result }));
}
