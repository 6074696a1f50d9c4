//! The program of `rust_socketio`: `main URL TRANSPORT RECOVERY-URL`. It does what
//! `../javascript/program.js` does, and prints one line of JSON for each feature.

use std::collections::HashMap;
use std::env;
use std::process;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rust_socketio::client::Client;
use rust_socketio::{ClientBuilder, Event, Payload, TransportType};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(30);
const HEARTBEATS: u64 = 6;
const MIB: usize = 1024 * 1024;
const TEXT: &str = "žluťoučký kůň 你好 😀 \u{0}\u{2028}";

type Outcome = Result<String, String>;
type Inboxes = Arc<Mutex<HashMap<String, Sender<Payload>>>>;

/// The arguments of the programs.
struct Arguments {
    url: String,
    transport: String,
}

/// A client with a connection of its own.
struct Connection {
    client: Client,
    inboxes: Inboxes,
}

impl Connection {
    /// Connects to a namespace, and waits until the server has admitted the client or refused it.
    fn enter(arguments: &Arguments, namespace: &str, auth: Value) -> Result<Self, String> {
        let transport = match arguments.transport.as_str() {
            "websocket" => TransportType::Websocket,
            _ => TransportType::WebsocketUpgrade,
        };
        let (sender, admitted) = channel();
        let inboxes = Inboxes::default();
        let refusals = sender.clone();
        let [on_any, on_connect, on_close] = [(); 3].map(|()| Arc::clone(&inboxes));
        let client = ClientBuilder::new(arguments.url.as_str())
            .namespace(namespace)
            .auth(auth)
            .transport_type(transport)
            .reconnect_delay(20, 100)
            .on(Event::Connect, move |_, _| {
                let _ = sender.send(Ok(()));
                deliver(&on_connect, "connect", Payload::Text(Vec::new()));
            })
            .on(Event::Error, move |payload, _| {
                let _ = refusals.send(Err(text_of(&payload)));
            })
            .on(Event::Close, move |payload, _| deliver(&on_close, "close", payload))
            .on_any(move |event, payload, _| deliver(&on_any, &String::from(event), payload))
            .connect()
            .map_err(|error| format!("{error:?}"))?;
        admitted.recv_timeout(PATIENCE).map_err(|_| "no connect")??;
        Ok(Self { client, inboxes })
    }

    /// Returns what is received with an event from now on.
    fn inbox(&self, event: &str) -> Receiver<Payload> {
        let (sender, receiver) = channel();
        self.inboxes.lock().unwrap().insert(event.to_owned(), sender);
        receiver
    }

    fn emit(&self, event: &str, payload: impl Into<Payload>) -> Result<(), String> {
        self.client.emit(event, payload).map_err(|error| error.to_string())
    }

    /// Emits an event, and returns the arguments of its acknowledgement.
    fn call(&self, event: &str, args: Vec<Value>) -> Result<Value, String> {
        let (sender, answer) = channel();
        self.client
            .emit_with_ack(event, args, PATIENCE, move |payload, _| {
                let _ = sender.send(payload);
            })
            .map_err(|error| error.to_string())?;
        match take(&answer, &format!("answer to {event}"))? {
            // The library puts the arguments of an acknowledgement into one.
            Payload::Text(mut all) if all.len() == 1 => Ok(all.remove(0)),
            other => Err(format!("{other:.200?}")),
        }
    }
}

fn deliver(inboxes: &Inboxes, event: &str, payload: Payload) {
    if let Some(sender) = inboxes.lock().unwrap().get(event) {
        let _ = sender.send(payload);
    }
}

fn take(inbox: &Receiver<Payload>, what: &str) -> Result<Payload, String> {
    inbox.recv_timeout(PATIENCE).map_err(|_| format!("no {what}"))
}

fn text_of(payload: &Payload) -> String {
    match payload {
        Payload::Text(all) => all.first().map_or_else(String::new, |it| {
            it.as_str().map_or_else(|| it.to_string(), str::to_owned)
        }),
        other => format!("{other:.200?}"),
    }
}

fn same<T: PartialEq + std::fmt::Debug>(actual: &T, expected: &T) -> Outcome {
    if actual == expected {
        return Ok(String::new());
    }
    Err(format!("{actual:.200?} is not {expected:.200?}"))
}

fn values() -> Vec<Value> {
    let nested = json!([1, [2, { "three": TEXT }]]);
    vec![json!(TEXT), json!(0), json!(-1.5), json!(true), Value::Null, nested, json!({})]
}

