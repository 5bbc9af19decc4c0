//! The ledger: the fenced, durable list of a session's events, with its snapshots.
//!
//! A session has one writer at a time. A claim makes a node the writer and raises the session's epoch;
//! every append and truncation carries owner and epoch and is refused when they are not the stored ones.

use std::fmt;

use sha2::{Digest, Sha256};

use super::answer::{Answer, JournalError};
use crate::ids::{Claim, Epoch, Incarnation, Ownership, SessionId};

/// Ownership, events and snapshots of sessions.
pub trait Ledger: Send + Sync + 'static {
    /// The ownership of every session, in no particular order. Sessions that are created or claimed
    /// meanwhile may appear with their state from before or after.
    fn ownerships(&self) -> Answer<Vec<Ownership>>;

    /// The ownership of a session; `None` if the session does not exist.
    fn ownership(&self, session: SessionId) -> Answer<Option<Ownership>>;

    /// Makes `claim.to` the session's only writer in the next epoch, if the stored ownership is
    /// `claim.expected`. Of concurrent claims with the same expected ownership at most one succeeds.
    ///
    /// When it succeeds, every append of an earlier epoch has committed or never will: a load that
    /// begins afterwards sees all of them. A claim acquires a session without an owner, takes over from
    /// a dead one, settles an unknown outcome (from oneself to oneself), and hands off to another node.
    fn claim(&self, claim: Claim) -> Answer<Epoch, ClaimError>;

    /// Leaves a session without an owner, if `owner` holds it in this epoch. Fences as a claim does.
    fn release(
        &self,
        session: SessionId,
        owner: Incarnation,
        epoch: Epoch,
    ) -> Answer<(), ClaimError>;

    /// Terminates the store's connections of a dead incarnation, so that its transactions do not delay
    /// a claim. Committed work stays; safety does not depend on this call.
    fn terminate_connections(&self, incarnation: Incarnation) -> Answer<()>;

    /// Appends a batch. Calls for one session commit in call order, and each is durable when it returns
    /// `Ok`.
    ///
    /// The caller bounds the number of pending appends; an implementation keeps them all in memory.
    fn append(&self, batch: Batch) -> Answer<(), AppendError>;

    /// The newest usable snapshot and every batch after it. To be called after a claim.
    fn load(&self, session: SessionId) -> Answer<Loaded> {
        self.load_before(session, u64::MAX)
    }

    /// Like [`load`](Ledger::load), with a snapshot as of an event before `seq`: for when a newer
    /// snapshot proved unusable.
    fn load_before(&self, session: SessionId, seq: u64) -> Answer<Loaded>;

    /// The names behind the opaque ids in a session's events.
    fn private_records(&self, session: SessionId) -> Answer<Vec<PrivateRecord>>;

    /// Stores a session's state as of a durable event. Atomic: it can be loaded once this returns `Ok`,
    /// and never in part. The two newest snapshots and the two newest verified ones are kept; older ones
    /// are deleted. A verified snapshot of the same event is not replaced.
    fn put_snapshot(&self, session: SessionId, snapshot: Snapshot) -> Answer<()>;

    /// A stored snapshot, intact or damaged.
    fn snapshot(&self, session: SessionId, seq: u64) -> Answer<Option<Snapshot>>;

    /// Marks a stored snapshot as read back and found correct. Returns false if no snapshot of this
    /// event has this digest.
    fn mark_verified(&self, session: SessionId, seq: u64, digest: [u8; 32]) -> Answer<bool>;

    /// The events of the verified snapshots, newest first.
    fn verified_snapshots(&self, session: SessionId) -> Answer<Vec<u64>>;

    /// Deletes old batches, fenced as an append is, and returns how many: fewer than `batches_max` only
    /// if no more are left. Refused beyond the second-newest verified snapshot, so that two recovery
    /// points always remain.
    fn truncate(&self, truncation: Truncation) -> Answer<u64, TruncateError>;
}

/// Why a claim or a release did not succeed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ClaimError {
    /// The stored ownership is not the expected one. Nothing was changed.
    #[error("the session has another owner or epoch than expected")]
    Lost,
    /// An append of the owner is in progress and takes longer than the store waits for its lock.
    /// Nothing was changed.
    #[error(
        "an append of the owner is in progress; try again, or terminate a dead owner's connections first"
    )]
    Busy,
    /// The store failed; whether the owner has changed is unknown until it is read.
    #[error(transparent)]
    Failed(#[from] JournalError),
}

/// Personal data or a credential of a session. It is stored apart from the events, so that it can be erased,
/// but atomically with the events that it belongs to. A record with the kind and id of an earlier one
/// replaces it.
#[derive(Clone, PartialEq, Eq)]
pub struct PrivateRecord {
    /// What it is.
    pub kind: PrivateKind,
    /// The id, unique within the kind.
    pub id: u64,
    /// The content.
    pub text: String,
}

