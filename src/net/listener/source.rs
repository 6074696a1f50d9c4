//! The bytes of a connection until it is decided who serves its request.

use std::io::{self, ErrorKind, Read};
use std::mem::MaybeUninit;
use std::net::{Shutdown, SocketAddr, TcpStream as StdTcpStream};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf, BytesMut};
use socket2::SockRef;
use tokio::io::{Interest, ReadBuf};
use tokio::net::TcpStream;

use super::http_connection::MAX_HEAD;
use super::tls::{DetachedTls, TlsSource};
use crate::net::stream::Stream;
use crate::net::tls::{TlsDetails, TlsSettings};

/// The most bytes of a payload that are read at once.
const READ_BUFFER: usize = 64 * 1024;

/// The most bytes of a request that are skipped at once: more than most have.
const SKIP_BUFFER: usize = 2 * 1024;

/// A connection whose next request can be looked at.
pub(in crate::net) enum Source {
    /// TCP: bytes that were looked at stay in the kernel.
    Plain(TcpStream),
    /// TLS: plaintext that was looked at is kept. The handshake comes first.
    Tls(Box<TlsSource>),
}

impl Source {
    /// Creates a source, with TLS if there are settings of it.
    ///
    /// # Errors
    ///
    /// Fails if TLS cannot begin.
    pub(super) fn new(socket: TcpStream, tls: Option<Arc<TlsSettings>>) -> io::Result<Self> {
        Ok(match tls {
            None => Self::Plain(socket),
            Some(settings) => Self::Tls(Box::new(TlsSource::new(socket, settings)?)),
        })
    }

    /// Takes the connection from its worker, for another one. Returns its TLS, too, if there is some.
    pub(super) fn detach(self) -> (io::Result<StdTcpStream>, Option<Box<DetachedTls>>) {
        match self {
            Self::Plain(socket) => (socket.into_std(), None),
            Self::Tls(source) => {
                let (socket, tls) = source.detach();
                (socket, Some(Box::new(tls)))
            }
        }
    }

