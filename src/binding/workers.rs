//! Calls of `lib/engine/workers.js`: connections of one environment, commands to them and their
//! events.

use std::cell::{RefCell, RefMut};
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
use crate::environment::{Environment, TextMode};
use crate::fanout::{Frames, SharedFrames};
use crate::net::{
    ConnectionOptions, EndReason, HISTOGRAM_BOUNDS, HeartbeatStart, HistogramView, RateLimit,
    RateLimitAction, SessionOptions, SocketOption, TrafficView, WorkerPool, WorkerStats,
};
use crate::proto::engine_io::{Heartbeat, ProtocolVersion};
use crate::proto::websocket::{Compression, CompressionStrategy, Limits};

/// Options that the connections of one server share. Sizes in bytes, timeouts in
/// milliseconds; `Infinity` is allowed for sizes and counts.
#[napi(object)]
pub struct NativeConnectionOptions {
    pub max_payload: f64,
    pub max_fragments: f64,
    /// Given if permessage-deflate has been negotiated, without context takeover.
    pub compression: Option<NativeCompression>,
    pub has_automatic_pongs: bool,
    pub max_pending_pongs: f64,
    pub max_backpressure: f64,
    pub backpressure_timeout: f64,
    pub high_water_mark: f64,
    pub close_timeout: f64,
    /// Given if the bytes and messages of a client are limited.
    pub rate_limit: Option<NativeRateLimit>,
    /// Given if the connection begins as an open session of Engine.IO v4: the worker handles heartbeats
    /// and splits packets from the first on.
    pub heartbeat: Option<NativeHeartbeat>,
    /// True if text messages become strings; else they become Buffers.
    pub is_text_as_string: bool,
}

/// The heartbeat of a session. Times in milliseconds, which may be `Infinity`.
#[napi(object)]
pub struct NativeHeartbeat {
    pub ping_interval: f64,
    pub ping_timeout: f64,
    pub max_loop_lag: f64,
}

/// The limits of a client in each window of `per` milliseconds; `Infinity` for no limit.
#[napi(object)]
pub struct NativeRateLimit {
    pub messages: f64,
    pub bytes: f64,
    pub per: f64,
    /// A `RateLimitStep`.
    pub action: u32,
    /// True if heartbeats of Engine.IO do not count.
    pub is_engine_io: bool,
}

/// The parameters of permessage-deflate with which messages are sent.
#[napi(object)]
pub struct NativeCompression {
    /// zlib's `level`, -1 to 9.
    pub level: i32,
    /// `server_max_window_bits`, 8 to 15.
    pub window_bits: i32,
    /// zlib's `memLevel`, 1 to 9.
    pub mem_level: i32,
    /// zlib's `strategy`, 0 to 4.
    pub strategy: i32,
    /// Shorter messages are not compressed; in bytes, may be `Infinity`.
    pub threshold: f64,
}

/// The counters of one worker; see `WorkerStats` in `src/net/stats.rs`.
#[napi(object)]
pub struct NativeWorkerStats {
    pub connections: f64,
    pub opened: f64,
    pub messages_in: f64,
    pub frames_out: f64,
    pub bytes_in: f64,
    pub bytes_out: f64,
    pub queued_bytes: f64,
    pub slow_clients: f64,
    pub reads: f64,
    pub writes: f64,
    pub broadcasts: f64,
    pub volatile_dropped: f64,
    pub replaced: f64,
    pub wakes: f64,
    pub notifications: f64,
    pub stalls: f64,
    pub rate_limit_pauses: f64,
    pub rate_limit_dropped: f64,
    pub accepted: f64,
    pub http_connections: f64,
    pub delivery: NativeHistogram,
    /// Indexed as `endReasons()`.
    pub ended: Vec<f64>,
}

/// A histogram of times.
#[napi(object)]
pub struct NativeHistogram {
    /// The sum of all values in milliseconds.
    pub sum: f64,
    /// How many values each bucket has: those of `histogramBounds()`, and one without a bound.
    pub counts: Vec<f64>,
}

/// The state of a heartbeat that a worker takes over. Times in milliseconds, which may be
/// `Infinity`.
#[napi(object)]
pub struct NativeHeartbeatStart {
    pub ping_interval: f64,
    pub ping_timeout: f64,
    pub max_loop_lag: f64,
    /// Time until the next ping.
    pub ping_in: Option<f64>,
    /// Time until the client must have answered.
    pub deadline_in: Option<f64>,
    pub has_extended_deadline: bool,
}

