//! A TLS connection until it is decided who serves its request.

use std::io::{self, ErrorKind, IoSlice};
use std::net::TcpStream as StdTcpStream;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use rustls::ServerConnection;
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

/// A session on its way to another worker, without its socket.
#[derive(Debug)]
pub(in crate::net) struct DetachedTls {
    session: ServerConnection,
    settings: Arc<TlsSettings>,
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

    /// Goes on with a session that another worker has begun.
    pub(super) fn attach(socket: TcpStream, tls: DetachedTls) -> Self {
        let DetachedTls { session, settings, details, input, has_ended } = tls;
        Self { stream: TlsStream::new(socket, session), settings, details, input, has_ended }
    }

    /// Takes the session from its worker, between two requests.
    pub(super) fn detach(self) -> (io::Result<StdTcpStream>, DetachedTls) {
        let Self { stream, settings, details, input, has_ended } = self;
        let (socket, session) = stream.into_parts();
        (socket.into_std(), DetachedTls { session, settings, details, input, has_ended })
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
            ready!(self.poll_more(context))?;
        }
        let is_new = self.input.len() > known;
        Poll::Ready(Ok(is_new.then(|| self.input.get(..limit).unwrap_or(&self.input))))
    }

    /// Takes bytes that were looked at. Returns whether they were all there.
    pub(super) fn skip(&mut self, length: usize) -> bool {
        let is_whole = length <= self.input.len();
        self.input.advance(length.min(self.input.len()));
        self.release();
        is_whole
    }

    /// Reads more plaintext. Returns whether there was some.
    fn poll_more(&mut self, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        self.input.reserve(READ);
        let length = match self.stream.poll_read(context, &mut self.input) {
            Poll::Pending => {
                self.release();
                return Poll::Pending;
            }
            Poll::Ready(length) => length?,
        };
        self.has_ended = length == 0;
        Poll::Ready(Ok(length > 0))
    }

    /// An idle connection holds no buffer.
    fn release(&mut self) {
        if self.input.is_empty() {
            self.input = BytesMut::new();
        }
    }

    /// Reads until `input` has this length.
    pub(super) fn poll_fill(
        &mut self,
        context: &mut Context<'_>,
        input: &mut Vec<u8>,
        length: usize,
    ) -> Poll<io::Result<()>> {
        while input.len() < length {
            if self.input.is_empty() && (self.has_ended || !ready!(self.poll_more(context))?) {
                return Poll::Ready(Err(ErrorKind::UnexpectedEof.into()));
            }
            let taken = self.input.len().min(length - input.len());
            input.extend_from_slice(&self.input.split_to(taken));
        }
        self.release();
        Poll::Ready(Ok(()))
    }

    /// Writes all of a response; `written` is how much of it has been written.
    pub(super) fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        response: &[u8],
        written: &mut usize,
    ) -> Poll<io::Result<()>> {
        while let Some(rest) = response.get(*written..).filter(|rest| !rest.is_empty()) {
            *written += ready!(self.stream.poll_write(context, &[IoSlice::new(rest)]))?;
        }
        Poll::Ready(Ok(()))
    }

    /// Ready when the peer has ended its side, unless another request is in front of that.
    pub(super) fn poll_peer_end(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        if !self.input.is_empty() {
            return Poll::Pending;
        }
        match ready!(self.poll_more(context)) {
            Ok(true) => Poll::Pending,
            Ok(false) => Poll::Ready(ErrorKind::UnexpectedEof.into()),
            Err(error) => Poll::Ready(error),
        }
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
