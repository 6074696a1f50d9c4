//! The task that accepts the connections of a listener.

use std::cell::RefCell;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpStream as StdTcpStream};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use mio::net::TcpListener;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

use super::bucket::Bucket;
use super::http_connection::may_be_served;
use super::watch::watch;
use super::{Accepted, Listener, Listening, Target};
use crate::net::command::Command;
use crate::net::worker::Worker;

/// Time without accepting after the operating system has refused it, for lack of descriptors or
/// memory. Connections wait in its queue.
const RETRY: Duration = Duration::from_millis(50);

/// Connections that are accepted before others are served.
const ROUND: usize = 64;

/// Bytes of a request that are looked at when its connection is accepted: method and path.
const FIRST_LOOK: usize = 64;

/// Accepts the connections of a listener, on one worker, and gives each to the worker with the fewest.
///
/// Nothing is accepted while many events wait for the application, while the limit of connections in
/// a second is used up, or for lack of descriptors; the operating system's queue holds them then.
pub(super) struct Acceptor {
    worker: Rc<Worker>,
    pub(super) listener: Arc<Listener>,
    pub(super) targets: RefCell<Vec<Target>>,
    state: RefCell<State>,
}

/// Marks the listener as closed when it is dropped, which is after the socket.
struct Open(Arc<Listener>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.is_open.store(false, Ordering::Release);
    }
}

struct State {
    /// `None` once the listener is closed.
    socket: Option<(AsyncFd<TcpListener>, Open)>,
    bucket: Bucket,
    /// Runs out when accepting may go on.
    rest: Option<Pin<Box<Sleep>>>,
    waker: Option<Waker>,
}

impl Acceptor {
    /// Creates an acceptor for a task to [`poll`](Self::poll).
    ///
    /// # Errors
    ///
    /// The error of the operating system, if the socket cannot be watched.
    pub(super) fn new(worker: Rc<Worker>, listening: Listening) -> io::Result<Self> {
        let Listening { socket, listener, targets } = listening;
        let open = Open(Arc::clone(&listener));
        let socket = watch(TcpListener::from_std(socket), Interest::READABLE)?;
        let socket = Some((socket, open));
        let bucket = Bucket::new(Instant::now());
        let state = State { socket, bucket, rest: None, waker: None };
        Ok(Self { worker, listener, targets: RefCell::new(targets), state: RefCell::new(state) })
    }

    /// Closes the socket, and ends the task.
    pub(super) fn close(&self) {
        self.state.borrow_mut().socket = None;
        self.wake();
    }

    /// Wakes the task: the options have changed, or the worker ends.
    pub(super) fn wake(&self) {
        let mut state = self.state.borrow_mut();
        state.rest = None;
        state.waker.take().into_iter().for_each(Waker::wake);
    }

    /// Accepts the connections that wait. Ready when the listener is closed or the worker ends.
    pub(super) fn poll(&self, context: &mut Context<'_>) -> Poll<()> {
        for _ in 0..ROUND {
            let state = &mut *self.state.borrow_mut();
            if self.worker.is_shut_down() {
                state.socket = None;
            }
            state.waker = Some(context.waker().clone());
            let Some(accepted) = ready!(self.poll_accept(state, context)) else {
                return Poll::Ready(());
            };
            match accepted {
                Ok((stream, peer)) => self.give(stream, peer),
                // The peer has gone already; or a signal.
                Err(error) if is_of_one_connection(&error) => {}
                Err(_) => state.rest = Some(Box::pin(sleep(RETRY))),
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// Returns the next connection; `None` once the listener is closed.
    fn poll_accept(
        &self,
        state: &mut State,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<(StdTcpStream, SocketAddr)>>> {
        let Some((socket, _)) = &state.socket else { return Poll::Ready(None) };
        loop {
            if let Some(rest) = &mut state.rest {
                ready!(rest.as_mut().poll(context));
                state.rest = None;
            }
            if self.worker.is_stalled(context.waker()) {
                return Poll::Pending;
            }
            let max_per_second = self.listener.options().max_per_second;
            let wait = max_per_second.and_then(|rate| state.bucket.poll_wait(rate, Instant::now()));
            let Some(wait) = wait else { break };
            state.rest = Some(Box::pin(sleep(wait)));
        }
        let accepted = ready!(poll_accept(socket, context));
        state.bucket.take();
        Poll::Ready(Some(accepted))
    }

    /// Returns whether a connection that has just been accepted is certainly passed: all are, or a request
    /// has arrived whose first bytes say so. It is passed without being watched: with a task and two calls
    /// of `epoll_ctl()`, each took 8.1 µs of this thread instead of 7.1.
    fn is_passed(&self, stream: &StdTcpStream) -> bool {
        let options = self.listener.options();
        if options.is_passing {
            return true;
        }
        let mut head = [0; FIRST_LOOK];
        let is_secure = self.listener.tls().is_some();
        !is_secure
            && stream.peek(&mut head).is_ok_and(|length| {
                !may_be_served(head.get(..length).unwrap_or_default(), &options.paths)
            })
    }

    /// Passes a connection, or gives it to the worker that has the fewest.
    fn give(&self, stream: StdTcpStream, peer: SocketAddr) {
        self.worker.shared.counters.accepted.add(1);
        if self.is_passed(&stream) {
            return self.worker.listeners.pass_accepted(&self.worker, &self.listener, stream);
        }
        self.listener.connections.fetch_add(1, Ordering::Relaxed);
        let listener = Arc::clone(&self.listener);
        let targets = self.targets.borrow();
        let target = targets.iter().min_by_key(|target| target.shared.connections());
        let is_other = |target: &&Target| !Arc::ptr_eq(&target.shared, &self.worker.shared);
        let other = target.filter(is_other);
        let shared = other.map_or(&self.worker.shared, |target| &target.shared);
        shared.http_connections.fetch_add(1, Ordering::Relaxed);
        match other {
            None => {
                let stream = TcpStream::from_std(stream);
                self.worker.listeners.serve(&self.worker, &listener, stream, None, Some(peer));
            }
            Some(target) => {
                let accepted =
                    Accepted { listener, stream: Ok(stream), tls: None, peer: Some(peer) };
                target.mailbox.post(vec![Command::Accepted(Box::new(accepted))]);
            }
        }
    }
}

/// Returns the next connection, which tokio does not watch.
fn poll_accept(
    socket: &AsyncFd<TcpListener>,
    context: &mut Context<'_>,
) -> Poll<io::Result<(StdTcpStream, SocketAddr)>> {
    loop {
        let mut guard = ready!(socket.poll_read_ready(context))?;
        if let Ok(accepted) = guard.try_io(|socket| socket.get_ref().accept()) {
            return Poll::Ready(accepted.map(|(stream, peer)| (stream.into(), peer)));
        }
    }
}

/// Returns whether an error concerns a connection that waited, not the listening socket; `accept(2)`.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionReset
            | ErrorKind::Interrupted
            | ErrorKind::PermissionDenied
            | ErrorKind::NetworkDown
            | ErrorKind::NetworkUnreachable
            | ErrorKind::HostUnreachable
    ) || error.raw_os_error() == Some(libc::EPROTO)
}
