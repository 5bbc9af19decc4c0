//! When a session's state is stored, and the one snapshot that is being stored.
//!
//! Encoding a state takes as long as the session is large. The actor only hands a clone over, which
//! shares what does not change; the rest happens beside it (`beside`): encoding, storing, reading back,
//! and, once two snapshots are verified, moving old batches from the journal into the archive
//! (`archiving`). An archive that hangs holds up no snapshot: moving goes on beside the next ones.

use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use hunt::Progress;
use tokio::time::Instant;

use super::actor::Ownership;
use super::archiving::archive_old_batches;
use super::beside::{Haste, beside};
use super::supervisor::SessionRun;
use crate::journal::{JournalError, Snapshot, records};
use crate::telemetry::metrics;

/// A snapshot is made when a session has grown by at least one part in so many since the last one, so
/// that all snapshots together cost each event the same, however many events there are.
const GROWTH: u64 = 4;
/// The least time from one snapshot of an actor to its next: each takes processor time and disk from
/// everyone, for as long as it is large.
const SPACING: Duration = Duration::from_secs(5);

/// A session's state as of an event.
pub(super) struct StateAt {
    pub(super) seq: u64,
    pub(super) progress: Progress,
}

/// The snapshots of one session: at most one is being stored, and old batches are moved at most once at
/// a time.
pub(super) struct Snapshots {
    run: SessionRun,
    ownership: Ownership,
    /// The number of the last event in the newest one.
    at: u64,
    /// When this actor made it.
    made: Option<Instant>,
    /// Gives whether it is verified.
    storing: Option<BoxFuture<'static, bool>>,
    archiving: Option<BoxFuture<'static, ()>>,
}

/// Why a snapshot is not verified.
#[derive(Debug, thiserror::Error)]
enum VerifyError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error("it is gone")]
    Gone,
    #[error("it is not what was stored")]
    Changed,
    #[error(transparent)]
    Record(#[from] records::RecordError),
    #[error("it gives another state than it was made from")]
    OtherState,
}

impl Snapshots {
    /// Of a session whose newest snapshot includes event `at`.
    pub(super) fn new(run: SessionRun, ownership: Ownership, at: u64) -> Self {
        Self {
            run,
            ownership,
            at,
            made: None,
            storing: None,
            archiving: None,
        }
    }

    /// The state to store, when enough has happened since the last one and none is being stored. It
    /// may be stored once event `head` is durable.
    pub(super) fn due(&mut self, head: u64, progress: &Progress) -> Option<StateAt> {
        let since = head - self.at;
        let has_grown = since >= self.run.snapshot_every_events && since >= self.at / GROWTH;
        if !has_grown || self.storing.is_some() || self.is_recent() {
            return None;
        }
        self.at = head;
        self.made = Some(Instant::now());
        Some(StateAt {
            seq: head,
            progress: progress.clone(),
        })
    }

    fn is_recent(&self) -> bool {
        self.made.is_some_and(|made| made.elapsed() < SPACING)
    }

    /// Begins to store a state that is durable; [`Snapshots::go_on`] goes on with it.
    pub(super) fn store(&mut self, state: StateAt) {
        let run = self.run.clone();
        self.storing = Some(async move { keep(&run, state, Haste::Gently).await }.boxed());
    }

    /// Goes on with what is under way until the snapshot that is being stored is there or has failed,
    /// or old batches have been moved; with nothing under way it never returns. Cancel-safe.
    pub(super) async fn go_on(&mut self) {
        tokio::select! {
            biased;
            is_verified = under_way(&mut self.storing) => {
                self.storing = None;
                // What is old now while batches are being moved is moved after the next snapshot.
                if is_verified && self.archiving.is_none() {
                    self.archiving = Some(self.archive());
                }
            }
            () = under_way(&mut self.archiving) => self.archiving = None,
        }
    }

    fn archive(&self) -> BoxFuture<'static, ()> {
        let (run, ownership) = (self.run.clone(), self.ownership);
        async move { archive_old_batches(&run, ownership).await }.boxed()
    }

    /// Stores the last state of an actor, all of which is durable. Archiving is left to the next one.
    pub(super) async fn finish(self, head: u64, progress: &Progress) {
        // What is under way is dropped between two of its steps: this takes its place.
        let is_interrupted = self.storing.is_some();
        drop(self.storing);
        if head > self.at || is_interrupted {
            let state = StateAt {
                seq: head,
                progress: progress.clone(),
            };
            keep(&self.run, state, Haste::AtOnce).await;
        }
    }
}

/// What something under way gives; without it this never returns.
pub(super) async fn under_way<T>(work: &mut Option<BoxFuture<'static, T>>) -> T {
    match work {
        Some(work) => work.await,
        None => std::future::pending().await,
    }
}

/// Stores a snapshot and verifies it; whether it is verified.
async fn keep(run: &SessionRun, state: StateAt, haste: Haste) -> bool {
    let session = run.record.id;
    let StateAt { seq, progress } = state;
    let (snapshot, progress) = beside(haste, move |pace| {
        let mut encoded = Vec::new();
        records::encode_state(&progress, pace.of(&mut encoded));
        (Snapshot::new(seq, encoded), progress)
    })
    .await;
    let digest = snapshot.digest;
    if let Err(error) = run.journal.put_snapshot(session, snapshot).await {
        metrics().snapshots_failed.increment(1);
        tracing::warn!(session.id = %session, %error, "no snapshot was stored");
        return false;
    }
    metrics().snapshots_stored.increment(1);
    let verified = verify(run, seq, digest, progress, haste).await;
    if let Err(error) = &verified {
        metrics().snapshots_unverified.increment(1);
        tracing::warn!(session.id = %session, seq, %error, "a stored snapshot is not verified");
    }
    verified.is_ok()
}

/// Reads a snapshot back, and has the journal note that it gives the state that it was made from.
async fn verify(
    run: &SessionRun,
    seq: u64,
    digest: [u8; 32],
    made_from: Progress,
    haste: Haste,
) -> Result<(), VerifyError> {
    let session = run.record.id;
    let stored = run.journal.snapshot(session, seq).await?;
    let stored = stored.ok_or(VerifyError::Gone)?;
    beside(haste, move |pace| {
        if stored.digest != digest || !stored.is_intact() {
            return Err(VerifyError::Changed);
        }
        // Two states that are equal have equal hashes, and comparing them needs no second encoding.
        let read_back = records::read_state(pace.of(stored.state.as_slice()))?;
        if read_back != made_from {
            return Err(VerifyError::OtherState);
        }
        Ok(())
    })
    .await?;
    let is_marked = run.journal.mark_verified(session, seq, digest).await?;
    is_marked.then_some(()).ok_or(VerifyError::Gone)
}