/// Returns the names of the reasons for which connections end, indexed by their numbers.
#[napi(catch_unwind)]
pub fn end_reasons() -> Vec<&'static str> {
    EndReason::NAMES.to_vec()
}

/// Returns the inclusive upper bounds of the buckets of histograms, in milliseconds. The last bucket
/// has none.
#[napi(catch_unwind)]
pub fn histogram_bounds() -> Vec<f64> {
    HISTOGRAM_BOUNDS.map(from_microseconds).to_vec()
}

/// I/O workers and the connections that they own. Belongs to one environment and is shut
/// down with it at the latest.
#[napi]
pub struct Workers {
    pub(super) environment: Rc<RefCell<Environment>>,
    /// Set while workers may call JavaScript.
    wake: Option<Wake>,
    /// Shuts down with the environment; set together with `wake`.
    cleanup: Option<CleanupEnvHook<Rc<RefCell<Environment>>>>,
}

impl Workers {
    /// Returns another object of the same environment, which does not keep the process alive.
    pub(super) fn share(&self) -> Self {
        Self { environment: Rc::clone(&self.environment), wake: None, cleanup: None }
    }

    pub(super) fn pool(&self) -> RefMut<'_, WorkerPool> {
        RefMut::map(self.environment.borrow_mut(), Environment::pool_mut)
    }

    #[cfg(feature = "cluster")]
    pub(super) fn directory_writer(&self) -> RefMut<'_, crate::cluster::DirectoryWriter> {
        RefMut::map(self.environment.borrow_mut(), Environment::directory_writer_mut)
    }
}

#[napi]
impl Workers {
    /// `start()` has to be called before `open()`.
    #[napi(constructor, catch_unwind)]
    pub fn new() -> Self {
        Self { environment: Rc::default(), wake: None, cleanup: None }
    }

    /// Allows workers to start. `wake` is called when `take()` has events to give, and not again
    /// until `take()` has been called.
    #[napi(catch_unwind)]
    pub fn start(&mut self, env: Env, wake: Function<'_, (), ()>) -> Result<()> {
        let wake = Wake::new(&wake)?;
        let of_workers = wake.clone();
        self.environment.borrow_mut().start(move || of_workers.call());
        let environment = Rc::clone(&self.environment);
        let shut_down =
            |environment: Rc<RefCell<Environment>>| environment.borrow_mut().shut_down();
        // Runs before the function above is finalized: hooks run in reverse order.
        self.cleanup = Some(env.add_env_cleanup_hook(environment, shut_down)?);
        self.wake = Some(wake);
        Ok(())
    }

    /// Ends the workers, if there are no connections, and drops the function that `start()` was
    /// given.
    #[napi(catch_unwind)]
    pub fn rest(&mut self, env: Env) -> Result<()> {
        self.environment.borrow_mut().rest();
        self.wake = None;
        self.cleanup.take().map_or(Ok(()), |hook| env.remove_env_cleanup_hook(hook))
    }

    /// Returns the id of these options, for `open()`. Equal options have one id.
    #[napi(catch_unwind)]
    pub fn configure(&self, options: NativeConnectionOptions) -> u32 {
        let mode = if options.is_text_as_string { TextMode::String } else { TextMode::Buffer };
        self.environment.borrow_mut().configure(connection_options(&options), mode)
    }

    /// Takes over a connected TCP socket after the opening handshake, by a duplicate of its
    /// descriptor. `input` is what has been read since the handshake, `bytes_read` and
    /// `bytes_written` count the socket's traffic up to now. Returns the connection's id.
    /// Throws the operating system's error when descriptors or threads have run out.
    #[napi(catch_unwind)]
    pub fn open(
        &self,
        descriptor: i32,
        input: PayloadArgument,
        options: u32,
        io_threads: u32,
        bytes_read: f64,
        bytes_written: f64,
    ) -> Result<u32> {
        let mut environment = self.environment.borrow_mut();
        let configuration = environment
            .configuration(options)
            .ok_or_else(|| Error::new(Status::InvalidArg, "no such options"))?;
        let (stream, input) = (duplicate(descriptor)?, input.bytes()?);
        let bytes_before = (bytes_read as u64, bytes_written as u64);
        environment
            .open(stream, input, configuration, io_threads as usize, bytes_before)
            .map_err(|error| Error::from_reason(error.to_string()))
    }

