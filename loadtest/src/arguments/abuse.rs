//! The command line of `abuse`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::{ServerArguments, seconds};

const EXAMPLES: &str = "\
Examples:
  5,000 clients that ping and never read, 5,000 that drip their handshake, at once:
    cluecast-loadtest abuse --pinging 5000 --dripping 5000 --json abuse.json

  A short try:
    cluecast-loadtest abuse --pinging 200 --dripping 200 --seconds 10
";

/// Sends clients that ping and never read, and clients that send a handshake byte by byte.
///
/// Meanwhile well-behaved players guess. It fails, with exit status 1, if one of those loses its
/// connection or waits too long for a receipt, or if the server's memory grows once everybody is
/// there.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct AbuseArguments {
    /// Clients that ping and never read
    #[arg(long, value_name = "N", default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(0..=9_000))]
    pub pinging: u32,

    /// Clients that send their handshake byte by byte
    #[arg(long, value_name = "N", default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(0..=9_000))]
    pub dripping: u32,

    /// Players who behave well
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub playing: u32,

    /// Time between two pings or drips of one client
    #[arg(long, value_name = "SECONDS", default_value = "0.5", value_parser = seconds)]
    pub every: Duration,

    /// Time between two guesses of one player. Guesses are kept by the server: many would count as growth
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = seconds)]
    pub guess_every: Duration,

    /// How long the abuse goes on once everybody is there
    #[arg(long, value_name = "SECONDS", default_value = "45", value_parser = seconds)]
    pub seconds: Duration,

    /// Bytes by which the server's memory may grow from the first to the last third of that time
    #[arg(long, value_name = "BYTES", default_value_t = 8 * 1024 * 1024)]
    pub growth_bytes_max: u64,

    /// Milliseconds within which 99 of 100 receipts must come meanwhile
    #[arg(long, value_name = "MS", default_value_t = 500)]
    pub ack_ms_max: u32,

    /// Which server to start.
    #[command(flatten)]
    pub server: ServerArguments,

    /// Write the figures to this file
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}
