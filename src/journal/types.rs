//! The values that go in and out of a journal.

use std::fmt;

/// A session, for as long as its journal exists. Random, below 2^63 so that every store has an
/// integer for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(u64);

impl SessionId {
    const LARGEST: u64 = i64::MAX.cast_unsigned();

    /// From any number, of which 63 bits count.
    pub const fn new(number: u64) -> Self {
        Self(number & Self::LARGEST)
    }

    /// The number.
    pub fn number(self) -> u64 {
        self.0
    }

    pub(super) fn as_i64(self) -> i64 {
        self.0.cast_signed()
    }

    pub(super) fn from_i64(stored: i64) -> Self {
        Self::new(stored.cast_unsigned())
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A life of a server process: random, never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Incarnation(pub u64);

/// Rises at every claim of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

/// A session as it was created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRecord {
    /// Its id.
    pub id: SessionId,
    /// The code by which players find it; distinct.
    pub code: String,
    /// The hunt's revision.
    pub hunt_revision: String,
    /// When it was created, in milliseconds of Unix time.
    pub created_at_ms: u64,
}

/// A name that may be erased, under the opaque id that the events hold.
#[derive(Clone, PartialEq, Eq)]
pub struct Name {
    /// The id.
    pub id: u64,
    /// The name.
    pub text: String,
}

impl fmt::Debug for Name {
    /// Leaves the name out: it is personal and must not reach a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Name")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// Events to append: one row of the journal.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Whose.
    pub session: SessionId,
    /// Who appends.
    pub owner: Incarnation,
    /// The epoch that the owner's claim gave.
    pub epoch: Epoch,
    /// The number of the first event: the one after the last stored.
    pub first_seq: u64,
    /// The number of the last event.
    pub last_seq: u64,
    /// The time of the last event, in milliseconds of Unix time.
    pub at_ms: u64,
    /// The events, encoded.
    pub events: Vec<u8>,
    /// Names that the events refer to, stored together with them.
    pub names: Vec<Name>,
}

/// A committed row of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredBatch {
    /// The number of the first event.
    pub first_seq: u64,
    /// The number of the last event.
    pub last_seq: u64,
    /// The epoch of the owner that appended it.
    pub epoch: Epoch,
    /// The events, encoded.
    pub events: Vec<u8>,
}

/// A state as of a sequence number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The number of the last event that it includes.
    pub seq: u64,
    /// The state, encoded.
    pub state: Vec<u8>,
}

/// What a recovery starts from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Loaded {
    /// The newest snapshot that is not ahead of the journal.
    pub snapshot: Option<Snapshot>,
    /// Every batch after it, in order.
    pub tail: Vec<StoredBatch>,
}

/// A store did not do what it was asked for.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the journal failed to {action}: {reason}")]
pub struct JournalError {
    /// What it was asked for.
    pub action: &'static str,
    /// Why it failed.
    pub reason: String,
}

/// Why a session was not created.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CreateError {
    /// Another session has the code.
    #[error("another session has this code")]
    CodeTaken,
    /// The hunt is not stored.
    #[error("no hunt with this revision is stored")]
    UnknownHunt,
    /// The store failed; whether the session exists is unknown.
    #[error(transparent)]
    Failed(#[from] JournalError),
}

/// Why a batch was not appended, as far as is known.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AppendError {
    /// Another claim came later: this owner may never write again. Nothing was appended.
    #[error("fenced: the session has a later owner")]
    Fenced,
    /// The batch does not follow the last stored event. Nothing was appended.
    #[error("the batch does not follow the stored head")]
    NotContiguous,
    /// Nothing was appended.
    #[error("not appended: {0}")]
    Refused(String),
    /// It may have been appended or not; only a claim and a load can tell.
    #[error("outcome unknown: {0}")]
    Unknown(String),
}
