//! Moves the write-ahead log into the database on a connection of its own, so that no commit waits
//! for it.

use sqlx::SqliteConnection;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{DATABASE_FILE, SqliteOptions, hang_up};
use crate::telemetry::{as_f64, metrics};

pub(super) async fn run(
    mut connection: SqliteConnection,
    options: SqliteOptions,
    stop: CancellationToken,
) {
    let log = options.folder.join(format!("{DATABASE_FILE}-wal"));
    while stop
        .run_until_cancelled(tokio::time::sleep(options.checkpoint_every))
        .await
        .is_some()
    {
        let log_bytes = std::fs::metadata(&log).map_or(0, |metadata| metadata.len());
        metrics().wal_bytes.set(as_f64(log_bytes));
        if log_bytes == 0 {
            continue;
        }
        // A passive checkpoint never makes a writer wait, but under a steady load it may never
        // reach the end of the log. A restarting one does, and makes the writer wait meanwhile.
        let statement = if log_bytes > options.wal_bytes_max {
            "PRAGMA wal_checkpoint(TRUNCATE)"
        } else {
            "PRAGMA wal_checkpoint(PASSIVE)"
        };
        let began = Instant::now();
        if let Err(error) = sqlx::query(statement).execute(&mut connection).await {
            tracing::warn!(%error, "a checkpoint of the journal failed; it will be tried again");
        }
        metrics().checkpoint_seconds.record(began.elapsed());
    }
    hang_up(connection).await;
}
