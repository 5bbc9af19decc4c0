//! Settings of the process as a whole.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::reader::Reader;

/// The `[server]` section of `config/default.toml`.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Address for HTTP and WebSockets.
    pub listen: SocketAddr,
    /// Directory of the journal and of the token key.
    pub data_dir: PathBuf,
    /// Duration of a graceful shutdown.
    pub stop_max: Duration,
    /// Sessions open at the same time.
    pub sessions_max: u64,
}

impl ServerConfig {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self {
            listen: reader.read_socket_address("server.listen", "127.0.0.1:8080 or [::]:8080"),
            data_dir: reader.read_directory("server.data_dir"),
            stop_max: reader.read_ms("server.stop_ms_max", 2_100..=600_000),
            sessions_max: reader.read_integer("server.sessions_max", 1..=100_000),
        }
    }
}
