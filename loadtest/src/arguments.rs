//! The command line.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

/// Proves before launch night that a Cluecast server holds.
///
/// Exit status: 0 if everything is as it must be; 1 if anything was lost, doubled, out of order,
/// missing or judged differently; 2 if the run could not be finished.
#[derive(Debug, Parser)]
#[command(name = "cluecast-loadtest", version)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub task: Task,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Task {
    /// Turns the guess log of a past hunt into a live one and checks every verdict
    Replay(Box<ReplayArguments>),
}

const REPLAY_EXAMPLES: &str = "\
Examples:
  As fast as the receipts allow, against a server of its own:
    cluecast-loadtest replay --guesses log.csv --puzzles puzzles.csv

  The same, killing that server about every 0.3 s:
    cluecast-loadtest replay --guesses log.csv --puzzles puzzles.csv --kill-every 0.3

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
#[command(after_help = REPLAY_EXAMPLES)]
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

    /// Play against this server, like `http://127.0.0.1:8080`, instead of starting one
    #[arg(long, value_name = "URL", requires = "admin_token")]
    pub server: Option<String>,

    /// An admin's token of that server
    #[arg(
        long,
        value_name = "TOKEN",
        env = "CLUECAST_ADMIN_TOKEN",
        hide_env_values = true
    )]
    pub admin_token: Option<String>,

    /// The server to start; by default the `cluecast` beside this binary
    #[arg(long, value_name = "PATH", conflicts_with = "server")]
    pub server_binary: Option<PathBuf>,

    /// A setting of the server to start, may be repeated
    #[arg(
        long = "server-set",
        value_name = "KEY=VALUE",
        conflicts_with = "server"
    )]
    pub server_settings: Vec<String>,

    /// The data folder of the server to start, kept afterwards; by default a temporary one
    #[arg(long, value_name = "DIR", conflicts_with = "server")]
    pub data_dir: Option<PathBuf>,

    /// Kill the started server about this often (half to one and a half times) and restart it
    #[arg(long, value_name = "SECONDS", value_parser = seconds, conflicts_with = "server")]
    pub kill_every: Option<Duration>,

    /// The longest delay before a client reconnects; the protocol's own bound is 60
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    pub reconnect_max: Duration,

    /// Decides the random delays of the kills and the reconnects
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

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok();
    let duration = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    match duration {
        Some(duration) if !duration.is_zero() => Ok(duration),
        Some(_) | None => Err("write a number of seconds above 0".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::{Arguments, Speed, Task};

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_foreign_server_is_not_killed() {
        let common = "cluecast-loadtest replay --guesses g --puzzles p --server http://h:1";
        let with = |more: &str| {
            let line = format!("{common} --admin-token t {more}");
            Arguments::try_parse_from(line.split_whitespace())
        };
        assert!(with("").is_ok());
        assert!(with("--kill-every 1").is_err());
        assert!(with("--data-dir d").is_err());
    }

    #[test]
    fn speeds_are_read() {
        let speed = |text: &str| {
            let line = [
                "cluecast-loadtest",
                "replay",
                "--guesses",
                "g",
                "--puzzles",
                "p",
            ];
            let line = line.into_iter().chain(["--speed", text]);
            let Task::Replay(replay) = Arguments::try_parse_from(line)?.task;
            Ok::<_, clap::Error>(replay.speed)
        };
        assert_eq!(speed("max").ok(), Some(Speed::Max));
        assert_eq!(speed("1440").ok(), Some(Speed::Times(1440.0)));
        for bad in ["0", "-1", "fast", "inf", "NaN"] {
            assert!(speed(bad).is_err(), "{bad}");
        }
    }
}
