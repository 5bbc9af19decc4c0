//! Where events become durable.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::postgres::PostgresConfig;
use super::reader::Reader;

/// Which store holds the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JournalBackend {
    /// A SQLite database in the data folder.
    Sqlite,
    /// A PostgreSQL database, which several nodes may share.
    Postgres,
    /// Nothing survives the process.
    Memory,
}

/// See `[journal]` in `config/default.toml`.
#[derive(Debug, Clone)]
pub struct JournalConfig {
    /// Which store.
    pub backend: JournalBackend,
    /// Batches that one flush may commit together.
    pub flush_batches_max: usize,
    /// Time between looks at the write-ahead log.
    pub checkpoint_every: Duration,
    /// Size of the write-ahead log above which a checkpoint waits for its end.
    pub wal_bytes_max: u64,
    /// Events after which a session's state is stored.
    pub snapshot_every_events: u64,
    /// The folder of the archive; without one, nothing is archived and nothing deleted.
    pub archive_dir: Option<PathBuf>,
    /// Events that at least are archived at once.
    pub archive_after_events_min: u64,
    /// The PostgreSQL database, if that is the store.
    pub postgres: PostgresConfig,
}

impl JournalConfig {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self {
            backend: reader.take_word("journal.backend"),
            flush_batches_max: reader.take_count("journal.flush_batches_max", 1..=10_000),
            checkpoint_every: reader.take_ms("journal.checkpoint_every_ms", 10..=600_000),
            wal_bytes_max: reader.take_within("journal.wal_bytes_max", 1 << 20..=4 << 30),
            snapshot_every_events: reader
                .take_within("journal.snapshot_every_events", 10..=1_000_000),
            archive_dir: take_archive(reader),
            archive_after_events_min: reader
                .take_within("journal.archive_after_events_min", 1..=1_000_000_000),
            postgres: PostgresConfig::read(reader),
        }
    }
}

/// A folder, or "none".
fn take_archive(reader: &mut Reader) -> Option<PathBuf> {
    let folder = reader.take_folder("journal.archive_dir");
    (folder != Path::new("none")).then_some(folder)
}
