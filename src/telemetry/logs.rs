//! Structured logs on standard error.

use std::io::{IsTerminal, Write, stderr};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{LogFormat, TelemetryConfig};

/// Starts logging for this process. A second call changes nothing, so that tests may start several
/// servers.
pub fn init(config: &TelemetryConfig) {
    let filter = EnvFilter::new(&config.log);
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(stderr().is_terminal())
        .with_writer(|| Lenient);
    // Only a subscriber that is set already makes this fail.
    let _already_set = match config.log_format {
        LogFormat::Text => builder.finish().try_init(),
        LogFormat::Json => builder.json().finish().try_init(),
    };
}

/// Standard error; what cannot be written is lost. Whoever collects logs may die, and their disk may be
/// full: the server goes on without them.
struct Lenient;

impl Write for Lenient {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let _lost = stderr().write_all(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        let _lost = stderr().flush();
        Ok(())
    }
}
