//! The command line.

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

/// Proves before launch night that a Cluecast server holds.
///
/// Exit status: 0 if everything is as it must be; 1 if anything was lost, doubled, out of order,
/// missing or judged differently, or a goal was missed; 2 if the run could not be finished.
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
    /// Opens idle connections and measures the server's memory for each of them
    Idle(Box<IdleArguments>),
    /// Measures how long receipts take at half the highest rate, beside bare commits on the same disk
    Latency(Box<LatencyArguments>),
    /// Pushes clues to many connections, some slow, stalled or cut, and checks what each is told
    Fanout(Box<FanoutArguments>),
    /// Injects faults into nodes and PostgreSQL of its own while players play, then checks what was
    /// promised
    Chaos(Box<ChaosArguments>),
    /// Sends clients that ping and never read, and clients that drip their handshake
    Abuse(Box<AbuseArguments>),
    /// Connects and disconnects again and again, and compares the server's memory
    Churn(Box<ChurnArguments>),
}

/// Which server to drive: one that runs already, or one of our own.
#[derive(Debug, Clone, Default, Args)]
pub struct ServerArguments {
    /// Use this server, like `http://127.0.0.1:8080`, instead of starting one
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