    /// Sends a frame, and reports it once it is written if `isReported`. A close frame is the
    /// last of its connection and not reported. A whole message is compressed if `isCompressible`,
    /// where that is negotiated. Returns the length of the plain frame in bytes.
    #[napi(catch_unwind)]
    pub fn send(
        &self,
        id: u32,
        payload: PayloadArgument,
        opcode_bits: u32,
        is_fin: bool,
        is_reported: bool,
        is_compressible: bool,
    ) -> Result<u32> {
        let opcode = opcode(opcode_bits)?;
        let frame = payload.encode_frame(opcode, is_fin)?;
        let length = frame.len() as u32;
        let frame = frames(frame, is_compressible);
        self.environment.borrow_mut().send(id, opcode, frame, is_reported);
        Ok(length)
    }

    /// Sets the frame that `sendPrepared()` sends, in two parts.
    #[napi(catch_unwind)]
    pub fn prepare(&self, head: PayloadArgument, rest: PayloadArgument) -> Result<()> {
        let frame = [head.bytes()?, rest.bytes()?].concat();
        self.environment.borrow_mut().prepare(Bytes::from(frame));
        Ok(())
    }

    /// Sets the frame that `sendPrepared()` sends to that of a message packet of Engine.IO. As text,
    /// it is the same in all versions. Where that is negotiated, it is compressed, once for all.
    #[napi(catch_unwind)]
    pub fn prepare_text_packet(&self, text: PayloadArgument) -> Result<()> {
        let frame = SharedFrames::new(text.encode_packet(ProtocolVersion::V4)?);
        self.environment.borrow_mut().prepare(Frames::Shared(Arc::new(frame)));
        Ok(())
    }

    /// Sends the prepared frame, whose memory all its connections share. Returns its length in
    /// bytes.
    #[napi(catch_unwind)]
    pub fn send_prepared(&self, id: u32, is_reported: bool) -> u32 {
        self.environment.borrow_mut().send_prepared(id, is_reported) as u32
    }

    /// Ends the connection at once. Of the queued frames, those are sent that the socket accepts.
    #[napi(catch_unwind)]
    pub fn terminate(&self, id: u32) {
        self.pool().terminate(id);
    }

    /// Gives heartbeats to the worker, which reports `HeartbeatStep.Ready`.
    #[napi(catch_unwind)]
    pub fn prepare_heartbeat(&self, id: u32) {
        self.pool().prepare_heartbeat(id);
    }

    /// Goes on with heartbeats where JavaScript has stopped its own timers.
    #[napi(catch_unwind)]
    pub fn start_heartbeat(&self, id: u32, start: NativeHeartbeatStart) {
        self.pool().start_heartbeat(id, heartbeat_start(&start));
    }

    /// Sets whether heartbeats are reported at once.
    #[napi(catch_unwind)]
    pub fn report_heartbeat(&self, id: u32, is_reported: bool) {
        self.pool().report_heartbeat(id, is_reported);
    }

    /// Sends no more heartbeats: the session is being closed.
    #[napi(catch_unwind)]
    pub fn close_heartbeat(&self, id: u32) {
        self.pool().close_heartbeat(id);
    }

    /// Leaves heartbeats to JavaScript again.
    #[napi(catch_unwind)]
    pub fn release_heartbeat(&self, id: u32) {
        self.pool().release_heartbeat(id);
    }

    /// Ends our side once all queued frames are written, without a close frame.
    #[napi(catch_unwind)]
    pub fn end(&self, id: u32) {
        self.pool().end(id);
    }

    /// Stops reading from the connection, or resumes.
    #[napi(catch_unwind)]
    pub fn pause(&self, id: u32, is_paused: bool) {
        self.pool().pause(id, is_paused);
    }

    /// Ends the connection with a TCP reset.
    #[napi(catch_unwind)]
    pub fn reset(&self, id: u32) {
        self.pool().reset(id);
    }

    /// Starts or stops reporting the bytes that are read, in addition to their messages.
    #[napi(catch_unwind)]
    pub fn tap(&self, id: u32, is_tapped: bool) {
        self.pool().tap(id, is_tapped);
    }

    /// Handles bytes as if the peer had sent them.
    #[napi(catch_unwind)]
    pub fn input(&self, id: u32, bytes: PayloadArgument) -> Result<()> {
        self.pool().input(id, bytes.bytes()?);
        Ok(())
    }

    /// Limits the bytes of a message from the peer; `Infinity` for no limit.
    #[napi(catch_unwind)]
    pub fn limit_payload(&self, id: u32, max_payload: f64) {
        self.pool().limit_payload(id, max_payload as usize);
    }

