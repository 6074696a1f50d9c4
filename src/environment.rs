//! The native state of one JavaScript environment: a pool of I/O workers, the options of its
//! connections, and the rooms that links to other nodes look up.
//!
//! Composes [`net`](crate::net) and `cluster`, and knows nothing of Node-API: `binding` converts
//! arguments and results, and calls this.

use std::collections::HashMap;
use std::io;
use std::net::TcpStream;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;

use bytes::Bytes;

#[cfg(feature = "cluster")]
use crate::cluster::{Address, DirectoryWriter, NamespaceId, RoomName};
use crate::fanout::Frames;
use crate::net::{
    ConnectionId, ConnectionOptions, Event, HandshakeKey, PassedDescriptor, PollingOptions,
    WorkerPool,
};
use crate::proto::websocket::Opcode;

/// The type of JavaScript value that text messages become.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TextMode {
    /// A Buffer of UTF-8.
    #[default]
    Buffer,
    /// A string.
    String,
}

/// Options that the connections of one server share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configuration {
    /// The options that workers need.
    pub options: Arc<ConnectionOptions>,
    /// The form of text messages.
    pub text_mode: TextMode,
}

/// The position of a [`Configuration`] in the table of an [`Environment`].
pub type ConfigurationId = u32;

/// Workers, their connections and rooms, and the directory of rooms for a cluster.
///
/// Belongs to the thread of its JavaScript environment. The methods, in the order of their use:
///
/// - [`start`](Self::start), then [`configure`](Self::configure) for each set of options, then
///   [`open`](Self::open) or [`accept`](Self::accept) for each connection;
/// - **commands** to connections and rooms: [`send`](Self::send),
///   [`send_prepared`](Self::send_prepared), all commands of [`pool_mut`](Self::pool_mut), and the
///   changes of `directory_writer_mut`. They wait until [`flush`](Self::flush), which passes all
///   of them on and must be called here, not on the pool;
/// - **events**: [`take`](Self::take) once `notify` has been called, and
///   [`release`](Self::release) after the last event of a connection;
/// - [`rest`](Self::rest) while there are no connections, after which `start` is due again, or
///   [`shut_down`](Self::shut_down) at the end.
#[derive(Default)]
pub struct Environment {
    pool: WorkerPool,
    #[cfg(feature = "cluster")]
    directory_writer: DirectoryWriter,
    configurations: Vec<Configuration>,
    /// Indexed by connection id.
    text_modes: Vec<TextMode>,
    /// The frame that several connections of one turn share; `None` after a flush.
    prepared: Option<Frames>,
    /// Descriptors of passed connections that the application has not claimed: it may end before.
    descriptors: HashMap<RawFd, PassedDescriptor>,
}

impl Environment {
    /// Sets the function that workers call, on their threads, when [`take`](Self::take) has
    /// events to give; it is not called again until `take` has been.
    pub fn start(&mut self, notify: impl Fn() + Send + Sync + 'static) {
        self.pool.notify_by(notify);
    }

    /// Ends the workers and drops `notify`, unless there are connections.
    pub fn rest(&mut self) {
        self.pool.rest();
    }

    /// Writes what the sockets accept at once, closes all connections and ends the workers.
    pub fn shut_down(&mut self) {
        self.descriptors.clear();
        self.pool.shut_down();
    }

    /// Returns the id of a configuration, which equal ones share.
    pub fn configure(
        &mut self,
        options: ConnectionOptions,
        text_mode: TextMode,
    ) -> ConfigurationId {
        let known = self.configurations.iter().position(|configuration| {
            *configuration.options == options && configuration.text_mode == text_mode
        });
        let index = known.unwrap_or_else(|| {
            self.configurations.push(Configuration { options: Arc::new(options), text_mode });
            self.configurations.len() - 1
        });
        index as ConfigurationId
    }

    /// Returns the configuration of this id.
    #[must_use]
    pub fn configuration(&self, id: ConfigurationId) -> Option<Configuration> {
        self.configurations.get(id as usize).cloned()
    }

