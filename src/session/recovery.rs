//! From a journal to a session's state.

use std::collections::HashMap;

use hunt::{Progress, State};

use super::actor::Ownership;
use super::delivery::{Delivery, View};
use super::planted::Planted;
use super::supervisor::{SessionRun, Tenure};
use crate::journal::{ClaimError, Epoch, JournalError, StoredBatch, records};
use crate::telemetry::{RecoveryFailure, metrics};

/// Why a session could not be recovered.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// The journal failed; it may answer later.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The claim did not succeed; it may later, or the next attempt finds another owner.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// Another node owns the session: it is for that one to recover it.
    #[error("another node owns the session")]
    Lost,
    /// A stored record cannot be read.
    #[error("event {seq}: {source}")]
    Record {
        /// The last event of the record.
        seq: u64,
        /// Why.
        source: records::RecordError,
    },
    /// The journal begins later, and nothing stands for what came before.
    #[error(
        "no snapshot can be used, and the journal begins with event {first_seq}: what came before is \
         only in the archive"
    )]
    Archived {
        /// The first event that the journal has.
        first_seq: u64,
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

impl RecoverError {
    /// What somebody has to do with it: nothing about a store that does not answer now.
    pub(super) fn failure(&self) -> RecoveryFailure {
        match self {
            Self::Journal(_) | Self::Claim(_) | Self::Lost => RecoveryFailure::Unavailable,
            Self::Record { .. } | Self::Archived { .. } | Self::Hole { .. } => {
                RecoveryFailure::Unusable
            }
        }
    }
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
/// appended has committed by then or never will. `claimed` is the epoch of a claim that was made for
/// this very recovery.
pub(super) async fn recover<D: Delivery>(
    run: &SessionRun,
    claimed: Option<Epoch>,
    delivery: &mut D,
) -> Result<(Ownership, Recovered), RecoverError> {
    let session = run.record.id;
    let too_early = if run.planted.reads_before_claim() {
        Some(start(run).await?)
    } else {
        None
    };
    let epoch = match claimed {
        Some(epoch) if too_early.is_none() => epoch,
        Some(_) | None => claim(run).await?,
    };
    let names = run.journal.names(session).await?;
    let start = match too_early {
        Some(start) => start,
        None => start(run).await?,
    };
    let Start {
        mut recovered,
        tail,
    } = start;
    recovered.names = names.into_iter().map(|name| (name.id, name.text)).collect();
    for batch in &tail {
        apply_batch(&mut recovered, batch, delivery, run.planted)?;
    }
    let ownership = Ownership {
        session,
        owner: run.owner,
        epoch,
    };
    Ok((ownership, recovered))
}

/// Claims a session on the ground of what is read now. Of a claim whose outcome stayed unknown, that
/// tells whether it came about; what it had left under way is fenced by the next epoch.
async fn claim(run: &SessionRun) -> Result<Epoch, RecoverError> {
    let found = run.journal.ownership(run.record.id).await?;
    let found = found.ok_or(RecoverError::Lost)?;
    let is_mine = match run.tenure {
        Tenure::Alone => true,
        Tenure::Claimed(_) => found.owner == Some(run.owner) || run.planted.reads_before_claim(),
    };
    if !is_mine {
        return Err(RecoverError::Lost);
    }
    if run.planted.reopens_without_claim() && found.owner == Some(run.owner) {
        return Ok(found.epoch);
    }
    Ok(run.journal.claim(found.claim_for(run.owner)).await?)
}

/// What a fold begins with, and what is to be applied to it.
struct Start {
    recovered: Recovered,
    tail: Vec<StoredBatch>,
}

/// The newest snapshot that can be used, with its tail; without one the whole journal, if it still
/// begins with the first event.
async fn start(run: &SessionRun) -> Result<Start, RecoverError> {
    let session = run.record.id;
    let mut loaded = run.journal.load(session).await?;
    loop {
        for seq in loaded.damaged {
            leave_out(run, seq, &"its digest is another one");
        }
        let Some(snapshot) = loaded.snapshot else {
            let first_seq = loaded.tail.first().map_or(1, |batch| batch.first_seq);
            if first_seq > 1 {
                return Err(RecoverError::Archived { first_seq });
            }
            return Ok(Start::new(run, Progress::default(), 0, loaded.tail));
        };
        let seq = snapshot.seq;
        match records::decode_state(&snapshot.state) {
            Ok(progress) => return Ok(Start::new(run, progress, seq, loaded.tail)),
            Err(error @ records::RecordError::Damaged(_)) => leave_out(run, seq, &error),
            Err(source @ records::RecordError::LaterFormat { .. }) => {
                return Err(RecoverError::Record { seq, source });
            }
        }
        // Nobody cuts the journal off meanwhile: that is fenced as an append is.
        loaded = run.journal.load_before(session, seq).await?;
    }
}

fn leave_out(run: &SessionRun, seq: u64, why: &dyn std::fmt::Display) {
    metrics().snapshots_damaged.increment(1);
    let session = run.record.id;
    tracing::warn!(session.id = %session, seq, %why, "a damaged snapshot is left out of a recovery");
}

impl Start {
    fn new(run: &SessionRun, progress: Progress, seq: u64, tail: Vec<StoredBatch>) -> Self {
        let recovered = Recovered {
            state: State::resume(run.hunt.clone(), progress),
            names: HashMap::new(),
            head: seq,
            snapshot_at: seq,
        };
        Self { recovered, tail }
    }
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
