//! Recovers a session: claims it, loads the newest usable snapshot and replays the journal after it.

use hunt::{Progress, State};

use super::context::{JournalAccess, SessionContext};
use super::owned::OwnedSession;
use crate::ids::Epoch;
use crate::journal::{ClaimError, JournalError, StoredBatch, records};
use crate::session::delivery::{Delivery, View};
use crate::session::fault::InjectedFault;
use crate::session::private::PrivateData;
use crate::telemetry::{RecoveryFailure, metrics};

/// Why a session could not be recovered.
#[derive(Debug, thiserror::Error)]
pub(super) enum RecoverError {
    /// The journal failed; a retry may succeed.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The claim failed. A retry may succeed, or find another owner.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// Another node owns the session and recovers it.
    #[error("another node owns the session")]
    Lost,
    /// A stored record cannot be decoded.
    #[error("event {seq}: {source}")]
    Record {
        /// The last event of the record.
        seq: u64,
        source: records::RecordError,
    },
    /// The journal does not begin with event 1, and no snapshot covers the events before it.
    #[error(
        "no usable snapshot, and the journal begins with event {first_seq}: earlier events are only in \
         the archive"
    )]
    Archived { first_seq: u64 },
    /// Events are missing.
    #[error("event {expected} is missing: the next stored event is {found}")]
    Gap { expected: u64, found: u64 },
}

impl RecoverError {
    /// Whether the store did not respond, or what it holds cannot be used, which needs an operator.
    pub(super) fn failure(&self) -> RecoveryFailure {
        match self {
            Self::Journal(_) | Self::Claim(_) | Self::Lost => RecoveryFailure::Unavailable,
            Self::Record { .. } | Self::Archived { .. } | Self::Gap { .. } => {
                RecoveryFailure::Unusable
            }
        }
    }
}

/// A recovered state and what an actor starts with besides.
pub(super) struct Recovered {
    pub(super) state: State,
    pub(super) private: PrivateData,
    /// Sequence number of the last event.
    pub(super) head: u64,
    /// Sequence number of the last event in the newest snapshot.
    pub(super) snapshot_at: u64,
}

/// Claims a session and folds its journal. The claim comes first: afterwards, every append of an earlier
/// owner has either committed or never will. `claimed` is the epoch of a claim that was made for this
/// recovery.
pub(super) async fn recover<D: Delivery>(
    context: &SessionContext,
    claimed: Option<Epoch>,
    delivery: &mut D,
) -> Result<(OwnedSession, Recovered), RecoverError> {
    let session = context.session();
    let read_too_early = if context.has_fault(InjectedFault::TailBeforeClaim) {
        Some(load_start(context).await?)
    } else {
        None
    };
    let epoch = match claimed {
        Some(epoch) if read_too_early.is_none() => epoch,
        Some(_) | None => claim(context).await?,
    };
    let private = context.journal().private_records(session).await?;
    let start = match read_too_early {
        Some(start) => start,
        None => load_start(context).await?,
    };
    let Start {
        mut recovered,
        tail,
    } = start;
    recovered.private = PrivateData::load(private);
    let keeps_receipts = !context.has_fault(InjectedFault::ReceiptsForgotten);
    for batch in &tail {
        let entries = decode_next(recovered.head, batch)?;
        for entry in &entries {
            apply_entry(&mut recovered, entry, delivery);
            if keeps_receipts {
                recovered.state.record_receipt(entry);
            }
        }
        if recovered.head != batch.last_seq {
            return Err(RecoverError::Gap {
                expected: batch.last_seq + 1,
                found: recovered.head + 1,
            });
        }
    }
    recovered.private.index_team_names(&recovered.state);
    let owned = OwnedSession {
        session,
        owner: context.services.owner,
        epoch,
    };
    Ok((owned, recovered))
}

