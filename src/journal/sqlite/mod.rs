//! The journal in a SQLite database: write-ahead log, every commit synchronised to the disk.
//!
//! One connection writes, on a thread of its own, and gathers all batches that wait into one
//! transaction (`writer`). Another moves the log into the database (`checkpoint`), and a few read
//! (`queries`). A file lock keeps a second process out of the folder.

mod append;
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

use super::nodes::Nodes;
use super::types::contiguous;
use super::{
    Answer, AppendError, Batch, BatchesMax, Claim, ClaimError, CreateError, Epoch,
    HeartbeatOutcome, HeartbeatSeq, Incarnation, Journal, JournalError, Loaded, Name, NodeRecord,
    NodeStatus, Ownership, ReadError, SessionId, SessionRecord, Snapshot, StoredBatch,
    TruncateError, Truncation,
};
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

impl Journal for SqliteJournal {
    fn generation(&self) -> Answer<u32> {
        self.query("read the generation", queries::generation)
    }

    fn put_hunt(&self, revision: String, files: Vec<u8>) -> Answer<()> {
        self.write("store a hunt", |reply| Other::PutHunt {
            revision,
            files,
            reply,
        })
    }

    fn hunt(&self, revision: String) -> Answer<Option<Vec<u8>>> {
        self.query("read a hunt", |pool| queries::hunt(pool, revision))
    }

    fn create_session(&self, session: SessionRecord) -> Answer<(), CreateError> {
        let answer = self.ask(|reply| Job::Other(Other::CreateSession { session, reply }));
        async move {
            let closed = Err(CreateError::Failed(closed("create a session")));
            answer.await.unwrap_or(closed)
        }
        .boxed()
    }

    fn sessions(&self) -> Answer<Vec<SessionRecord>> {
        self.query("list sessions", queries::sessions)
    }

    fn mark_finished(&self, session: SessionId) -> Answer<()> {
        self.change("note a finish", move |connection| {
            changes::mark_finished(connection, session)
        })
    }

    fn finished_sessions(&self) -> Answer<Vec<SessionId>> {
        self.query("list finished sessions", queries::finished_sessions)
    }

    fn ownerships(&self) -> Answer<Vec<Ownership>> {
        self.query("list owners", queries::ownerships)
    }

    fn ownership(&self, session: SessionId) -> Answer<Option<Ownership>> {
        self.query("read an owner", move |pool| {
            queries::ownership(pool, session)
        })
    }

    fn claim(&self, claim: Claim) -> Answer<Epoch, ClaimError> {
        let answer = self.ask(|reply| Job::Other(Other::Claim { claim, reply }));
        async move {
            let closed = Err(ClaimError::Failed(closed("claim")));
            answer.await.unwrap_or(closed)
        }
        .boxed()
    }

    fn release(
        &self,
        session: SessionId,
        owner: Incarnation,
        epoch: Epoch,
    ) -> Answer<(), ClaimError> {
        let held = Ownership {
            session,
            owner: Some(owner),
            epoch,
        };
        let answer = self.ask(|reply| Job::Other(Other::Release { held, reply }));
        async move {
            let closed = Err(ClaimError::Failed(closed("release")));
            answer.await.unwrap_or(closed)
        }
        .boxed()
    }

    fn evict(&self, _incarnation: Incarnation) -> Answer<()> {
        // A dead process has let go of the file lock, and has nothing under way.
        async { Ok(()) }.boxed()
    }

    fn join(&self, node: NodeRecord) -> Answer<()> {
        self.nodes.join(node);
        async { Ok(()) }.boxed()
    }

    fn beat(&self, node: NodeRecord) -> Answer<HeartbeatOutcome> {
        let beat = self.nodes.beat(node);
        async move { Ok(beat) }.boxed()
    }

    fn nodes(&self) -> Answer<Vec<NodeStatus>> {
        let nodes = self.nodes.all();
        async move { Ok(nodes) }.boxed()
    }

    fn forget(&self, incarnation: Incarnation, last_sign: Option<HeartbeatSeq>) -> Answer<bool> {
        let is_gone = self.nodes.forget(incarnation, last_sign);
        async move { Ok(is_gone) }.boxed()
    }

    fn append(&self, batch: Batch) -> Answer<(), AppendError> {
        self.appends.fetch_add(1, Ordering::Relaxed);
        let answer = self.ask(|reply| Job::Append { batch, reply });
        async move {
            let lost = AppendError::Unknown("the writer ended".to_owned());
            answer.await.unwrap_or(Err(lost))
        }
        .boxed()
    }

    fn load_before(&self, session: SessionId, seq: u64) -> Answer<Loaded> {
        self.query("load", move |pool| queries::load(pool, session, seq))
    }

    fn read(
        &self,
        session: SessionId,
        after_seq: u64,
        limit: usize,
    ) -> Answer<Vec<StoredBatch>, ReadError> {
        let read = self.query("read", move |pool| {
            queries::batches(pool, session, after_seq, limit)
        });
        async move { contiguous(after_seq, read.await?) }.boxed()
    }

    fn oldest(
        &self,
        session: SessionId,
        through_seq: u64,
        max: BatchesMax,
    ) -> Answer<Vec<StoredBatch>> {
        self.query("read the oldest", move |pool| {
            queries::oldest(pool, session, through_seq, max)
        })
    }

    fn put_snapshot(&self, session: SessionId, snapshot: Snapshot) -> Answer<()> {
        // A task, so that it goes on when nobody waits for it.
        let putting = snapshots::put(self.clone(), session, snapshot);
        let putting = self.snapshots.spawn(putting);
        async move {
            let put = putting.await;
            put.unwrap_or_else(|_| Err(closed("store a snapshot")))
        }
        .boxed()
    }

    fn snapshot(&self, session: SessionId, seq: u64) -> Answer<Option<Snapshot>> {
        self.query("read a snapshot", move |pool| {
            queries::snapshot(pool, session, seq)
        })
    }

    fn mark_verified(&self, session: SessionId, seq: u64, digest: [u8; 32]) -> Answer<bool> {
        self.change("verify a snapshot", move |connection| {
            snapshots::mark_verified(connection, session, seq, digest)
        })
    }

    fn verified_snapshots(&self, session: SessionId) -> Answer<Vec<u64>> {
        self.query("list snapshots", move |pool| {
            queries::verified_snapshots(pool, session)
        })
    }

    fn truncate(&self, truncation: Truncation) -> Answer<u64, TruncateError> {
        let truncated = self.change("truncate", move |connection| {
            snapshots::truncate(connection, truncation)
        });
        async move { truncated.await? }.boxed()
    }

    fn names(&self, session: SessionId) -> Answer<Vec<Name>> {
        self.query("read names", move |pool| queries::names(pool, session))
    }

    fn close(&self) -> Answer<()> {
        let this = self.clone();
        async move {
            this.snapshots.close();
            this.snapshots.wait().await;
            let ended = this.ask(|reply| Job::Close { reply }).await;
            this.stop.cancel();
            let mut tasks = this.tasks.lock().await;
            while tasks.join_next().await.is_some() {}
            this.readers.close().await;
            drop(this.lock.lock().await.take());
            ended.unwrap_or_else(|| Err(closed("close")))
        }
        .boxed()
    }
}

/// Closes a connection for good; a failure is of no consequence for what is committed.
async fn hang_up(connection: sqlx::SqliteConnection) {
    if let Err(error) = connection.close().await {
        tracing::debug!(%error, "a journal connection did not close cleanly");
    }
}
