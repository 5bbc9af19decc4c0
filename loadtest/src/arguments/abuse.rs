//! Command line of `abuse`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::{ServerArguments, seconds};

const EXAMPLES: &str = "\
Examples:
  5,000 clients that ping without reading and 5,000 slow handshakes at once:
    cluecast-loadtest abuse --pinging 5000 --dripping 5000 --json abuse.json

  A short run:
    cluecast-loadtest abuse --pinging 200 --dripping 200 --seconds 10
";

/// Attack the server with clients that ping without reading and clients that send their handshake byte
/// by byte.
///
/// Well-behaved players guess at the same time. The test fails (exit status 1) if one of them loses its
/// connection, if the 99th percentile of their receipts is too slow, or if the server's memory grows after
/// all attackers have connected.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct AbuseArguments {
    /// Number of clients that ping without reading
    #[arg(long, value_name = "N", default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(0..=9_000))]
    pub pinging: u32,

    /// Number of clients that send their handshake byte by byte
    #[arg(long, value_name = "N", default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(0..=9_000))]
    pub dripping: u32,

    /// Number of well-behaved players
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub playing: u32,

    /// Interval between two pings, or two handshake bytes, of one client
    #[arg(long, value_name = "SECONDS", default_value = "0.5", value_parser = seconds)]
    pub every: Duration,

    /// Interval between two guesses of one player. The server keeps guesses: a short interval shows as
    /// memory growth
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = seconds)]
    pub guess_every: Duration,

    /// Duration of the attack after all clients have connected
    #[arg(long, value_name = "SECONDS", default_value = "45", value_parser = seconds)]
    pub seconds: Duration,

    /// Maximum growth of the server's memory from the first to the last third of the attack
    #[arg(long, value_name = "BYTES", default_value_t = 8 * 1024 * 1024)]
    pub growth_bytes_max: u64,

    /// Maximum 99th percentile of the players' receipt latency during the attack
    #[arg(long, value_name = "MS", default_value_t = 500)]
    pub ack_ms_max: u32,

    /// The server under test.
    #[command(flatten)]
    pub server: ServerArguments,

    /// Write the report to this file as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}
