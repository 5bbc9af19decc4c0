//! The recorder alone, under plain SQL: it must detect no loss where SQLite guarantees durability, and a
//! loss where it does not.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::recorder::Recorder;
use crate::vfs;

const ROWS: u32 = 40;

/// A database on a recording VFS.
struct Database {
    folder: TempDir,
    vfs: String,
    recorder: Arc<Recorder>,
}

impl Database {
    /// `name` must be unique: VFS names are global to the process.
    fn new(name: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let vfs = format!("power-loss-{name}");
        let recorder = vfs::register(&vfs, folder.path());
        Self {
            folder,
            vfs,
            recorder,
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("test.sqlite")
    }

    async fn connect(
        &self,
        mode: SqliteJournalMode,
        synchronous: SqliteSynchronous,
    ) -> SqliteConnection {
        SqliteConnectOptions::new()
            .filename(self.path())
            .vfs(self.vfs.clone())
            .create_if_missing(true)
            .journal_mode(mode)
            .synchronous(synchronous)
            .connect()
            .await
            .expect("the database opens")
    }

    /// How many rows survive a power loss at this moment.
    async fn rows_in_image(&self) -> u32 {
        let image = tempfile::tempdir().expect("a temporary folder");
        self.recorder
            .write_image_to(image.path())
            .expect("the image can be written");
        rows(&image.path().join("test.sqlite")).await
    }
}

/// The number of rows of a database on the default VFS; 0 if the table or the database is missing.
async fn rows(path: &Path) -> u32 {
    if !path.exists() {
        return 0;
    }
    let mut connection = SqliteConnectOptions::new()
        .filename(path)
        .connect()
        .await
        .expect("the image opens");
    let intact: String = sqlx::query_scalar("PRAGMA integrity_check")
        .fetch_one(&mut connection)
        .await
        .expect("the image is readable");
    assert_eq!(intact, "ok");
    let tables: u32 = sqlx::query_scalar("SELECT count(*) FROM sqlite_master")
        .fetch_one(&mut connection)
        .await
        .expect("every database has this table");
    if tables == 0 {
        return 0;
    }
    sqlx::query_scalar("SELECT count(*) FROM event")
        .fetch_one(&mut connection)
        .await
        .expect("the table can be read")
}

async fn run(connection: &mut SqliteConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(connection)
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// Commits rows one by one; returns the largest number that an image after a commit lacked.
async fn rows_lost(name: &str, mode: SqliteJournalMode, synchronous: SqliteSynchronous) -> u32 {
    let database = Database::new(name);
    let mut connection = database.connect(mode, synchronous).await;
    run(
        &mut connection,
        "CREATE TABLE event (seq INTEGER PRIMARY KEY, body TEXT)",
    )
    .await;
    let mut lost = 0;
    for row in 1..=ROWS {
        run(
            &mut connection,
            "INSERT INTO event (body) VALUES ('a guess')",
        )
        .await;
        lost = lost.max(row - database.rows_in_image().await);
    }
    lost
}

#[tokio::test]
async fn wal_with_full_sync_loses_nothing() {
    let lost = rows_lost("wal-full", SqliteJournalMode::Wal, SqliteSynchronous::Full).await;
    assert_eq!(lost, 0);
}

#[tokio::test]
async fn wal_with_normal_sync_loses_committed_rows() {
    let lost = rows_lost(
        "wal-normal",
        SqliteJournalMode::Wal,
        SqliteSynchronous::Normal,
    )
    .await;
    assert!(lost > 0, "the recorder must detect it");
}

#[tokio::test]
async fn wal_without_sync_loses_committed_rows() {
    let lost = rows_lost("wal-off", SqliteJournalMode::Wal, SqliteSynchronous::Off).await;
    assert!(lost > 0, "the recorder must detect it");
}

/// Deleting the rollback journal commits; only `EXTRA` makes the deletion durable.
#[tokio::test]
async fn a_rollback_journal_needs_extra_sync() {
    let mode = SqliteJournalMode::Delete;
    let lost = rows_lost("delete-full", mode, SqliteSynchronous::Full).await;
    assert!(lost > 0, "the recorder must detect it");
    let lost = rows_lost("delete-extra", mode, SqliteSynchronous::Extra).await;
    assert_eq!(lost, 0);
}

#[tokio::test]
async fn checkpoints_and_reopening_lose_nothing() {
    let database = Database::new("checkpoints");
    let wal = SqliteJournalMode::Wal;
    let mut connection = database.connect(wal, SqliteSynchronous::Full).await;
    run(
        &mut connection,
        "CREATE TABLE event (seq INTEGER PRIMARY KEY, body TEXT)",
    )
    .await;
    for row in 1..=ROWS {
        run(
            &mut connection,
            "INSERT INTO event (body) VALUES ('a guess')",
        )
        .await;
        match row % 4 {
            0 => run(&mut connection, "PRAGMA wal_checkpoint(PASSIVE)").await,
            1 => run(&mut connection, "PRAGMA wal_checkpoint(RESTART)").await,
            2 => run(&mut connection, "PRAGMA wal_checkpoint(TRUNCATE)").await,
            _ => {
                connection.close().await.expect("the database closes");
                assert_eq!(database.rows_in_image().await, row, "while it is closed");
                connection = database.connect(wal, SqliteSynchronous::Full).await;
            }
        }
        assert_eq!(database.rows_in_image().await, row);
    }
}

#[tokio::test]
async fn content_from_before_the_recording_is_durable() {
    let before = Database::new("begins-before");
    let wal = SqliteJournalMode::Wal;
    let mut connection = before.connect(wal, SqliteSynchronous::Off).await;
    run(
        &mut connection,
        "CREATE TABLE event (seq INTEGER PRIMARY KEY, body TEXT)",
    )
    .await;
    run(
        &mut connection,
        "INSERT INTO event (body) VALUES ('a guess')",
    )
    .await;
    connection.close().await.expect("the database closes");

    let after = Database::new("begins-after");
    std::fs::copy(before.path(), after.path()).expect("the database can be copied");
    let mut connection = after.connect(wal, SqliteSynchronous::Off).await;
    run(
        &mut connection,
        "INSERT INTO event (body) VALUES ('another')",
    )
    .await;
    assert_eq!(after.rows_in_image().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_during_writes_is_intact_and_holds_earlier_commits() {
    const IMAGES: usize = 25;
    let database = Database::new("amid-writes");
    let wal = SqliteJournalMode::Wal;
    let mut connection = database.connect(wal, SqliteSynchronous::Full).await;
    run(
        &mut connection,
        "CREATE TABLE event (seq INTEGER PRIMARY KEY, body TEXT)",
    )
    .await;

    let committed = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&committed);
    let mut writer = JoinSet::new();
    writer.spawn(async move {
        loop {
            run(
                &mut connection,
                "INSERT INTO event (body) VALUES ('a guess')",
            )
            .await;
            let rows = counted.fetch_add(1, Ordering::SeqCst);
            if rows % 64 == 63 {
                run(&mut connection, "PRAGMA wal_checkpoint(RESTART)").await;
            }
        }
    });
    for _ in 0..IMAGES {
        let before = committed.load(Ordering::SeqCst);
        assert!(database.rows_in_image().await >= before);
    }
    writer.shutdown().await;
    assert!(
        committed.load(Ordering::SeqCst) > 0,
        "there were writes meanwhile"
    );
}