    /// Starts or stops reporting packets of Socket.IO in parts.
    #[napi(catch_unwind)]
    pub fn split_packets(&self, id: u32, is_split: bool) {
        self.pool().split_packets(id, is_split);
    }

    /// Sets `TCP_NODELAY`.
    #[napi(catch_unwind)]
    pub fn set_no_delay(&self, id: u32, is_enabled: bool) {
        self.pool().configure(id, SocketOption::NoDelay(is_enabled));
    }

    /// Sets `SO_KEEPALIVE`, as `setKeepAlive()` of Node's handles: times in seconds; 0 leaves a
    /// value as it is.
    #[napi(catch_unwind)]
    pub fn set_keep_alive(&self, id: u32, is_enabled: bool, delay: u32, interval: u32, count: u32) {
        let given = |value: u32| (value > 0).then_some(value);
        let (delay, interval, count) = (given(delay), given(interval), given(count));
        let option = SocketOption::KeepAlive { is_enabled, delay, interval, count };
        self.pool().configure(id, option);
    }

    /// Sets `IP_TOS` or `IPV6_TCLASS`.
    #[napi(catch_unwind)]
    pub fn set_type_of_service(&self, id: u32, value: u32) {
        self.pool().configure(id, SocketOption::TypeOfService(value));
    }

    /// Returns the traffic of a connection that has not been released: bytes read, bytes written,
    /// milliseconds since bytes were last read or written, the worker's descriptor, the peer's port if a
    /// worker has accepted the connection.
    #[napi(catch_unwind)]
    pub fn traffic(&self, id: u32) -> Option<Vec<f64>> {
        self.environment.borrow().pool().traffic(id).map(|traffic| {
            let TrafficView { descriptor, bytes_read, bytes_written, idle, remote_port, .. } =
                traffic;
            let counts = [bytes_read, bytes_written, idle].map(|count| count as f64);
            [counts.as_slice(), &[descriptor.into(), remote_port.into()]].concat()
        })
    }

    /// Passes the commands since the last call on to the workers.
    #[napi(catch_unwind)]
    pub fn flush(&self) {
        self.environment.borrow_mut().flush();
    }

    /// Writes as many events into `numbers` as it has room for, in the layout of `events.rs`, and
    /// returns the result of `collect`, which is called with their values. If there are more
    /// events, `wake` is not called for them.
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
        let has_more = self.environment.borrow_mut().take(room, |id, event, text_mode| {
            let pushed = events.push(id, event, text_mode);
            failed = failed.take().or(pushed.err());
        });
        self.environment.borrow_mut().keep_descriptors(events.take_descriptors());
        if let Some(error) = failed {
            return Err(error);
        }
        events.finish(has_more, &collect)
    }

    /// Lets the id of a connection that has ended be used again.
    #[napi(catch_unwind)]
    pub fn release(&self, id: u32) {
        self.environment.borrow_mut().release(id);
    }

    /// Sets whether open connections keep the process alive.
    #[napi(catch_unwind)]
    pub fn keep_alive(&self, env: Env, is_alive: bool) -> Result<()> {
        self.wake.as_ref().map_or(Ok(()), |wake| wake.keep_alive(env, is_alive))
    }

    /// Returns the counters of each worker.
    #[napi(catch_unwind)]
    pub fn stats(&self) -> Vec<NativeWorkerStats> {
        self.environment.borrow().pool().stats().map(worker_stats).collect()
    }

    /// Returns, for each notification of JavaScript, the time until it has taken events.
    #[napi(catch_unwind)]
    pub fn loop_lag(&self) -> NativeHistogram {
        histogram(&self.environment.borrow().pool().loop_lag())
    }

    /// Writes what the sockets accept at once, closes all connections and ends the workers.
    #[napi(catch_unwind)]
    pub fn shut_down(&self) {
        self.environment.borrow_mut().shut_down();
    }
}

/// Borrows a descriptor during a call from JavaScript, which keeps it open, or notices that it is not.
pub(super) fn borrow_descriptor<'call>(descriptor: RawFd) -> Result<BorrowedFd<'call>> {
    if descriptor < 0 {
        return Err(Error::new(Status::InvalidArg, "not a descriptor"));
    }
    // SAFETY: the descriptor is not -1. The caller's socket keeps it open during this call; or it
    // is a worker's, which is only asked for its addresses, and the answer is dropped if it has been closed.
    Ok(unsafe { BorrowedFd::borrow_raw(descriptor) })
}

