//! A TLS session over a socket.
//!
//! Plaintext is encrypted only while no earlier ciphertext waits, at most [`MAX_BATCH`] bytes of it: so
//! the session holds no more than that, several frames share a record, and a write returns the number of
//! bytes only when the kernel has accepted all records that contain them.

use std::io::{self, BufRead, ErrorKind, IoSlice, Read, Write};
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use rustls::ServerConnection;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::send;

/// Plaintext that is encrypted at once: four full records, which leave in one `writev`.
const MAX_BATCH: usize = 4 * 16 * 1024;

/// A session and its socket. [`poll_handshake`](Self::poll_handshake) comes before all else.
#[derive(Debug)]
pub(in crate::net) struct TlsStream {
    socket: TcpStream,
    session: ServerConnection,
    /// Bytes of plaintext that the session has encrypted and the kernel has not accepted wholly.
    fixed: usize,
    /// Set when the peer's side has ended.
    has_ended: bool,
    /// Set when our side has ended by `close_notify`.
    is_closed: bool,
    /// An error that followed bytes which were read before it.
    error: Option<io::Error>,
}

impl TlsStream {
    pub(in crate::net) fn new(socket: TcpStream, mut session: ServerConnection) -> Self {
        session.set_buffer_limit(Some(MAX_BATCH));
        Self { socket, session, fixed: 0, has_ended: false, is_closed: false, error: None }
    }

