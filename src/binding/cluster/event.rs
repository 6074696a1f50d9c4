//! Events of a link for `lib/redis/own-connection.js`.

use napi::bindgen_prelude::Buffer;
use napi_derive::napi;

use crate::cluster::{Answer, LinkEvent, ServedMessage, State};

/// The kind of an event.
#[napi]
pub enum RedisEventKind {
    /// `namespace`, `channel` and `message` are set.
    Message = 0,
    Ready = 1,
    Connecting = 2,
    Ended = 3,
    /// `text` is set.
    Error = 4,
    /// `question` is set, and either `count` or `text`.
    Answer = 5,
}

/// An event of a link; its kind tells which properties are set.
#[napi(object)]
pub struct RedisEvent {
    pub kind: RedisEventKind,
    /// The id of the namespace that a message is for.
    pub namespace: Option<u32>,
    pub channel: Option<String>,
    pub message: Option<Buffer>,
    /// The id of the question that is answered.
    pub question: Option<u32>,
    pub count: Option<f64>,
    /// The text of an error.
    pub text: Option<String>,
}

impl From<LinkEvent> for RedisEvent {
    fn from(event: LinkEvent) -> Self {
        let empty = Self {
            kind: RedisEventKind::Ended,
            namespace: None,
            channel: None,
            message: None,
            question: None,
            count: None,
            text: None,
        };
        match event {
            LinkEvent::Message(ServedMessage { namespace, channel, message }) => Self {
                kind: RedisEventKind::Message,
                namespace: Some(namespace as u32),
                channel: Some(String::from_utf8_lossy(&channel).into_owned()),
                message: Some(Vec::from(message).into()),
                ..empty
            },
            LinkEvent::State(state) => Self {
                kind: match state {
                    State::Ready => RedisEventKind::Ready,
                    State::Connecting => RedisEventKind::Connecting,
                    State::Ended => RedisEventKind::Ended,
                },
                ..empty
            },
            LinkEvent::Error(text) => {
                Self { kind: RedisEventKind::Error, text: Some(text), ..empty }
            }
            LinkEvent::Answer(Answer { id, result }) => Self {
                kind: RedisEventKind::Answer,
                question: Some(id),
                count: result.as_ref().ok().map(|&count| count as f64),
                text: result.err(),
                ..empty
            },
        }
    }
}
