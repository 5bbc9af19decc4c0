//! Command line of `idle`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::{ServerArguments, seconds};

const EXAMPLES: &str = "\
Examples:
  Memory per connection with 5,000 players in 1,250 teams:
    cluecast-loadtest idle --connections 5000

  18,000 connections from several loopback addresses:
    cluecast-loadtest idle --connections 18000 --seconds 10 \\
        --server-set gateway.connections_max=20000 --json idle.json

  A running server on this machine (its memory is read from /proc):
    export CLUECAST_ADMIN_TOKEN=$(cluecast token admin --data-dir DIR)
    cluecast-loadtest idle --connections 1000 \\
        --server http://127.0.0.1:8080 --server-pid 4711

Both processes need one file descriptor per connection: see `ulimit -n`.
Use 1,000 connections or more: with fewer, fixed costs of the server dominate the result.
";

/// Open idle connections and measure the server's memory per connection.
///
/// Players join over REST, the server is restarted to release the memory of the joins, and its memory is
/// measured. Then every player connects, authenticates, receives the snapshot and stays idle; after the
/// settling time the memory is measured again.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct IdleArguments {
    /// Number of connections
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub connections: u32,

    /// The server under test.
    #[command(flatten)]
    pub server: ServerArguments,

    /// Process id of the running server, whose memory is measured
    #[arg(long, value_name = "PID", requires = "server")]
    pub server_pid: Option<u32>,

    /// Settling time before memory is measured
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub seconds: Duration,

    /// Players per team
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub team_size: u32,

    /// Maximum number of concurrent joins or connection attempts
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub concurrency: u16,

    /// Maximum resident bytes per connection; more fails the test (exit status 1)
    #[arg(long, value_name = "BYTES", default_value_t = 8192)]
    pub bytes_max: u64,

    /// Write the report to this file as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}
