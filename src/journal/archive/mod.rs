//! Old batches, kept outside of the journal.
//!
//! An [`Archive`] stores a [`Piece`] of one session's journal. A stored piece is durable and was read back,
//! so that the journal may be truncated. Pieces may overlap, because an owner repeats its work after a
//! crash: the common batches are identical, since a committed batch never changes.

mod error;
mod file;
mod folder;
mod piece;

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::answer::Answer;
use crate::telemetry::metrics;

pub use error::ArchiveError;
pub use file::{ArchiveFile, read_archive, verify_archive};
pub use folder::ArchiveFolder;
pub use piece::Piece;

/// A permit to store one piece. It is released when the work is complete, even if the caller has dropped
/// its future, so that a hanging archive holds a bounded number of pieces in memory.
#[derive(Debug)]
pub struct ArchivePermit {
    _permit: OwnedSemaphorePermit,
}

impl ArchivePermit {
    /// Waits for a permit. Cancel-safe.
    pub async fn acquire(permits: &Arc<Semaphore>) -> Self {
        let permit = permits.clone().acquire_owned().await;
        let permit = permit.expect("the semaphore is never closed");
        metrics().archive_pieces.increment(1);
        Self { _permit: permit }
    }
}

impl Drop for ArchivePermit {
    fn drop(&mut self) {
        metrics().archive_pieces.decrement(1);
    }
}

/// Stores what is to be deleted from the journal.
pub trait Archive: Send + Sync + 'static {
    /// Stores a piece. When it returns `Ok`, the piece is durable and was read back. Idempotent.
    fn store(&self, piece: Piece, permit: ArchivePermit) -> Answer<(), ArchiveError>;
}
