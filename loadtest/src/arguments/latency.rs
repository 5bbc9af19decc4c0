//! The command line of `latency`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::seconds;

const EXAMPLES: &str = "\
Examples:
  The whole measurement, about eight minutes on an otherwise idle machine:
    cluecast-loadtest latency --json latency.json

  A first look, which gives no verdict:
    cluecast-loadtest latency --quick

  The same with PostgreSQL:
    cluecast-loadtest latency --journal postgres --json latency-postgres.json

  At a rate of one's own, with the data on another disk:
    cluecast-loadtest latency --rate 2000 --data-dir DIR
";

/// What keeps the journal of the server under test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum JournalKind {
    /// A file with full sync.
    Sqlite,
    /// A PostgreSQL server of the measurement's own, which is stopped at the end.
    Postgres,
}

/// Measures how long receipts take at half the highest rate, beside bare commits on the same disk.
///
/// A server of our own, SQLite with full sync. First the highest rate of an even schedule is looked
/// for in short windows: the server keeps up with a rate if every guess is answered, 99 % within
/// 50 ms, and the last quarter of the window no slower than that. (Beside it stands what a closed
/// loop gets, in which each connection waits for its receipt before it guesses again.) Then guesses
/// are sent at half of it, in windows that alternate (ABBA) with a bare loop: one connection to a
/// SQLite file that commits the rows that the server's journal got at that rate, as many to a commit
/// and as often, and nothing else. A receipt's latency counts from the moment its guess was scheduled
/// for; a bare commit's from its begin to its end, so that the bare loop never waits for itself. One
/// window of either is thrown away first.
///
/// With `--journal postgres` both use one PostgreSQL, and the bare loop sends the server's own fenced
/// statement over one connection. There the highest rate of solves has a goal too.
///
/// The verdict is on the median of the windows' paired ratios, with a bootstrap 95 % interval: met
/// if its upper end is within the goal, missed if its lower end is outside, undecided otherwise.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct LatencyArguments {
    /// The server to start; by default the `cluecast` beside this binary
    #[arg(long, value_name = "PATH")]
    pub server_binary: Option<PathBuf>,

    /// A setting of the server to start, may be repeated
    #[arg(long = "server-set", value_name = "KEY=VALUE")]
    pub server_settings: Vec<String>,

    /// The folder for the data of server and bare loop, kept afterwards; by default a temporary one
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,

    /// The journal of the server and of the bare commits
    #[arg(long, value_enum, default_value_t = JournalKind::Sqlite)]
    pub journal: JournalKind,

    /// Guesses a second in the measured windows, instead of half the highest rate
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub rate: Option<u32>,

    /// Keep the server on one core and the harness on another
    #[arg(long)]
    pub pin: bool,

    /// How many connections guess, each for a team of its own. With few, each has several guesses under
    /// way at the highest rate, as no player has, and half of that rate costs as much
    #[arg(long, value_name = "N", default_value_t = 3000, value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub connections: u16,

    /// Pairs of windows in all
    #[arg(long, value_name = "N", default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub pairs: u32,

    /// Over how many starts of the server the pairs are spread
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub starts: u32,

    /// The length of a window
    #[arg(long, value_name = "SECONDS", default_value = "4", value_parser = seconds)]
    pub window: Duration,

    /// 4 pairs of 2 s and a single start: enough for a look, not for a verdict
    #[arg(long, conflicts_with_all = ["pairs", "starts", "window"])]
    pub quick: bool,

    /// The goal: a receipt's median may be so many times a bare commit's
    #[arg(long, value_name = "TIMES", default_value_t = 2.5)]
    pub p50_max: f64,

    /// The goal for the 99th percentile
    #[arg(long, value_name = "TIMES", default_value_t = 3.0)]
    pub p99_max: f64,

    /// The goal for solves a second at most, with `--journal postgres`
    #[arg(long, value_name = "N", default_value_t = 10_000.0)]
    pub solves_min: f64,

    /// Decides the resampling of the bootstrap
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,

    /// Write the figures to this file
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}