/// Claims a session, expecting the ownership that is read now. If an earlier claim of this process had an
/// unknown outcome, that read shows whether it took effect. The new epoch fences appends that are still
/// in flight.
async fn claim(context: &SessionContext) -> Result<Epoch, RecoverError> {
    let owner = context.services.owner;
    let found = context.journal().ownership(context.session()).await?;
    let found = found.ok_or(RecoverError::Lost)?;
    let may_claim = match context.services.access {
        JournalAccess::Exclusive => true,
        JournalAccess::Shared(_) => {
            found.owner == Some(owner) || context.has_fault(InjectedFault::TailBeforeClaim)
        }
    };
    if !may_claim {
        return Err(RecoverError::Lost);
    }
    let reopens_without_claim = context.has_fault(InjectedFault::ReopenedWithoutClaim);
    if reopens_without_claim && found.owner == Some(owner) {
        return Ok(found.epoch);
    }
    Ok(context.journal().claim(found.claim_for(owner)).await?)
}

/// The state that a replay starts from, and the batches to apply to it.
struct Start {
    recovered: Recovered,
    tail: Vec<StoredBatch>,
}

/// Loads the newest usable snapshot and the batches after it; without a usable snapshot the whole
/// journal, if it still begins with event 1.
async fn load_start(context: &SessionContext) -> Result<Start, RecoverError> {
    let session = context.session();
    let mut loaded = context.journal().load(session).await?;
    loop {
        for seq in loaded.damaged {
            report_damaged(context, seq, &"its digest does not match");
        }
        let Some(snapshot) = loaded.snapshot else {
            let first_seq = loaded.tail.first().map_or(1, |batch| batch.first_seq);
            if first_seq > 1 {
                return Err(RecoverError::Archived { first_seq });
            }
            return Ok(Start::new(context, Progress::default(), 0, loaded.tail));
        };
        let seq = snapshot.seq;
        match records::decode_state(&snapshot.state) {
            Ok(progress) => return Ok(Start::new(context, progress, seq, loaded.tail)),
            Err(error @ records::RecordError::Damaged(_)) => report_damaged(context, seq, &error),
            Err(source @ records::RecordError::UnknownFormat { .. }) => {
                return Err(RecoverError::Record { seq, source });
            }
        }
        // The journal is not truncated in between: truncation is fenced as appends are.
        loaded = context.journal().load_before(session, seq).await?;
    }
}

fn report_damaged(context: &SessionContext, seq: u64, reason: &dyn std::fmt::Display) {
    metrics().snapshots_damaged.increment(1);
    let session = context.session();
    tracing::warn!(session.id = %session, seq, %reason, "recovery skips a damaged snapshot");
}

impl Start {
    fn new(context: &SessionContext, progress: Progress, seq: u64, tail: Vec<StoredBatch>) -> Self {
        let recovered = Recovered {
            state: State::from_progress(context.spec.hunt.clone(), progress),
            private: PrivateData::default(),
            head: seq,
            snapshot_at: seq,
        };
        Self { recovered, tail }
    }
}

/// Decodes the batch that must follow event `head`.
fn decode_next(head: u64, batch: &StoredBatch) -> Result<Vec<hunt::Entry>, RecoverError> {
    let expected = head + 1;
    if batch.first_seq != expected {
        let found = batch.first_seq;
        return Err(RecoverError::Gap { expected, found });
    }
    records::decode_entries(&batch.events).map_err(|source| {
        let seq = batch.last_seq;
        RecoverError::Record { seq, source }
    })
}

/// Applies an entry and restores its updates in the delivery's ring.
fn apply_entry<D: Delivery>(recovered: &mut Recovered, entry: &hunt::Entry, delivery: &mut D) {
    for event in &entry.events {
        recovered.head += 1;
        for stamp in recovered.state.apply(entry.at, event) {
            let view = View {
                state: &recovered.state,
                private: &recovered.private,
            };
            let update = delivery.encode(view, entry.at, event, stamp);
            delivery.restore(update);
        }
    }
}
