//! Durability: what a session's events become before anyone hears of them.
//!
//! A [`Journal`] keeps hunts, sessions, their batches of events, their snapshots and the names of
//! people, and fences: only the owner that claimed a session last can append to it. Every
//! implementation passes the same contract suite (`tests/contract`).
//!
//! Never here: what an event means, when to claim, what to do after a failure.

mod archive;
pub mod files;
mod memory;
mod nodes;
mod postgres;
pub mod records;
mod sqlite;
mod types;

use futures_util::future::{BoxFuture, FutureExt};

pub use crate::ids::{
    Claim, Epoch, HeartbeatOutcome, HeartbeatSeq, Incarnation, NodeRecord, NodeStatus, Ownership,
    SessionId,
};

pub use archive::{
    Archive, ArchiveError, ArchiveFile, ArchiveFolder, ArchivePlace, Piece, read_archive,
    verify_archive,
};
pub use memory::MemoryJournal;
pub use postgres::{PostgresJournal, PostgresOptions, SchemaError, SchemaStatus, SchemaStep};
pub use sqlite::{DATABASE_FILE, SqliteJournal, SqliteOptions, SqliteSynchronous};
pub use types::{
    AppendError, Batch, BatchesMax, ClaimError, CreateError, JournalError, Loaded, Name, ReadError,
    SessionRecord, Snapshot, StoredBatch, TruncateError, Truncation,
};

/// What a call to a journal gives, some time later. It makes progress on its own: dropping it
/// gives up the answer, not the work.
pub type Answer<T, E = JournalError> = BoxFuture<'static, Result<T, E>>;

