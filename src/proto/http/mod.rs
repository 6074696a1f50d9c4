//! HTTP/1.1 of Engine.IO's requests, without I/O.
//!
//! A server of Node.js stands behind these codecs, so they need not know all of HTTP: they take
//! what Node's parser takes and leaves as it is, and call everything else [`NotCertain`]. Such a
//! request is passed to Node.js, byte for byte, which answers or refuses it as ever.
//!
//! - [`read_head()`]: a request's head, with [`RequestHead`] to look headers up.
//! - [`Query`]: the parameters of Engine.IO.
//! - [`Response`]: the answers to polling requests.
//!
//! [`NotCertain`]: HeadRead::NotCertain

mod head;
mod query;
mod response;

pub use head::{BodyFraming, HeadRead, Method, RequestHead, Values, read_head};
pub use query::Query;
pub use response::{Content, ContentCoding, Persistence, Response};
