//! Checkpoints the write-ahead log, on a connection of its own.
//!
//! Commits continue meanwhile, but they share the disk, and the slowest of them take tens of milliseconds
//! longer. So a checkpoint runs when commits pause; while they do not pause, once per interval; and in
//! any case when the log exceeds its bound.

use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Row, SqliteConnection};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::options::SqliteOptions;
use crate::telemetry::{as_f64, metrics};

/// Longest time between two checks of the log.
const CHECK_INTERVAL_MAX: Duration = Duration::from_secs(1);

/// Checkpoints nothing and returns the state of the log.
const INSPECT: &str = "PRAGMA wal_checkpoint(NOOP)";
/// Checkpoints what it can without blocking the writer.
const PASSIVE: &str = "PRAGMA wal_checkpoint(PASSIVE)";
/// Checkpoints everything and makes the next writer restart the log.
const RESTART: &str = "PRAGMA wal_checkpoint(RESTART)";

/// The write-ahead log, in frames of one page each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Log {
    frames: u64,
    /// How many of them are checkpointed.
    checkpointed: u64,
}

pub(super) struct Checkpointer {
    connection: SqliteConnection,
    page_bytes: u64,
    interval_max: Duration,
    log_bytes_max: u64,
    last_at: Instant,
    last_seen: Log,
}

impl Checkpointer {
    pub(super) async fn open(
        connect: &SqliteConnectOptions,
        options: &SqliteOptions,
    ) -> Result<Self, sqlx::Error> {
        let mut connection = connect.connect().await?;
        let page_bytes: i64 = sqlx::query_scalar("PRAGMA page_size")
            .fetch_one(&mut connection)
            .await?;
        Ok(Self {
            connection,
            page_bytes: page_bytes.cast_unsigned(),
            interval_max: options.checkpoint_every,
            log_bytes_max: options.wal_bytes_max,
            last_at: Instant::now(),
            last_seen: Log::default(),
        })
    }

    /// Checks the log until `stop`, and closes the connection.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let interval = CHECK_INTERVAL_MAX.min(self.interval_max);
        while stop
            .run_until_cancelled(tokio::time::sleep(interval))
            .await
            .is_some()
        {
            if let Err(error) = self.check().await {
                tracing::warn!(%error, "a checkpoint of the journal failed; it will be retried");
            }
        }
        if let Err(error) = self.connection.close().await {
            tracing::debug!(%error, "the checkpoint connection did not close cleanly");
        }
    }

    async fn check(&mut self) -> Result<(), sqlx::Error> {
        let log = self.checkpoint(INSPECT).await?;
        let log_bytes = log.frames.saturating_mul(self.page_bytes);
        metrics().wal_bytes.set(as_f64(log_bytes));
        let is_quiet = log == self.last_seen;
        self.last_seen = log;
        if log.checkpointed == log.frames {
            return Ok(());
        }
        let is_large = log_bytes > self.log_bytes_max;
        if is_quiet || is_large || self.last_at.elapsed() >= self.interval_max {
            let began = Instant::now();
            let log = self.checkpoint(PASSIVE).await?;
            // A passive checkpoint never blocks the writer, so that it never reaches the end of a log
            // that is being written. The restarting one blocks it for the short rest. Afterwards the
            // writer overwrites the log from its beginning, which makes a commit half as expensive as
            // extending the file.
            self.last_seen = if log.checkpointed < log.frames {
                self.checkpoint(RESTART).await?
            } else {
                log
            };
            self.last_at = Instant::now();
            metrics().checkpoint_seconds.record(began.elapsed());
        }
        Ok(())
    }

    async fn checkpoint(&mut self, statement: &'static str) -> Result<Log, sqlx::Error> {
        let row = sqlx::query(statement)
            .fetch_one(&mut self.connection)
            .await?;
        // Both are -1 before there is a log.
        let frames: i64 = row.try_get(1)?;
        let checkpointed: i64 = row.try_get(2)?;
        Ok(Log {
            frames: frames.max(0).cast_unsigned(),
            checkpointed: checkpointed.max(0).cast_unsigned(),
        })
    }
}
