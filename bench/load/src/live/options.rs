//! The command line of the load generator.

use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use lexopt::prelude::*;

use crate::client::{Server, Site};
use crate::filler::filler;

/// The explanation of the command line.
pub const USAGE: &str = "\
npm run load -- [URL] [options]

Connects Socket.IO clients to a server of yours over WebSocket, lets them send
events, and counts what they receive, until --seconds are over or Ctrl-C.
Load only servers that are yours.

URL                http://127.0.0.1:3000 unless another is given; no https
--clients N        clients to connect (100)
--seconds S        time after all have connected (no limit)
--rate R           events that all clients together send in a second; without
                   it they only receive
--event NAME       name of the events (message)
--payload BYTES    length of the text that is the argument of events (32)
--data JSON        the argument instead of a text
--ack              asks for acknowledgements, and measures the time until then
--namespace /NAME  namespace to join (/)
--auth JSON        object that the clients send when they join
--path PATH        path of Engine.IO (/socket.io/)
--deflate          permessage-deflate, which the server has to accept";

/// The options, as they are used.
#[derive(Debug)]
pub struct Options {
    pub server: Server,
    pub clients: usize,
    /// The time to send and receive, unless it is unlimited.
    pub seconds: Option<Duration>,
    /// The event to send, if any.
    pub sending: Option<Sending>,
}

/// Events at a rate.
#[derive(Debug, PartialEq, Eq)]
pub struct Sending {
    /// Events per second of all clients together, at least 1.
    pub rate: u32,
    /// True if events ask for acknowledgements.
    pub has_acks: bool,
    namespace: String,
    /// The event in JSON: an array of its name and its arguments.
    json: String,
}

impl Sending {
    /// Returns the Engine.IO packet of an event.
    pub fn packet(&self, index: u64) -> String {
        let Self { namespace, json, .. } = self;
        if self.has_acks {
            format!("42{namespace}{index}{json}")
        } else {
            format!("42{namespace}{json}")
        }
    }
}

#[derive(Default)]
struct Given {
    url: Option<String>,
    clients: Option<usize>,
    seconds: Option<f64>,
    rate: Option<u32>,
    event: Option<String>,
    payload: Option<usize>,
    data: Option<String>,
    has_acks: bool,
    namespace: Option<String>,
    auth: Option<String>,
    path: Option<String>,
    deflate: bool,
}

impl Options {
    /// Reads the command line, or returns `None` if it asks for [`USAGE`].
    pub fn read(mut parser: lexopt::Parser) -> Result<Option<Self>> {
        let mut given = Given::default();
        while let Some(argument) = parser.next()? {
            match argument {
                Long("help") | Short('h') => return Ok(None),
                Value(url) if given.url.is_none() => given.url = Some(url.string()?),
                Long("clients") => given.clients = Some(parser.value()?.parse()?),
                Long("seconds") => given.seconds = Some(parser.value()?.parse()?),
                Long("rate") => given.rate = Some(parser.value()?.parse()?),
                Long("event") => given.event = Some(parser.value()?.string()?),
                Long("payload") => given.payload = Some(parser.value()?.parse()?),
                Long("data") => given.data = Some(parser.value()?.string()?),
                Long("ack") => given.has_acks = true,
                Long("namespace") => given.namespace = Some(parser.value()?.string()?),
                Long("auth") => given.auth = Some(parser.value()?.string()?),
                Long("path") => given.path = Some(parser.value()?.string()?),
                Long("deflate") => given.deflate = true,
                _ => return Err(argument.unexpected().into()),
            }
        }
        given.options().map(Some)
    }

    /// Returns what stands in front of the data of packets.
    pub fn namespace(&self) -> &'static str {
        self.server.site.map(|site| site.namespace.as_str()).unwrap_or_default()
    }
}

impl Given {
    fn options(self) -> Result<Options> {
        let clients = self.clients.unwrap_or(100);
        ensure!(clients > 0, "--clients must be at least 1");
        let seconds = self.seconds.map(Duration::try_from_secs_f64).transpose()?;
        let (address, host) = resolve(self.url.as_deref().unwrap_or("http://127.0.0.1:3000"))?;
        let namespace = namespace(self.namespace.as_deref().unwrap_or("/"))?;
        let sending = self.sending(&namespace)?;
        let path = path(self.path.as_deref().unwrap_or("/socket.io/"))?;
        let auth = self.auth.unwrap_or_default();
        ensure!(auth.is_empty() || is_object(&auth), "--auth must be an object in JSON");
        // As long as the process.
        let site = Box::leak(Box::new(Site { host, path, namespace, auth }));
        let server = Server { deflate: self.deflate, site: Some(site), ..Server::new(address) };
        Ok(Options { server, clients, seconds, sending })
    }

    fn sending(&self, namespace: &str) -> Result<Option<Sending>> {
        let Some(rate) = self.rate else {
            let is_sending = self.event.is_some()
                || self.payload.is_some()
                || self.data.is_some()
                || self.has_acks;
            ensure!(!is_sending, "--event, --payload, --data and --ack need a --rate");
            return Ok(None);
        };
        ensure!(rate > 0, "--rate must be at least 1");
        let event = serde_json::to_string(self.event.as_deref().unwrap_or("message"))?;
        let json = format!("[{event},{}]", self.argument()?);
        let namespace = namespace.to_owned();
        Ok(Some(Sending { rate, has_acks: self.has_acks, namespace, json }))
    }

