//! The process as a whole.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::reader::Reader;

/// See `[server]` in `config/default.toml`.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Where HTTP and WebSockets are served.
    pub listen: SocketAddr,
    /// Folder of the journal and of the token key.
    pub data_dir: PathBuf,
    /// How long a stop may take.
    pub stop_max: Duration,
    /// How many sessions may exist.
    pub sessions_max: u64,
}

impl ServerConfig {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self {
            listen: reader.take_text(
                "server.listen",
                "an IP address and a port are expected, such as 127.0.0.1:8080 or [::]:8080",
            ),
            data_dir: reader.take_folder("server.data_dir"),
            stop_max: reader.take_ms("server.stop_ms_max", 2_100..=600_000),
            sessions_max: reader.take_within("server.sessions_max", 1..=100_000),
        }
    }
}