    /// Returns the socket of the connection.
    pub(super) const fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(source) => source.socket(),
        }
    }

    /// Returns the parameters that TLS has negotiated.
    pub(super) fn tls_details(&self) -> Option<Arc<TlsDetails>> {
        match self {
            Self::Plain(_) => None,
            Self::Tls(source) => source.details().cloned(),
        }
    }

    /// Returns whether a handshake of TLS is not done.
    pub(super) fn is_handshaking(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(source) => source.details().is_none(),
        }
    }

    /// Returns the peer's address as Node.js spells it, and its port; `None` if it would name an interface,
    /// too, or if the peer has gone. `known` is the address if the kernel need not be asked.
    pub(super) fn address(&self, known: Option<SocketAddr>) -> Option<(String, u16)> {
        match known.or_else(|| self.socket().peer_addr().ok())? {
            SocketAddr::V6(address) if address.scope_id() != 0 => None,
            address => Some((address.ip().to_string(), address.port())),
        }
    }

    /// Returns the bytes that have arrived, if they are more than `known`; `None` at the end of the
    /// stream. `buffer` may be used for them.
    pub(super) fn poll_peek<'a>(
        &'a mut self,
        context: &mut Context<'_>,
        buffer: &'a mut [u8],
        known: usize,
    ) -> Poll<io::Result<Option<&'a [u8]>>> {
        match self {
            Self::Plain(socket) => poll_peek(socket, context, buffer, known),
            Self::Tls(source) => source.poll_peek(context, buffer.len(), known),
        }
    }

    /// Takes a request of `length` bytes that was looked at. Returns the stream behind it, and the bytes
    /// of it that have been read already; `None` if the peer has ended its side.
    pub(super) fn take(self, length: usize) -> Option<(Stream, BytesMut)> {
        match self {
            // First, since closing would reset the connection of what is unread.
            Self::Plain(socket) => (skip(&socket, length) && !is_at_end(&socket))
                .then(|| (Stream::Plain(socket), BytesMut::new())),
            Self::Tls(source) => {
                let has_peer_ended = source.has_peer_ended();
                let (stream, mut input) = source.into_parts();
                (input.len() >= length && !has_peer_ended).then(|| {
                    input.advance(length);
                    (Stream::Tls(Box::new(stream)), input)
                })
            }
        }
    }

    /// Returns whether there are no more bytes and the peer has ended its side.
    pub(super) fn is_at_end(&self) -> bool {
        match self {
            Self::Plain(socket) => is_at_end(socket),
            Self::Tls(source) => source.has_peer_ended(),
        }
    }

    /// Takes `length` bytes that were looked at. Returns whether they were all there.
    pub(super) fn skip(&mut self, length: usize) -> bool {
        match self {
            Self::Plain(socket) => skip(socket, length),
            Self::Tls(source) => source.skip(length),
        }
    }

    /// Reads until `input` has this length.
    pub(super) fn poll_fill(
        &mut self,
        context: &mut Context<'_>,
        input: &mut Vec<u8>,
        length: usize,
    ) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(socket) => poll_fill(socket, context, input, length),
            Self::Tls(source) => source.poll_fill(context, input, length),
        }
    }

    /// Writes all of a response; `written` is how much of it has been written.
    pub(super) fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        response: &[u8],
        written: &mut usize,
    ) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(socket) => poll_write(socket, context, response, written),
            Self::Tls(source) => source.poll_write(context, response, written),
        }
    }

    /// Ready when the peer has ended its side. A request that arrives meanwhile is still to be read.
    pub(super) fn poll_peer_end(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        match self {
            Self::Plain(socket) => poll_peer_end(socket, context),
            Self::Tls(source) => source.poll_peer_end(context),
        }
    }

    /// Ends our side, before it is dropped.
    pub(super) fn shut_down(&mut self) {
        if let Self::Tls(source) = self {
            source.finish();
        }
        let _ = SockRef::from(self.socket()).shutdown(Shutdown::Write);
    }

    /// Ends the connection, before it is dropped.
    pub(super) fn close(&mut self) {
        drop_received(self.socket());
        if let Self::Tls(source) = self {
            source.finish();
        }
    }

    /// Answers a request, before its connection is closed.
    pub(super) fn answer_last(&mut self, answer: &[u8]) {
        drop_received(self.socket());
        // The send buffer of a connection that has sent little has room.
        match self {
            Self::Plain(socket) => drop(SockRef::from(&*socket).send(answer)),
            Self::Tls(source) => source.answer_last(answer),
        }
        self.shut_down();
    }
}

/// Reads bytes that have been looked at. Returns whether they were all there.
fn skip(socket: &TcpStream, length: usize) -> bool {
    let mut skipped = [MaybeUninit::uninit(); SKIP_BUFFER];
    let mut rest = length;
    while rest > 0 {
        let room = skipped.get_mut(..rest.min(SKIP_BUFFER)).unwrap_or_default();
        match SockRef::from(socket).recv(room) {
            Ok(read) if read > 0 => rest -= read,
            _ => return false,
        }
    }
    true
}

/// Returns whether there are no more bytes and the peer has ended its side, as far as tokio knows. It asks
/// the kernel only then, which costs a client.
fn is_at_end(socket: &TcpStream) -> bool {
    has_peer_ended(socket)
        && matches!(SockRef::from(socket).peek(&mut [MaybeUninit::uninit()]), Ok(0))
}

/// Drops the bytes that the peer has sent. With unread ones, the kernel would reset the connection
/// when it is closed, and drop the response. Asks the kernel, since tokio may not know of them yet.
fn drop_received(socket: &TcpStream) {
    let mut dropped = [0; 4096];
    for _ in 0..MAX_HEAD / dropped.len() {
        if !(&*SockRef::from(socket)).read(&mut dropped).is_ok_and(|length| length > 0) {
            return;
        }
    }
}

