//! A client of Socket.IO: it connects, sends an event, and prints the answer of the server.

use std::env;
use std::error::Error;
use std::sync::mpsc::channel;
use std::time::Duration;

use rust_socketio::{ClientBuilder, Event, Payload};

const TIMEOUT: Duration = Duration::from_secs(20);

fn main() -> Result<(), Box<dyn Error>> {
    let url = env::args().nth(1).unwrap_or_else(|| "http://localhost:3000".to_owned());
    let (answer, answers) = channel();
    let client = ClientBuilder::new(url)
        .on(Event::Connect, move |_, socket| {
            let answer = answer.clone();
            let print = move |payload, _| drop(answer.send(payload));
            if let Err(problem) = socket.emit_with_ack("hello", "Rust", TIMEOUT, print) {
                eprintln!("{problem}");
            }
        })
        .connect()?;
    if let Payload::Text(arguments) = answers.recv_timeout(TIMEOUT)? {
        println!("{}", arguments[0][0].as_str().unwrap_or_default());
    }
    client.disconnect()?;
    Ok(())
}
