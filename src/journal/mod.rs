//! Durability: what a session's events become before anyone hears of them.
//!
//! A [`Journal`] keeps hunts, sessions, their batches of events, their snapshots and the names of
//! people, and fences: only the owner that claimed a session last can append to it. Every
//! implementation passes the same contract suite (`tests/contract`).
//!
//! Never here: what an event means, when to claim, what to do after a failure.

mod memory;
pub mod records;
mod sqlite;
mod types;

use futures_util::future::BoxFuture;

pub use memory::MemoryJournal;
pub use sqlite::{DATABASE_FILE, SqliteJournal, SqliteOptions, SqliteSynchronous};
pub use types::{
    AppendError, Batch, CreateError, Epoch, Incarnation, JournalError, Loaded, Name, SessionId,
    SessionRecord, Snapshot, StoredBatch,
};

/// What a call to a journal gives, some time later. It makes progress on its own: dropping it
/// gives up the answer, not the work.
pub type Answer<T, E = JournalError> = BoxFuture<'static, Result<T, E>>;

/// A durable, fenced store of sessions.
pub trait Journal: Send + Sync + 'static {
    /// Stores a hunt's files under their revision; storing the same again changes nothing.
    fn put_hunt(&self, revision: String, files: Vec<u8>) -> Answer<()>;

    /// The files of a hunt.
    fn hunt(&self, revision: String) -> Answer<Option<Vec<u8>>>;

    /// Creates a session. Durable when it answers.
    fn create_session(&self, session: SessionRecord) -> Answer<(), CreateError>;

    /// Every session, in the order of being created.
    fn sessions(&self) -> Answer<Vec<SessionRecord>>;

    /// Makes `owner` the session's only writer. Appends of every earlier epoch that have not
    /// committed by then never will.
    fn claim(&self, session: SessionId, owner: Incarnation) -> Answer<Epoch>;

    /// Appends a batch. Calls for one session commit in the order of being made, and each is
    /// durable when it answers `Ok`.
    ///
    /// The caller bounds how many are under way; an implementation keeps them all in memory.
    fn append(&self, batch: Batch) -> Answer<(), AppendError>;

    /// The newest usable snapshot and every batch after it. To be called after a claim.
    fn load(&self, session: SessionId) -> Answer<Loaded>;

    /// At most `limit` committed batches of those that end after `after_seq`, in order.
    fn read(&self, session: SessionId, after_seq: u64, limit: usize) -> Answer<Vec<StoredBatch>>;

    /// Stores a session's state as of a sequence number that is durable. An older snapshot than
    /// the newest two may be dropped.
    fn put_snapshot(&self, session: SessionId, snapshot: Snapshot) -> Answer<()>;

    /// The names that stand behind the opaque ids of a session.
    fn names(&self, session: SessionId) -> Answer<Vec<Name>>;

    /// Waits for everything under way and lets go of the store.
    fn close(&self) -> Answer<()>;
}
