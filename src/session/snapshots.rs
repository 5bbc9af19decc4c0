//! When a session's state is stored, and the one snapshot that is being stored.
//!
//! Encoding a state takes as long as the session is large. The actor only hands a clone over, which
//! shares what does not change; the encoding happens on a thread for blocking work.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use hunt::Progress;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::time::Instant;

use crate::journal::{Journal, JournalError, SessionId, Snapshot, records};
use crate::telemetry::metrics;

/// A snapshot is made when a session has grown by at least one part in so many since the last one, so
/// that all snapshots together cost each event the same, however many events there are.
const GROWTH: u64 = 4;
/// The least time from one snapshot of an actor to its next: writing one holds up the commits of
/// everyone for as long as it is large.
const SPACING: Duration = Duration::from_secs(5);

/// A session's state as of an event.
pub(super) struct StateAt {
    pub(super) seq: u64,
    pub(super) progress: Progress,
}

/// The snapshots of one session: at most one is being stored.
pub(super) struct Snapshots {
    session: SessionId,
    journal: Arc<dyn Journal>,
    every_events: u64,
    /// The number of the last event in the newest one.
    at: u64,
    /// When this actor made it.
    made: Option<Instant>,
    storing: Option<BoxFuture<'static, Result<(), JournalError>>>,
}

impl Snapshots {
    /// Of a session whose newest snapshot includes event `at`.
    pub(super) fn new(
        session: SessionId,
        journal: Arc<dyn Journal>,
        every_events: u64,
        at: u64,
    ) -> Self {
        Self {
            session,
            journal,
            every_events,
            at,
            made: None,
            storing: None,
        }
    }

    /// The state to store, when enough has happened since the last one and none is being stored. It
    /// may be stored once event `head` is durable.
    pub(super) fn due(&mut self, head: u64, progress: &Progress) -> Option<StateAt> {
        let since = head - self.at;
        let has_grown = since >= self.every_events && since >= self.at / GROWTH;
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

    /// Begins to store a state that is durable; [`Snapshots::stored`] goes on with it.
    pub(super) fn store(&mut self, state: StateAt) {
        let journal = self.journal.clone();
        let session = self.session;
        let storing = async move {
            let snapshot = encode(state).await;
            journal.put_snapshot(session, snapshot).await
        };
        self.storing = Some(storing.boxed());
    }

    /// Waits until the snapshot that is being stored is there or has failed; without one it never
    /// returns. Cancel-safe.
    pub(super) async fn stored(&mut self) {
        let Some(storing) = &mut self.storing else {
            return std::future::pending().await;
        };
        let stored = storing.await;
        self.storing = None;
        match stored {
            Ok(()) => metrics().snapshots_stored.increment(1),
            Err(error) => {
                metrics().snapshots_failed.increment(1);
                tracing::warn!(session.id = %self.session, %error, "no snapshot was stored");
            }
        }
    }

    /// Stores the last state of an actor, all of which is durable.
    pub(super) async fn finish(mut self, head: u64, progress: &Progress) {
        if self.storing.is_some() {
            self.stored().await;
        }
        if head > self.at {
            self.store(StateAt {
                seq: head,
                progress: progress.clone(),
            });
            self.stored().await;
        }
    }
}

/// Encodes on another thread; where the runtime has only one, as in simulations, on that one, so that
/// the same seed gives the same run.
async fn encode(state: StateAt) -> Snapshot {
    let encode = move || Snapshot {
        seq: state.seq,
        state: records::encode_state(&state.progress),
    };
    if Handle::current().runtime_flavor() == RuntimeFlavor::CurrentThread {
        return encode();
    }
    let encoded = tokio::task::spawn_blocking(encode).await;
    encoded.expect("encoding a state does not panic, and nobody aborts it")
}
