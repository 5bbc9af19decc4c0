//! Command line of `latency`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::seconds;

const EXAMPLES: &str = "\
Examples:
  The whole measurement, about eight minutes on an otherwise idle machine:
    cluecast-loadtest latency --json latency.json

  A first run without a verdict:
    cluecast-loadtest latency --quick

  The same with PostgreSQL:
    cluecast-loadtest latency --journal postgres --json latency-postgres.json

  At a given rate, with the data on another disk:
    cluecast-loadtest latency --rate 2000 --data-dir DIR
";

/// Journal backend of the server under test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum JournalKind {
    /// A SQLite file with full sync.
    Sqlite,
    /// A PostgreSQL that the harness starts and stops.
    Postgres,
}

/// Measure the latency of receipts at half the maximum rate, against bare commits on the same disk.
///
/// The harness starts a server on SQLite with full sync. It first searches for the maximum rate of a
/// constant schedule in short windows: the server sustains a rate if every guess is answered and the
/// 99th percentile, both of the whole window and of its last quarter, is at most 50 ms. (The report also
/// shows the throughput of a closed loop, in which each connection waits for its receipt before the next
/// guess.) Then guesses are sent at half the maximum rate, in windows that alternate (ABBA) with a
/// baseline: one connection that commits to another SQLite file the same rows, as many per commit and as
/// often as the server's journal did at that rate. The latency of a receipt is measured from the
/// scheduled time of its guess; that of a bare commit from its start to its end, so that the baseline
/// never waits for itself. The first window of each is discarded.
///
/// With `--journal postgres` both use one PostgreSQL, and the baseline sends the server's own fenced
/// statement over one connection. In this mode the maximum rate of solves has a goal too.
///
/// The verdict is on the median of the paired ratios, with a bootstrap 95 % confidence interval: met if its
/// upper end is within the goal, missed if its lower end is outside, undecided otherwise.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct LatencyArguments {
    /// Server binary to start; by default the `cluecast` next to this binary
    #[arg(long, value_name = "PATH")]
    pub server_binary: Option<PathBuf>,

    /// Setting of the started server; may be repeated
    #[arg(long = "server-set", value_name = "KEY=VALUE")]
    pub server_settings: Vec<String>,

    /// Directory for the data of server and baseline, created if missing and kept afterwards; by default
    /// temporary
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,

    /// Journal backend of the server and of the baseline
    #[arg(long, value_enum, default_value_t = JournalKind::Sqlite)]
    pub journal: JournalKind,

    /// Guesses per second in the measured windows; by default half the maximum rate
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub rate: Option<u32>,

    /// Pin the server to one CPU core and the harness to another
    #[arg(long)]
    pub pin: bool,

    /// Number of connections, each of its own team. With few connections each has several outstanding
    /// guesses, unlike real players, and half the maximum rate costs as much as the maximum
    #[arg(long, value_name = "N", default_value_t = 3000, value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub connections: u16,

    /// Total number of window pairs
    #[arg(long, value_name = "N", default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub pairs: u32,

    /// Number of server starts over which the pairs are spread
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub starts: u32,

    /// Duration of a window
    #[arg(long, value_name = "SECONDS", default_value = "4", value_parser = seconds)]
    pub window: Duration,

    /// 4 pairs of 2 s windows and a single start: too few for a verdict
    #[arg(long, conflicts_with_all = ["pairs", "starts", "window"])]
    pub quick: bool,

    /// Goal: maximum ratio of the medians, receipt to bare commit
    #[arg(long, value_name = "TIMES", default_value_t = 2.5)]
    pub p50_max: f64,

    /// Goal: maximum ratio of the 99th percentiles
    #[arg(long, value_name = "TIMES", default_value_t = 3.0)]
    pub p99_max: f64,

    /// Goal: minimum of the maximum rate of solves per second, with `--journal postgres`
    #[arg(long, value_name = "N", default_value_t = 10_000.0)]
    pub solves_min: f64,

    /// Seed of the bootstrap
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,

    /// Write the report to this file as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}