    /// Hands a connection over to a worker; see [`WorkerPool::open`].
    ///
    /// # Errors
    ///
    /// The error of the operating system, if a worker cannot be started.
    pub fn open(
        &mut self,
        stream: TcpStream,
        input: &[u8],
        Configuration { options, text_mode }: Configuration,
        io_threads: usize,
        bytes_before: (u64, u64),
    ) -> io::Result<ConnectionId> {
        let id = self.pool.open(stream, input, options, io_threads, bytes_before)?;
        self.set_text_mode(id, text_mode);
        Ok(id)
    }

    /// Accepts a handshake; see [`WorkerPool::accept`].
    pub fn accept(
        &mut self,
        worker: usize,
        key: HandshakeKey,
        Configuration { options, text_mode }: Configuration,
        headers: &[u8],
    ) -> Option<ConnectionId> {
        let id = self.pool.accept(worker, key, options, headers)?;
        self.set_text_mode(id, text_mode);
        Some(id)
    }

    /// Accepts a handshake; see [`WorkerPool::accept_polling`].
    pub fn accept_polling(
        &mut self,
        worker: usize,
        key: HandshakeKey,
        Configuration { options, text_mode }: Configuration,
        sid: String,
        polling: PollingOptions,
    ) -> Option<ConnectionId> {
        let id = self.pool.accept_polling(worker, key, options, sid, polling)?;
        self.set_text_mode(id, text_mode);
        Some(id)
    }

    /// Accepts a handshake; see [`WorkerPool::accept_upgrade`].
    pub fn accept_upgrade(
        &mut self,
        worker: usize,
        key: HandshakeKey,
        id: ConnectionId,
        Configuration { options, text_mode }: Configuration,
        headers: &[u8],
    ) -> bool {
        self.set_text_mode(id, text_mode);
        self.pool.accept_upgrade(worker, key, id, options, headers)
    }

    fn set_text_mode(&mut self, id: ConnectionId, text_mode: TextMode) {
        let index = id as usize;
        if self.text_modes.len() <= index {
            self.text_modes.resize(index + 1, TextMode::default());
        }
        if let Some(entry) = self.text_modes.get_mut(index) {
            *entry = text_mode;
        }
    }

    /// Sends a whole frame with this opcode. A close frame is the last of its connection and is
    /// never reported.
    pub fn send(&mut self, id: ConnectionId, opcode: Opcode, frame: Frames, is_reported: bool) {
        if opcode == Opcode::Close {
            self.pool.close(id, frame.for_peer(None));
        } else {
            self.pool.send(id, frame, is_reported);
        }
    }

    /// Sets the whole frame that [`send_prepared`](Self::send_prepared) sends until the next
    /// [`flush`](Self::flush).
    pub fn prepare(&mut self, frame: impl Into<Frames>) {
        self.prepared = Some(frame.into());
    }

    /// Sends the prepared frame, whose memory all its connections share. Returns its length in
    /// bytes.
    pub fn send_prepared(&mut self, id: ConnectionId, is_reported: bool) -> usize {
        let frame = self.prepared.clone().unwrap_or_else(|| Bytes::new().into());
        let length = frame.plain().len();
        self.pool.send(id, frame, is_reported);
        length
    }

    /// Makes the changes of the directory and passes the commands on to the workers, at one moment
    /// for all links. Blocks while a worker lags, see [`WorkerPool::flush`].
    pub fn flush(&mut self) {
        self.prepared = None;
        #[cfg(feature = "cluster")]
        self.directory_writer.post(&mut self.pool);
        self.pool.flush();
    }

    /// Calls `handle` with at most `limit` events, and with the text mode of each connection.
    /// Returns whether there are more events; see [`WorkerPool::take`].
    pub fn take(
        &mut self,
        limit: usize,
        mut handle: impl FnMut(ConnectionId, Event, TextMode),
    ) -> bool {
        let Self { pool, text_modes, .. } = self;
        pool.take(limit, |id, event| {
            let text_mode = text_modes.get(id as usize).copied().unwrap_or_default();
            handle(id, event, text_mode);
        })
    }

    /// Keeps the descriptors of passed connections until they are claimed, or closes them at the end.
    pub fn keep_descriptors(&mut self, descriptors: Vec<PassedDescriptor>) {
        self.descriptors.extend(descriptors.into_iter().map(|owned| (owned.as_raw_fd(), owned)));
    }

