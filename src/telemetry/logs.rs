//! Structured logs on standard error.

use std::io::{IsTerminal, Write, stderr};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{LogFormat, TelemetryConfig};

/// Installs the logger of this process. Later calls have no effect, so that tests can start several
/// servers.
pub fn init(config: &TelemetryConfig) {
    let filter = EnvFilter::new(&config.log);
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(stderr().is_terminal())
        .with_writer(|| LossyStderr);
    // This fails only if a subscriber is installed already.
    let _already_set = match config.log_format {
        LogFormat::Text => builder.finish().try_init(),
        LogFormat::Json => builder.json().finish().try_init(),
    };
}

/// Standard error, ignoring write errors: the server keeps running when the log collector exits or its disk
/// is full.
struct LossyStderr;

impl Write for LossyStderr {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let _lost = stderr().write_all(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        let _lost = stderr().flush();
        Ok(())
    }
}
