//! The command line of `replay`.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;

use super::{ServerArguments, seconds};

const EXAMPLES: &str = "\
Examples:
  As fast as the receipts allow, against a server of its own:
    cluecast-loadtest replay --guesses log.csv --puzzles puzzles.csv

  The same, killing that server about every 0.3 s:
    cluecast-loadtest replay --guesses log.csv --puzzles puzzles.csv --kill-every 0.3

  The same, stopping it cleanly with SIGTERM about every 2 s, as a deploy does:
    cluecast-loadtest replay --guesses log.csv --puzzles puzzles.csv --stop-every 2

  Ten days in ten minutes, by the log's own clock:
    cluecast-loadtest replay --guesses log.csv --puzzles puzzles.csv \\
        --speed 1440 --timeout 900

  Against a server that runs already:
    export CLUECAST_ADMIN_TOKEN=$(cluecast token admin --data-dir DIR)
    cluecast-loadtest replay --guesses log.csv --puzzles puzzles.csv \\
        --server http://127.0.0.1:8080 --json report.json

Files:
  --guesses: time_utc,team,puzzle,guess,verdict   2018-03-16 19:18:19,owls,Maze,EXIT,Y
  --puzzles: puzzle,answer                        Maze,EXIT
";

/// Turns the guess log of a past hunt into a live one and checks every verdict.
///
/// Every team of the log joins over a WebSocket of its own and sends its guesses in the log's
/// order, each one after the receipt of the one before. At the end the export and the standings
/// of the server are compared with what it had acknowledged.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ReplayArguments {
    /// The guess log, a CSV file in order of time
    #[arg(long, value_name = "FILE")]
    pub guesses: PathBuf,

    /// The puzzles and their answers, a CSV file
    #[arg(long, value_name = "FILE")]
    pub puzzles: PathBuf,

    /// How many times faster than the log, or `max`: as fast as the receipts allow
    #[arg(long, value_name = "N|max", default_value = "max")]
    pub speed: Speed,

    /// Which server to play against.
    #[command(flatten)]
    pub server: ServerArguments,

    /// Kill the started server about this often (half to one and a half times) and restart it
    #[arg(long, value_name = "SECONDS", value_parser = seconds, conflicts_with = "server")]
    pub kill_every: Option<Duration>,

    /// Stop the started server with SIGTERM about this often (half to one and a half times), wait
    /// for its clean end, and restart it
    #[arg(long, value_name = "SECONDS", value_parser = seconds, conflicts_with = "server")]
    pub stop_every: Option<Duration>,

    /// The longest delay before a client reconnects; 10 is the protocol's own bound
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub reconnect_max: Duration,

    /// Decides the random delays of the kills, the stops and the reconnects
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,

    /// Write the figures to this file
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// How many teams join or connect at the same time before the start
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub connections_concurrency: u16,

    /// Give up after this time
    #[arg(long, value_name = "SECONDS", default_value = "600", value_parser = seconds)]
    pub timeout: Duration,
}

/// How fast a log is replayed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Speed {
    /// By the log's own clock, so many times faster.
    Times(f64),
    /// Each guess as soon as the one before has its receipt.
    Max,
}

impl FromStr for Speed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "max" {
            return Ok(Self::Max);
        }
        match text.parse::<f64>() {
            Ok(times) if times.is_finite() && times > 0.0 => Ok(Self::Times(times)),
            Ok(_) | Err(_) => Err("write a number above 0, or max".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Speed;

    #[test]
    fn speeds_are_read() {
        let speed = str::parse::<Speed>;
        assert_eq!(speed("max").ok(), Some(Speed::Max));
        assert_eq!(speed("1440").ok(), Some(Speed::Times(1440.0)));
        for bad in ["0", "-1", "fast", "inf", "NaN"] {
            assert!(speed(bad).is_err(), "{bad}");
        }
    }
}
