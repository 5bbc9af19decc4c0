//! Encryption on the server's own port.

use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::reader::Reader;

const CERTIFICATE_FILE: &str = "tls.certificate_file";
const KEY_FILE: &str = "tls.key_file";

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
        let config = Self {
            mode: reader.take_word("tls.mode"),
            certificate_file: reader.take_text(CERTIFICATE_FILE, "a path is expected"),
            key_file: reader.take_text(KEY_FILE, "a path is expected"),
            handshake_max: reader.take_ms("tls.handshake_ms_max", 100..=60_000),
        };
        if config.mode == TlsMode::On {
            let files = [
                (CERTIFICATE_FILE, &config.certificate_file),
                (KEY_FILE, &config.key_file),
            ];
            let mut unreadable = files.into_iter().filter_map(|(key, path)| {
                let error = File::open(path).err()?;
                Some((key, format!("{}: {error}", path.display())))
            });
            if let Some((key, first)) = unreadable.next() {
                let more = unreadable.map(|(_, next)| format!("; {next}"));
                let message = format!(
                    "with tls.mode = \"on\" certificate and key are read, and cannot be: {first}{}",
                    more.collect::<String>()
                );
                reader.contradiction([key, "tls.mode"], &message);
            }
        }
        config
    }
}
