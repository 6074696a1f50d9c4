//! Calls of `lib/engine/workers.js` and `lib/server/`: listeners, whose connections workers accept.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::os::fd::{FromRawFd, IntoRawFd, OwnedFd};
use std::time::Duration;

use napi::bindgen_prelude::Latin1String;
use napi::{Error, Result, Status};
use napi_derive::napi;
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use super::payload::PayloadArgument;
use super::workers::{Workers, borrow_descriptor};
use crate::environment::{Configuration, Environment};
use crate::net::{ListenerOptions, PollingOptions};

/// Options of a listener. Times in milliseconds; 0 or `Infinity` for no limit.
#[napi(object)]
pub struct NativeListenerOptions {
    /// The length of the operating system's queue of connections.
    pub backlog: i32,
    /// The paths of Engine.IO, each with a slash at its end.
    pub paths: Vec<String>,
    /// True if each connection is passed when it is accepted; waiting ones at once.
    pub is_passing: bool,
    /// The bytes of a request head from which on Node.js judges it.
    pub max_header_size: f64,
    pub headers_timeout: f64,
    pub request_timeout: f64,
    /// Time for which a connection waits for another request.
    pub keep_alive_timeout: f64,
    /// True if a connection whose request head is late is passed, instead of answered with 408.
    pub is_passing_timeouts: Option<bool>,
    /// True if connections that have sent nothing are ended with those between two requests.
    pub are_fresh_idle: Option<bool>,
    /// True if idle connections are probed.
    pub keep_alive: bool,
    /// Time before the first probe.
    pub keep_alive_initial_delay: f64,
    /// Connections that are accepted in a second; 0 for no limit.
    pub max_handshakes_per_second: f64,
}

/// Options of a polling session.
#[napi(object)]
pub struct NativePollingOptions {
    /// Header lines of all responses, in front of others, each with CRLF; ASCII.
    pub first_lines: String,
    /// Further header lines of the first response.
    pub opening_lines: String,
    /// True if the lines are for requests with this `origin` only.
    pub depends_on_origin: bool,
    /// The value of the header, if the request has it.
    pub origin: Option<String>,
    /// Packets of fewer bytes are not compressed; `Infinity` if packets never are.
    pub compression_threshold: f64,
    pub max_payload: f64,
    /// The number of packets that are sent with the open packet.
    pub initial_packets: u32,
    /// Milliseconds.
    pub upgrade_timeout: f64,
}

#[napi]
impl Workers {
    /// Gives the descriptor of a `Passed` or `Stream` event to JavaScript, which has to close it. Those
    /// that are not claimed are closed when the environment ends.
    #[napi(catch_unwind)]
    pub fn claim_descriptor(&self, descriptor: i32) {
        self.environment.borrow_mut().claim_descriptor(descriptor).map(IntoRawFd::into_raw_fd);
    }

    /// Returns whether the descriptor of such an event must be closed: its peer has sent nothing, and
    /// connections that have sent nothing were ended while it was on its way.
    #[napi(catch_unwind)]
    pub fn is_overtaken(&self, descriptor: i32) -> bool {
        self.environment.borrow().is_overtaken(descriptor)
    }

    /// Closes the descriptor of such an event, or one that the caller owns: `close()` of `node:fs` knows
    /// the files of `node:fs` alone in some runtimes.
    #[napi(catch_unwind)]
    pub fn close_descriptor(&self, descriptor: i32) {
        if descriptor < 0 || self.environment.borrow_mut().claim_descriptor(descriptor).is_some() {
            return;
        }
        // SAFETY: it is not -1, and the caller owns it and does not use it again.
        drop(unsafe { OwnedFd::from_raw_fd(descriptor) });
    }

    /// Calls `listen(2)` for a bound TCP socket, and accepts its connections by a duplicate of the
    /// descriptor. Returns the id of the listener; the operating system's error number, negative, if
    /// it refuses to listen, or when descriptors or threads have run out.
    #[napi(catch_unwind)]
    pub fn listen(
        &self,
        descriptor: i32,
        options: NativeListenerOptions,
        io_threads: u32,
    ) -> Result<i32> {
        let socket = borrow_descriptor(descriptor)?;
        let listening = SockRef::from(&socket)
            .listen(options.backlog)
            .and_then(|()| socket.try_clone_to_owned())
            .and_then(|socket| {
                let options = listener_options(options);
                self.pool().listen(TcpListener::from(socket), options, io_threads as usize)
            });
        Ok(match listening {
            Ok(id) => id as i32,
            Err(error) => -error.raw_os_error().unwrap_or(libc::ENOMEM),
        })
    }

    /// Replaces the options of a listener, but for `backlog`.
    #[napi(catch_unwind)]
    pub fn configure_listener(&self, id: u32, options: NativeListenerOptions, io_threads: u32) {
        // Without another thread, the workers up to now serve all connections.
        let _ = self.pool().configure_listener(id, listener_options(options), io_threads as usize);
    }

    /// Stops accepting. `Ended` follows once no HTTP connection is left.
    #[napi(catch_unwind)]
    pub fn close_listener(&self, id: u32) {
        self.pool().close_listener(id);
    }

    /// Ends the HTTP connections of a listener; if `isIdleOnly`, only those between two requests.
    #[napi(catch_unwind)]
    pub fn close_http_connections(&self, id: u32, is_idle_only: bool) {
        self.pool().close_http_connections(id, is_idle_only);
    }

