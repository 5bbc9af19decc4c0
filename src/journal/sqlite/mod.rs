//! The journal in a SQLite database: write-ahead log, every commit synchronised to the disk.
//!
//! One connection writes, on a thread of its own, and gathers all batches that wait into one
//! transaction (`writer`). Another moves the log into the database (`checkpoint`), and a few read
//! (`queries`). A file lock keeps a second process out of the folder.

mod append;
mod calls;
mod changes;
mod checkpoint;
mod folder;
mod queries;
mod snapshots;
mod writer;

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use rusqlite::OpenFlags;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions};
use sqlx::{ConnectOptions, Connection, SqlSafeStr};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use sqlx::sqlite::SqliteSynchronous;

use super::answer::{Answer, JournalError};
use super::nodes::Nodes;
use checkpoint::Checkpointer;
pub use folder::DATABASE_FILE;
use folder::lock_folder;
use writer::{Job, Other, Writer};

/// How long a connection waits for another one's lock: longer than any checkpoint takes.
const BUSY_WAIT: Duration = Duration::from_secs(30);
const READERS_MAX: u32 = 4;
/// Jobs that may wait for the writer. The sessions bound what they have under way, so that this is
/// reached by many sessions together; then their appends wait here in turn.
const JOBS_MAX: usize = 8_192;

/// How a SQLite journal is opened.
#[derive(Debug, Clone)]
pub struct SqliteOptions {
    /// The folder; it is created if it is missing.
    pub folder: PathBuf,
    /// Batches that one transaction takes at most.
    pub flush_batches_max: usize,
    /// How long the write-ahead log may wait for a moment without commits before it is moved into the
    /// database all the same.
    pub checkpoint_every: Duration,
    /// Size of the write-ahead log above which it is moved at the next look, and begun anew.
    pub wal_bytes_max: u64,
    /// What a commit waits for. Anything below `Full` loses acknowledged events with the power:
    /// tests use it to prove that they would notice.
    pub synchronous: SqliteSynchronous,
    /// The SQLite VFS to use, for tests that record what reaches the disk.
    pub vfs: Option<String>,
}

impl SqliteOptions {
    /// The defaults of `config/default.toml` for a folder.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            flush_batches_max: 512,
            checkpoint_every: Duration::from_secs(30),
            wal_bytes_max: 256 << 20,
            synchronous: SqliteSynchronous::Full,
            vfs: None,
        }
    }

    /// The connection that writes, set up as the others are.
    fn writer(&self) -> rusqlite::Result<rusqlite::Connection> {
        let path = self.folder.join(DATABASE_FILE);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = match &self.vfs {
            Some(vfs) => rusqlite::Connection::open_with_flags_and_vfs(path, flags, vfs.as_str()),
            None => rusqlite::Connection::open_with_flags(path, flags),
        }?;
        connection.busy_timeout(BUSY_WAIT)?;
        let synchronous = match self.synchronous {
            SqliteSynchronous::Off => "OFF",
            SqliteSynchronous::Normal => "NORMAL",
            SqliteSynchronous::Full => "FULL",
            SqliteSynchronous::Extra => "EXTRA",
        };
        connection.pragma_update(None, "synchronous", synchronous)?;
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.pragma_update(None, "wal_autocheckpoint", 0)?;
        Ok(connection)
    }

    fn connect_options(&self) -> SqliteConnectOptions {
        let options = SqliteConnectOptions::new()
            .filename(self.folder.join(DATABASE_FILE))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(self.synchronous)
            .busy_timeout(BUSY_WAIT)
            .foreign_keys(true)
            .pragma("wal_autocheckpoint", "0")
            .disable_statement_logging();
        match &self.vfs {
            Some(vfs) => options.vfs(vfs.clone()),
            None => options,
        }
    }
}

/// A journal in a SQLite database. Clones share it.
#[derive(Debug, Clone)]
pub struct SqliteJournal {
    jobs: mpsc::Sender<Job>,
    readers: SqlitePool,
    tasks: Arc<Mutex<JoinSet<()>>>,
    /// Batches that were ever handed to the writer.
    appends: Arc<AtomicU64>,
    /// Snapshots that are being written; a session has at most one.
    snapshots: TaskTracker,
    stop: CancellationToken,
    /// The file lock keeps other processes out.
    nodes: Nodes,
    /// Held until the journal is closed.
    lock: Arc<Mutex<Option<File>>>,
}

impl SqliteJournal {
    /// Opens or creates the journal of a folder and brings its schema up to date.
    ///
    /// Fails if another process has it open, if the schema is of a later version, or if the
    /// database cannot be written.
    pub async fn open(options: SqliteOptions) -> Result<Self, JournalError> {
        let failed = |reason: String| JournalError {
            action: "open",
            reason,
        };
        let lock = lock_folder(&options.folder).map_err(failed)?;
        let connect = options.connect_options();
        migrate(&connect).await.map_err(failed)?;
        let writer = options
            .writer()
            .map_err(|error| failed(error.to_string()))?;
        let checkpointer = Checkpointer::open(&connect, &options).await;
        let checkpointer = checkpointer.map_err(|error| failed(error.to_string()))?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS_MAX)
            .connect_lazy_with(connect.read_only(true).create_if_missing(false));

