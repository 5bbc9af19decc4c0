//! The command line of `churn`.

use std::path::PathBuf;

use clap::Args;

use super::ServerArguments;

const EXAMPLES: &str = "\
Examples:
  100,000 connections, one after the other in 64 rows:
    cluecast-loadtest churn --connections 100000 --json churn.json

  A short try:
    cluecast-loadtest churn --connections 2000 --settled-after 1000
";

/// Connects and disconnects again and again, and compares the server's memory at the end with that
/// after the first connections.
///
/// In turns a connection ends with a closing handshake, by being cut after its `hello`, before its
/// `hello`, and within its handshake.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ChurnArguments {
    /// Connections in all
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(2..=100_000_000))]
    pub connections: u32,

    /// Connections after which the memory is first read
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    pub settled_after: u32,

    /// Connections at the same time
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub concurrency: u16,

    /// Bytes by which the server's memory may grow from then to the end
    #[arg(long, value_name = "BYTES", default_value_t = 2 * 1024 * 1024)]
    pub growth_bytes_max: u64,

    /// Which server to start.
    #[command(flatten)]
    pub server: ServerArguments,

    /// Write the figures to this file
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}
