//! History: reads of committed events, for exports and for the archive.

use super::answer::{Answer, JournalError};
use super::ledger::StoredBatch;
use crate::ids::SessionId;

/// Read-only access to committed batches. A batch never changes, so that a replica may serve these reads.
pub trait History: Send + Sync + 'static {
    /// At most `limit` committed batches of those that end after `after_seq`, in order. The first one
    /// may begin before `after_seq`.
    fn read(
        &self,
        session: SessionId,
        after_seq: u64,
        limit: usize,
    ) -> Answer<Vec<StoredBatch>, ReadError>;

    /// The oldest batches that end at or before `through_seq`, in order, as many as `max` allows.
    fn read_oldest(
        &self,
        session: SessionId,
        through_seq: u64,
        max: BatchesMax,
    ) -> Answer<Vec<StoredBatch>>;

    /// The newest batches that begin before event `before_seq`, newest first, as many as `max` allows. The
    /// first one may end after `before_seq`.
    fn read_newest(
        &self,
        session: SessionId,
        before_seq: u64,
        max: BatchesMax,
    ) -> Answer<Vec<StoredBatch>>;
}

/// Bounds of one read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchesMax {
    /// Number of batches.
    pub batches: usize,
    /// Total bytes of their events. The first batch is returned even if it is larger.
    pub bytes: usize,
}

impl BatchesMax {
    /// No bounds, for reading a whole session.
    pub const UNBOUNDED: Self = Self {
        batches: usize::MAX,
        bytes: usize::MAX,
    };

    /// How many batches fit, given the byte length of each in order.
    pub fn fitting(self, lengths: impl IntoIterator<Item = usize>) -> usize {
        let mut sum = 0_usize;
        let within = lengths.into_iter().take(self.batches).enumerate();
        let within = within.take_while(|(index, length)| {
            sum = sum.saturating_add(*length);
            sum <= self.bytes || *index == 0
        });
        within.count()
    }
}

/// Why batches were not read.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ReadError {
    /// The journal was truncated: it begins later, and a snapshot covers the earlier events.
    #[error("the journal begins with event {first_seq}; earlier events are in an archive")]
    Archived {
        /// The first event in the journal.
        first_seq: u64,
    },
    /// The store failed.
    #[error(transparent)]
    Failed(#[from] JournalError),
}

/// Batches that were read from after event `after_seq`, or [`ReadError::Archived`] if the journal begins
/// later. A journal has no holes, so that checking the first batch is enough.
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
