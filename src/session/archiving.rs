//! Old batches go from the journal into an archive: first there, then away from here.
//!
//! Only what the second-newest verified snapshot covers goes, so that a recovery has two states to begin
//! with, and every batch after the older of them. A crash between the two steps leaves the batches in
//! both places, and the next time does it again.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::actor::Ownership;
use super::planted::Planted;
use super::supervisor::SessionRun;
use crate::journal::{
    Archive, ArchiveError, ArchivePlace, BatchesMax, JournalError, Piece, TruncateError, Truncation,
};
use crate::telemetry::metrics;

/// One piece: what is in memory of them at a time, for each place.
const PIECE_MAX: BatchesMax = BatchesMax {
    batches: 1_024,
    bytes: 8 << 20,
};
/// Pieces that are on their way into the archive at the same time, of all sessions. A further session
/// waits for its turn.
const PLACES_MAX: usize = 2;
/// How long the archive may take for a piece before that is told.
const STALL: Duration = Duration::from_mins(1);
/// Batches that one step deletes: others' commits wait for no more than that.
const CUT_BATCHES_MAX: usize = 128;

/// Where old batches go, and when.
#[derive(Clone)]
pub struct Archiving {
    /// Where.
    archive: Arc<dyn Archive>,
    /// As soon as so many events are old.
    after_events_min: u64,
    /// Shared by all sessions.
    places: Arc<Semaphore>,
}

impl Archiving {
    /// To an archive, as soon as so many events of a session are old.
    pub fn new(archive: Arc<dyn Archive>, after_events_min: u64) -> Self {
        Self {
            archive,
            after_events_min,
            places: Arc::new(Semaphore::new(PLACES_MAX)),
        }
    }

    /// Has the archive keep a piece, however long it takes: to give up would not end what hangs.
    async fn store(&self, piece: Piece, place: ArchivePlace) -> Result<(), ArchiveError> {
        let session = piece.session();
        let mut storing = self.archive.store(piece, place);
        if let Ok(stored) = timeout(STALL, &mut storing).await {
            return stored;
        }
        metrics().archive_stalls.increment(1);
        tracing::warn!(session.id = %session, "the archive hangs; old batches stay in the journal");
        storing.await
    }
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

/// Moves what two verified snapshots cover, if there is an archive and it is worth it. A failure is
/// told, and leaves the rest to the next time.
pub(super) async fn archive_old_batches(run: &SessionRun, ownership: Ownership) {
    let Some(archiving) = &run.archiving else {
        return;
    };
    let session = ownership.session;
    match move_all(run, ownership, archiving).await {
        Ok(()) => {}
        Err(ArchivingError::Truncate(TruncateError::Fenced)) => {
            tracing::info!(session.id = %session, "another owner goes on with archiving");
        }
        Err(error) => {
            metrics().archive_failures.increment(1);
            tracing::warn!(session.id = %session, %error, "old batches stay in the journal for now");
        }
    }
}

async fn move_all(
    run: &SessionRun,
    ownership: Ownership,
    archiving: &Archiving,
) -> Result<(), ArchivingError> {
    let session = ownership.session;
    let verified = run.journal.verified_snapshots(session).await?;
    let Some(through_seq) = last_to_move(run.planted, &verified) else {
        return Ok(());
    };
    let one = BatchesMax {
        batches: 1,
        ..PIECE_MAX
    };
    let first = run.journal.read_oldest(session, through_seq, one).await?;
    let first_seq = first.first().map_or(u64::MAX, |first| first.first_seq);
    if (through_seq + 1).saturating_sub(first_seq) < archiving.after_events_min {
        return Ok(());
    }
    loop {
        let place = ArchivePlace::of(&archiving.places).await;
        let batches = run.journal.read_oldest(session, through_seq, PIECE_MAX);
        let batches = batches.await?;
        if batches.is_empty() {
            return Ok(());
        }
        let piece = Piece::new(session, batches)?;
        let (last_seq, events) = (piece.last_seq(), piece.events());
        if run.planted.truncates_before_archived() {
            truncate(run, ownership, last_seq).await?;
        }
        archiving.store(piece, place).await?;
        metrics().archived_events.increment(events);
        truncate(run, ownership, last_seq).await?;
    }
}

/// The last event of the second-newest verified snapshot.
fn last_to_move(planted: Planted, verified: &[u64]) -> Option<u64> {
    if planted.truncates_too_far() {
        return verified.first().map(|newest| newest + 1);
    }
    verified.get(1).copied()
}

async fn truncate(
    run: &SessionRun,
    ownership: Ownership,
    through_seq: u64,
) -> Result<(), TruncateError> {
    loop {
        let truncated = run.journal.truncate(Truncation {
            session: ownership.session,
            owner: ownership.owner,
            epoch: ownership.epoch,
            through_seq,
            batches_max: CUT_BATCHES_MAX,
        });
        let truncated = truncated.await?;
        metrics().truncated_batches.increment(truncated);
        if truncated < CUT_BATCHES_MAX as u64 {
            return Ok(());
        }
    }
}
