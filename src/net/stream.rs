//! The socket of a connection: its bytes as they are, or encrypted by TLS. Or long-polling in its place.
//!
//! [`ConnectionTask`](super::connection_task::ConnectionTask) writes from its queue and removes the bytes
//! that a write has returned; it does not know which of the two it writes to. All of it runs on the
//! worker's thread.

mod tls;

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;
use tokio_util::io::poll_read_buf;

use super::SocketOption;
use super::polling::PollingTransport;
pub(super) use tls::TlsStream;

/// Bytes that the kernel may hold unsent for a connection that gets packets with keys: they cannot be
/// replaced any more. By default it takes megabytes, minutes of a slow peer.
///
/// Measured with 200 keys, 50 times a second, to peers that read 10 KiB/s: after 8 s, packets arrive
/// up to 0.86 s old, without this limit 7.7 s. For 20 others that read all, the CPU is the same.
const MAX_UNSENT: u32 = 4 * 1024;

/// A connected stream of bytes.
#[derive(Debug)]
pub(super) enum Stream {
    /// The bytes of the socket.
    Plain(TcpStream),
    /// The plaintext of a TLS session, whose handshake is done.
    Tls(Box<TlsStream>),
    /// No socket: requests of a client that polls.
    Polling(Box<PollingTransport>),
}