/// Returns the bytes that the kernel has received, if they are more than `known`; `None` at the end
/// of the stream. The bytes stay in the kernel.
fn poll_peek<'a>(
    socket: &TcpStream,
    context: &mut Context<'_>,
    buffer: &'a mut [u8],
    known: usize,
) -> Poll<io::Result<Option<&'a [u8]>>> {
    loop {
        ready!(socket.poll_read_ready(context))?;
        // In `try_io()`, which clears the readiness unless bytes arrive meanwhile.
        let peeked = socket.try_io(Interest::READABLE, || {
            match socket.poll_peek(context, &mut ReadBuf::new(buffer)) {
                Poll::Ready(Ok(length)) if length <= known => Err(ErrorKind::WouldBlock.into()),
                // Pending: it has cleared the readiness itself, or wakes the task at once.
                Poll::Ready(peeked) => peeked.map(Poll::Ready),
                Poll::Pending => Ok(Poll::Pending),
            }
        });
        match peeked {
            Ok(peeked) => return peeked.map(|length| Ok(buffer.get(..length))),
            Err(error) if error.kind() != ErrorKind::WouldBlock => return Poll::Ready(Err(error)),
            Err(_) if has_peer_ended(socket) => return Poll::Ready(Ok(None)),
            Err(_) => {}
        }
    }
}

/// Returns whether tokio knows that the peer has ended its side, maybe behind bytes. Of a connection that
/// is new it does not.
pub(super) fn has_peer_ended(socket: &TcpStream) -> bool {
    let readiness = pin!(socket.ready(Interest::READABLE));
    let readiness = readiness.poll(&mut Context::from_waker(Waker::noop()));
    matches!(readiness, Poll::Ready(Ok(readiness)) if readiness.is_read_closed())
}

/// Reads until `input` has this length.
fn poll_fill(
    stream: &TcpStream,
    context: &mut Context<'_>,
    input: &mut Vec<u8>,
    length: usize,
) -> Poll<io::Result<()>> {
    while input.len() < length {
        let known = input.len();
        // Memory grows with what arrives, not with what is announced.
        input.resize(length.min(known + READ_BUFFER), 0);
        let read = stream.try_read(input.get_mut(known..).unwrap_or_default());
        input.truncate(known + read.as_ref().map_or(0, |read| *read));
        match read {
            Ok(0) => return Poll::Ready(Err(ErrorKind::UnexpectedEof.into())),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                ready!(stream.poll_read_ready(context))?;
            }
            Err(error) => return Poll::Ready(Err(error)),
        }
    }
    Poll::Ready(Ok(()))
}

fn poll_write(
    stream: &TcpStream,
    context: &mut Context<'_>,
    response: &[u8],
    written: &mut usize,
) -> Poll<io::Result<()>> {
    while let Some(rest) = response.get(*written..).filter(|rest| !rest.is_empty()) {
        match stream.try_write(rest) {
            Ok(length) => *written += length,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                ready!(stream.poll_write_ready(context))?;
            }
            Err(error) => return Poll::Ready(Err(error)),
        }
    }
    Poll::Ready(Ok(()))
}

/// Ready when the peer has ended its side. A request that arrives meanwhile stays in the kernel.
fn poll_peer_end(stream: &TcpStream, context: &mut Context<'_>) -> Poll<io::Error> {
    loop {
        if has_peer_ended(stream) {
            return Poll::Ready(ErrorKind::UnexpectedEof.into());
        }
        if let Err(error) = ready!(stream.poll_read_ready(context)) {
            return Poll::Ready(error);
        }
        // In `try_io()`, which clears the readiness if there is nothing.
        let peeked = stream.try_io(Interest::READABLE, || {
            SockRef::from(stream).peek(&mut [std::mem::MaybeUninit::uninit()])
        });
        match peeked {
            Ok(0) => return Poll::Ready(ErrorKind::UnexpectedEof.into()),
            // The end of the peer behind another request is not seen; the session notices by heartbeats.
            Ok(_) => return Poll::Pending,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Poll::Ready(error),
        }
    }
}
