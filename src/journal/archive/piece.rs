//! A piece: consecutive batches of one session.

use super::super::ledger::StoredBatch;
use super::error::ArchiveError;
use crate::ids::SessionId;

/// Consecutive batches of one session; at least one.
#[derive(Debug, Clone)]
pub struct Piece {
    session: SessionId,
    batches: Vec<StoredBatch>,
}

impl Piece {
    /// A piece of a session's journal. Fails if the batches are not contiguous.
    ///
    /// # Panics
    /// If there are no batches.
    pub fn new(session: SessionId, batches: Vec<StoredBatch>) -> Result<Self, ArchiveError> {
        assert!(!batches.is_empty(), "a piece has batches");
        for pair in batches.windows(2) {
            if pair[1].first_seq != pair[0].last_seq + 1 {
                return Err(ArchiveError::Hole(pair[1].first_seq));
            }
        }
        Ok(Self { session, batches })
    }

    /// The session.
    pub fn session(&self) -> SessionId {
        self.session
    }

    /// The batches, in order.
    pub fn batches(&self) -> &[StoredBatch] {
        &self.batches
    }

    /// The number of its first event.
    pub fn first_seq(&self) -> u64 {
        self.batches[0].first_seq
    }

    /// The number of its last event.
    pub fn last_seq(&self) -> u64 {
        self.batches[self.batches.len() - 1].last_seq
    }

    /// The number of events.
    pub fn events(&self) -> u64 {
        self.last_seq() - self.first_seq() + 1
    }
}
