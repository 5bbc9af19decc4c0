//! How long a session's oldest event has been waiting to become durable.
//!
//! A store that stops answering must not fill the memory: while the oldest event has waited for longer
//! than `session.wait_ms_max`, or the session has been trying to recover for as long, what would change
//! it is refused with a time to try again. Everything that was decided waits, and goes on with the
//! store.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;

/// Shared by a session's actor, which keeps it, and its handles, which ask it.
#[derive(Debug)]
pub struct Backlog {
    wait_max: Duration,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    /// When each batch that is under way was handed to the journal, oldest first. As many as the actor
    /// has in flight.
    batches: VecDeque<Instant>,
    /// Since when the session has had no actor that writes.
    closed_since: Option<Instant>,
}

impl Backlog {
    /// Of a session that is not open yet.
    pub fn new(wait_max: Duration) -> Self {
        Self {
            wait_max,
            waiting: Mutex::default(),
        }
    }

    /// Whether further commands are to be refused.
    pub(super) fn is_too_old(&self) -> bool {
        self.age() > self.wait_max
    }

    /// How long the oldest event has been waiting, or the session for its recovery; zero if nothing does.
    pub(super) fn age(&self) -> Duration {
        let waiting = self.waiting();
        let oldest = waiting.closed_since.or(waiting.batches.front().copied());
        oldest.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// A batch was handed to the journal.
    pub(super) fn submitted(&self) {
        self.waiting().batches.push_back(Instant::now());
    }

    /// The oldest batch is durable.
    pub(super) fn durable(&self) {
        self.waiting().batches.pop_front();
    }

    /// The actor ended: whoever owns the session has to recover it.
    pub(super) fn closed(&self) {
        let mut waiting = self.waiting();
        let oldest = waiting.batches.front().copied();
        waiting.batches.clear();
        let since = waiting.closed_since.or(oldest);
        waiting.closed_since = Some(since.unwrap_or_else(Instant::now));
    }

    /// The session was recovered. Nothing of an earlier actor, however it ended, is under way.
    pub(super) fn opened(&self) {
        *self.waiting() = Waiting::default();
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting
            .lock()
            .expect("nothing panics while it holds the lock")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Backlog;

    const WAIT_MAX: Duration = Duration::from_secs(2);

    async fn after(wait: Duration) {
        tokio::time::sleep(wait).await;
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_batch_counts() {
        let backlog = Backlog::new(WAIT_MAX);
        backlog.submitted();
        after(WAIT_MAX).await;
        assert!(!backlog.is_too_old());
        backlog.submitted();
        after(Duration::from_millis(1)).await;
        assert!(backlog.is_too_old());
        backlog.durable();
        assert!(!backlog.is_too_old(), "the second one is young");
        assert_eq!(backlog.age(), Duration::from_millis(1));
        after(WAIT_MAX).await;
        assert!(backlog.is_too_old());
        backlog.durable();
        assert!(!backlog.is_too_old());
        assert_eq!(backlog.age(), Duration::ZERO, "nothing waits");
    }

    #[tokio::test(start_paused = true)]
    async fn a_recovery_counts_from_the_batch_that_failed() {
        let backlog = Backlog::new(WAIT_MAX);
        backlog.submitted();
        after(WAIT_MAX).await;
        backlog.closed();
        after(Duration::from_millis(1)).await;
        assert!(backlog.is_too_old());
        backlog.closed();
        assert!(backlog.is_too_old(), "another attempt failed");
        backlog.opened();
        assert!(!backlog.is_too_old());
    }
}