    /// Returns whether a passed connection ends instead, see [`PassedDescriptor::is_overtaken`].
    pub fn is_overtaken(&self, descriptor: RawFd) -> bool {
        self.descriptors.get(&descriptor).is_some_and(PassedDescriptor::is_overtaken)
    }

    /// Removes and returns the descriptor of a passed connection.
    pub fn claim_descriptor(&mut self, descriptor: RawFd) -> Option<OwnedFd> {
        self.descriptors.remove(&descriptor).map(PassedDescriptor::claim)
    }

    /// Lets the id of a connection that has ended be used again, here and for links.
    pub fn release(&mut self, id: ConnectionId) {
        #[cfg(feature = "cluster")]
        self.directory_writer.release(id);
        self.pool.release(id);
    }

    /// Returns the pool, for what changes nothing.
    #[must_use]
    pub const fn pool(&self) -> &WorkerPool {
        &self.pool
    }

    /// Returns the pool, for commands that concern nothing else.
    pub const fn pool_mut(&mut self) -> &mut WorkerPool {
        &mut self.pool
    }

    /// Returns the writer of the directory, whose changes take effect with the next
    /// [`flush`](Self::flush).
    #[cfg(feature = "cluster")]
    #[must_use]
    pub const fn directory_writer(&self) -> &DirectoryWriter {
        &self.directory_writer
    }

    /// As [`directory_writer`](Self::directory_writer), to make changes.
    #[cfg(feature = "cluster")]
    pub const fn directory_writer_mut(&mut self) -> &mut DirectoryWriter {
        &mut self.directory_writer
    }

