//! Old batches, kept outside of the journal for as long as somebody wants them.
//!
//! An [`Archive`] takes a [`Piece`] of one session's journal. What it has taken is durable and was read
//! back, so that the journal may forget it. Pieces may overlap, because a crash makes the owner do it
//! again: what they have in common is the same, since a committed batch never changes.

mod file;
mod folder;

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Answer, SessionId, StoredBatch};
use crate::telemetry::metrics;

pub use file::{ArchiveError, ArchiveFile, read_archive, verify_archive};
pub use folder::ArchiveFolder;

/// Batches of one session that follow each other; at least one.
#[derive(Debug, Clone)]
pub struct Piece {
    session: SessionId,
    batches: Vec<StoredBatch>,
}

impl Piece {
    /// A piece of a session's journal, unless one of its batches does not follow the one before.
    ///
    /// # Panics
    /// If there are no batches.
    pub fn new(session: SessionId, batches: Vec<StoredBatch>) -> Result<Self, ArchiveError> {
        assert!(!batches.is_empty(), "a piece of nothing");
        for pair in batches.windows(2) {
            if pair[1].first_seq != pair[0].last_seq + 1 {
                return Err(ArchiveError::Hole(pair[1].first_seq));
            }
        }
        Ok(Self { session, batches })
    }

    /// Whose.
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

    /// How many events it holds.
    pub fn events(&self) -> u64 {
        self.last_seq() - self.first_seq() + 1
    }
}

/// The right to store a piece. It is given back when the work is over, also if nobody waits for its
/// answer any more: an archive that hangs has no more than so many pieces in memory.
#[derive(Debug)]
pub struct ArchivePlace {
    _permit: OwnedSemaphorePermit,
}

impl ArchivePlace {
    /// Waits for one of these places.
    pub async fn of(places: &Arc<Semaphore>) -> Self {
        let permit = places.clone().acquire_owned().await;
        let permit = permit.expect("the semaphore is never closed");
        metrics().archive_pieces.increment(1);
        Self { _permit: permit }
    }
}

impl Drop for ArchivePlace {
    fn drop(&mut self) {
        metrics().archive_pieces.decrement(1);
    }
}

/// Takes what the journal is to forget.
pub trait Archive: Send + Sync + 'static {
    /// Keeps a piece. When it answers `Ok`, the piece is durable and was read back. To do it again
    /// changes nothing.
    fn store(&self, piece: Piece, place: ArchivePlace) -> Answer<(), ArchiveError>;
}
