//! Commits and nothing else: the least that a durable receipt can cost on this disk.
//!
//! One connection writes rows like the server's, and another moves the log into the database each
//! second; without that the log would grow, and growing a file costs more than writing it anew. The
//! server itself moves its log more seldom while commits go on. No fence, no contiguity check, no
//! other thread on the way.

use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior};

use super::commit_timings::CommitTimings;
use super::recording::Recording;

const CHECKPOINT_EVERY: Duration = Duration::from_secs(1);

/// How long a connection waits for another one's lock.
const BUSY_WAIT: Duration = Duration::from_secs(30);

const SETTINGS: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
    PRAGMA wal_autocheckpoint = 0;";

const TABLE: &str = "CREATE TABLE IF NOT EXISTS journal (\
    session_id INTEGER NOT NULL, seq INTEGER NOT NULL, last_seq INTEGER NOT NULL, \
    epoch INTEGER NOT NULL, at_ms INTEGER NOT NULL, events BLOB NOT NULL, \
    PRIMARY KEY (session_id, seq), CHECK (last_seq >= seq)) STRICT, WITHOUT ROWID;";

/// An open database. Dropping it ends its checkpoints.
pub(super) struct BareSqlite {
    connection: Connection,
    session: i64,
    checkpoints: Option<Checkpoints>,
}

struct Checkpoints {
    stop: SyncSender<()>,
    thread: JoinHandle<()>,
}

impl BareSqlite {
    /// Creates the database in a folder.
    pub(super) fn create(folder: &Path) -> rusqlite::Result<Self> {
        let path = folder.join("bare.sqlite");
        let connection = open(&path)?;
        connection.execute_batch(TABLE)?;
        let checkpointer = open(&path)?;
        let (stop, stopped) = sync_channel(1);
        let thread = thread::spawn(move || {
            while stopped.recv_timeout(CHECKPOINT_EVERY) == Err(RecvTimeoutError::Timeout) {
                // One that fails is followed by the next.
                let checkpoint = "PRAGMA wal_checkpoint(PASSIVE)";
                let _ = checkpointer.query_row(checkpoint, [], |_| Ok(()));
            }
        });
        Ok(Self {
            connection,
            session: 0,
            checkpoints: Some(Checkpoints { stop, thread }),
        })
    }

    /// Commits what was recorded, as often as it was, for so long; gives the commits that began after
    /// the warm-up. Blocks its thread.
    pub(super) fn replay(
        &mut self,
        recording: &Recording,
        warm_up: Duration,
        window: Duration,
    ) -> rusqlite::Result<CommitTimings> {
        self.session += 1;
        CommitTimings::replay(recording, warm_up, window, |after_seq, rows| {
            self.commit(after_seq, rows)
        })
    }

    fn commit(&mut self, after_seq: i64, rows: &[usize]) -> rusqlite::Result<i64> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut insert = transaction.prepare_cached(
            "INSERT INTO journal (session_id, seq, last_seq, epoch, at_ms, events) \
             VALUES (?1, ?2, ?3, 1, 1800000000000, ?4)",
        )?;
        let mut seq = after_seq;
        for bytes in rows {
            seq += 1;
            insert.execute((self.session, seq, seq, vec![0xA5_u8; *bytes]))?;
        }
        drop(insert);
        transaction.commit()?;
        Ok(seq)
    }
}

impl Drop for BareSqlite {
    fn drop(&mut self) {
        if let Some(Checkpoints { stop, thread }) = self.checkpoints.take() {
            drop(stop);
            // Its only way to fail is a panic, which has been told already.
            let _ = thread.join();
        }
    }
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_WAIT)?;
    connection.execute_batch(SETTINGS)?;
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{BareSqlite, open};
    use crate::latency::recording::Recording;

    #[test]
    fn everything_that_was_recorded_is_committed_once_with_full_sync() {
        let folder = testkit::temporary_folder().expect("a temporary folder can be made");
        let mut bare = BareSqlite::create(folder.path()).expect("it can be created");
        let recording = Recording {
            commits: vec![vec![10, 20], vec![30]],
            commits_per_s: 400.0,
        };
        let window = Duration::from_millis(10);
        for _ in 0..2 {
            let timings = bare.replay(&recording, Duration::ZERO, window);
            assert_eq!(timings.expect("it is writable").commits(), 4);
        }
        let full: i64 = bare
            .connection
            .query_row("PRAGMA synchronous", [], |row| row.get(0))
            .expect("it is set");
        assert_eq!(full, 2);
        drop(bare);
        let database = open(&folder.path().join("bare.sqlite")).expect("it opens again");
        let (rows, bytes): (i64, i64) = database
            .query_row(
                "SELECT count(*), sum(length(events)) FROM journal",
                [],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .expect("it can be read");
        assert_eq!((rows, bytes), (12, 240));
    }
}
