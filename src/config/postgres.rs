//! How the journal uses PostgreSQL.

use std::time::Duration;

use super::postgres_url::PostgresUrl;
use super::reader::Reader;

/// The `postgres_…` keys of `[journal]` in `config/default.toml`.
#[derive(Debug, Clone)]
pub struct PostgresConfig {
    /// Server, credentials and database.
    pub url: PostgresUrl,
    /// Connections that append events.
    pub lanes: usize,
    /// Connections for everything else except heartbeats.
    pub connections_max: u32,
    /// Bytes of events in one flush.
    pub flush_bytes_max: usize,
    /// Timeout of an attempt to connect.
    pub connect_max: Duration,
    /// Timeout of a statement.
    pub answer_max: Duration,
}

impl PostgresConfig {
    pub(super) fn read(reader: &mut Reader) -> Self {
        let connections_max = reader.read_integer("journal.postgres_connections_max", 1..=100);
        Self {
            url: reader.read_with("journal.postgres_url", PostgresUrl::parse),
            lanes: reader.read_count("journal.postgres_lanes", 1..=16),
            connections_max: u32::try_from(connections_max).expect("the range fits 32 bits"),
            flush_bytes_max: reader
                .read_count("journal.postgres_flush_bytes_max", 1 << 16..=1 << 26),
            connect_max: reader.read_ms("journal.postgres_connect_ms_max", 100..=60_000),
            answer_max: reader.read_ms("journal.postgres_answer_ms_max", 1_000..=600_000),
        }
    }
}
