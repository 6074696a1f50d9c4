//! A connection that has been accepted, and whose next request is not known yet.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Instant;

use super::engine_target::EngineTarget;
use super::handshake::{HandshakeTransport, Offer};
use super::served::Served;
use super::session_request::SessionRequest;
use super::source::Source;
use super::tls::HandshakeEnd;
use super::{Listener, ListenerOptions, Target};
use crate::net::connection_task::ConnectionTask;
use crate::net::worker::Worker;
use crate::proto::http::{HeadRead, RequestHead, read_head};

/// Node.js's answer to a request whose head does not come in time.
pub(super) const TIMED_OUT: &[u8] = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n";

/// The longest request head that is looked at. Node.js's own limit is 16 KiB by default.
pub(super) const MAX_HEAD: usize = 64 * 1024;

/// The next step for a connection.
enum Verdict {
    /// Wait for more of the request head.
    Wait,
    /// Leave it to the application's HTTP server.
    Pass,
    /// Offer its request to the application.
    Offer(Offer),
    /// Give its request to a polling session.
    Serve(Rc<ConnectionTask>, SessionRequest),
    /// Move it to the worker of its session.
    Move(Target),
    /// Nothing: the peer has gone.
    End,
}

/// A connection on its worker, as a task. It has no deadline of its own, since
/// [`Served::sweep`] looks at all of them.
pub(super) struct HttpConnection {
    worker: Rc<Worker>,
    served: Rc<Served>,
    state: RefCell<State>,
}

struct State {
    /// `None` once the connection is passed or has ended.
    stream: Option<Source>,
    /// The peer's address, as far as it is known.
    peer: Option<SocketAddr>,
    /// The position among those of the same listener.
    index: usize,
    /// Set if a request was answered before.
    is_kept: bool,
    /// Bytes of the request head that have been looked at.
    known: usize,
    /// The moment from which the head is awaited, or more of it.
    since: Moment,
    waker: Option<Waker>,
}

struct Moment {
    time: Instant,
    /// The closings of the listener until then.
    closings: u32,
}

impl Moment {
    fn now(listener: &Listener) -> Self {
        Self { time: Instant::now(), closings: listener.closings() }
    }
}

impl State {
    const fn is_idle(&self) -> bool {
        self.is_kept && self.known == 0
    }

    /// Returns the closings of a listener that have spared the connection: all, once its peer has sent
    /// something.
    fn outlived(&self, listener: &Listener) -> u32 {
        if self.known == 0 { self.since.closings } else { listener.closings() }
    }
}

impl HttpConnection {
    pub(super) fn new(
        (worker, served): (Rc<Worker>, Rc<Served>),
        stream: Source,
        peer: Option<SocketAddr>,
        index: usize,
        is_kept: bool,
    ) -> Self {
        let (stream, since) = (Some(stream), Moment::now(&served.listener));
        let state = State { stream, peer, index, is_kept, known: 0, since, waker: None };
        Self { worker, served, state: RefCell::new(state) }
    }

    /// Looks at the bytes that have arrived. Ready when the connection is passed or has ended.
    pub(super) fn poll(&self, context: &mut Context<'_>) -> Poll<()> {
        if self.worker.is_shut_down() {
            return Poll::Ready(());
        }
        let state = &mut *self.state.borrow_mut();
        state.waker.get_or_insert_with(|| context.waker().clone());
        let verdict = match &mut state.stream {
            Some(stream) => {
                let ready = ready!(self.poll_handshake(stream, &mut state.since, context));
                if ready {
                    ready!(self.poll_verdict(stream, (&mut state.known, &mut state.since), context))
                } else {
                    Verdict::End
                }
            }
            None => Verdict::End,
        };
        state.waker = None;
        self.served.remove(state.index);
        match (state.stream.take(), verdict) {
            (Some(stream), Verdict::Offer(offer)) => {
                self.served.offer(&self.worker, stream, state.peer, offer);
                return Poll::Ready(());
            }
            (Some(stream), Verdict::Serve(session, request)) => {
                self.served.serve_session(&self.worker, session, &request, stream);
                return Poll::Ready(());
            }
            (Some(stream), Verdict::Move(target)) => {
                self.served.move_to(&self.worker, &target, stream);
                return Poll::Ready(());
            }
            (Some(stream), Verdict::Pass) => {
                let closings = state.outlived(&self.served.listener);
                self.served.pass_waiting(&self.worker, stream, closings, false);
            }
            _ => {}
        }
        self.served.count_end(&self.worker);
        Poll::Ready(())
    }