impl Stream {
    /// Writes as much as the socket accepts at once, without asking tokio, which may not know yet that
    /// it is writable. Returns the number of bytes that the kernel has accepted, see
    /// [`fixed`](Self::fixed).
    pub(super) fn write_now(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => send(socket, slices),
            Self::Tls(stream) => stream.write_now(slices),
            Self::Polling(transport) => {
                transport.write(slices).ok_or_else(|| io::ErrorKind::WouldBlock.into())
            }
        }
    }

    /// Writes as [`write_now`](Self::write_now) does; pending until the socket accepts something.
    pub(super) fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(socket) => match slices {
                [slice] => Pin::new(socket).poll_write(context, slice),
                slices => Pin::new(socket).poll_write_vectored(context, slices),
            },
            Self::Tls(stream) => stream.poll_write(context, slices),
            // The next request wakes the task.
            Self::Polling(transport) => {
                transport.write(slices).map_or(Poll::Pending, |length| Poll::Ready(Ok(length)))
            }
        }
    }

    /// Returns how many bytes of the slices of a write that was not ready are on their way already. The
    /// next write must begin with the same bytes.
    pub(super) const fn fixed(&self) -> usize {
        match self {
            Self::Plain(_) | Self::Polling(_) => 0,
            Self::Tls(stream) => stream.fixed(),
        }
    }

    /// Writes what the session has to say by itself: answers of TLS to what was read.
    pub(super) fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(_) | Self::Polling(_) => Poll::Ready(Ok(())),
            Self::Tls(stream) => stream.poll_flush(context),
        }
    }

    /// Reads into the room that the buffer has. Returns the number of bytes; 0 when the peer's side has
    /// ended.
    pub(super) fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut BytesMut,
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(socket) => poll_read_buf(Pin::new(socket), context, buffer),
            Self::Tls(stream) => stream.poll_read(context, buffer),
            Self::Polling(_) => Poll::Pending,
        }
    }

    /// Ends our side.
    pub(super) fn poll_shutdown(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(socket) => Pin::new(socket).poll_shutdown(context),
            Self::Tls(stream) => stream.poll_shutdown(context),
            Self::Polling(_) => Poll::Ready(Ok(())),
        }
    }

    /// Ends our side as far as that goes at once. The socket closes when the stream is dropped.
    pub(super) fn finish(&mut self) {
        match self {
            Self::Plain(_) => {}
            Self::Tls(stream) => stream.finish(),
            Self::Polling(transport) => transport.finish(),
        }
    }

    /// Sends what has been written, if that waits for more. To be called when there is no more.
    pub(super) fn end_batch(&mut self) {
        if let Self::Polling(transport) = self {
            transport.end_batch();
        }
    }

    /// Returns whether something can be written, as far as that is known without trying.
    pub(super) fn may_be_writable(&self) -> bool {
        self.polling().is_none_or(PollingTransport::has_poll)
    }

    /// Returns whether nothing can be written any more, though all went well.
    pub(super) fn is_closed(&self) -> bool {
        self.polling().is_some_and(PollingTransport::is_closed)
    }

    /// Marks what is written next as packets that may be compressed as a whole.
    pub(super) fn allow_compression(&mut self) {
        if let Self::Polling(transport) = self {
            transport.allow_compression();
        }
    }

    /// Returns the transport of a polling session.
    pub(super) fn polling(&self) -> Option<&PollingTransport> {
        match self {
            Self::Polling(transport) => Some(transport),
            Self::Plain(_) | Self::Tls(_) => None,
        }
    }

    /// As [`polling`](Self::polling).
    pub(super) fn polling_mut(&mut self) -> Option<&mut PollingTransport> {
        match self {
            Self::Polling(transport) => Some(transport),
            Self::Plain(_) | Self::Tls(_) => None,
        }
    }

    /// Returns whether bytes have arrived that were not read, or the end of the peer's side.
    pub(super) fn has_unread(&self) -> bool {
        self.socket().is_some_and(|socket| socket.peek(&mut [MaybeUninit::uninit()]).is_ok())
    }

    /// Has closing reset the connection, and drop what the kernel has queued.
    pub(super) fn reset_on_close(&self) {
        if let Some(socket) = self.socket() {
            let _ = socket.set_linger(Some(Duration::ZERO));
        }
    }

    /// Sets an option of the socket.
    pub(super) fn set_option(&self, option: SocketOption) -> io::Result<()> {
        let Some(socket) = self.socket() else { return Ok(()) };
        match option {
            SocketOption::NoDelay(is_enabled) => socket.set_tcp_nodelay(is_enabled),
            SocketOption::KeepAlive { is_enabled: false, .. } => socket.set_keepalive(false),
            SocketOption::KeepAlive { delay, interval, count, .. } => {
                let seconds = |value: u32| Duration::from_secs(value.into());
                let mut keepalive = TcpKeepalive::new();
                if let Some(delay) = delay {
                    keepalive = keepalive.with_time(seconds(delay));
                }
                if let Some(interval) = interval {
                    keepalive = keepalive.with_interval(seconds(interval));
                }
                if let Some(count) = count {
                    keepalive = keepalive.with_retries(count);
                }
                socket.set_tcp_keepalive(&keepalive)
            }
            SocketOption::TypeOfService(value) => {
                if socket.local_addr()?.is_ipv6() {
                    socket.set_tclass_v6(value)
                } else {
                    socket.set_tos_v4(value)
                }
            }
        }
    }

    /// Has no more than [`MAX_UNSENT`] accepted. If the kernel refuses, it only holds more packets that
    /// are out of date.
    pub(super) fn limit_unsent(&mut self) {
        if let Self::Tls(stream) = self {
            stream.limit_batch(MAX_UNSENT as usize);
        }
        self.socket().iter().for_each(limit_unsent);
    }

    fn socket(&self) -> Option<SockRef<'_>> {
        match self {
            Self::Plain(socket) => Some(SockRef::from(socket)),
            Self::Tls(stream) => Some(SockRef::from(stream.socket())),
            Self::Polling(_) => None,
        }
    }
}

/// Writes to the socket itself.
fn send(socket: &TcpStream, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    let socket = SockRef::from(socket);
    match slices {
        [slice] => socket.send(slice),
        slices => socket.send_vectored(slices),
    }
}

#[cfg(target_os = "linux")]
fn limit_unsent(socket: &SockRef<'_>) {
    let _ = socket.set_tcp_notsent_lowat(MAX_UNSENT);
}

/// Does nothing: socket2 has the option for Linux only.
#[cfg(not(target_os = "linux"))]
const fn limit_unsent(_: &SockRef<'_>) {}
