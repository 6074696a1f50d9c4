//! What `lib/engine/workers.js` calls: the I/O workers of one environment.

use std::cell::RefCell;
use std::net::TcpStream;
use std::os::fd::{BorrowedFd, RawFd};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use napi::bindgen_prelude::{Function, Uint32ArraySlice, Unknown};
use napi::{CleanupEnvHook, Env, Error, Result, Status};
use napi_derive::napi;

use super::events::EventWriter;
use super::payload::{PayloadArgument, opcode};
use super::wake::Wake;
use crate::net::{self, ConnectionOptions, EndReason, SocketOption, TrafficView, WorkerStats};
use crate::proto::websocket::{Limits, Opcode};

/// What the connections of one server have in common. Sizes in bytes, timeouts in
/// milliseconds; `Infinity` is allowed for sizes and counts.
#[napi(object)]
pub struct NativeConnectionOptions {
    pub max_payload: f64,
    pub max_fragments: f64,
    pub has_automatic_pongs: bool,
    pub max_pending_pongs: f64,
    pub max_backpressure: f64,
    pub backpressure_timeout: f64,
    pub high_water_mark: f64,
    pub close_timeout: f64,
    /// Whether text messages come as strings; else as Buffers.
    pub is_text_as_string: bool,
}

/// What one worker has done; see `WorkerStats` in `src/net/stats.rs`.
#[napi(object)]
pub struct NativeWorkerStats {
    pub connections: f64,
    pub opened: f64,
    pub messages_in: f64,
    pub frames_out: f64,
    pub bytes_in: f64,
    pub bytes_out: f64,
    pub queued_bytes: f64,
    pub reads: f64,
    pub writes: f64,
    pub broadcasts: f64,
    pub volatile_dropped: f64,
    pub wakes: f64,
    pub notifications: f64,
    pub stalls: f64,
    /// At the places of `endReasons()`.
    pub ended: Vec<f64>,
}

/// The names of the reasons for which connections end, in the order of their numbers.
#[napi(catch_unwind)]
pub fn end_reasons() -> Vec<&'static str> {
    EndReason::NAMES.to_vec()
}

/// I/O workers and the connections that they own. Belongs to one environment and is shut
/// down with it at the latest.
#[napi]
pub struct Workers {
    pub(super) pool: Rc<RefCell<net::WorkerPool>>,
    /// While the workers may call.
    wake: Option<Wake>,
    /// Shuts down with the environment; there as long as `wake`.
    cleanup: Option<CleanupEnvHook<Rc<RefCell<net::WorkerPool>>>>,
    options: Vec<(Arc<ConnectionOptions>, bool)>,
    /// By connection: whether its text comes as strings.
    is_text_as_string: Vec<bool>,
    prepared: Bytes,
    /// Whether a peer has ever spoken Engine.IO v3.
    pub(super) has_v3: bool,
    #[cfg(feature = "cluster")]
    pub(super) directory_writer: crate::cluster::DirectoryWriter,
}

#[napi]
impl Workers {
    /// `start()` has to be called before `open()`.
    #[napi(constructor, catch_unwind)]
    pub fn new() -> Self {
        Self {
            pool: Rc::new(RefCell::new(net::WorkerPool::new(|| ()))),
            wake: None,
            cleanup: None,
            options: Vec::new(),
            is_text_as_string: Vec::new(),
            prepared: Bytes::new(),
            has_v3: false,
            #[cfg(feature = "cluster")]
            directory_writer: crate::cluster::DirectoryWriter::default(),
        }
    }

    /// Lets workers begin. `wake` is called when `take()` has events to give, once until it is
    /// called.
    #[napi(catch_unwind)]
    pub fn start(&mut self, env: Env, wake: Function<'_, (), ()>) -> Result<()> {
        let wake = Wake::new(&wake)?;
        let of_workers = wake.clone();
        self.pool.borrow_mut().notify_by(move || of_workers.call());
        let pool = Rc::clone(&self.pool);
        // Runs before the function above is finalized: hooks run in reverse order.
        self.cleanup = Some(env.add_env_cleanup_hook(pool, |pool| pool.borrow_mut().shut_down())?);
        self.wake = Some(wake);
        Ok(())
    }