    /// Performs the handshake of TLS, if there is one. Returns whether it has succeeded; `since` is the
    /// moment of that then.
    fn poll_handshake(
        &self,
        stream: &mut Source,
        since: &mut Moment,
        context: &mut Context<'_>,
    ) -> Poll<bool> {
        let Source::Tls(source) = stream else { return Poll::Ready(true) };
        let is_done = match ready!(source.poll_handshake(context)) {
            Ok(is_new) => {
                if is_new {
                    *since = Moment::now(&self.served.listener);
                }
                true
            }
            Err(error) => {
                if let HandshakeEnd::Failed(code) = error {
                    self.served.report_tls_failure(&self.worker, stream, code);
                }
                false
            }
        };
        Poll::Ready(is_done)
    }

    fn poll_verdict(
        &self,
        stream: &mut Source,
        (known, since): (&mut usize, &mut Moment),
        context: &mut Context<'_>,
    ) -> Poll<Verdict> {
        let options = self.served.listener.options();
        if options.is_passing {
            return Poll::Ready(Verdict::Pass);
        }
        let limit = options.max_header_size.clamp(1, MAX_HEAD);
        let buffer = &mut *self.worker.listeners.buffer.borrow_mut();
        buffer.resize(limit, 0);
        while !self.worker.is_stalled(context.waker()) {
            let verdict = match ready!(stream.poll_peek(context, buffer, *known)) {
                Ok(Some(input)) => {
                    if *known == 0 {
                        *since = Moment::now(&self.served.listener);
                    }
                    let looked_at = std::mem::replace(known, input.len());
                    self.judge(input, (looked_at, limit), &options)
                }
                // A request that ends too early is one for Node.js's parser.
                Ok(None) if *known > 0 => Verdict::Pass,
                Ok(None) | Err(_) => Verdict::End,
            };
            match verdict {
                Verdict::Wait => {}
                verdict => return Poll::Ready(verdict),
            }
        }
        Poll::Pending
    }

    /// Judges the bytes that have arrived, a part of a request head or more; `limit` is the most that
    /// is looked at, and `looked_at` the number of those judged before.
    fn judge(
        &self,
        input: &[u8],
        (looked_at, limit): (usize, usize),
        options: &ListenerOptions,
    ) -> Verdict {
        match look_at(input, looked_at, limit, &options.paths) {
            HeadRead::Incomplete => Verdict::Wait,
            HeadRead::NotCertain => Verdict::Pass,
            HeadRead::Complete(head, length) => {
                let is_followed = input.len() > length;
                let input = input.get(..length).unwrap_or_default();
                // Of a header value with a tab at its end, Node.js's parser may find something else.
                if input.contains(&b'\t') {
                    return Verdict::Pass;
                }
                match EngineTarget::of(&head, &options.paths) {
                    // Node.js's parser reads on while a poll is pending, and may refuse what is behind it.
                    Some(target) if is_followed && target.is_poll(&head) => Verdict::Pass,
                    Some(target) => self.judge_engine_request(&target, &head, input, options),
                    None => Verdict::Pass,
                }
            }
        }
    }

    /// Judges a request whose target is Engine.IO's; `input` is the head.
    fn judge_engine_request(
        &self,
        target: &EngineTarget<'_>,
        head: &RequestHead<'_>,
        input: &[u8],
        options: &ListenerOptions,
    ) -> Verdict {
        let keep_alive = options.keep_alive_seconds();
        let Some(sid) = target.sid() else {
            let offer = Offer::opening(target, head, input, keep_alive);
            return offer.map_or(Verdict::Pass, Verdict::Offer);
        };
        // Other ids are the application's to refuse.
        let Some(place) = self.worker.sessions().find(sid) else { return Verdict::Pass };
        if place.worker != self.worker.index {
            return Verdict::Move(place.target);
        }
        let Some(session) = self.worker.connection(place.id) else { return Verdict::Pass };
        if target.transport == HandshakeTransport::WebSocket {
            let can_upgrade = !session.is_upgrading();
            let offer = can_upgrade.then(|| Offer::upgrade(target, head, input, sid)).flatten();
            return offer.map_or(Verdict::Pass, Verdict::Offer);
        }
        let request = session
            .with_polling_options(|session| target.request(head, input.len(), session, keep_alive));
        request.flatten().map_or(Verdict::Pass, |request| Verdict::Serve(session, request))
    }

    /// Returns the time at which the connection is overdue, if it has not got on until then.
    pub(super) fn due(&self, options: &ListenerOptions) -> Option<Instant> {
        let state = self.state.borrow();
        let timeout = match state.stream.as_ref()? {
            Source::Tls(source) if source.handshake_timeout().is_some() => {
                source.handshake_timeout()
            }
            _ if state.is_idle() => options.keep_alive_timeout,
            _ => options.headers_timeout,
        };
        state.since.time.checked_add(timeout?)
    }

