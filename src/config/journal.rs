//! Settings of the journal.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::postgres::PostgresConfig;
use super::reader::Reader;

/// The store that holds the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JournalBackend {
    /// A SQLite database in the data directory.
    Sqlite,
    /// A PostgreSQL database, which several nodes can share.
    Postgres,
    /// Memory: nothing survives the process.
    Memory,
}

/// The `[journal]` section of `config/default.toml`.
#[derive(Debug, Clone)]
pub struct JournalConfig {
    /// The store.
    pub backend: JournalBackend,
    /// Batches that one flush commits together.
    pub flush_batches_max: usize,
    /// Time between checkpoints of the write-ahead log under constant load.
    pub checkpoint_every: Duration,
    /// Size of the write-ahead log above which it is checkpointed and restarted.
    pub wal_bytes_max: u64,
    /// Events after which a snapshot of a session's state is stored.
    pub snapshot_every_events: u64,
    /// Directory of the archive; without one, nothing is archived or deleted.
    pub archive_dir: Option<PathBuf>,
    /// Archivable events at which archiving starts.
    pub archive_after_events_min: u64,
    /// The PostgreSQL database, used if `backend` is `postgres`.
    pub postgres: PostgresConfig,
}

impl JournalConfig {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self {
            backend: reader.read_choice("journal.backend"),
            flush_batches_max: reader.read_count("journal.flush_batches_max", 1..=10_000),
            checkpoint_every: reader.read_ms("journal.checkpoint_every_ms", 10..=600_000),
            wal_bytes_max: reader.read_integer("journal.wal_bytes_max", 1 << 20..=4 << 30),
            snapshot_every_events: reader
                .read_integer("journal.snapshot_every_events", 10..=1_000_000),
            archive_dir: read_archive_dir(reader),
            archive_after_events_min: reader
                .read_integer("journal.archive_after_events_min", 1..=1_000_000_000),
            postgres: PostgresConfig::read(reader),
        }
    }
}

/// A directory, or "none".
fn read_archive_dir(reader: &mut Reader) -> Option<PathBuf> {
    let folder = reader.read_directory("journal.archive_dir");
    (folder != Path::new("none")).then_some(folder)
}