    /// Ends the workers, if there are no connections, and forgets the function that `start()` was
    /// given.
    #[napi(catch_unwind)]
    pub fn rest(&mut self, env: Env) -> Result<()> {
        self.pool.borrow_mut().rest();
        self.wake = None;
        self.cleanup.take().map_or(Ok(()), |hook| env.remove_env_cleanup_hook(hook))
    }

    /// The number of these options, for `open()`. Equal options have one number.
    #[napi(catch_unwind)]
    pub fn configure(&mut self, options: NativeConnectionOptions) -> u32 {
        let configured = (connection_options(&options), options.is_text_as_string);
        let known = self.options.iter().position(|(options, is_text_as_string)| {
            (&**options, *is_text_as_string) == (&configured.0, configured.1)
        });
        let index = known.unwrap_or_else(|| {
            self.options.push((Arc::new(configured.0), configured.1));
            self.options.len() - 1
        });
        index as u32
    }

    /// Takes a duplicate of the descriptor of a connected TCP socket, on which the opening
    /// handshake is done; `input` is what has been read since. Returns the connection's
    /// id. `bytes_read` and `bytes_written` are what has gone over the socket in all until now.
    /// Throws what the operating system says when descriptors or threads have run out.
    #[napi(catch_unwind)]
    pub fn open(
        &mut self,
        descriptor: i32,
        input: PayloadArgument,
        options: u32,
        io_threads: u32,
        bytes_read: f64,
        bytes_written: f64,
    ) -> Result<u32> {
        let (options, is_text_as_string) = self
            .options
            .get(options as usize)
            .map(|(options, is_text)| (Arc::clone(options), *is_text))
            .ok_or_else(|| Error::new(Status::InvalidArg, "no such options"))?;
        let stream = duplicate(descriptor)?;
        let before = (bytes_read as u64, bytes_written as u64);
        let mut pool = self.pool.borrow_mut();
        let id = pool
            .open(stream, input.bytes()?, options, io_threads as usize, before)
            .map_err(|error| Error::from_reason(error.to_string()))?;
        if self.is_text_as_string.len() <= id as usize {
            self.is_text_as_string.resize(id as usize + 1, false);
        }
        if let Some(entry) = self.is_text_as_string.get_mut(id as usize) {
            *entry = is_text_as_string;
        }
        Ok(id)
    }

    /// Sends a frame, and reports when it is written if `isReported`; a close frame is the
    /// last of its connection and not reported. Returns its length in bytes.
    #[napi(catch_unwind)]
    pub fn send(
        &self,
        id: u32,
        payload: PayloadArgument,
        opcode_bits: u32,
        is_fin: bool,
        is_reported: bool,
    ) -> Result<u32> {
        let opcode = opcode(opcode_bits)?;
        let frame = payload.encode_frame(opcode, is_fin)?;
        let length = frame.len() as u32;
        let mut pool = self.pool.borrow_mut();
        if opcode == Opcode::Close {
            pool.close(id, frame);
        } else {
            pool.send(id, frame, is_reported);
        }
        Ok(length)
    }

    /// Sets the frame that `sendPrepared()` sends: these pieces, one after the other.
    #[napi(catch_unwind)]
    pub fn prepare(&mut self, head: PayloadArgument, rest: PayloadArgument) -> Result<()> {
        self.prepared = [head.bytes()?, rest.bytes()?].concat().into();
        Ok(())
    }