    /// Returns the argument of events in JSON.
    fn argument(&self) -> Result<String> {
        match (&self.data, self.payload) {
            (Some(_), Some(_)) => bail!("--data and --payload exclude each other"),
            (Some(data), None) => {
                let value: serde_json::Value =
                    serde_json::from_str(data).context("--data must be JSON")?;
                Ok(value.to_string())
            }
            (None, payload) => Ok(serde_json::to_string(&filler(payload.unwrap_or(32)))?),
        }
    }
}

/// Returns the address and the `Host` of a URL.
fn resolve(url: &str) -> Result<(SocketAddr, String)> {
    let host = host(url)?;
    let has_port = host.rsplit(':').next().is_some_and(|port| port.parse::<u16>().is_ok());
    let with_port = if has_port { host.to_owned() } else { format!("{host}:80") };
    let mut addresses =
        with_port.to_socket_addrs().with_context(|| format!("cannot find {host}"))?;
    // Servers on this machine mostly listen on IPv4 where both exist.
    let all = addresses.by_ref().collect::<Vec<_>>();
    let address = all.iter().find(|address| address.is_ipv4()).or_else(|| all.first());
    Ok((*address.with_context(|| format!("{host} has no address"))?, host.to_owned()))
}

fn host(url: &str) -> Result<&str> {
    let Some((scheme, rest)) = url.split_once("://") else {
        bail!("{url} is no URL: http://HOST:PORT is wanted");
    };
    ensure!(
        matches!(scheme, "http" | "ws"),
        "{scheme} is not supported, only http: load the server behind the proxy that has the certificate"
    );
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    ensure!(path.is_empty(), "{url} has a path: use --namespace or --path");
    ensure!(!host.is_empty(), "{url} has no host");
    Ok(host)
}

/// Returns what stands in front of the data of packets.
fn namespace(name: &str) -> Result<String> {
    ensure!(name.starts_with('/') && !name.contains(','), "--namespace must begin with a slash");
    Ok(if name == "/" { String::new() } else { format!("{name},") })
}

fn path(path: &str) -> Result<String> {
    let is_clean = path.bytes().all(|byte| byte.is_ascii_graphic());
    ensure!(path.starts_with('/') && is_clean, "--path must begin with a slash");
    Ok(if path.ends_with('/') { path.to_owned() } else { format!("{path}/") })
}

fn is_object(json: &str) -> bool {
    serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(json).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Options> {
        let options = Options::read(lexopt::Parser::from_args(line.split(' ')))?;
        options.context("it asks for help")
    }

    #[test]
    fn all_options_have_defaults() -> Result<()> {
        let options = Options::read(lexopt::Parser::from_args([""; 0]))?.context("no help")?;
        assert_eq!(options.server.address, "127.0.0.1:3000".parse()?);
        assert_eq!((options.clients, options.seconds, &options.sending), (100, None, &None));
        let site = options.server.site.context("no site")?;
        assert_eq!((site.host.as_str(), site.path.as_str()), ("127.0.0.1:3000", "/socket.io/"));
        assert_eq!((site.namespace.as_str(), site.auth.as_str()), ("", ""));
        Ok(())
    }

    #[test]
    fn a_url_has_a_host_and_perhaps_a_port() -> Result<()> {
        for (url, address) in [
            ("http://127.0.0.1:8080", "127.0.0.1:8080"),
            ("http://127.0.0.1:8080/", "127.0.0.1:8080"),
            ("ws://127.0.0.1", "127.0.0.1:80"),
            ("http://[::1]:8080", "[::1]:8080"),
        ] {
            assert_eq!(read(url)?.server.address, address.parse()?, "{url}");
        }
        for wrong in ["127.0.0.1:80", "https://127.0.0.1", "http://", "http://127.0.0.1/admin"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        Ok(())
    }

    #[test]
    fn events_have_a_name_an_argument_and_perhaps_an_ack_id() -> Result<()> {
        for (line, packet) in [
            ("--rate 5", r#"42["message","The quick brown fox jumps over t"]"#),
            ("--rate 5 --payload 0 --event a\"b", r#"42["a\"b",""]"#),
            ("--rate 5 --ack --data {\"a\":[1]}", r#"427["message",{"a":[1]}]"#),
            ("--rate 5 --ack --namespace /a --payload 3", r#"42/a,7["message","The"]"#),
        ] {
            let sending = read(line)?.sending.context("nothing is sent")?;
            assert_eq!((sending.rate, sending.packet(7)), (5, packet.to_owned()));
        }
        Ok(())
    }

    #[test]
    fn clients_join_a_namespace_with_auth_on_a_path() -> Result<()> {
        let options = read("--namespace /a --auth {\"token\":\"x\"} --path /chat --seconds 1.5")?;
        let site = options.server.site.context("no site")?;
        assert_eq!((site.namespace.as_str(), site.path.as_str()), ("/a,", "/chat/"));
        assert_eq!((site.auth.as_str(), options.namespace()), (r#"{"token":"x"}"#, "/a,"));
        assert_eq!(options.seconds, Some(Duration::from_millis(1500)));
        Ok(())
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for line in [
            "--clients 0",
            "--rate 0",
            "--ack",
            "--event x",
            "--rate 1 --data x",
            "--rate 1 --data 1 --payload 1",
            "--auth 1",
            "--namespace a",
            "--namespace /a,b",
            "--path chat",
            "--path /a\nb",
            "--seconds -1",
            "--color",
            "http://127.0.0.1 http://127.0.0.1",
        ] {
            assert!(read(line).is_err(), "{line}");
        }
    }

    #[test]
    fn help_is_no_error() -> Result<()> {
        assert!(Options::read(lexopt::Parser::from_args(["--help"]))?.is_none());
        Ok(())
    }
}
