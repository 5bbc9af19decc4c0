//! When a session may be retired: it is marked as finished in the journal, and idle.
//!
//! A finished session no longer changes once its finish can no longer be undone; a later request opens it again.
//! So it may be closed once no connection and no request has used it for a while. The mark in the journal keeps a
//! node from opening it without a request. Each owner writes it once, after the finish is durable, because an
//! earlier owner may have died before. The mark is never withdrawn, so that it needs no fence.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;

use super::background::Background;
use crate::ids::SessionId;
use crate::journal::{Catalogue, JournalError};
use crate::telemetry::metrics;

/// Users of a session, and whether it is finished. Shared by its actor and its handles.
#[derive(Debug)]
pub(super) struct Usage(Mutex<State>);

#[derive(Debug)]
struct State {
    is_finished: bool,
    users: usize,
    /// When the session was launched, or its last user left.
    idle_since: Instant,
}

/// Counts as one user of a session until it is dropped. Each clone is one more user.
#[derive(Debug)]
pub(super) struct UseGuard(Arc<Usage>);

impl Default for Usage {
    fn default() -> Self {
        Self(Mutex::new(State {
            is_finished: false,
            users: 0,
            idle_since: Instant::now(),
        }))
    }
}

impl Usage {
    /// Records that the journal marks the session as finished.
    fn set_finished(&self) {
        self.state().is_finished = true;
    }

    /// Whether the session is finished and has had no user for at least `idle`.
    pub(super) fn is_finished_and_idle_for(&self, idle: Duration) -> bool {
        let state = self.state();
        state.is_finished && state.users == 0 && state.idle_since.elapsed() >= idle
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0
            .lock()
            .expect("nothing panics while it holds the lock")
    }
}

impl UseGuard {
    pub(super) fn new(usage: &Arc<Usage>) -> Self {
        usage.state().users += 1;
        Self(usage.clone())
    }
}

impl Clone for UseGuard {
    fn clone(&self) -> Self {
        Self::new(&self.0)
    }
}

impl Drop for UseGuard {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.users -= 1;
        state.idle_since = Instant::now();
    }
}

/// Marks the session as finished in the journal.
pub(super) struct FinishMarker {
    session: SessionId,
    usage: Arc<Usage>,
    /// The mark is held in the gate, is being written, or was written.
    is_requested: bool,
    writing: Background<Result<(), JournalError>>,
}

impl FinishMarker {
    pub(super) fn new(session: SessionId, usage: Arc<Usage>) -> Self {
        Self {
            session,
            usage,
            is_requested: false,
            writing: Background::idle(),
        }
    }

    /// Whether to write the mark once the present state is durable. True only once, unless writing fails.
    pub(super) fn request_if_due(&mut self, is_final: bool) -> bool {
        let is_due = is_final && !self.is_requested;
        self.is_requested |= is_due;
        is_due
    }

    /// Starts to write the mark; [`FinishMarker::drive`] drives it.
    pub(super) fn write(&mut self, catalogue: &dyn Catalogue) {
        self.writing.start(catalogue.mark_finished(self.session));
    }

    /// Waits until the mark is written or writing has failed; without a write it never returns.
    /// Cancel-safe.
    pub(super) async fn drive(&mut self) {
        match self.writing.finished().await {
            Ok(()) => {
                self.usage.set_finished();
                metrics().sessions_finished.increment(1);
            }
            // The next turn or tick, or the next owner, tries again.
            Err(error) => {
                tracing::info!(
                    session.id = %self.session, %error,
                    "could not mark the session as finished; trying again later"
                );
                self.is_requested = false;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::time::advance;

    use super::{Usage, UseGuard};

    const IDLE: Duration = Duration::from_mins(1);

    #[tokio::test(start_paused = true)]
    async fn only_a_finished_session_without_users_becomes_idle() {
        let usage = Arc::new(Usage::default());
        advance(IDLE).await;
        assert!(!usage.is_finished_and_idle_for(IDLE), "it is not finished");
        let first = UseGuard::new(&usage);
        let second = first.clone();
        usage.set_finished();
        drop(first);
        advance(IDLE).await;
        assert!(!usage.is_finished_and_idle_for(IDLE), "it has a user");
        drop(second);
        assert!(
            !usage.is_finished_and_idle_for(IDLE),
            "its user has just left"
        );
        advance(IDLE).await;
        assert!(usage.is_finished_and_idle_for(IDLE));
    }
}
