//! Logs.

use serde::Deserialize;
use tracing_subscriber::filter::LevelFilter;

use super::reader::Reader;

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// See `[telemetry]` in `config/default.toml`.
#[derive(Debug, Clone)]
pub struct TelemetryConfig {
    /// The filter.
    pub log: String,
    /// The format.
    pub log_format: LogFormat,
}

impl TelemetryConfig {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self {
            log: reader.take_checked("telemetry.log", checked_filter),
            log_format: reader.take_word("telemetry.log_format"),
        }
    }
}

/// A filter that means what it says. The parser takes a bare word that is no level for the name of a
/// module, and then a misspelt level silences everything else.
fn checked_filter(filter: &str) -> Result<String, String> {
    let parsed = filter.parse::<tracing_subscriber::EnvFilter>();
    parsed.map_err(|error| format!("not a log filter: {error}"))?;
    for directive in filter.split(',').map(str::trim) {
        let is_bare = !directive.contains(['=', '[']);
        if is_bare && directive.parse::<LevelFilter>().is_err() {
            return Err(format!(
                "`{directive}` is no level: write error, warn, info, debug, trace or off, or \
                 {directive}=debug for a module"
            ));
        }
    }
    Ok(filter.to_owned())
}
