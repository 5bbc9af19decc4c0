//! The values that go in and out of a journal.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::ids::{Epoch, Incarnation, SessionId};

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
