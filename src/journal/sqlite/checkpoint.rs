//! Moves the write-ahead log into the database, on a connection of its own.
//!
//! Commits go on meanwhile, but they share the disk, and the slowest of them wait for tens of
//! milliseconds. So the log is moved when nobody commits; while commits go on, seldom; and in any case
//! before it grows beyond its bound.

use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Row, SqliteConnection};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{SqliteOptions, hang_up};
use crate::telemetry::{as_f64, metrics};

/// The longest time between two looks at the log.
const LOOK_EVERY_MAX: Duration = Duration::from_secs(1);

/// Moves nothing, and tells of the log.
const LOOK: &str = "PRAGMA wal_checkpoint(NOOP)";
/// Moves what can be moved without making a writer wait.
const MOVE: &str = "PRAGMA wal_checkpoint(PASSIVE)";
/// Moves everything, and makes the next writer begin the log anew.
const MOVE_ALL: &str = "PRAGMA wal_checkpoint(RESTART)";

/// The write-ahead log, in frames of one page each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Log {
    frames: u64,
    /// How many of them are in the database too.
    moved: u64,
}

pub(super) struct Checkpointer {
    connection: SqliteConnection,
    page_bytes: u64,
    every: Duration,
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
            every: options.checkpoint_every,
            log_bytes_max: options.wal_bytes_max,
            last_at: Instant::now(),
            last_seen: Log::default(),
        })
    }

    /// Looks at the log until `stop`.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let look_every = LOOK_EVERY_MAX.min(self.every);
        while stop
            .run_until_cancelled(tokio::time::sleep(look_every))
            .await
            .is_some()
        {
            if let Err(error) = self.look().await {
                tracing::warn!(%error, "a checkpoint of the journal failed; it will be tried again");
            }
        }
        hang_up(self.connection).await;
    }

    async fn look(&mut self) -> Result<(), sqlx::Error> {
        let log = self.checkpoint(LOOK).await?;
        let log_bytes = log.frames.saturating_mul(self.page_bytes);
        metrics().wal_bytes.set(as_f64(log_bytes));
        let is_quiet = log == self.last_seen;
        self.last_seen = log;
        if log.moved == log.frames {
            return Ok(());
        }
        let is_large = log_bytes > self.log_bytes_max;
        if is_quiet || is_large || self.last_at.elapsed() >= self.every {
            let began = Instant::now();
            let log = self.checkpoint(MOVE).await?;
            // A passive one never makes a writer wait, and so it never reaches the end of a log that is
            // being written. The other does, and has only the rest to do: the writer waits for it, and
            // begins the log anew. A log that is written anew makes a commit half as expensive as one
            // whose file grows.
            self.last_seen = if log.moved < log.frames {
                self.checkpoint(MOVE_ALL).await?
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
        let moved: i64 = row.try_get(2)?;
        Ok(Log {
            frames: frames.max(0).cast_unsigned(),
            moved: moved.max(0).cast_unsigned(),
        })
    }
}
