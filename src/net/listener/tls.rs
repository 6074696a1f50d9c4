//! A TLS connection until it is decided who serves its request.

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::BytesMut;
use tokio::net::TcpStream;

use super::source::has_peer_ended;
use crate::net::stream::TlsStream;
use crate::net::tls::{TlsDetails, TlsSettings, handshake_failure};

/// Bytes that are read at once.
const READ: usize = 4 * 1024;

/// A session, and the plaintext that was looked at.
pub(in crate::net) struct TlsSource {
    stream: TlsStream,
    settings: Arc<TlsSettings>,
    /// Set when the handshake is done.
    details: Option<Arc<TlsDetails>>,
    input: BytesMut,
    has_ended: bool,
}

/// The result of a handshake that has not succeeded.
#[derive(Debug)]
pub(super) enum HandshakeEnd {
    /// The client's certificate is not accepted. Node.js ends such connections without a report.
    Rejected,
    /// The name of the error, as OpenSSL and Node.js call it.
    Failed(&'static str),
}

impl TlsSource {
    pub(super) fn new(socket: TcpStream, settings: Arc<TlsSettings>) -> io::Result<Self> {
        let session = settings.session().map_err(io::Error::other)?;
        let stream = TlsStream::new(socket, session);
        let (details, input, has_ended) = (None, BytesMut::new(), false);
        Ok(Self { stream, settings, details, input, has_ended })
    }

    pub(super) const fn socket(&self) -> &TcpStream {
        self.stream.socket()
    }

    pub(super) const fn details(&self) -> Option<&Arc<TlsDetails>> {
        self.details.as_ref()
    }

    /// Returns the time within which the handshake must be done; `None` if it is.
    pub(super) fn handshake_timeout(&self) -> Option<Duration> {
        self.details.is_none().then(|| self.settings.handshake_timeout())
    }

    /// Performs the handshake. Returns whether it was done just now.
    pub(super) fn poll_handshake(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<bool, HandshakeEnd>> {
        if self.details.is_some() {
            return Poll::Ready(Ok(false));
        }
        if let Err(error) = ready!(self.stream.poll_handshake(context)) {
            return Poll::Ready(Err(HandshakeEnd::Failed(handshake_failure(&error))));
        }
        let details = self.settings.details(self.stream.session(), self.stream.socket());
        if self.settings.rejects(&details) {
            self.stream.finish();
            return Poll::Ready(Err(HandshakeEnd::Rejected));
        }
        self.details = Some(Arc::new(details));
        Poll::Ready(Ok(true))
    }

    /// Returns the plaintext that has arrived, see [`Source::poll_peek`](super::source::Source::poll_peek).
    /// No more is read once there are `limit` bytes.
    pub(super) fn poll_peek(
        &mut self,
        context: &mut Context<'_>,
        limit: usize,
        known: usize,
    ) -> Poll<io::Result<Option<&[u8]>>> {
        while self.input.len() <= known && !self.has_ended && self.input.len() < limit {
            self.input.reserve(READ);
            let length = match self.stream.poll_read(context, &mut self.input) {
                Poll::Pending => {
                    if self.input.is_empty() {
                        self.input = BytesMut::new();
                    }
                    return Poll::Pending;
                }
                Poll::Ready(length) => length?,
            };
            self.has_ended = length == 0;
        }
        let is_new = self.input.len() > known;
        Poll::Ready(Ok(is_new.then(|| self.input.get(..limit).unwrap_or(&self.input))))
    }

    pub(super) fn has_peer_ended(&self) -> bool {
        self.has_ended || has_peer_ended(self.socket())
    }

    pub(super) fn into_parts(self) -> (TlsStream, BytesMut) {
        (self.stream, self.input)
    }

    /// Writes an answer as far as the socket accepts it at once, and ends our side.
    pub(super) fn answer_last(&mut self, answer: &[u8]) {
        if self.details.is_some() {
            let _ = self.stream.write_now(&[IoSlice::new(answer)]);
        }
        self.stream.finish();
    }

    /// Ends our side.
    pub(super) fn finish(&mut self) {
        self.stream.finish();
    }
}
