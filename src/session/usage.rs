//! Whether anybody still needs a session to run.
//!
//! A finished session changes no more, and whoever asks for it has it opened again. So it may be closed
//! once nobody has been connected to it, or has asked for it, for a while.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;

/// Shared by a session's actor, which says when it is finished, and by its handles.
#[derive(Debug)]
pub struct Usage(Mutex<State>);

#[derive(Debug)]
struct State {
    is_finished: bool,
    users: usize,
    /// When it was opened, or its last user went.
    unused_since: Instant,
}

/// Somebody who uses a session, until it is dropped. Each clone is one more.
#[derive(Debug)]
pub(super) struct InUse(Arc<Usage>);

/// Of a session that is being opened.
impl Default for Usage {
    fn default() -> Self {
        Self(Mutex::new(State {
            is_finished: false,
            users: 0,
            unused_since: Instant::now(),
        }))
    }
}

impl Usage {
    /// The journal holds the note that the session is finished.
    pub(super) fn note_finished(&self) {
        self.state().is_finished = true;
    }

    /// Whether the session is finished and nobody has used it for so long.
    pub(super) fn is_over_for(&self, unused: Duration) -> bool {
        let state = self.state();
        state.is_finished && state.users == 0 && state.unused_since.elapsed() >= unused
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0
            .lock()
            .expect("nothing panics while it holds the lock")
    }
}

impl InUse {
    pub(super) fn of(usage: &Arc<Usage>) -> Self {
        usage.state().users += 1;
        Self(usage.clone())
    }
}

impl Clone for InUse {
    fn clone(&self) -> Self {
        Self::of(&self.0)
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.users -= 1;
        state.unused_since = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::time::advance;

    use super::{InUse, Usage};

    const UNUSED: Duration = Duration::from_mins(1);

    #[tokio::test(start_paused = true)]
    async fn only_a_finished_session_that_nobody_uses_is_over() {
        let usage = Arc::new(Usage::default());
        advance(UNUSED).await;
        assert!(!usage.is_over_for(UNUSED), "it is not finished");
        let first = InUse::of(&usage);
        let second = first.clone();
        usage.note_finished();
        drop(first);
        advance(UNUSED).await;
        assert!(!usage.is_over_for(UNUSED), "somebody is there");
        drop(second);
        assert!(!usage.is_over_for(UNUSED), "somebody was there");
        advance(UNUSED).await;
        assert!(usage.is_over_for(UNUSED));
    }
}
