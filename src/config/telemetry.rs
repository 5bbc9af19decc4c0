//! Settings of logs.

use serde::Deserialize;
use tracing_subscriber::filter::LevelFilter;

use super::reader::Reader;

/// Format of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// The `[telemetry]` section of `config/default.toml`.
#[derive(Debug, Clone)]
pub struct TelemetryConfig {
    /// The filter directives.
    pub log: String,
    /// The format.
    pub log_format: LogFormat,
}

impl TelemetryConfig {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self {
            log: reader.read_with("telemetry.log", parse_filter),
            log_format: reader.read_choice("telemetry.log_format"),
        }
    }
}

/// Rejects a bare word that is not a level. The parser would read a misspelt level as the name of a
/// module, which silences everything else.
fn parse_filter(filter: &str) -> Result<String, String> {
    let parsed = filter.parse::<tracing_subscriber::EnvFilter>();
    parsed.map_err(|error| format!("invalid log filter: {error}"))?;
    for directive in filter.split(',').map(str::trim) {
        let is_bare = !directive.contains(['=', '[']);
        if is_bare && directive.parse::<LevelFilter>().is_err() {
            return Err(format!(
                "`{directive}` is not a level: expected error, warn, info, debug, trace or off, or \
                 {directive}=debug for a module"
            ));
        }
    }
    Ok(filter.to_owned())
}