fn test_transport(it: &Connection) -> Outcome {
    same(&it.call("carrier", vec![json!("websocket")])?, &json!(["websocket"]))
}

fn test_events(it: &Connection) -> Outcome {
    let said = it.inbox("said");
    it.emit("say", values())?;
    same(&take(&said, "said")?, &Payload::Text(values()))
}

fn test_acknowledgements(it: &Connection) -> Outcome {
    same(&it.call("echo", values())?, &Value::Array(values()))
}

fn test_rooms(it: &Connection, arguments: &Arguments) -> Outcome {
    let other = Connection::enter(arguments, "/", json!({}))?;
    let told = [it.inbox("told"), other.inbox("told")];
    let room = |text: &str| vec![json!("room"), json!(text)];
    it.call("join", vec![json!("room")])?;
    it.emit("tell", room("not to me"))?;
    it.emit("announce", vec![json!("nobody"), json!("to nobody")])?;
    it.emit("announce", room("to one"))?;
    it.call("echo", Vec::new())?;
    other.call("join", vec![json!("room")])?;
    it.emit("tell", room("to the other"))?;
    it.emit("announce", room("to both"))?;
    for (inbox, first) in told.iter().zip(["to one", "to the other"]) {
        for words in [first, "to both"] {
            same(&text_of(&take(inbox, "told")?), &words.to_owned())?;
        }
    }
    Ok(String::new())
}

/// Enters a namespace, and asks the server for it.
fn test_namespace(arguments: &Arguments, namespace: &str, auth: Value) -> Outcome {
    let it = Connection::enter(arguments, namespace, auth)?;
    same(&it.call("where", Vec::new())?, &json!([namespace]))
}

fn test_refusal(arguments: &Arguments) -> Outcome {
    let Err(refusal) = Connection::enter(arguments, "/private", json!({ "token": "wrong" })) else {
        return Err("admitted".to_owned());
    };
    let expected = r#"{"message":"wrong token, žluťoučký","data":{"code":7}}"#;
    same(&refusal, &format!("Received an ConnectError frame: {expected}"))?;
    test_namespace(arguments, "/private", json!({ "token": "right" }))
}

fn test_large(it: &Connection) -> Outcome {
    let text = TEXT.repeat(MIB / TEXT.len());
    same(&it.call("echo", vec![json!(text)])?, &json!([text]))
}

fn test_disconnection(arguments: &Arguments) -> Outcome {
    let it = Connection::enter(arguments, "/", json!({}))?;
    let gone = it.inbox("close");
    it.emit("leave", Vec::<Value>::new())?;
    take(&gone, "close").map(|_| "no reason".to_owned())
}

fn test_restart(it: &Connection) -> Outcome {
    let back = it.inbox("connect");
    it.emit("restart", Vec::<Value>::new())?;
    take(&back, "connect")?;
    same(&it.call("echo", vec![json!(TEXT)])?, &json!([TEXT]))
}

fn report(feature: &str, outcome: Outcome) {
    let ok = outcome.is_ok();
    let note = outcome.unwrap_or_else(|error| error);
    println!("{}", json!({ "feature": feature, "ok": ok, "note": note }));
}

fn main() {
    let mut args = env::args().skip(1);
    let [url, transport] = [(); 2].map(|()| args.next().expect("URL TRANSPORT"));
    let arguments = Arguments { url, transport };
    let enter = || Connection::enter(&arguments, "/", json!({})).expect("no connection");
    let (it, idle) = (enter(), enter());
    let alive = idle.inbox("alive");
    idle.emit("idle", json!(HEARTBEATS)).expect("not connected");
    let missing = || Err("not in this library".to_owned());
    report("transport", test_transport(&it));
    report("events", test_events(&it));
    report("acknowledgements", test_acknowledgements(&it));
    report("answers", missing());
    report("rooms", test_rooms(&it, &arguments));
    report("binary", missing());
    report("nested binary", missing());
    report("namespaces", test_namespace(&arguments, "/news", json!({})));
    report("refusal", test_refusal(&arguments));
    report("dynamic namespaces", test_namespace(&arguments, "/room-42", json!({})));
    report("1 MiB", test_large(&it));
    report("recovery", missing());
    let counted = take(&alive, "alive");
    report("heartbeats", counted.and_then(|it| same(&it, &Payload::from(json!(HEARTBEATS)))));
    report("disconnection", test_disconnection(&arguments));
    report("restart", test_restart(&it));
    process::exit(0);
}