    /// Performs the handshake. Pending until the peer has done its part.
    ///
    /// # Errors
    ///
    /// The error of the socket or of TLS, which is [`ErrorKind::InvalidData`] with a
    /// [`rustls::Error`]; the peer has been sent an alert then.
    pub(in crate::net) fn poll_handshake(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_flush(context))?;
            if !self.session.is_handshaking() {
                return Poll::Ready(Ok(()));
            }
            let mut socket = Polled { socket: &mut self.socket, context };
            if ready!(poll(self.session.read_tls(&mut socket)))? == 0 {
                return Poll::Ready(Err(ErrorKind::ConnectionReset.into()));
            }
            if let Err(error) = self.session.process_new_packets() {
                let _ = self.flush_now();
                return Poll::Ready(Err(io::Error::new(ErrorKind::InvalidData, error)));
            }
        }
    }

    /// Returns socket and session, while nothing is on its way.
    pub(in crate::net) fn into_parts(self) -> (TcpStream, ServerConnection) {
        (self.socket, self.session)
    }

    pub(in crate::net) const fn session(&self) -> &ServerConnection {
        &self.session
    }

    pub(in crate::net) const fn socket(&self) -> &TcpStream {
        &self.socket
    }

    pub(super) const fn fixed(&self) -> usize {
        self.fixed
    }

    /// Sets how many bytes of plaintext are encrypted at once.
    pub(super) fn limit_batch(&mut self, length: usize) {
        self.session.set_buffer_limit(Some(length));
    }

    pub(in crate::net) fn write_now(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.encrypt(slices)?;
        self.flush_now()?;
        Ok(mem::take(&mut self.fixed))
    }

    pub(in crate::net) fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.encrypt(slices)?;
        ready!(self.poll_flush(context))?;
        Poll::Ready(Ok(mem::take(&mut self.fixed)))
    }

    /// Encrypts the bytes, unless earlier ones are on their way.
    fn encrypt(&mut self, slices: &[IoSlice<'_>]) -> io::Result<()> {
        if self.fixed == 0 {
            // Messages of TLS itself count towards the limit, so that no plaintext may fit.
            self.fixed = self.session.writer().write_vectored(slices)?;
        }
        Ok(())
    }

    fn flush_now(&mut self) -> io::Result<()> {
        while self.session.wants_write() {
            match self.session.write_tls(&mut Now(&self.socket)) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                written => drop(written?),
            }
        }
        Ok(())
    }

    pub(super) fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.session.wants_write() {
            let mut socket = Polled { socket: &mut self.socket, context };
            ready!(poll(self.session.write_tls(&mut socket)))?;
        }
        Poll::Ready(Ok(()))
    }

    pub(in crate::net) fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut BytesMut,
    ) -> Poll<io::Result<usize>> {
        let before = buffer.len();
        let result = self.poll_fill(context, buffer);
        let length = buffer.len() - before;
        match result {
            Poll::Ready(Err(error)) if length == 0 => Poll::Ready(Err(error)),
            Poll::Pending if length == 0 => Poll::Pending,
            Poll::Ready(Err(error)) => {
                self.error = Some(error);
                Poll::Ready(Ok(length))
            }
            _ => Poll::Ready(Ok(length)),
        }
    }

    /// Reads until the buffer is full, the peer's side has ended, or the socket has no more.
    fn poll_fill(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut BytesMut,
    ) -> Poll<io::Result<()>> {
        while buffer.len() < buffer.capacity() {
            if self.take_plaintext(buffer)? {
                continue;
            }
            if let Some(error) = self.error.take() {
                return Poll::Ready(Err(error));
            }
            if self.has_ended {
                break;
            }
            let mut socket = Polled { socket: &mut self.socket, context };
            self.error = ready!(poll(self.session.read_tls(&mut socket))).err();
            if let Err(error) = self.session.process_new_packets() {
                // The alert. What was decrypted before is still to be read.
                let _ = self.flush_now();
                self.error = Some(io::Error::new(ErrorKind::InvalidData, error));
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Moves decrypted bytes to the buffer. Returns whether there were some.
    fn take_plaintext(&mut self, buffer: &mut BytesMut) -> io::Result<bool> {
        let mut reader = self.session.reader();
        let length = match reader.fill_buf() {
            Ok(chunk) => {
                let length = chunk.len().min(buffer.capacity() - buffer.len());
                buffer.extend_from_slice(chunk.get(..length).unwrap_or_default());
                self.has_ended = chunk.is_empty();
                length
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            // As OpenSSL under Node.js, which ignores that `close_notify` is missing.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                self.has_ended = true;
                0
            }
            Err(error) => return Err(error),
        };
        reader.consume(length);
        Ok(length > 0)
    }

    pub(super) fn poll_shutdown(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.close();
        ready!(self.poll_flush(context))?;
        Pin::new(&mut self.socket).poll_shutdown(context)
    }

    pub(in crate::net) fn finish(&mut self) {
        self.close();
        let _ = self.flush_now();
    }

    fn close(&mut self) {
        if !mem::replace(&mut self.is_closed, true) {
            self.session.send_close_notify();
        }
    }
}

/// Turns the error of a socket that is not ready into [`Poll::Pending`].
fn poll<T>(result: io::Result<T>) -> Poll<io::Result<T>> {
    match result {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Poll::Pending,
        result => Poll::Ready(result),
    }
}

/// Writes to the socket at once.
struct Now<'a>(&'a TcpStream);

impl Write for Now<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        send(self.0, slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads and writes by tokio, which wakes the task after [`ErrorKind::WouldBlock`].
struct Polled<'a, 'b> {
    socket: &'a mut TcpStream,
    context: &'a mut Context<'b>,
}

/// Turns [`Poll::Pending`] into an error.
fn block<T>(result: Poll<io::Result<T>>) -> io::Result<T> {
    match result {
        Poll::Ready(result) => result,
        Poll::Pending => Err(ErrorKind::WouldBlock.into()),
    }
}

impl Read for Polled<'_, '_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let mut buffer = ReadBuf::new(bytes);
        block(Pin::new(&mut *self.socket).poll_read(self.context, &mut buffer))?;
        Ok(buffer.filled().len())
    }
}

