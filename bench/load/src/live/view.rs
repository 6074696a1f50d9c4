//! The output: some lines that are redrawn on a terminal, or else a line for each second.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write, stdout};
use std::time::Duration;

use anyhow::Result;

use super::tally::Tally;
use crate::report::Distribution;

/// Shows what the clients do.
pub struct View {
    is_terminal: bool,
    /// The number of clients to connect.
    wanted: usize,
    /// True if acknowledgements are shown.
    has_acks: bool,
    /// Lines on the terminal that the next ones take the place of.
    drawn: usize,
}

impl View {
    pub fn new(wanted: usize, has_acks: bool) -> Self {
        Self { is_terminal: stdout().is_terminal(), wanted, has_acks, drawn: 0 }
    }

    /// Returns the time between two calls of [`show`](Self::show).
    pub const fn interval(&self) -> Duration {
        Duration::from_millis(if self.is_terminal { 500 } else { 1_000 })
    }

    /// Shows what was counted in an interval, `elapsed` after the start.
    pub fn show(&mut self, elapsed: Duration, clients: usize, tally: &Tally) -> Result<()> {
        let lines = self.lines(clients, tally, tally.elapsed());
        print(&self.draw(elapsed, &lines)?)
    }

    /// Returns the output for some lines, which on a terminal take the place of the last ones.
    fn draw(&mut self, elapsed: Duration, lines: &[String]) -> Result<String> {
        let time = format!("{:>4} s  ", elapsed.as_secs());
        let mut output = String::new();
        if self.is_terminal {
            if self.drawn > 0 {
                write!(output, "\x1b[{}A", self.drawn)?;
            }
            for (index, line) in lines.iter().enumerate() {
                let margin = if index == 0 { time.as_str() } else { "        " };
                writeln!(output, "\x1b[2K{margin}{line}")?;
            }
            self.drawn = lines.len();
        } else {
            writeln!(output, "{time}{}", lines.join("  "))?;
        }
        Ok(output)
    }

    /// Shows what was counted in the whole time.
    pub fn summarize(
        &self,
        clients: usize,
        total: &Tally,
        unanswered: usize,
        last_error: Option<&str>,
    ) -> Result<()> {
        let elapsed = total.elapsed();
        let mut output = format!("\nin {:.1} s\n", elapsed.as_secs_f64());
        for line in self.lines(clients, total, elapsed) {
            writeln!(output, "  {line}")?;
        }
        write!(output, "  events sent {}, packets received {}", total.sent, total.received)?;
        if self.has_acks {
            write!(output, ", acknowledgements {}, missing {unanswered}", total.acks)?;
        }
        writeln!(output)?;
        if let Some(error) = last_error {
            writeln!(output, "  last error: {error}")?;
        }
        print(&output)
    }

    /// Returns lines of less than 72 characters, so that none wraps on a terminal.
    fn lines(&self, clients: usize, tally: &Tally, time: Duration) -> Vec<String> {
        let rate = |count: u64| count as f64 / time.as_secs_f64().max(1e-3);
        let flow = |name: &str, count, bytes| {
            format!("{name:<8} {:>9.0}/s {:>8.2} MB/s", rate(count), rate(bytes) / 1e6)
        };
        let mut lines = vec![
            format!("clients {clients}/{} errors {}", self.wanted, tally.errors),
            flow("sent", tally.sent, tally.traffic.written),
            flow("received", tally.received, tally.traffic.read),
        ];
        if self.has_acks {
            let latency = latency(&tally.latency);
            lines.push(format!("{:<8} {:>9.0}/s  {latency}", "acks", rate(tally.acks)));
        }
        lines
    }
}

fn latency(times: &Distribution) -> String {
    let summary = times.summary();
    let [p50, p99, max] = [summary.p50, summary.p99, summary.max].map(|time| time / 1e3);
    format!("p50 {p50:.2} ms p99 {p99:.2} ms max {max:.2} ms")
}

fn print(text: &str) -> Result<()> {
    let mut output = stdout().lock();
    output.write_all(text.as_bytes())?;
    Ok(output.flush()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::Traffic;

    fn busy() -> Result<Tally> {
        let mut tally = Tally::start()?;
        (tally.sent, tally.received, tally.acks, tally.errors) = (200, 40_000_000, 100, 2);
        tally.traffic = Traffic { read: 2_000_000_000, written: 5_000 };
        tally.latency.record(Duration::from_micros(1_500));
        Ok(tally)
    }

    #[test]
    fn figures_are_per_second() -> Result<()> {
        let view = View { is_terminal: false, wanted: 1_000_000, has_acks: true, drawn: 0 };
        let lines = view.lines(999_999, &busy()?, Duration::from_secs(2));
        let words = lines.iter().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
        assert_eq!(
            words.collect::<Vec<_>>(),
            [
                "clients 999999/1000000 errors 2",
                "sent 100/s 0.00 MB/s",
                "received 20000000/s 1000.00 MB/s",
                "acks 50/s p50 1.50 ms p99 1.50 ms max 1.50 ms",
            ]
        );
        assert!(lines.iter().all(|line| line.len() < 72));
        Ok(())
    }

    #[test]
    fn lines_are_redrawn_on_a_terminal_and_else_joined() -> Result<()> {
        let lines = ["one".to_owned(), "two".to_owned()];
        let second = Duration::from_secs(1);
        let mut view = View { is_terminal: true, wanted: 1, has_acks: false, drawn: 0 };
        let drawn = "\x1b[2K   1 s  one\n\x1b[2K        two\n";
        assert_eq!(view.draw(second, &lines)?, drawn);
        assert_eq!(view.draw(second, &lines)?, format!("\x1b[2A{drawn}"));
        view.is_terminal = false;
        assert_eq!(view.draw(second, &lines)?, "   1 s  one  two\n");
        Ok(())
    }

    #[test]
    fn acknowledgements_are_shown_if_they_are_asked_for() -> Result<()> {
        let view = View { is_terminal: false, wanted: 1, has_acks: false, drawn: 0 };
        assert_eq!(view.lines(1, &busy()?, Duration::from_secs(1)).len(), 3);
        Ok(())
    }
}