    /// Sets the address of a room's direct members, whose worker the pool knows; see
    /// [`DirectoryWriter::set_room`].
    #[cfg(feature = "cluster")]
    pub fn set_room(
        &mut self,
        namespace: NamespaceId,
        name: RoomName,
        address: Address,
        has_served: bool,
    ) {
        let Self { pool, directory_writer, .. } = self;
        directory_writer.set_room(pool, namespace, name, address, has_served);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::sync::mpsc::{Receiver, channel};
    use std::time::Duration;

    use super::{Configuration, ConfigurationId, Environment, TextMode};
    use crate::net::{ConnectionId, ConnectionOptions, Event};
    use crate::proto::websocket::{Opcode, encode_frame};

    /// The time after which a test that waits fails.
    const PATIENCE: Duration = Duration::from_secs(20);

    struct Application {
        environment: Environment,
        notifications: Receiver<()>,
        listener: TcpListener,
    }

    impl Application {
        fn new() -> Self {
            let mut environment = Environment::default();
            let (notify, notifications) = channel();
            environment.start(move || notify.send(()).unwrap_or_default());
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            Self { environment, notifications, listener }
        }

        fn connect(&mut self, configuration: Configuration) -> (ConnectionId, TcpStream) {
            let peer = TcpStream::connect(self.listener.local_addr().unwrap()).unwrap();
            let (stream, _) = self.listener.accept().unwrap();
            stream.set_nonblocking(true).unwrap();
            peer.set_read_timeout(Some(PATIENCE)).unwrap();
            let id = self.environment.open(stream, b"", configuration, 1, (0, 0)).unwrap();
            self.environment.flush();
            (id, peer)
        }

        fn connect_with(&mut self, text_mode: TextMode) -> (ConnectionId, TcpStream) {
            let id = self.environment.configure(ConnectionOptions::default(), text_mode);
            let configuration = self.environment.configuration(id).unwrap();
            self.connect(configuration)
        }

        /// Returns the next event, which must be the only one.
        fn next_event(&mut self) -> (ConnectionId, Event, TextMode) {
            let mut events = Vec::new();
            while events.is_empty() {
                self.notifications.recv_timeout(PATIENCE).unwrap();
                let has_more = self.environment.take(8, |id, event, text_mode| {
                    events.push((id, event, text_mode));
                });
                assert!(!has_more);
            }
            assert_eq!(events.len(), 1, "{events:?}");
            events.remove(0)
        }

        /// Returns the text mode with which a message of this peer is reported.
        fn text_mode_of(&mut self, id: ConnectionId, peer: &mut TcpStream) -> TextMode {
            peer.write_all(&encode_frame(true, Opcode::Text, b"text", Some([1; 4]))).unwrap();
            let (of, event, text_mode) = self.next_event();
            assert!(of == id && matches!(event, Event::Text(_)), "{event:?}");
            text_mode
        }
    }

    fn read(peer: &mut TcpStream, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        peer.read_exact(&mut bytes).unwrap();
        bytes
    }

    fn with_close_timeout(seconds: u64) -> ConnectionOptions {
        let close_timeout = Duration::from_secs(seconds);
        ConnectionOptions { close_timeout, ..ConnectionOptions::default() }
    }

    #[test]
    fn equal_configurations_have_one_id() {
        let mut environment = Environment::default();
        let ids = [
            environment.configure(with_close_timeout(1), TextMode::String),
            environment.configure(with_close_timeout(2), TextMode::String),
            environment.configure(with_close_timeout(1), TextMode::Buffer),
            environment.configure(with_close_timeout(1), TextMode::String),
            environment.configure(with_close_timeout(2), TextMode::String),
        ];
        assert_eq!(ids, [0, 1, 2, 0, 1] as [ConfigurationId; 5]);
    }

    #[test]
    fn a_configuration_is_found_by_its_id() {
        let mut environment = Environment::default();
        environment.configure(with_close_timeout(1), TextMode::String);
        let id = environment.configure(with_close_timeout(2), TextMode::Buffer);
        let options = with_close_timeout(2).into();
        let expected = Configuration { options, text_mode: TextMode::Buffer };
        assert_eq!(environment.configuration(id), Some(expected));
        assert_eq!(environment.configuration(id + 1), None);
    }

    #[test]
    fn events_have_the_text_mode_of_their_connection() {
        let mut application = Application::new();
        let (buffers, mut first) = application.connect_with(TextMode::Buffer);
        let (strings, mut second) = application.connect_with(TextMode::String);
        assert_eq!(application.text_mode_of(buffers, &mut first), TextMode::Buffer);
        assert_eq!(application.text_mode_of(strings, &mut second), TextMode::String);
        assert_eq!(application.text_mode_of(buffers, &mut first), TextMode::Buffer);
    }

    #[test]
    fn an_id_that_is_used_again_has_the_text_mode_of_its_new_connection() {
        let mut application = Application::new();
        for text_mode in [TextMode::String, TextMode::Buffer, TextMode::String] {
            let (id, mut peer) = application.connect_with(text_mode);
            assert_eq!(id, 0);
            assert_eq!(application.text_mode_of(id, &mut peer), text_mode);
            application.environment.pool_mut().terminate(id);
            application.environment.flush();
            assert!(matches!(application.next_event(), (0, Event::Ended(_), _)));
            application.environment.release(id);
        }
    }

    #[test]
    fn a_prepared_frame_is_sent_to_several_connections() {
        let mut application = Application::new();
        let mut ends = [(); 2].map(|()| application.connect_with(TextMode::Buffer));
        let frame = encode_frame(true, Opcode::Text, b"shared", None);
        application.environment.prepare(frame.clone());
        for (id, _) in &ends {
            assert_eq!(application.environment.send_prepared(*id, false), frame.len());
        }
        application.environment.flush();
        for (_, peer) in &mut ends {
            assert_eq!(read(peer, frame.len()), frame);
        }
    }

    #[test]
    fn a_flush_forgets_the_prepared_frame() {
        let mut environment = Environment::default();
        environment.prepare(encode_frame(true, Opcode::Text, b"shared", None));
        environment.flush();
        assert_eq!(environment.send_prepared(0, false), 0);
    }

    #[test]
    fn nothing_follows_a_close_frame() {
        let mut application = Application::new();
        let (id, mut peer) = application.connect_with(TextMode::Buffer);
        let text = encode_frame(true, Opcode::Text, b"text", None);
        let close = encode_frame(true, Opcode::Close, &1000_u16.to_be_bytes(), None);
        let environment = &mut application.environment;
        environment.send(id, Opcode::Text, text.clone().into(), true);
        environment.send(id, Opcode::Close, close.clone().into(), true);
        environment.send(id, Opcode::Text, text.clone().into(), true);
        environment.flush();
        assert_eq!(read(&mut peer, text.len() + close.len()), [text, close].concat());
        assert!(matches!(application.next_event(), (_, Event::Sent(1), _)));
    }
}