impl fmt::Debug for PrivateRecord {
    /// Omits the text, which must not reach a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateRecord")
            .field("kind", &self.kind)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// The kinds of private records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PrivateKind {
    /// A name, or another text by a person, under the random id that the events hold.
    Name,
    /// The code with which players join a team, under the team's number.
    TeamCode,
    /// The nonce that a device's token must carry, under the device's number.
    DeviceNonce,
    /// The nonce that a game master's token must carry, under the game master's number.
    GameMasterNonce,
    /// The outcome of a request with an idempotency key, under the number of its slot.
    IdempotencyKey,
}

impl PrivateKind {
    const ALL: [Self; 5] = [
        Self::Name,
        Self::TeamCode,
        Self::DeviceNonce,
        Self::GameMasterNonce,
        Self::IdempotencyKey,
    ];

    /// The number under which the kind is stored.
    pub(super) fn number(self) -> i16 {
        match self {
            Self::Name => 1,
            Self::TeamCode => 2,
            Self::DeviceNonce => 3,
            Self::GameMasterNonce => 4,
            Self::IdempotencyKey => 5,
        }
    }

    /// The kind with a number; `None` for one of a later version.
    pub(super) fn from_number(number: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == number)
    }
}

/// Events to append: one row of the journal.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The session.
    pub session: SessionId,
    /// The writer.
    pub owner: Incarnation,
    /// The epoch of the writer's claim.
    pub epoch: Epoch,
    /// Number of the first event: one more than the last stored event.
    pub first_seq: u64,
    /// Number of the last event.
    pub last_seq: u64,
    /// Time of the last event, in milliseconds of Unix time.
    pub at_ms: u64,
    /// The events, encoded.
    pub events: Vec<u8>,
    /// Private records, stored atomically with the events.
    pub private: Vec<PrivateRecord>,
}

/// A committed row of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredBatch {
    /// Number of the first event.
    pub first_seq: u64,
    /// Number of the last event.
    pub last_seq: u64,
    /// The epoch in which it was appended.
    pub epoch: Epoch,
    /// The events, encoded.
    pub events: Vec<u8>,
}

/// Why a batch was not appended.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AppendError {
    /// A later claim was made: this owner can never write in this epoch again. Nothing was appended.
    #[error("fenced: the session has a later owner")]
    Fenced,
    /// The identical batch was appended before, in this epoch: it is durable. Nothing was appended now.
    #[error("the batch is stored already")]
    AlreadyStored,
    /// The batch does not follow the last stored event. Nothing was appended.
    #[error("the batch does not follow the stored head")]
    NotContiguous,
    /// Nothing was appended.
    #[error("not appended: {0}")]
    Refused(String),
    /// The batch may or may not be durable; a claim and a load decide.
    #[error("outcome unknown: {0}")]
    Unknown(String),
}

/// A state as of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Number of the last event that it includes.
    pub seq: u64,
    /// The state, encoded.
    pub state: Vec<u8>,
    /// SHA-256 of `seq` (8 bytes, big-endian) and `state`, computed when the snapshot was made and
    /// stored with it.
    pub digest: [u8; 32],
}

impl Snapshot {
    /// A snapshot with its digest.
    pub fn new(seq: u64, state: Vec<u8>) -> Self {
        let digest = Self::compute_digest(seq, &state);
        Self { seq, state, digest }
    }

    /// Whether number and state match the digest.
    pub fn is_intact(&self) -> bool {
        self.digest == Self::compute_digest(self.seq, &self.state)
    }

    fn compute_digest(seq: u64, state: &[u8]) -> [u8; 32] {
        let mut digest = Sha256::new();
        digest.update(seq.to_be_bytes());
        digest.update(state);
        digest.finalize().into()
    }
}

/// What a recovery starts from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Loaded {
    /// The newest snapshot that is intact and not ahead of the journal.
    pub snapshot: Option<Snapshot>,
    /// Every batch after it, in order; without a snapshot, every batch in the journal.
    pub tail: Vec<StoredBatch>,
    /// Numbers of newer snapshots that were skipped because they are damaged.
    pub damaged: Vec<u64>,
}

/// Old batches to delete, after they were archived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Truncation {
    /// The session.
    pub session: SessionId,
    /// The session's owner.
    pub owner: Incarnation,
    /// The epoch of the owner's claim.
    pub epoch: Epoch,
    /// Only batches that end at or before this event are deleted.
    pub through_seq: u64,
    /// Batches to delete at most, oldest first.
    pub batches_max: usize,
}

/// Why batches were not deleted.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TruncateError {
    /// The session has another owner or epoch. Nothing was deleted.
    #[error("fenced: the session has a later owner")]
    Fenced,
    /// The second-newest verified snapshot does not cover the range. Nothing was deleted.
    #[error("the second-newest verified snapshot does not cover what is to be deleted")]
    NotCovered,
    /// The store failed; some batches may have been deleted.
    #[error(transparent)]
    Failed(#[from] JournalError),
}