fn duplicate(descriptor: RawFd) -> Result<TcpStream> {
    let stream = borrow_descriptor(descriptor)?.try_clone_to_owned().map(TcpStream::from);
    stream.map_err(|error| Error::from_reason(error.to_string()))
}

/// Returns frames that are compressed, where that is negotiated, if `is_compressible`.
pub(super) const fn frames(bytes: Bytes, is_compressible: bool) -> Frames {
    if is_compressible { Frames::Compressible(bytes) } else { Frames::Plain(bytes) }
}

/// Converts options. Casts saturate: `Infinity` becomes the greatest number.
fn connection_options(options: &NativeConnectionOptions) -> ConnectionOptions {
    ConnectionOptions {
        limits: Limits {
            max_payload: options.max_payload as usize,
            max_fragments: options.max_fragments as u32,
        },
        compression: options.compression.as_ref().map(compression),
        has_automatic_pongs: options.has_automatic_pongs,
        max_pending_pongs: options.max_pending_pongs as u32,
        max_backpressure: options.max_backpressure as usize,
        backpressure_timeout: Duration::from_millis(options.backpressure_timeout as u64),
        high_water_mark: options.high_water_mark as usize,
        close_timeout: Duration::from_millis(options.close_timeout as u64),
        rate_limit: options.rate_limit.as_ref().map(rate_limit),
        session: options.heartbeat.as_ref().map(session),
    }
}

fn session(given: &NativeHeartbeat) -> SessionOptions {
    SessionOptions {
        heartbeat: Heartbeat {
            ping_interval: milliseconds(given.ping_interval),
            ping_timeout: milliseconds(given.ping_timeout),
        },
        max_loop_lag: milliseconds(given.max_loop_lag),
    }
}

fn rate_limit(given: &NativeRateLimit) -> RateLimit {
    RateLimit {
        messages: given.messages as u64,
        bytes: given.bytes as u64,
        per: milliseconds(given.per),
        action: match given.action {
            0 => RateLimitAction::Pause,
            1 => RateLimitAction::Drop,
            _ => RateLimitAction::Disconnect,
        },
        is_engine_io: given.is_engine_io,
    }
}

fn compression(given: &NativeCompression) -> Compression {
    let strategy = CompressionStrategy::try_from(given.strategy).unwrap_or_default();
    Compression {
        level: given.level.clamp(-1, 9),
        window_bits: given.window_bits.clamp(8, 15) as u8,
        mem_level: given.mem_level.clamp(1, 9) as u8,
        strategy,
        threshold: given.threshold as usize,
    }
}

fn heartbeat_start(start: &NativeHeartbeatStart) -> HeartbeatStart {
    HeartbeatStart {
        intervals: Heartbeat {
            ping_interval: milliseconds(start.ping_interval),
            ping_timeout: milliseconds(start.ping_timeout),
        },
        max_loop_lag: milliseconds(start.max_loop_lag),
        ping_in: start.ping_in.map(milliseconds),
        deadline_in: start.deadline_in.map(milliseconds),
        has_extended_deadline: start.has_extended_deadline,
    }
}

/// Returns a time; a negative one becomes 0, and a long one as long as a deadline can be.
fn milliseconds(time: f64) -> Duration {
    Duration::from_millis((time as u64).min(u32::MAX.into()))
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
        slow_clients: stats.slow_clients as f64,
        reads: stats.reads as f64,
        writes: stats.writes as f64,
        broadcasts: stats.broadcasts as f64,
        volatile_dropped: stats.volatile_dropped as f64,
        replaced: stats.replaced as f64,
        wakes: stats.wakes as f64,
        notifications: stats.notifications as f64,
        stalls: stats.stalls as f64,
        rate_limit_pauses: stats.rate_limit_pauses as f64,
        rate_limit_dropped: stats.rate_limit_dropped as f64,
        accepted: stats.accepted as f64,
        http_connections: stats.http_connections as f64,
        delivery: histogram(&stats.delivery),
        ended: stats.ended.map(|count| count as f64).to_vec(),
    }
}

fn histogram(view: &HistogramView) -> NativeHistogram {
    NativeHistogram {
        sum: from_microseconds(view.sum),
        counts: view.buckets.map(|count| count as f64).to_vec(),
    }
}

/// Returns milliseconds.
fn from_microseconds(time: u64) -> f64 {
    time as f64 / 1_000.0
}
