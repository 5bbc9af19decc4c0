//! The command line of `idle`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::{ServerArguments, seconds};

const EXAMPLES: &str = "\
Examples:
  Memory of a server of its own for each of 5,000 players in 1,250 teams:
    cluecast-loadtest idle --connections 5000

  18,000 connections, from several loopback addresses:
    cluecast-loadtest idle --connections 18000 --seconds 10 \\
        --server-set gateway.connections_max=20000 --json idle.json

  A server that runs already on this machine (its memory is read from /proc):
    export CLUECAST_ADMIN_TOKEN=$(cluecast token admin --data-dir DIR)
    cluecast-loadtest idle --connections 1000 \\
        --server http://127.0.0.1:8080 --server-pid 4711

Both processes need a file for each connection: see `ulimit -n`.
";

/// Opens idle connections and measures the server's memory for each of them.
///
/// The players join over REST first, the server is restarted (its state is then as after a
/// recovery, and no memory is left over from the joins), and its memory is read. Then every player
/// connects, says hello, takes the snapshot and stays; after the settling time it is read again.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct IdleArguments {
    /// How many connections to open
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub connections: u32,

    /// Which server to connect to.
    #[command(flatten)]
    pub server: ServerArguments,

    /// The process whose memory is measured when the server was not started here
    #[arg(long, value_name = "PID", requires = "server")]
    pub server_pid: Option<u32>,

    /// How long the connections stay open before the memory is read
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub seconds: Duration,

    /// Players of a team
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub team_size: u32,

    /// How many players join or connect at the same time
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub concurrency: u16,

    /// Fail, with exit status 1, if a connection takes more resident bytes than this
    #[arg(long, value_name = "BYTES", default_value_t = 8192)]
    pub bytes_max: u64,

    /// Write the figures to this file
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}
