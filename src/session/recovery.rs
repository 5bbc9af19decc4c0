//! From a journal to a session's state.

use std::collections::HashMap;
use std::sync::Arc;

use hunt::{Hunt, Progress, State};

use super::actor::Ownership;
use super::delivery::{Delivery, View};
use super::planted::Planted;
use super::supervisor::SessionRun;
use crate::journal::{JournalError, Loaded, StoredBatch, records};

/// Why a session could not be recovered.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// The journal failed; it may answer later.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A stored record cannot be read.
    #[error("event {seq}: {source}")]
    Record {
        /// The last event of the record.
        seq: u64,
        /// Why.
        source: records::RecordError,
    },
    /// Events are missing.
    #[error("event {expected} is missing: the next one stored is {found}")]
    Hole {
        /// The number that should follow.
        expected: u64,
        /// The number that does.
        found: u64,
    },
}

/// A state with all that the actor needs besides.
pub(super) struct Recovered {
    pub(super) state: State,
    pub(super) names: HashMap<u64, String>,
    /// The number of the last event.
    pub(super) head: u64,
    /// The number of the last event in the newest snapshot.
    pub(super) snapshot_at: u64,
}

/// Claims a session and folds its journal. Claim first, read then: whatever an earlier owner
/// appended has committed by then or never will.
pub(super) async fn recover<D: Delivery>(
    run: &SessionRun,
    delivery: &mut D,
) -> Result<(Ownership, Recovered), RecoverError> {
    let session = run.record.id;
    let epoch = run.journal.claim(session, run.owner).await?;
    let loaded = run.journal.load(session).await?;
    let names = run.journal.names(session).await?;
    let names = names.into_iter().map(|name| (name.id, name.text)).collect();
    let recovered = fold(run.hunt.clone(), names, loaded, delivery, run.planted)?;
    let ownership = Ownership {
        session,
        owner: run.owner,
        epoch,
    };
    Ok((ownership, recovered))
}

fn fold<D: Delivery>(
    hunt: Arc<Hunt>,
    names: HashMap<u64, String>,
    loaded: Loaded,
    delivery: &mut D,
    planted: Planted,
) -> Result<Recovered, RecoverError> {
    let snapshot_at = loaded.snapshot.as_ref().map_or(0, |snapshot| snapshot.seq);
    let progress = match loaded.snapshot {
        Some(snapshot) => records::decode_state(&snapshot.state).map_err(|source| {
            let seq = snapshot.seq;
            RecoverError::Record { seq, source }
        })?,
        None => Progress::default(),
    };
    let mut recovered = Recovered {
        state: State::resume(hunt, progress),
        names,
        head: snapshot_at,
        snapshot_at,
    };
    for batch in &loaded.tail {
        apply_batch(&mut recovered, batch, delivery, planted)?;
    }
    Ok(recovered)
}

fn apply_batch<D: Delivery>(
    recovered: &mut Recovered,
    batch: &StoredBatch,
    delivery: &mut D,
    planted: Planted,
) -> Result<(), RecoverError> {
    let expected = recovered.head + 1;
    if batch.first_seq != expected {
        let found = batch.first_seq;
        return Err(RecoverError::Hole { expected, found });
    }
    let entries = records::decode_entries(&batch.events).map_err(|source| {
        let seq = batch.last_seq;
        RecoverError::Record { seq, source }
    })?;
    for entry in &entries {
        for event in &entry.events {
            recovered.head += 1;
            for stamp in recovered.state.apply(entry.at, event) {
                let view = View {
                    state: &recovered.state,
                    names: &recovered.names,
                };
                let update = delivery.encode(view, entry.at, event, stamp);
                delivery.restore(update);
            }
        }
        if !planted.forgets_receipts() {
            recovered.state.keep_receipt(entry);
        }
    }
    if recovered.head != batch.last_seq {
        return Err(RecoverError::Hole {
            expected: batch.last_seq + 1,
            found: recovered.head + 1,
        });
    }
    Ok(())
}
