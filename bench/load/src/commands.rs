//! Commands on standard input, one per line.

use std::io::BufRead;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, channel};

use anyhow::{Context, Result};
use mio::Waker;

/// A command to a running scenario.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    /// `clients N`: connect N clients, at least 1.
    Clients(usize),
    /// `reconnect`: close all connections, and connect all clients at once.
    Reconnect,
    /// Standard input has ended.
    End,
}

impl Command {
    fn decode(line: &str) -> Result<Self> {
        if line == "reconnect" {
            return Ok(Self::Reconnect);
        }
        line.strip_prefix("clients ")
            .and_then(|count| count.parse().ok())
            .filter(|&count| count > 0)
            .map(Self::Clients)
            .with_context(|| format!("no command: {line}"))
    }
}

/// The commands received so far.
pub struct Commands {
    lines: Receiver<String>,
    /// Shared with the thread that reads, since a waker that is dropped takes back its wake.
    _waker: Arc<Waker>,
}

impl Commands {
    /// Reads standard input on a thread of its own, and wakes a poll for each line and for the end.
    pub fn read(waker: Waker) -> Self {
        let waker = Arc::new(waker);
        let stdin_waker = Arc::clone(&waker);
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            // An unreadable standard input has ended, too.
            for line in std::io::stdin().lock().lines().map_while(Result::ok) {
                // The receiver may be gone.
                let _ = sender.send(line);
                let _ = stdin_waker.wake();
            }
            drop(sender);
            stdin_waker.wake()
        });
        Self { lines, _waker: waker }
    }

    /// Returns the next command, or `None` if there is none yet.
    ///
    /// # Errors
    ///
    /// If a line is not a command.
    pub fn next(&self) -> Result<Option<Command>> {
        match self.lines.try_recv() {
            Ok(line) => Command::decode(&line).map(Some),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Ok(Some(Command::End)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_of_clients_is_a_command() -> Result<()> {
        assert_eq!(Command::decode("clients 5000")?, Command::Clients(5000));
        Ok(())
    }

    #[test]
    fn a_storm_is_a_command() -> Result<()> {
        assert_eq!(Command::decode("reconnect")?, Command::Reconnect);
        Ok(())
    }

    #[test]
    fn anything_else_is_refused() {
        for line in
            ["", "clients", "clients 0", "clients -1", "clients 1 2", "rate 3", "reconnect 1"]
        {
            assert!(Command::decode(line).is_err(), "{line}");
        }
    }
}