/// A durable, fenced store of sessions.
pub trait Journal: Send + Sync + 'static {
    /// The generation of every stream: another one than a client knows means that events which it was
    /// sent may be missing here. Changes only while no server runs.
    fn generation(&self) -> Answer<u32>;

    /// Stores a hunt's files under their revision; storing the same again changes nothing.
    fn put_hunt(&self, revision: String, files: Vec<u8>) -> Answer<()>;

    /// The files of a hunt.
    fn hunt(&self, revision: String) -> Answer<Option<Vec<u8>>>;

    /// Creates a session. Durable when it answers.
    fn create_session(&self, session: SessionRecord) -> Answer<(), CreateError>;

    /// Every session, in the order of being created.
    fn sessions(&self) -> Answer<Vec<SessionRecord>>;

    /// The session with this code. A store with an index does better than to look through them all.
    fn session_by_code(&self, code: String) -> Answer<Option<SessionRecord>> {
        let sessions = self.sessions();
        async move {
            let mut sessions = sessions.await?.into_iter();
            Ok(sessions.find(|session| session.code == code))
        }
        .boxed()
    }

    /// Notes that a session is finished. What says so is durable already, and never untrue again.
    fn mark_finished(&self, session: SessionId) -> Answer<()>;

    /// Every session that was noted as finished, in no particular order.
    fn finished_sessions(&self) -> Answer<Vec<SessionId>>;

    /// Who owns each session, in no particular order. Sessions that are created or change hands
    /// meanwhile are told as before or after it.
    fn ownerships(&self) -> Answer<Vec<Ownership>>;

    /// Who owns a session; nothing if it does not exist.
    fn ownership(&self, session: SessionId) -> Answer<Option<Ownership>>;

    /// Makes `claim.to` the session's only writer, in the next epoch, if its owner and epoch are
    /// still what `claim` says they are. Of claims on the same ground at most one succeeds.
    ///
    /// When it succeeds, every append of an earlier epoch has committed or never will: a load that
    /// begins afterwards sees all of them. It serves to acquire (from nobody), to take over (from a
    /// dead one), to settle an unknown outcome (from oneself to oneself) and to hand over (from
    /// oneself to the next).
    fn claim(&self, claim: Claim) -> Answer<Epoch, ClaimError>;

    /// Leaves a session to nobody, if `owner` holds it in this epoch. Fences as a claim does.
    fn release(
        &self,
        session: SessionId,
        owner: Incarnation,
        epoch: Epoch,
    ) -> Answer<(), ClaimError>;

    /// Ends what a dead incarnation still has under way in the store, so that it holds up no claim.
    /// What it had committed stays; safety does not depend on this.
    fn evict(&self, incarnation: Incarnation) -> Answer<()>;

    /// Makes a node known, or known again after it was forgotten, heard of now.
    fn join(&self, node: NodeRecord) -> Answer<()>;

    /// Notes that a node is alive, and what it tells now, by the store's clock. A node that was
    /// forgotten stays so. Unlike other answers this one makes progress where it is polled, and
    /// dropping it gives up the way to the store, so that the next beat takes a new one.
    fn beat(&self, node: NodeRecord) -> Answer<HeartbeatOutcome>;

    /// Every known node, in no particular order.
    fn nodes(&self) -> Answer<Vec<NodeStatus>>;

    /// Forgets a node unless it gave another sign of life after `last_sign`; without one, in any case.
    /// Gives whether it is unknown now. From then on its sessions may be taken over; until it joins
    /// again its beats do not count.
    fn forget(&self, incarnation: Incarnation, last_sign: Option<HeartbeatSeq>) -> Answer<bool>;

    /// Appends a batch. Calls for one session commit in the order of being made, and each is
    /// durable when it answers `Ok`.
    ///
    /// The caller bounds how many are under way; an implementation keeps them all in memory.
    fn append(&self, batch: Batch) -> Answer<(), AppendError>;

    /// The newest usable snapshot and every batch after it. To be called after a claim.
    fn load(&self, session: SessionId) -> Answer<Loaded> {
        self.load_before(session, u64::MAX)
    }

    /// The same, with a snapshot as of an event before `seq`: for a newer one that proved useless.
    fn load_before(&self, session: SessionId, seq: u64) -> Answer<Loaded>;

    /// At most `limit` committed batches of those that end after `after_seq`, in order.
    fn read(
        &self,
        session: SessionId,
        after_seq: u64,
        limit: usize,
    ) -> Answer<Vec<StoredBatch>, ReadError>;

    /// As many batches as `max` allows of those that end at or before `through_seq`, the oldest that
    /// there are, in order.
    fn oldest(
        &self,
        session: SessionId,
        through_seq: u64,
        max: BatchesMax,
    ) -> Answer<Vec<StoredBatch>>;

    /// Stores a session's state as of a sequence number that is durable. It can be loaded when this
    /// answers, and not in part before. The two newest stay, and the two newest verified ones; others
    /// go. One that is verified already stays as it is.
    fn put_snapshot(&self, session: SessionId, snapshot: Snapshot) -> Answer<()>;

    /// A stored snapshot, sound or not.
    fn snapshot(&self, session: SessionId, seq: u64) -> Answer<Option<Snapshot>>;

    /// Notes that a stored snapshot was read back and found to be what it should be. Gives whether
    /// there is one with this digest.
    fn mark_verified(&self, session: SessionId, seq: u64, digest: [u8; 32]) -> Answer<bool>;

    /// The numbers of the verified snapshots, the newest first.
    fn verified_snapshots(&self, session: SessionId) -> Answer<Vec<u64>>;

    /// Deletes old batches, fenced as an append is, and gives how many: fewer than `batches_max` only
    /// if there are no more. Refused beyond the second-newest verified snapshot, so that the journal
    /// never ends up empty and always has two states to go on from.
    fn truncate(&self, truncation: Truncation) -> Answer<u64, TruncateError>;

    /// The names that stand behind the opaque ids of a session.
    fn names(&self, session: SessionId) -> Answer<Vec<Name>>;

    /// Waits for everything under way and lets go of the store.
    fn close(&self) -> Answer<()>;
}
