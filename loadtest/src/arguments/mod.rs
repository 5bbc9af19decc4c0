//! Command line of the load harness.

mod abuse;
mod chaos;
mod churn;
mod fanout;
mod idle;
mod latency;
mod replay;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

pub use abuse::AbuseArguments;
pub use chaos::{ChaosArguments, Fault, JournalStore};
pub use churn::ChurnArguments;
pub use fanout::{CodecName, FanoutArguments, SecondsRange};
pub use idle::IdleArguments;
pub use latency::{JournalKind, LatencyArguments};
pub use replay::{ReplayArguments, Speed};

/// Load tests and fault injection for a Cluecast server.
///
/// Exit status: 0 if every check passed; 1 if a check failed (something was lost, duplicated,
/// reordered, missing or judged differently, or a goal was missed); 2 if the run did not complete.
#[derive(Debug, Parser)]
#[command(name = "cluecast-loadtest", version)]
pub struct Arguments {
    /// The test to run.
    #[command(subcommand)]
    pub task: Task,
}

/// The tests that the harness offers.
#[derive(Debug, Subcommand)]
pub enum Task {
    /// Replay the guess log of a past hunt and check every verdict
    Replay(Box<ReplayArguments>),
    /// Open idle connections and measure the server's memory per connection
    Idle(Box<IdleArguments>),
    /// Measure the latency of receipts at half the maximum rate, against bare commits on the same disk
    Latency(Box<LatencyArguments>),
    /// Push clues to many connections, some slow, stalled or cut, and check every delivery
    Fanout(Box<FanoutArguments>),
    /// Inject faults into nodes and PostgreSQL under load, then check the guarantees
    Chaos(Box<ChaosArguments>),
    /// Attack with clients that ping without reading and clients with a slow handshake
    Abuse(Box<AbuseArguments>),
    /// Connect and disconnect repeatedly, and check the server's memory for leaks
    Churn(Box<ChurnArguments>),
}

/// The server under test: a running one, or one that the harness starts.
#[derive(Debug, Clone, Default, Args)]
pub struct ServerArguments {
    /// URL of a running server, such as `http://127.0.0.1:8080`; by default the harness starts one
    #[arg(long, value_name = "URL", requires = "admin_token")]
    pub server: Option<String>,

    /// Admin token for the running server
    #[arg(
        long,
        value_name = "TOKEN",
        env = "CLUECAST_ADMIN_TOKEN",
        hide_env_values = true
    )]
    pub admin_token: Option<String>,

    /// Server binary to start; by default the `cluecast` next to this binary
    #[arg(long, value_name = "PATH", conflicts_with = "server")]
    pub server_binary: Option<PathBuf>,

    /// Setting of the started server; may be repeated
    #[arg(
        long = "server-set",
        value_name = "KEY=VALUE",
        conflicts_with = "server"
    )]
    pub server_settings: Vec<String>,

    /// Data directory of the started server, created if missing and kept afterwards; by default temporary
    #[arg(long, value_name = "DIR", conflicts_with = "server")]
    pub data_dir: Option<PathBuf>,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok();
    let duration = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    match duration {
        Some(duration) if !duration.is_zero() => Ok(duration),
        Some(_) | None => {
            Err("expected a number of seconds greater than 0, such as 0.5".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::Arguments;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_foreign_server_is_neither_killed_nor_stopped() {
        let common = "cluecast-loadtest replay --guesses g --puzzles p --server http://h:1";
        let with = |more: &str| {
            let line = format!("{common} --admin-token t {more}");
            Arguments::try_parse_from(line.split_whitespace())
        };
        assert!(with("").is_ok());
        assert!(with("--kill-every 1").is_err());
        assert!(with("--stop-every 1").is_err());
        assert!(with("--data-dir d").is_err());
    }

    #[test]
    fn the_examples_of_the_help_are_taken() {
        let mut command = Arguments::command();
        let mut examples = 0;
        for task in command.get_subcommands_mut() {
            let help = task.get_after_help().expect("every task has examples");
            let help = help.to_string().replace("\\\n", " ");
            for line in help.lines().map(str::trim) {
                if line.starts_with("cluecast-loadtest ") {
                    let with_token = format!("{line} --admin-token t");
                    let is_foreign = line.contains("--server ");
                    let line = if is_foreign { &*with_token } else { line };
                    let parsed = Arguments::try_parse_from(line.split_whitespace());
                    assert!(parsed.is_ok(), "{line}: {parsed:?}");
                    examples += 1;
                }
            }
        }
        assert!(examples >= 11, "{examples}");
    }
}