impl Write for Polled<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        block(Pin::new(&mut *self.socket).poll_write(self.context, bytes))
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match slices {
            // `send()` goes less far through the kernel than `writev()`.
            [slice] => self.write(slice),
            slices => block(Pin::new(&mut *self.socket).poll_write_vectored(self.context, slices)),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::io::{IoSlice, Read, Write};
    use std::net::{Shutdown, TcpListener};
    use std::sync::Arc;
    use std::thread;

    use bytes::BytesMut;
    use rustls::crypto::ring::default_provider;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
    use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};
    use tokio::net::TcpStream;
    use tokio::runtime::{Builder, Runtime};

    use super::super::Stream;
    use super::{MAX_BATCH, TlsStream};

    const CERTIFICATE: &[u8] = include_bytes!("../../../tests/support/certificate/certificate.der");
    const KEY: &[u8] = include_bytes!("../../../tests/support/certificate/key.der");

    /// More than the buffers of the kernel hold.
    const MUCH: usize = 32 * 1024 * 1024;

    /// A client whose handshake is done.
    struct Client {
        session: ClientConnection,
        socket: std::net::TcpStream,
    }

    impl Client {
        fn stream(&mut self) -> rustls::Stream<'_, ClientConnection, std::net::TcpStream> {
            rustls::Stream::new(&mut self.session, &mut self.socket)
        }

        fn read_exact(&mut self, length: usize) -> Vec<u8> {
            let mut bytes = vec![0; length];
            self.stream().read_exact(&mut bytes).unwrap();
            bytes
        }
    }

    fn sessions() -> (ServerConnection, ClientConnection) {
        let certificate = CertificateDer::from_slice(CERTIFICATE);
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(KEY));
        let mut server = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key)
            .unwrap();
        // Else they follow the handshake, at any time.
        server.send_tls13_tickets = 0;
        let mut roots = RootCertStore::empty();
        roots.add(certificate).unwrap();
        let client = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").unwrap();
        (
            ServerConnection::new(Arc::new(server)).unwrap(),
            ClientConnection::new(Arc::new(client), name).unwrap(),
        )
    }

    /// Connects a client, and returns the server's end.
    fn connect() -> (Runtime, Stream, Client) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut accepted, _) = listener.accept().unwrap();
        let (mut server, session) = sessions();
        let mut client = Client { session, socket };
        let client = thread::spawn(move || {
            while client.session.is_handshaking() {
                client.session.complete_io(&mut client.socket).unwrap();
            }
            client
        });
        while server.is_handshaking() {
            server.complete_io(&mut accepted).unwrap();
        }
        accepted.set_nonblocking(true).unwrap();
        let runtime = Builder::new_current_thread().enable_io().build().unwrap();
        let guard = runtime.enter();
        let socket = TcpStream::from_std(accepted).unwrap();
        drop(guard);
        let stream = Stream::Tls(Box::new(TlsStream::new(socket, server)));
        (runtime, stream, client.join().unwrap())
    }

    /// Reads once, up to `room` bytes.
    fn read(runtime: &Runtime, stream: &mut Stream, room: usize) -> Vec<u8> {
        let mut buffer = BytesMut::with_capacity(room);
        let read = poll_fn(|context| stream.poll_read(context, &mut buffer));
        let length = runtime.block_on(read).unwrap();
        assert_eq!(length, buffer.len());
        buffer.to_vec()
    }

    /// Returns the types of the records in `bytes`.
    fn records(mut bytes: &[u8]) -> Vec<u8> {
        let mut types = Vec::new();
        while let [kind, _, _, high, low, rest @ ..] = bytes {
            types.push(*kind);
            bytes = &rest[usize::from(u16::from_be_bytes([*high, *low]))..];
        }
        types
    }

    #[test]
    fn frames_that_are_written_together_share_a_record() {
        let (_runtime, mut stream, mut client) = connect();
        let frames = ["one", "two", "three"].map(|frame| IoSlice::new(frame.as_bytes()));
        assert_eq!(stream.write_now(&frames).unwrap(), 11);
        stream.finish();
        drop(stream);
        let mut wire = Vec::new();
        client.socket.read_to_end(&mut wire).unwrap();
        // Application data, and the alert, which looks like it.
        assert_eq!(records(&wire).len(), 2);
        client.session.read_tls(&mut &*wire).unwrap();
        client.session.process_new_packets().unwrap();
        let mut text = String::new();
        client.session.reader().read_to_string(&mut text).unwrap();
        assert_eq!(text, "onetwothree");
    }

    #[test]
    fn bytes_are_written_when_the_kernel_has_their_records() {
        let (runtime, mut stream, mut client) = connect();
        let bytes: Vec<u8> = (0..MUCH).map(|index| (index % 251) as u8).collect();
        let mut written = 0;
        while stream.fixed() == 0 {
            match stream.write_now(&[IoSlice::new(&bytes[written..])]) {
                Ok(length) => written += length,
                Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock),
            }
        }
        // As the kernel does not take them, neither does the session, and the bytes stay.
        assert_eq!(stream.fixed(), MAX_BATCH);
        assert!(stream.write_now(&[IoSlice::new(&bytes[written..])]).is_err());
        assert_eq!(stream.fixed(), MAX_BATCH);
        let expected = bytes.clone();
        let reader = thread::spawn(move || assert!(client.read_exact(MUCH) == expected));
        while written < MUCH {
            let write = |context: &mut std::task::Context<'_>| {
                stream.poll_write(context, &[IoSlice::new(&bytes[written..])])
            };
            written += runtime.block_on(poll_fn(write)).unwrap();
        }
        assert_eq!((written, stream.fixed()), (MUCH, 0));
        reader.join().unwrap();
    }

    #[test]
    fn a_limited_stream_encrypts_little_at_once() {
        let (_runtime, mut stream, client) = connect();
        stream.limit_unsent();
        let bytes = vec![7; MUCH];
        let mut written = 0;
        while let Ok(length) = stream.write_now(&[IoSlice::new(&bytes[written..])]) {
            assert!(length <= 4096);
            written += length;
        }
        assert!(stream.fixed() <= 4096);
        drop(client);
    }

    #[test]
    fn what_is_more_than_the_buffer_is_read_later() {
        let (runtime, mut stream, mut client) = connect();
        client.stream().write_all(&[7; 20_000]).unwrap();
        let mut lengths = Vec::new();
        while lengths.iter().sum::<usize>() < 20_000 {
            let read = read(&runtime, &mut stream, 3000);
            assert!(read.iter().all(|byte| *byte == 7) && read.len() <= 3000);
            lengths.push(read.len());
        }
        assert_eq!(lengths.iter().sum::<usize>(), 20_000);
    }

    #[test]
    fn the_peers_end_is_read_with_and_without_close_notify() {
        for is_orderly in [true, false] {
            let (runtime, mut stream, mut client) = connect();
            client.stream().write_all(b"last").unwrap();
            if is_orderly {
                client.session.send_close_notify();
                client.session.complete_io(&mut client.socket).unwrap();
            }
            client.socket.shutdown(Shutdown::Write).unwrap();
            assert_eq!(read(&runtime, &mut stream, 100), b"last");
            assert_eq!(read(&runtime, &mut stream, 100), b"");
            assert_eq!(read(&runtime, &mut stream, 100), b"");
        }
    }

    #[test]
    fn our_end_is_orderly() {
        let (runtime, mut stream, mut client) = connect();
        assert_eq!(stream.write_now(&[IoSlice::new(b"last")]).unwrap(), 4);
        runtime.block_on(poll_fn(|context| stream.poll_shutdown(context))).unwrap();
        let mut text = String::new();
        // Fails without `close_notify`.
        client.stream().read_to_string(&mut text).unwrap();
        assert_eq!(text, "last");
        // The other direction goes on.
        client.stream().write_all(b"answer").unwrap();
        assert_eq!(read(&runtime, &mut stream, 100), b"answer");
    }

    #[test]
    fn a_forged_record_is_an_error_behind_what_came_before() {
        let (runtime, mut stream, mut client) = connect();
        client.stream().write_all(b"good").unwrap();
        client.socket.write_all(b"\x17\x03\x03\x00\x20 this is not what the key yields").unwrap();
        let mut buffer = BytesMut::with_capacity(100);
        let mut results = Vec::new();
        while results.len() < 2 {
            let read = poll_fn(|context| stream.poll_read(context, &mut buffer));
            results.push(runtime.block_on(read).map_err(|error| error.kind()));
        }
        assert_eq!(results, [Ok(4), Err(std::io::ErrorKind::InvalidData)]);
        assert_eq!(&*buffer, b"good");
        // The alert.
        assert!(client.stream().read(&mut [0]).is_err());
    }
}
