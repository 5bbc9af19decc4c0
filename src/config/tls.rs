//! Encryption on the server's own port.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::reader::Reader;

/// Whether the server speaks TLS itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TlsMode {
    /// `http` and `ws`.
    Off,
    /// `https` and `wss`.
    On,
}

/// See `[tls]` in `config/default.toml`.
#[derive(Debug, Clone)]
pub struct TlsConfig {
    /// Whether.
    pub mode: TlsMode,
    /// The certificate chain.
    pub certificate_file: PathBuf,
    /// Its private key.
    pub key_file: PathBuf,
    /// Until a handshake must be complete.
    pub handshake_max: Duration,
}

impl TlsConfig {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self {
            mode: reader.take_word("tls.mode"),
            certificate_file: reader.take_text("tls.certificate_file", "a path is expected"),
            key_file: reader.take_text("tls.key_file", "a path is expected"),
            handshake_max: reader.take_ms("tls.handshake_ms_max", 100..=60_000),
        }
    }
}