    /// Sends the prepared frame, which all connections share. Returns its length in bytes.
    #[napi(catch_unwind)]
    pub fn send_prepared(&self, id: u32, is_reported: bool) -> u32 {
        self.pool.borrow_mut().send(id, self.prepared.clone(), is_reported);
        self.prepared.len() as u32
    }

    /// Ends the connection at once; of what waits, the socket gets what it takes.
    #[napi(catch_unwind)]
    pub fn terminate(&self, id: u32) {
        self.pool.borrow_mut().terminate(id);
    }

    /// Ends our side after what has been sent, without a close frame.
    #[napi(catch_unwind)]
    pub fn end(&self, id: u32) {
        self.pool.borrow_mut().end(id);
    }

    /// Stops reading, or goes on.
    #[napi(catch_unwind)]
    pub fn pause(&self, id: u32, is_paused: bool) {
        self.pool.borrow_mut().pause(id, is_paused);
    }

    /// Ends the connection by a reset.
    #[napi(catch_unwind)]
    pub fn reset(&self, id: u32) {
        self.pool.borrow_mut().reset(id);
    }

    /// Has what is read be reported as it is, too, or no longer.
    #[napi(catch_unwind)]
    pub fn tap(&self, id: u32, is_tapped: bool) {
        self.pool.borrow_mut().tap(id, is_tapped);
    }

    /// Lets the connection read bytes as if the peer had sent them.
    #[napi(catch_unwind)]
    pub fn input(&self, id: u32, bytes: PayloadArgument) -> Result<()> {
        self.pool.borrow_mut().input(id, bytes.bytes()?);
        Ok(())
    }

    /// Changes the most bytes that the peer may send in one message; `Infinity` for no limit.
    #[napi(catch_unwind)]
    pub fn limit_payload(&self, id: u32, max_payload: f64) {
        self.pool.borrow_mut().limit_payload(id, max_payload as usize);
    }

    #[napi(catch_unwind)]
    pub fn set_no_delay(&self, id: u32, is_enabled: bool) {
        self.pool.borrow_mut().configure(id, SocketOption::NoDelay(is_enabled));
    }

    /// As `setKeepAlive()` of Node's handles: times in seconds, those that are 0 stay as they are.
    #[napi(catch_unwind)]
    pub fn set_keep_alive(&self, id: u32, is_enabled: bool, delay: u32, interval: u32, count: u32) {
        let given = |value: u32| (value > 0).then_some(value);
        let (delay, interval, count) = (given(delay), given(interval), given(count));
        let option = SocketOption::KeepAlive { is_enabled, delay, interval, count };
        self.pool.borrow_mut().configure(id, option);
    }

    #[napi(catch_unwind)]
    pub fn set_type_of_service(&self, id: u32, value: u32) {
        self.pool.borrow_mut().configure(id, SocketOption::TypeOfService(value));
    }

    /// Returns the traffic of a connection that has not been released: bytes read, bytes written,
    /// milliseconds since the last of them, the worker's descriptor.
    #[napi(catch_unwind)]
    pub fn traffic(&self, id: u32) -> Option<Vec<f64>> {
        self.pool.borrow().traffic(id).map(|traffic| {
            let TrafficView { descriptor, bytes_read, bytes_written, idle } = traffic;
            vec![bytes_read as f64, bytes_written as f64, idle as f64, descriptor.into()]
        })
    }

    /// Passes on what has been queued since the last call.
    #[napi(catch_unwind)]
    pub fn flush(&mut self) {
        self.prepared = Bytes::new();
        let mut pool = self.pool.borrow_mut();
        #[cfg(feature = "cluster")]
        self.directory_writer.post(&mut pool);
        pool.flush();
    }

