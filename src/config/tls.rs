//! Settings of TLS on the server's own port.

use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::reader::Reader;

const CERTIFICATE_FILE: &str = "tls.certificate_file";
const KEY_FILE: &str = "tls.key_file";

/// Whether the server terminates TLS itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TlsMode {
    /// `http` and `ws`.
    Off,
    /// `https` and `wss`.
    On,
}

/// The `[tls]` section of `config/default.toml`.
#[derive(Debug, Clone)]
pub struct TlsConfig {
    /// Whether TLS is on.
    pub mode: TlsMode,
    /// The certificate chain.
    pub certificate_file: PathBuf,
    /// Its private key.
    pub key_file: PathBuf,
    /// Timeout of a handshake.
    pub handshake_max: Duration,
}

impl TlsConfig {
    pub(super) fn read(reader: &mut Reader) -> Self {
        let config = Self {
            mode: reader.read_choice("tls.mode"),
            certificate_file: reader.read_parsed(CERTIFICATE_FILE, "expected a path"),
            key_file: reader.read_parsed(KEY_FILE, "expected a path"),
            handshake_max: reader.read_ms("tls.handshake_ms_max", 100..=60_000),
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
                    "tls.mode = \"on\" needs a readable certificate and key: {first}{}",
                    more.collect::<String>()
                );
                reader.record_conflict([key, "tls.mode"], &message);
            }
        }
        config
    }
}