        let (jobs, waiting) = mpsc::channel(JOBS_MAX);
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let writer = Writer::new(writer, options.flush_batches_max);
        tasks.spawn_blocking(move || writer.run(waiting));
        tasks.spawn(checkpointer.run(stop.clone()));
        Ok(Self {
            jobs,
            readers,
            tasks: Arc::new(Mutex::new(tasks)),
            appends: Arc::default(),
            snapshots: TaskTracker::new(),
            stop,
            nodes: Nodes::default(),
            lock: Arc::new(Mutex::new(Some(lock))),
        })
    }

    /// Queues a job at once if there is room, so that jobs keep the order of the calls, and waits
    /// for its answer.
    fn ask<T: Send + 'static>(
        &self,
        job: impl FnOnce(oneshot::Sender<T>) -> Job,
    ) -> impl Future<Output = Option<T>> + Send + 'static {
        let (reply, answer) = oneshot::channel();
        let queued = self.jobs.try_send(job(reply));
        let jobs = self.jobs.clone();
        async move {
            if let Err(mpsc::error::TrySendError::Full(job)) = queued {
                jobs.send(job).await.ok()?;
            }
            answer.await.ok()
        }
    }

    fn write<T: Send + 'static>(
        &self,
        action: &'static str,
        change: impl FnOnce(oneshot::Sender<Result<T, JournalError>>) -> Other,
    ) -> Answer<T> {
        let answer = self.ask(|reply| Job::Other(change(reply)));
        async move { answer.await.unwrap_or_else(|| Err(closed(action))) }.boxed()
    }

    /// Begins a new generation of every stream; the new one.
    pub async fn raise_generation(&self) -> Result<u32, JournalError> {
        self.change("raise the generation", |connection| {
            changes::raise_generation(connection)
        })
        .await
    }

    /// Batches that were ever handed to the writer.
    fn appends(&self) -> u64 {
        self.appends.load(Ordering::Relaxed)
    }

    /// A transaction of its own that no other kind of job is.
    fn change<T: Send + 'static>(
        &self,
        action: &'static str,
        change: impl FnOnce(&mut rusqlite::Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Answer<T> {
        let answer = self.ask(|reply: oneshot::Sender<rusqlite::Result<T>>| {
            let change = move |connection: &mut rusqlite::Connection| {
                // Whoever asked may be gone.
                drop(reply.send(change(connection)));
            };
            Job::Other(Other::Change(Box::new(change)))
        });
        async move {
            let changed = answer.await.ok_or_else(|| closed(action))?;
            changed.map_err(|error| JournalError {
                action,
                reason: error.to_string(),
            })
        }
        .boxed()
    }

    fn query<T: Send + 'static, F>(
        &self,
        action: &'static str,
        query: impl FnOnce(SqlitePool) -> F + Send + 'static,
    ) -> Answer<T>
    where
        F: Future<Output = Result<T, sqlx::Error>> + Send + 'static,
    {
        let readers = self.readers.clone();
        async move {
            query(readers).await.map_err(|error| JournalError {
                action,
                reason: error.to_string(),
            })
        }
        .boxed()
    }
}

/// Brings the schema up to date on a connection that is then closed. It is the only one at that time,
/// so that closing it moves all of the log into the database: what a killed server left of its log
/// does not grow from life to life.
async fn migrate(options: &SqliteConnectOptions) -> Result<(), String> {
    let mut connection = options.connect().await.map_err(|error| error.to_string())?;
    let migrated = migrator().run(&mut connection).await;
    migrated.map_err(|error| format!("{error}; was it written by a later version?"))?;
    connection.close().await.map_err(|error| error.to_string())
}

/// The schema's steps, oldest first; a step that was released never changes.
fn migrator() -> Migrator {
    let steps = [
        include_str!("../../../migrations/sqlite/0001_first.sql"),
        include_str!("../../../migrations/sqlite/0002_snapshots.sql"),
        include_str!("../../../migrations/sqlite/0003_finished.sql"),
        include_str!("../../../migrations/sqlite/0004_lineage.sql"),
    ];
    let steps = (1..)
        .zip(["first", "snapshots", "finished", "lineage"])
        .zip(steps);
    let steps = steps.map(|((number, name), text)| {
        let kind = MigrationType::Simple;
        Migration::new(number, name.into(), kind, text.into_sql_str(), false)
    });
    Migrator::with_migrations(steps.collect())
}

fn closed(action: &'static str) -> JournalError {
    JournalError {
        action,
        reason: "it is closed".to_owned(),
    }
}

/// Closes a connection for good; a failure is of no consequence for what is committed.
async fn hang_up(connection: sqlx::SqliteConnection) {
    if let Err(error) = connection.close().await {
        tracing::debug!(%error, "a journal connection did not close cleanly");
    }
}
