//! The journal in a SQLite database: write-ahead log, every commit synchronised to the disk.
//!
//! One connection writes, on its own thread, and commits all waiting batches in one transaction
//! (`writer`). Another one checkpoints the write-ahead log (`checkpoint`), and a few read (`queries`). A
//! file lock keeps other processes out of the folder (`options`).

mod append;
mod calls;
mod changes;
mod checkpoint;
mod options;
mod queries;
mod schema;
mod snapshots;
mod writer;

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::FutureExt;
use sqlx::sqlite::{SqlitePool, SqlitePoolOptions};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use options::{DATABASE_FILE, SqliteOptions};
pub use sqlx::sqlite::SqliteSynchronous;

use super::answer::{Answer, JournalError};
use super::nodes::Nodes;
use checkpoint::Checkpointer;
use options::lock_folder;
use writer::{Job, Writer};

const READERS_MAX: u32 = 4;
/// Jobs queued for the writer. Each session bounds its pending appends, so that only many sessions
/// together fill the queue; then their appends wait in call order.
const JOBS_MAX: usize = 8_192;

/// A journal in a SQLite database. Clones share it.
#[derive(Debug, Clone)]
pub struct SqliteJournal {
    jobs: mpsc::Sender<Job>,
    readers: SqlitePool,
    tasks: Arc<Mutex<JoinSet<()>>>,
    /// Counts the batches handed to the writer.
    appends: Arc<AtomicU64>,
    /// Snapshots that are being written: at most one per session.
    snapshots: TaskTracker,
    stop: CancellationToken,
    /// Only this process: the file lock keeps others out.
    nodes: Nodes,
    /// Held until the journal is closed.
    lock: Arc<Mutex<Option<File>>>,
}

impl SqliteJournal {
    /// Opens the journal in a folder, or creates it.
    ///
    /// Fails if another process has it open, if its schema is of another version, or if the database
    /// cannot be written.
    pub async fn open(options: SqliteOptions) -> Result<Self, JournalError> {
        let failed = |reason: String| JournalError {
            action: "open",
            reason,
        };
        let lock = lock_folder(&options.folder).map_err(failed)?;
        let connect = options.connect_options();
        let prepared = schema::prepare(&connect, options.folder.clone()).await;
        prepared.map_err(|error| failed(error.to_string()))?;
        let writer = options.open_writer();
        let writer = writer.map_err(|error| failed(error.to_string()))?;
        let checkpointer = Checkpointer::open(&connect, &options).await;
        let checkpointer = checkpointer.map_err(|error| failed(error.to_string()))?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS_MAX)
            .connect_lazy_with(connect.read_only(true).create_if_missing(false));

        let (jobs, queued) = mpsc::channel(JOBS_MAX);
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let writer = Writer::new(writer, options.flush_batches_max);
        tasks.spawn_blocking(move || writer.run(queued));
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

    /// Raises the generation of every stream and returns the new one.
    pub async fn raise_generation(&self) -> Result<u32, JournalError> {
        self.change("raise the generation", |connection| {
            changes::raise_generation(connection)
        })
        .await
    }

    /// Queues a job and returns its outcome; `None` if the journal is closed. The job is queued during
    /// the call if the queue has room, so that jobs keep the call order.
    fn submit<T: Send + 'static>(
        &self,
        job: impl FnOnce(oneshot::Sender<T>) -> Job,
    ) -> impl Future<Output = Option<T>> + Send + 'static {
        let (reply, outcome) = oneshot::channel();
        let queued = self.jobs.try_send(job(reply));
        let jobs = self.jobs.clone();
        async move {
            if let Err(mpsc::error::TrySendError::Full(job)) = queued {
                jobs.send(job).await.ok()?;
            }
            outcome.await.ok()
        }
    }

    /// Runs a change as a transaction of its own on the writer's thread.
    fn change<T: Send + 'static, E: std::fmt::Display + Send + 'static>(
        &self,
        action: &'static str,
        change: impl FnOnce(&mut rusqlite::Connection) -> Result<T, E> + Send + 'static,
    ) -> Answer<T> {
        let outcome = self.submit_change(change);
        async move {
            let changed = outcome.await.ok_or_else(|| closed(action))?;
            changed.map_err(|error| JournalError {
                action,
                reason: error.to_string(),
            })
        }
        .boxed()
    }

    fn submit_change<T: Send + 'static, E: Send + 'static>(
        &self,
        change: impl FnOnce(&mut rusqlite::Connection) -> Result<T, E> + Send + 'static,
    ) -> impl Future<Output = Option<Result<T, E>>> + Send + 'static {
        self.submit(|reply: oneshot::Sender<Result<T, E>>| {
            let change = move |connection: &mut rusqlite::Connection| {
                // The caller may have dropped its future.
                drop(reply.send(change(connection)));
            };
            Job::Change(Box::new(change))
        })
    }

    /// The number of batches handed to the writer so far.
    fn appends(&self) -> u64 {
        self.appends.load(Ordering::Relaxed)
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

fn closed(action: &'static str) -> JournalError {
    JournalError {
        action,
        reason: "it is closed".to_owned(),
    }
}