    /// Accepts the handshake of a WebSocket, and returns the id of its connection, which begins with these
    /// options. `headers` are more header lines of the response, each with CRLF.
    #[napi(catch_unwind)]
    pub fn accept(
        &self,
        worker: u32,
        key: u32,
        options: u32,
        headers: Latin1String,
    ) -> Result<u32> {
        let mut environment = self.environment.borrow_mut();
        let configuration = configuration(&environment, options)?;
        environment.accept(worker as usize, key, configuration, &headers).ok_or_else(answered)
    }

    /// Accepts a handshake of a session with long-polling, and returns the id of its connection. What is
    /// sent to it in the same turn is the first response.
    #[napi(catch_unwind)]
    pub fn accept_polling(
        &self,
        worker: u32,
        key: u32,
        options: u32,
        sid: String,
        polling: NativePollingOptions,
    ) -> Result<u32> {
        let mut environment = self.environment.borrow_mut();
        let configuration = configuration(&environment, options)?;
        environment
            .accept_polling(worker as usize, key, configuration, sid, polling_options(polling))
            .ok_or_else(answered)
    }

    /// Accepts the handshake of a WebSocket for a polling session, whose connection has these options once
    /// it has changed. `Upgrade` reports how that goes. `headers` are as of `accept()`.
    #[napi(catch_unwind)]
    pub fn accept_upgrade(
        &self,
        worker: u32,
        key: u32,
        id: u32,
        options: u32,
        headers: Latin1String,
    ) -> Result<()> {
        let mut environment = self.environment.borrow_mut();
        let configuration = configuration(&environment, options)?;
        environment
            .accept_upgrade(worker as usize, key, id, configuration, &headers)
            .then_some(())
            .ok_or_else(answered)
    }

    /// Answers a handshake with this response and closes the connection. Does nothing if it has been
    /// answered.
    #[napi(catch_unwind)]
    pub fn refuse(&self, worker: u32, key: u32, response: PayloadArgument) -> Result<()> {
        self.pool().refuse(worker as usize, key, response.bytes()?);
        Ok(())
    }

    /// Passes the connection of a handshake. Does nothing if it has been answered.
    #[napi(catch_unwind)]
    pub fn pass(&self, worker: u32, key: u32) {
        self.pool().pass(worker as usize, key);
    }

    /// Returns the number of connections of a listener that have been accepted, and have neither been
    /// passed nor accepted as a session's WebSocket nor ended.
    #[napi(catch_unwind)]
    pub fn http_connections(&self, id: u32) -> u32 {
        self.environment.borrow().pool().http_connections(id) as u32
    }
}

/// Returns the descriptor of a TCP socket that is bound to an IP address, with the options that Node.js sets;
/// the operating system's error number, negative, if there is none. The caller has to close it.
#[napi(catch_unwind)]
pub fn bind_socket(address: String, port: u16, is_ipv6_only: bool, is_port_shared: bool) -> i32 {
    let bound = address
        .parse::<IpAddr>()
        .map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))
        .and_then(|ip| bind(SocketAddr::new(ip, port), is_ipv6_only, is_port_shared));
    match bound {
        Ok(socket) => socket.into_raw_fd(),
        Err(error) => -error.raw_os_error().unwrap_or(libc::EINVAL),
    }
}

fn bind(address: SocketAddr, is_ipv6_only: bool, is_port_shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_reuse_address(true)?;
    if is_port_shared {
        socket.set_reuse_port(true)?;
    }
    if address.is_ipv6() {
        socket.set_only_v6(is_ipv6_only)?;
    }
    socket.bind(&address.into())?;
    Ok(socket)
}

fn configuration(environment: &Environment, id: u32) -> Result<Configuration> {
    environment.configuration(id).ok_or_else(|| Error::new(Status::InvalidArg, "no such options"))
}

fn answered() -> Error {
    Error::new(Status::InvalidArg, "the handshake has been answered")
}

fn polling_options(options: NativePollingOptions) -> PollingOptions {
    let threshold = options.compression_threshold;
    PollingOptions {
        first_lines: options.first_lines,
        opening_lines: options.opening_lines,
        origin: options.depends_on_origin.then(|| options.origin.map(String::into_bytes)),
        compression_threshold: threshold.is_finite().then_some(threshold as usize),
        max_payload: options.max_payload as usize,
        initial_packets: options.initial_packets as usize,
        upgrade_timeout: Duration::from_millis(options.upgrade_timeout as u64),
    }
}

fn listener_options(options: NativeListenerOptions) -> ListenerOptions {
    let timeouts = [options.headers_timeout, options.request_timeout];
    let max_per_second = options.max_handshakes_per_second;
    ListenerOptions {
        paths: options.paths,
        is_passing: options.is_passing,
        max_header_size: options.max_header_size as usize,
        are_fresh_idle: options.are_fresh_idle.unwrap_or_default(),
        is_passing_overdue: options.is_passing_timeouts.unwrap_or_default(),
        headers_timeout: timeouts.into_iter().filter_map(timeout).min(),
        request_timeout: timeout(options.request_timeout),
        keep_alive_timeout: timeout(options.keep_alive_timeout),
        keep_alive: options
            .keep_alive
            .then_some((options.keep_alive_initial_delay / 1000.0) as u32),
        max_per_second: (max_per_second > 0.0 && max_per_second.is_finite())
            .then_some(max_per_second),
    }
}

/// Returns a time limit; `None` for 0 and `Infinity`.
fn timeout(milliseconds: f64) -> Option<Duration> {
    (milliseconds > 0.0 && milliseconds.is_finite())
        .then(|| Duration::from_millis(milliseconds as u64))
}
