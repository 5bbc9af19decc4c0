//! The values that go in and out of a journal.

use std::fmt;
use std::time::Duration;

use sha2::{Digest, Sha256};

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Incarnation(pub u64);

/// Rises at every claim of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

/// Who may append to a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ownership {
    /// The session.
    pub session: SessionId,
    /// Its only writer; nobody's right after it was created and after it was released.
    pub owner: Option<Incarnation>,
    /// The epoch that the last claim gave; 0 before the first one.
    pub epoch: Epoch,
}

/// A change of owner that somebody asks for, on the ground of an [`Ownership`] that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// The session.
    pub session: SessionId,
    /// The owner that was read.
    pub from: Option<Incarnation>,
    /// The epoch that was read.
    pub epoch: Epoch,
    /// The owner from now on.
    pub to: Incarnation,
}

impl Ownership {
    /// The claim that makes `to` the owner, if nothing has changed since this was read.
    pub fn claim_for(self, to: Incarnation) -> Claim {
        Claim {
            session: self.session,
            from: self.owner,
            epoch: self.epoch,
            to,
        }
    }
}

/// Why a claim or a release did not succeed, as far as is known.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ClaimError {
    /// The session has another owner or another epoch than was read. Nothing was changed.
    #[error("the session has changed hands")]
    Lost,
    /// An append of the owner is under way and takes longer than the store waits for one. Nothing
    /// was changed.
    #[error("an append of the owner is under way; try again, or evict a dead owner first")]
    Busy,
    /// The store failed; whether the owner has changed is unknown, and reading it tells.
    #[error(transparent)]
    Failed(#[from] JournalError),
}

/// What a node tells of itself. It says who may be alive, and never who may write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeRecord {
    /// Its life.
    pub incarnation: Incarnation,
    /// Where other nodes reach it: host and port.
    pub address: String,
    /// The version that it runs.
    pub version: String,
    /// Its share of the sessions, relative to the others'.
    pub weight: u32,
    /// For how long after a beat the node may speak for its sessions.
    pub valid_ms: u64,
    /// It is stopping, and takes no more sessions.
    pub is_leaving: bool,
}

/// Tells a node's last sign of life from its earlier ones, and nothing else: the store's clock may have
/// been set back between two of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sign(pub i64);

/// A node and when it was heard of last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeSeen {
    /// What it told last.
    pub record: NodeRecord,
    /// Its last sign of life.
    pub last_sign: Sign,
    /// How long ago that was, by the store's clock; zero if that says that it is still to come.
    pub age: Duration,
}

/// What a beat found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beat {
    /// The node is known, and was heard of now.
    Renewed,
    /// The node was forgotten: its sessions may be taken over at any moment. It is not made known
    /// again by this; [`join`](super::Journal::join) does that.
    Forgotten,
}

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

/// How many batches one answer may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchesMax {
    /// Their number.
    pub batches: usize,
    /// The bytes of their events; a larger batch comes alone.
    pub bytes: usize,
}

impl BatchesMax {
    /// However many there are: for those who look through a whole session.
    pub const UNBOUNDED: Self = Self {
        batches: usize::MAX,
        bytes: usize::MAX,
    };

    /// How many of the first batches fit, of which the bytes of each are told in order.
    pub fn fitting(self, bytes: impl IntoIterator<Item = usize>) -> usize {
        let mut sum = 0_usize;
        let within = bytes.into_iter().take(self.batches).enumerate();
        let within = within.take_while(|(place, bytes)| {
            sum = sum.saturating_add(*bytes);
            sum <= self.bytes || *place == 0
        });
        within.count()
    }
}

/// A state as of a sequence number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The number of the last event that it includes.
    pub seq: u64,
    /// The state, encoded.
    pub state: Vec<u8>,
    /// The SHA-256 of the number (8 bytes, the highest first) and the encoded state, as of when it was
    /// made: it goes with them to the store and back.
    pub digest: [u8; 32],
}

impl Snapshot {
    /// A snapshot with its digest.
    pub fn new(seq: u64, state: Vec<u8>) -> Self {
        let digest = Self::digest_of(seq, &state);
        Self { seq, state, digest }
    }

    /// Whether it is still what it was when it was made.
    pub fn is_sound(&self) -> bool {
        self.digest == Self::digest_of(self.seq, &self.state)
    }

    fn digest_of(seq: u64, state: &[u8]) -> [u8; 32] {
        let mut digest = Sha256::new();
        digest.update(seq.to_be_bytes());
        digest.update(state);
        digest.finalize().into()
    }
}

/// What a recovery starts from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Loaded {
    /// The newest snapshot that is sound and not ahead of the journal.
    pub snapshot: Option<Snapshot>,
    /// Every batch after it, in order; without one, every batch that the journal still has.
    pub tail: Vec<StoredBatch>,
    /// The numbers of newer snapshots that were passed over, because they are damaged.
    pub damaged: Vec<u64>,
}

/// Old batches that are to be deleted, because they are in an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Truncation {
    /// Whose.
    pub session: SessionId,
    /// Who owns the session.
    pub owner: Incarnation,
    /// The epoch that the owner's claim gave.
    pub epoch: Epoch,
    /// Batches go that end at or before this event.
    pub through_seq: u64,
    /// How many batches go at most, the oldest first.
    pub batches_max: usize,
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

/// Why batches were not read.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ReadError {
    /// They are beyond the journal: it begins later, and a snapshot stands for what came before.
    #[error("the journal begins with event {first_seq}; what came before is in an archive")]
    Archived {
        /// The first event that the journal has.
        first_seq: u64,
    },
    /// The store failed.
    #[error(transparent)]
    Failed(#[from] JournalError),
}

/// Why batches were not deleted, as far as is known.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TruncateError {
    /// The session has another owner or another epoch. Nothing was deleted.
    #[error("fenced: the session has a later owner")]
    Fenced,
    /// The second-newest verified snapshot does not cover all of it. Nothing was deleted.
    #[error("the second-newest verified snapshot does not cover what is to be deleted")]
    NotCovered,
    /// The store failed; some may have been deleted.
    #[error(transparent)]
    Failed(#[from] JournalError),
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
    /// This very batch was appended before, in this epoch: it is durable. Nothing was appended now.
    #[error("the batch is stored already")]
    AlreadyStored,
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

/// Batches that were sought after event `after_seq`, if none of them is missing because the journal
/// begins later. A journal has no holes, so that the first one tells.
pub(super) fn contiguous(
    after_seq: u64,
    batches: Vec<StoredBatch>,
) -> Result<Vec<StoredBatch>, ReadError> {
    match batches.first() {
        Some(first) if first.first_seq > after_seq.saturating_add(1) => Err(ReadError::Archived {
            first_seq: first.first_seq,
        }),
        Some(_) | None => Ok(batches),
    }
}
