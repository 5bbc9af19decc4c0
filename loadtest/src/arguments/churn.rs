//! Command line of `churn`.

use std::path::PathBuf;

use clap::Args;

use super::ServerArguments;

const EXAMPLES: &str = "\
Examples:
  100,000 connections, 64 at a time:
    cluecast-loadtest churn --connections 100000 --json churn.json

  A short run:
    cluecast-loadtest churn --connections 2000 --settled-after 1000
";

/// Connect and disconnect repeatedly, and check the server's memory for leaks.
///
/// The test compares the server's memory at the end with its memory after the first connections. Connections
/// end, in rotation, with a closing handshake, cut after `hello`, cut before `hello`, and cut within the
/// upgrade request.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ChurnArguments {
    /// Total number of connections
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(2..=100_000_000))]
    pub connections: u32,

    /// Number of connections after which memory is first measured
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    pub settled_after: u32,

    /// Number of concurrent connections
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub concurrency: u16,

    /// Maximum growth of the server's memory from the first measurement to the end
    #[arg(long, value_name = "BYTES", default_value_t = 2 * 1024 * 1024)]
    pub growth_bytes_max: u64,

    /// The server under test.
    #[command(flatten)]
    pub server: ServerArguments,

    /// Write the report to this file as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}
