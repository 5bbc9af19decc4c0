//! Command line of `replay`.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;

use super::{ServerArguments, seconds};

const EXAMPLES: &str = "\
Examples:
  As fast as the receipts allow, against a server that the harness starts:
    cluecast-loadtest replay --guesses log.csv --puzzles puzzles.csv

  The same, killing the server about every 0.3 s:
    cluecast-loadtest replay --guesses log.csv --puzzles puzzles.csv --kill-every 0.3

  The same, with a graceful shutdown (SIGTERM) about every 2 s, as in a deployment:
    cluecast-loadtest replay --guesses log.csv --puzzles puzzles.csv --stop-every 2

  Ten days in ten minutes, with the timing of the log:
    cluecast-loadtest replay --guesses log.csv --puzzles puzzles.csv \\
        --speed 1440 --timeout 900

  Against a running server:
    export CLUECAST_ADMIN_TOKEN=$(cluecast token admin --data-dir DIR)
    cluecast-loadtest replay --guesses log.csv --puzzles puzzles.csv \\
        --server http://127.0.0.1:8080 --json report.json

Files:
  --guesses: time_utc,team,puzzle,guess,verdict   2018-03-16 19:18:19,owls,Maze,EXIT,Y
  --puzzles: puzzle,answer                        Maze,EXIT
";

/// Replay the guess log of a past hunt and check every verdict.
///
/// Every team of the log connects over its own WebSocket and sends its guesses in the order of the log,
/// each after the receipt of the previous one. At the end the server's export and standings are compared
/// with the receipts.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ReplayArguments {
    /// Guess log, a CSV file in chronological order
    #[arg(long, value_name = "FILE")]
    pub guesses: PathBuf,

    /// Puzzles and their answers, a CSV file
    #[arg(long, value_name = "FILE")]
    pub puzzles: PathBuf,

    /// Speed relative to the log, or `max` for as fast as the receipts allow
    #[arg(long, value_name = "N|max", default_value = "max")]
    pub speed: Speed,

    /// The server under test.
    #[command(flatten)]
    pub server: ServerArguments,

    /// Kill and restart the started server at this mean interval (uniform, 0.5 to 1.5 times)
    #[arg(long, value_name = "SECONDS", value_parser = seconds, conflicts_with = "server")]
    pub kill_every: Option<Duration>,

    /// Shut the started server down gracefully (SIGTERM) and restart it at this mean interval (uniform,
    /// 0.5 to 1.5 times)
    #[arg(long, value_name = "SECONDS", value_parser = seconds, conflicts_with = "server")]
    pub stop_every: Option<Duration>,

    /// Maximum delay before a client reconnects; the protocol allows up to 10
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub reconnect_max: Duration,

    /// Seed of the random intervals and reconnect delays
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,

    /// Write the report to this file as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// Maximum number of concurrent joins or connection attempts before the start
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub connections_concurrency: u16,

    /// Abort after this time
    #[arg(long, value_name = "SECONDS", default_value = "600", value_parser = seconds)]
    pub timeout: Duration,
}

/// Speed of a replay.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Speed {
    /// With the timing of the log, this many times faster.
    Times(f64),
    /// Each guess as soon as the previous one has its receipt.
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
            Ok(_) | Err(_) => Err("expected a number greater than 0, or max".to_owned()),
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
