//! Moves old batches from the journal into an archive: it stores them there first and then deletes them
//! from the journal.
//!
//! Only batches that the second-newest verified snapshot covers are moved, so that a recovery can start
//! from two snapshots and has every batch after the older one. A crash between the two steps leaves the
//! batches in both stores, and the next run repeats the move.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::owned::OwnedSession;
use crate::journal::{
    Archive, ArchiveError, ArchivePermit, BatchesMax, Journal, JournalError, Piece, TruncateError,
    Truncation,
};
use crate::session::fault::InjectedFault;
use crate::telemetry::metrics;

/// Bound of one piece, which is held in memory while it is archived.
const PIECE_MAX: BatchesMax = BatchesMax {
    batches: 1_024,
    bytes: 8 << 20,
};
/// Pieces of all sessions that are archived at the same time. Further sessions wait for a permit.
const PERMITS: usize = 2;
/// Time after which storing a piece is reported as stalled.
const STALL: Duration = Duration::from_mins(1);
/// Batches that one truncation deletes. It bounds how long commits of other sessions are delayed.
const TRUNCATED_BATCHES_MAX: usize = 128;

/// The archive, and when old batches are moved there.
#[derive(Clone)]
pub struct Archiving {
    archive: Arc<dyn Archive>,
    after_events_min: u64,
    /// Shared by all sessions.
    permits: Arc<Semaphore>,
}

/// The journal and the session whose old batches are moved.
pub(super) struct ArchivedJournal {
    pub(super) journal: Arc<dyn Journal>,
    pub(super) owned: OwnedSession,
    pub(super) fault: InjectedFault,
}

#[derive(Debug, thiserror::Error)]
enum ArchivingError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error(transparent)]
    Truncate(#[from] TruncateError),
}

impl Archiving {
    /// Archives in `archive`. A session's old events are moved once there are at least
    /// `after_events_min` of them.
    pub fn new(archive: Arc<dyn Archive>, after_events_min: u64) -> Self {
        Self {
            archive,
            after_events_min,
            permits: Arc::new(Semaphore::new(PERMITS)),
        }
    }

    /// Moves what two verified snapshots cover, if there is enough of it. A failure is logged, and the
    /// next run moves the rest.
    pub(super) async fn move_old_batches(&self, from: &ArchivedJournal) {
        let session = from.owned.session;
        match self.try_move(from).await {
            Ok(()) => {}
            Err(ArchivingError::Truncate(TruncateError::Fenced)) => {
                tracing::info!(
                    session.id = %session,
                    "archiving stopped: another node owns the session"
                );
            }
            Err(error) => {
                metrics().archive_failures.increment(1);
                tracing::warn!(
                    session.id = %session, %error,
                    "archiving failed; old batches stay in the journal until the next attempt"
                );
            }
        }
    }

    async fn try_move(&self, from: &ArchivedJournal) -> Result<(), ArchivingError> {
        let session = from.owned.session;
        let verified = from.journal.verified_snapshots(session).await?;
        let Some(through_seq) = from.last_movable(&verified) else {
            return Ok(());
        };
        let one = BatchesMax {
            batches: 1,
            ..PIECE_MAX
        };
        let first = from.journal.read_oldest(session, through_seq, one).await?;
        let first_seq = first.first().map_or(u64::MAX, |first| first.first_seq);
        if (through_seq + 1).saturating_sub(first_seq) < self.after_events_min {
            return Ok(());
        }
        loop {
            let permit = ArchivePermit::acquire(&self.permits).await;
            let batches = from.journal.read_oldest(session, through_seq, PIECE_MAX);
            let batches = batches.await?;
            if batches.is_empty() {
                return Ok(());
            }
            let piece = Piece::new(session, batches)?;
            let (last_seq, events) = (piece.last_seq(), piece.events());
            if from.fault.is(InjectedFault::TruncatedBeforeArchived) {
                from.truncate(last_seq).await?;
            }
            self.store(piece, permit).await?;
            metrics().archived_events.increment(events);
            from.truncate(last_seq).await?;
        }
    }

    /// Stores a piece, without a timeout: giving up would not end an operation that hangs.
    async fn store(&self, piece: Piece, permit: ArchivePermit) -> Result<(), ArchiveError> {
        let session = piece.session();
        let mut storing = self.archive.store(piece, permit);
        if let Ok(stored) = timeout(STALL, &mut storing).await {
            return stored;
        }
        metrics().archive_stalls.increment(1);
        tracing::warn!(
            session.id = %session,
            "the archive does not respond; old batches stay in the journal"
        );
        storing.await
    }
}

impl ArchivedJournal {
    /// The last event of the second-newest verified snapshot.
    fn last_movable(&self, verified: &[u64]) -> Option<u64> {
        if self.fault.is(InjectedFault::TruncatedTooFar) {
            return verified.first().map(|newest| newest + 1);
        }
        verified.get(1).copied()
    }

    async fn truncate(&self, through_seq: u64) -> Result<(), TruncateError> {
        loop {
            let truncated = self.journal.truncate(Truncation {
                session: self.owned.session,
                owner: self.owned.owner,
                epoch: self.owned.epoch,
                through_seq,
                batches_max: TRUNCATED_BATCHES_MAX,
            });
            let truncated = truncated.await?;
            metrics().truncated_batches.increment(truncated);
            if truncated < TRUNCATED_BATCHES_MAX as u64 {
                return Ok(());
            }
        }
    }
}