    /// Returns whether the connection is between two requests.
    pub(super) fn is_idle(&self) -> bool {
        self.state.borrow().is_idle()
    }

    /// Ends the connection, since its handshake or request head has not come in time; or passes it, if
    /// that was the head. An idle connection just ends.
    pub(super) fn end_overdue(&self, is_passed: bool) {
        let state = &mut *self.state.borrow_mut();
        let is_idle = state.is_idle();
        match state.stream.take() {
            Some(mut stream) if is_idle => stream.close(),
            Some(stream) if stream.is_handshaking() => {
                let code = "ERR_TLS_HANDSHAKE_TIMEOUT";
                self.served.report_tls_failure(&self.worker, &stream, code);
            }
            Some(stream) if is_passed => {
                let closings = state.outlived(&self.served.listener);
                self.served.pass_waiting(&self.worker, stream, closings, true);
            }
            Some(mut stream) => stream.answer_last(TIMED_OUT),
            None => {}
        }
        self.wake(state);
    }

    /// Returns whether the peer has sent nothing, but for a handshake of TLS.
    pub(super) fn is_fresh(&self) -> bool {
        let state = self.state.borrow();
        let is_handshaking = state.stream.as_ref().is_some_and(Source::is_handshaking);
        state.known == 0 && !is_handshaking
    }

    /// Ends the connection.
    pub(super) fn close(&self) {
        let state = &mut *self.state.borrow_mut();
        state.stream.take().iter_mut().for_each(Source::close);
        self.wake(state);
    }

    /// Wakes the task to look at the connection again: the options have changed, or the worker ends.
    pub(super) fn reconsider(&self) {
        self.wake(&self.state.borrow());
    }

    fn wake(&self, state: &State) {
        if let Some(waker) = &state.waker {
            waker.wake_by_ref();
        }
    }
}

/// Parses the bytes that have arrived; see [`HttpConnection::judge`].
fn look_at<'a>(input: &'a [u8], looked_at: usize, limit: usize, paths: &[String]) -> HeadRead<'a> {
    if !may_be_served(input, paths) {
        return HeadRead::NotCertain;
    }
    // The head is read once for each of its lines, however small the parts are in which it comes.
    let has_line = input.get(looked_at..).is_some_and(|added| added.contains(&b'\n'));
    match if has_line { read_head(input) } else { HeadRead::Incomplete } {
        HeadRead::Incomplete if input.len() >= limit => HeadRead::NotCertain,
        read => read,
    }
}

/// Returns whether the request that begins with these bytes may be one to a path of ours, without other
/// segments behind.
pub(super) fn may_be_served(head: &[u8], paths: &[String]) -> bool {
    let is_to = |path: &String| {
        [&b"GET "[..], b"POST "].iter().any(|method| {
            let start = method.iter().chain(path.as_bytes()).chain(b"?");
            start.zip(head).all(|(expected, byte)| expected == byte)
        })
    };
    paths.iter().any(is_to)
}

#[cfg(test)]
mod tests {
    use super::{look_at, may_be_served};
    use crate::proto::http::HeadRead;

    #[test]
    fn a_head_is_read_when_a_line_is_complete() {
        let paths = ["/socket.io/".to_owned()];
        let is_wait = |input: &str, looked_at| {
            matches!(look_at(input.as_bytes(), looked_at, 100, &paths), HeadRead::Incomplete)
        };
        let line = "GET /socket.io/?EIO=4 HTTP/7.7\r\n";
        // No version of HTTP, which is found when the line is read.
        assert!(is_wait(line.trim_end(), 0));
        assert!(!is_wait(line, line.len() - 1));
        assert!(is_wait(&line[..20], 19));
        let long = format!("GET /socket.io/?{}", "a".repeat(100));
        assert!(!is_wait(&long, 99));
    }

    #[test]
    fn only_requests_to_a_path_of_ours_are_looked_at() {
        let paths = ["/socket.io/".to_owned(), "/other/".to_owned()];
        let may_be = |head: &str| may_be_served(head.as_bytes(), &paths);
        for head in [
            "",
            "G",
            "P",
            "GET /",
            "POST /so",
            "GET /socket.io/",
            "POST /socket.io/?",
            "GET /other/?EIO=4&t",
        ] {
            assert!(may_be(head), "{head}");
        }
        for head in ["g", "PU", "\r", "GET  ", "GET /s ", "GET /socket.io?", "GET /socket.io/x"] {
            assert!(!may_be(head), "{head}");
        }
    }
}
