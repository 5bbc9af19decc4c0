//! Behaviour particular to SQLite: how snapshots are written.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cluecast::journal::{DATABASE_FILE, Journal, Ledger, Snapshot, SqliteJournal};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, SqliteConnection};

use crate::suite::{append, batch, hunt_and_session, id};

/// Dozens of parts.
const LARGE: usize = 3 << 20;

async fn connect(folder: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(folder.join(DATABASE_FILE));
    options.connect().await.expect("connects")
}

async fn count(folder: &Path, query: &str) -> i64 {
    let mut connection = connect(folder).await;
    let count = sqlx::query_scalar(AssertSqlSafe(query.to_owned()))
        .fetch_one(&mut connection)
        .await;
    connection.close().await.expect("closes");
    count.expect("counts")
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_are_committed_while_a_snapshot_is_written() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let journal = super::open(folder.path()).await;
    let epoch = hunt_and_session(&journal, id(1), "AAAA").await;
    append(&journal, batch(id(1), epoch, 1..=1))
        .await
        .expect("follows the head");
    let is_stored = Arc::new(AtomicBool::new(false));
    let putting = {
        let put = journal.put_snapshot(id(1), Snapshot::new(1, vec![7; LARGE]));
        let is_stored = is_stored.clone();
        async move {
            put.await.expect("there is room");
            is_stored.store(true, Ordering::Release);
        }
    };
    let appending = async {
        let mut seq = 1;
        while !is_stored.load(Ordering::Acquire) {
            seq += 1;
            append(&journal, batch(id(1), epoch, seq..=seq))
                .await
                .expect("follows the head");
        }
        seq
    };
    let ((), last) = tokio::join!(putting, appending);
    // Sequential appends wait for at most one part each.
    assert!(last >= 16, "only {last} batches");
    let loaded = journal.load(id(1)).await.expect("loads");
    assert!(loaded.snapshot.is_some_and(|snapshot| snapshot.is_intact()));
    journal.close().await.expect("closes");
}

#[tokio::test]
async fn the_rest_of_a_snapshot_after_a_crash_is_deleted() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let journal = super::open(folder.path()).await;
    let epoch = hunt_and_session(&journal, id(1), "AAAA").await;
    append(&journal, batch(id(1), epoch, 1..=3))
        .await
        .expect("follows the head");
    journal.close().await.expect("closes");
    let mut connection = connect(folder.path()).await;
    let left = "INSERT INTO snapshot (id, session_id, seq, digest) VALUES (77, 1, 3, x'00'); \
                WITH RECURSIVE n(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < 40) \
                INSERT INTO snapshot_part SELECT 77, n, x'07' FROM n";
    sqlx::raw_sql(left)
        .execute(&mut connection)
        .await
        .expect("inserts");
    connection.close().await.expect("closes");

    let journal: SqliteJournal = super::open(folder.path()).await;
    let loaded = journal.load(id(1)).await.expect("loads");
    assert_eq!(loaded.snapshot, None, "it is incomplete");
    let whole = Snapshot::new(3, vec![1, 2, 3]);
    journal
        .put_snapshot(id(1), whole.clone())
        .await
        .expect("there is room");
    let loaded = journal.load(id(1)).await.expect("loads");
    assert_eq!(loaded.snapshot, Some(whole));
    journal.close().await.expect("closes");
    assert_eq!(
        count(folder.path(), "SELECT count(*) FROM snapshot").await,
        1
    );
    let parts = "SELECT count(*) FROM snapshot_part";
    assert_eq!(count(folder.path(), parts).await, 1);
}
