//! The server: Socket.IO's handlers, and how it listens.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use socketioxide::SocketIo;
use socketioxide::extract::{AckSender, Data, SocketRef};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Connections that wait to be accepted, at most: as many as Node.js allows. With the 128 of
/// `TcpListener::bind`, some of 500 clients that connect at once wait for the kernel's next try.
const BACKLOG: u32 = 511;

/// The times of Engine.IO's heartbeat, if they are not the defaults.
#[derive(Debug, PartialEq, Eq)]
pub struct Heartbeat {
    interval: Duration,
    timeout: Duration,
}

impl Heartbeat {
    /// Reads both times, in milliseconds, or nothing.
    ///
    /// # Errors
    ///
    /// If there is anything else.
    pub fn from_arguments(arguments: impl Iterator<Item = String>) -> Result<Option<Self>> {
        let times = arguments.map(|text| Ok(Duration::from_millis(text.parse()?)));
        match *times.collect::<Result<Vec<_>>>()? {
            [] => Ok(None),
            [interval, timeout] => Ok(Some(Self { interval, timeout })),
            _ => anyhow::bail!("there are two arguments: ping interval and ping timeout"),
        }
    }
}

/// The argument of a client's `message`. It is decoded in full, as by every other contender.
#[derive(Deserialize)]
struct Message {
    #[serde(rename = "n")]
    _number: u64,
    #[serde(rename = "text")]
    _text: String,
}

/// A server that listens.
pub struct Server {
    io: SocketIo,
    port: u16,
    received: Arc<AtomicU64>,
    next: UnboundedReceiver<()>,
}

impl Server {
    /// Listens on a free port of 127.0.0.1.
    pub async fn listen(heartbeat: Option<Heartbeat>) -> Result<Self> {
        let mut builder = SocketIo::builder();
        if let Some(Heartbeat { interval, timeout }) = heartbeat {
            builder = builder.ping_interval(interval).ping_timeout(timeout);
        }
        let (service, io) = builder.build_svc();
        let received = Arc::new(AtomicU64::new(0));
        let (next_sender, next) = unbounded_channel();
        let handlers = Handlers { received: received.clone(), next: next_sender };
        io.ns("/", async move |socket: SocketRef| handlers.add_to(&socket));
        let listener = listen()?;
        let port = listener.local_addr()?.port();
        // The type of the service has no public name.
        tokio::spawn(accept(listener, move |stream| {
            let connection =
                http1::Builder::new().serve_connection(TokioIo::new(stream), service.clone());
            tokio::spawn(connection.with_upgrades());
        }));
        Ok(Self { io, port, received, next })
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Socket.IO's own interface.
    pub fn io(&self) -> &SocketIo {
        &self.io
    }

    /// Returns the number of `message` and `echo` events so far.
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Waits until a client says `next`.
    pub async fn next(&mut self) -> Result<()> {
        self.next.recv().await.context("the server has ended")
    }
}

#[derive(Clone)]
struct Handlers {
    received: Arc<AtomicU64>,
    next: UnboundedSender<()>,
}

impl Handlers {
    /// The events of `server.js`: counts `message`, acknowledges `echo` with what came.
    fn add_to(&self, socket: &SocketRef) {
        let received = self.received.clone();
        socket.on("message", async move |Data(Message { .. })| {
            received.fetch_add(1, Ordering::Relaxed);
        });
        let received = self.received.clone();
        socket.on("echo", async move |Data::<String>(text), acknowledge: AckSender| {
            received.fetch_add(1, Ordering::Relaxed);
            // The client may have left; one that waits for the answer notices.
            let _ = acknowledge.send(&text);
        });
        let next = self.next.clone();
        socket.on("next", async move || {
            // Nobody broadcasts any more.
            let _ = next.send(());
        });
    }
}

fn listen() -> Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
    Ok(socket.listen(BACKLOG)?)
}

/// Accepts clients until the process ends, and calls `serve` with each.
async fn accept(listener: TcpListener, serve: impl Fn(TcpStream)) -> Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        serve(stream);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heartbeat(arguments: &[&str]) -> Result<Option<Heartbeat>> {
        Heartbeat::from_arguments(arguments.iter().map(|&text| text.into()))
    }

    #[test]
    fn a_heartbeat_has_two_times_or_is_the_default() -> Result<()> {
        assert_eq!(heartbeat(&[])?, None);
        let [interval, timeout] = [500, 400].map(Duration::from_millis);
        assert_eq!(heartbeat(&["500", "400"])?, Some(Heartbeat { interval, timeout }));
        for refused in [&["500"][..], &["500", "4 s"], &["1", "2", "3"]] {
            assert!(heartbeat(refused).is_err(), "{refused:?}");
        }
        Ok(())
    }
}
