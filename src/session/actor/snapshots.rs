//! Stores snapshots of a session's state periodically, and verifies what was stored.
//!
//! Encoding takes time in proportion to the state. The actor only hands over a clone, which shares unchanged
//! parts with the live state; encoding, storing, reading back and archiving run concurrently. Archiving also
//! runs concurrently with later snapshots, so that an archive that hangs delays none of them.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::FutureExt;
use hunt::Progress;
use tokio::time::Instant;

use super::archiving::ArchivedJournal;
use super::background::{Background, Pacing, compute_beside};
use super::context::SessionContext;
use super::gate::StateAt;
use super::owned::OwnedSession;
use crate::journal::{JournalError, Snapshot, records};
use crate::telemetry::metrics;

/// A snapshot is due when the session has grown by one part in this many since the last one. So the cost
/// of all snapshots together is constant per event, however many events there are.
const GROWTH: u64 = 4;
/// Least time between two snapshots of an actor, which bounds the processor time and disk bandwidth that
/// a large session takes from others.
const SPACING: Duration = Duration::from_secs(5);

/// The snapshots of one session. At most one is being stored, and at most one archiving run is active.
pub(super) struct Snapshotter {
    context: Arc<SessionContext>,
    owned: OwnedSession,
    /// Sequence number of the last event in the newest snapshot.
    at: u64,
    /// When this actor took its last snapshot.
    taken_at: Option<Instant>,
    /// Results in whether the snapshot is verified.
    storing: Background<bool>,
    archiving: Background<()>,
}

/// Why a snapshot is not verified.
#[derive(Debug, thiserror::Error)]
enum VerifyError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error("the snapshot is gone")]
    Gone,
    #[error("its bytes differ from those that were stored")]
    Changed,
    #[error(transparent)]
    Record(#[from] records::RecordError),
    #[error("it decodes to another state than it was made from")]
    OtherState,
}

impl Snapshotter {
    /// For a session whose newest snapshot includes event `at`.
    pub(super) fn new(context: Arc<SessionContext>, owned: OwnedSession, at: u64) -> Self {
        Self {
            context,
            owned,
            at,
            taken_at: None,
            storing: Background::idle(),
            archiving: Background::idle(),
        }
    }

    /// Takes the state to store if a snapshot is due and none is being stored. It may be stored once
    /// event `head` is durable.
    pub(super) fn take_if_due(&mut self, head: u64, progress: &Progress) -> Option<StateAt> {
        let since = head - self.at;
        let least = self.context.services.snapshot_every_events;
        let has_grown = since >= least && since >= self.at / GROWTH;
        if !has_grown || self.storing.is_running() || self.is_recent() {
            return None;
        }
        self.at = head;
        self.taken_at = Some(Instant::now());
        Some(StateAt {
            seq: head,
            progress: progress.clone(),
        })
    }

    fn is_recent(&self) -> bool {
        self.taken_at.is_some_and(|at| at.elapsed() < SPACING)
    }

    /// Starts to store a durable state; [`Snapshotter::drive`] drives it.
    pub(super) fn store(&mut self, state: StateAt) {
        let context = self.context.clone();
        let storing = async move { store_verified(&context, state, Pacing::Paced).await };
        self.storing.start(storing.boxed());
    }

    /// Drives storing and archiving, and returns when either ends; when neither runs it never returns.
    /// Cancel-safe.
    pub(super) async fn drive(&mut self) {
        tokio::select! {
            biased;
            // If archiving runs, the batches that are old by now are moved after the next snapshot.
            is_verified = self.storing.finished() => {
                if is_verified && !self.archiving.is_running() {
                    self.start_archiving();
                }
            }
            () = self.archiving.finished() => {}
        }
    }

    fn start_archiving(&mut self) {
        let services = &self.context.services;
        let Some(archiving) = services.archiving.clone() else {
            return;
        };
        let from = ArchivedJournal {
            journal: services.journal.clone(),
            owned: self.owned,
            fault: services.fault,
        };
        let moving = async move { archiving.move_old_batches(&from).await };
        self.archiving.start(moving.boxed());
    }

    /// Stores the last state of an actor, all of whose events are durable. Archiving is left to the next
    /// owner.
    pub(super) async fn store_last(self, head: u64, progress: &Progress) {
        // A snapshot that is being stored is dropped between two of its steps; this one replaces it.
        let is_interrupted = self.storing.is_running();
        drop(self.storing);
        if head > self.at || is_interrupted {
            let state = StateAt {
                seq: head,
                progress: progress.clone(),
            };
            store_verified(&self.context, state, Pacing::FullSpeed).await;
        }
    }
}

/// Stores a snapshot and verifies it. Returns whether it is verified; failures are logged.
async fn store_verified(context: &SessionContext, state: StateAt, pacing: Pacing) -> bool {
    let session = context.session();
    let StateAt { seq, progress } = state;
    let (snapshot, progress) = compute_beside(pacing, move |pacer| {
        let mut encoded = Vec::new();
        records::encode_state(&progress, pacer.wrap(&mut encoded));
        (Snapshot::new(seq, encoded), progress)
    })
    .await;
    let digest = snapshot.digest;
    if let Err(error) = context.journal().put_snapshot(session, snapshot).await {
        metrics().snapshots_failed.increment(1);
        tracing::warn!(session.id = %session, %error, "could not store a snapshot");
        return false;
    }
    metrics().snapshots_stored.increment(1);
    let verified = verify(context, (seq, digest), progress, pacing).await;
    if let Err(error) = &verified {
        metrics().snapshots_unverified.increment(1);
        tracing::warn!(session.id = %session, seq, %error, "could not verify a stored snapshot");
    }
    verified.is_ok()
}

/// Reads a snapshot back, compares the decoded state with the one it was made from, and marks the
/// snapshot as verified.
async fn verify(
    context: &SessionContext,
    (seq, digest): (u64, [u8; 32]),
    made_from: Progress,
    pacing: Pacing,
) -> Result<(), VerifyError> {
    let session = context.session();
    let stored = context.journal().snapshot(session, seq).await?;
    let stored = stored.ok_or(VerifyError::Gone)?;
    compute_beside(pacing, move |pacer| {
        if stored.digest != digest || !stored.is_intact() {
            return Err(VerifyError::Changed);
        }
        // Equal states have equal hashes, and comparing them needs no second encoding.
        let read_back = records::read_state(pacer.wrap(stored.state.as_slice()))?;
        if read_back != made_from {
            return Err(VerifyError::OtherState);
        }
        Ok(())
    })
    .await?;
    let is_marked = context
        .journal()
        .mark_verified(session, seq, digest)
        .await?;
    is_marked.then_some(()).ok_or(VerifyError::Gone)
}
