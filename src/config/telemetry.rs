//! Logs.

use serde::Deserialize;

use super::layers::Reader;

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
        let config = Self {
            log: reader.take("telemetry.log"),
            log_format: reader.take("telemetry.log_format"),
        };
        if let Err(error) = config.log.parse::<tracing_subscriber::EnvFilter>() {
            reader.wrong("telemetry.log", format!("not a log filter: {error}"));
        }
        config
    }
}