    /// Fills `numbers` with events, as many as there is room for: see `events.rs` for what
    /// stands where. Returns what `collect` makes of their values, its arguments. If there
    /// are more events, there will be no other wake for them.
    #[napi(
        catch_unwind,
        ts_args_type = "numbers: Uint32Array, collect: (...values: unknown[]) => unknown[]",
        ts_return_type = "unknown[]"
    )]
    pub fn take<'env>(
        &self,
        env: &'env Env,
        mut numbers: Uint32ArraySlice<'env>,
        collect: Function<'env, (), ()>,
    ) -> Result<Unknown<'env>> {
        // SAFETY: JavaScript does not run while they are written, but for `collect`, which
        // does not know them.
        let mut events = EventWriter::new(env, unsafe { numbers.as_mut() });
        let mut failed = None;
        let room = events.room();
        let has_more = self.pool.borrow_mut().take(room, |id, event| {
            let is_text_as_string = self.is_text_as_string.get(id as usize).copied();
            let pushed = events.push(id, event, is_text_as_string.unwrap_or_default());
            failed = failed.take().or(pushed.err());
        });
        if let Some(error) = failed {
            return Err(error);
        }
        events.finish(has_more, &collect)
    }

    /// Lets the number of a connection that has ended be used again.
    #[napi(catch_unwind)]
    pub fn release(&mut self, id: u32) {
        #[cfg(feature = "cluster")]
        self.directory_writer.release(id);
        self.pool.borrow_mut().release(id);
    }

    /// Whether open connections keep the process alive.
    #[napi(catch_unwind)]
    pub fn keep_alive(&self, env: Env, is_alive: bool) -> Result<()> {
        self.wake.as_ref().map_or(Ok(()), |wake| wake.keep_alive(env, is_alive))
    }

    /// What each worker has done.
    #[napi(catch_unwind)]
    pub fn stats(&self) -> Vec<NativeWorkerStats> {
        self.pool.borrow().stats().map(worker_stats).collect()
    }

    /// Writes what sockets take at once, closes all connections, ends the workers.
    #[napi(catch_unwind)]
    pub fn shut_down(&self) {
        self.pool.borrow_mut().shut_down();
    }
}

fn duplicate(descriptor: RawFd) -> Result<TcpStream> {
    if descriptor < 0 {
        return Err(Error::new(Status::InvalidArg, "not a descriptor"));
    }
    // SAFETY: it is not -1, and the caller's socket keeps it open during this call.
    let descriptor = unsafe { BorrowedFd::borrow_raw(descriptor) };
    let stream = descriptor.try_clone_to_owned().map(TcpStream::from);
    stream.map_err(|error| Error::from_reason(error.to_string()))
}

/// Casts saturate: `Infinity` becomes the greatest number.
fn connection_options(options: &NativeConnectionOptions) -> ConnectionOptions {
    ConnectionOptions {
        limits: Limits {
            max_payload: options.max_payload as usize,
            max_fragments: options.max_fragments as u32,
        },
        has_automatic_pongs: options.has_automatic_pongs,
        max_pending_pongs: options.max_pending_pongs as u32,
        max_backpressure: options.max_backpressure as usize,
        backpressure_timeout: Duration::from_millis(options.backpressure_timeout as u64),
        high_water_mark: options.high_water_mark as usize,
        close_timeout: Duration::from_millis(options.close_timeout as u64),
    }
}

fn worker_stats(stats: WorkerStats) -> NativeWorkerStats {
    NativeWorkerStats {
        connections: stats.connections as f64,
        opened: stats.opened as f64,
        messages_in: stats.messages_in as f64,
        frames_out: stats.frames_out as f64,
        bytes_in: stats.bytes_in as f64,
        bytes_out: stats.bytes_out as f64,
        queued_bytes: stats.queued_bytes as f64,
        reads: stats.reads as f64,
        writes: stats.writes as f64,
        broadcasts: stats.broadcasts as f64,
        volatile_dropped: stats.volatile_dropped as f64,
        wakes: stats.wakes as f64,
        notifications: stats.notifications as f64,
        stalls: stats.stalls as f64,
        ended: stats.ended.map(|count| count as f64).to_vec(),
    }
}
