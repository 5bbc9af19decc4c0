//! Whether anybody still needs a session to run.
//!
//! A finished session changes no more, and whoever asks for it has it opened again. So it may be closed
//! once nobody has been connected to it, or has asked for it, for a while.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;

/// Shared by a session's actor, which says when it is finished, and by its handles.
#[derive(Debug)]
pub struct Usage {
    is_finished: AtomicBool,
    used_at: Mutex<Instant>,
}

/// Of a session that is being opened.
impl Default for Usage {
    fn default() -> Self {
        Self {
            is_finished: AtomicBool::new(false),
            used_at: Mutex::new(Instant::now()),
        }
    }
}

impl Usage {
    /// The journal holds the note that the session is finished.
    pub(super) fn note_finished(&self) {
        self.is_finished.store(true, Ordering::Relaxed);
    }

    /// Somebody has asked for the session, or is connected to it.
    pub(super) fn note_used(&self) {
        *self.used_at() = Instant::now();
    }

    /// Whether the session is finished and was not used for so long.
    pub(super) fn is_over_for(&self, unused: Duration) -> bool {
        self.is_finished.load(Ordering::Relaxed) && self.used_at().elapsed() >= unused
    }

    fn used_at(&self) -> MutexGuard<'_, Instant> {
        self.used_at
            .lock()
            .expect("nothing panics while it holds the lock")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::advance;

    use super::Usage;

    const UNUSED: Duration = Duration::from_mins(1);

    #[tokio::test(start_paused = true)]
    async fn only_a_finished_session_that_nobody_uses_is_over() {
        let usage = Usage::default();
        advance(UNUSED).await;
        assert!(!usage.is_over_for(UNUSED), "it is not finished");
        usage.note_used();
        usage.note_finished();
        assert!(!usage.is_over_for(UNUSED), "somebody was there");
        advance(UNUSED).await;
        assert!(usage.is_over_for(UNUSED));
    }
}
