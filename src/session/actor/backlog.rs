//! How long a session's oldest event has been waiting to become durable.
//!
//! A store that stops answering must not fill the memory. While the oldest event has waited for longer
//! than `session.wait_ms_max`, or the session has been recovering for as long, further changes are
//! refused with a retry-after. What was decided before waits, and continues once the store answers.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;

/// Waiting times of a session: written by its actor and supervisor, read by its handles.
#[derive(Debug)]
pub(super) struct Backlog {
    wait_max: Duration,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    /// When each batch in flight was handed to the journal, oldest first. Bounded by the batches that an
    /// actor may have in flight.
    batches: VecDeque<Instant>,
    /// Start of the recovery that is running; none while an actor runs.
    recovering_since: Option<Instant>,
}

impl Backlog {
    /// The backlog of a session that has not been recovered yet: empty.
    pub(super) fn new(wait_max: Duration) -> Self {
        Self {
            wait_max,
            waiting: Mutex::default(),
        }
    }

    /// Whether further changes are to be refused.
    pub(super) fn is_overdue(&self) -> bool {
        self.age() > self.wait_max
    }

    /// Age of the oldest event that is not durable, or of the running recovery; zero without either.
    pub(super) fn age(&self) -> Duration {
        let waiting = self.waiting();
        let oldest = waiting
            .recovering_since
            .or(waiting.batches.front().copied());
        oldest.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// Records that a batch was handed to the journal.
    pub(super) fn batch_submitted(&self) {
        self.waiting().batches.push_back(Instant::now());
    }

    /// Records that the oldest batch is durable.
    pub(super) fn batch_durable(&self) {
        self.waiting().batches.pop_front();
    }

    /// Records that the actor ended and the session has to be recovered. The recovery counts from the
    /// oldest batch that was in flight.
    pub(super) fn actor_ended(&self) {
        let mut waiting = self.waiting();
        let oldest = waiting.batches.front().copied();
        waiting.batches.clear();
        let since = waiting.recovering_since.or(oldest);
        waiting.recovering_since = Some(since.unwrap_or_else(Instant::now));
    }

    /// Records that the session was recovered; nothing of an earlier actor is in flight.
    pub(super) fn recovered(&self) {
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
        backlog.batch_submitted();
        after(WAIT_MAX).await;
        assert!(!backlog.is_overdue());
        backlog.batch_submitted();
        after(Duration::from_millis(1)).await;
        assert!(backlog.is_overdue());
        backlog.batch_durable();
        assert!(!backlog.is_overdue(), "the second batch is young");
        assert_eq!(backlog.age(), Duration::from_millis(1));
        after(WAIT_MAX).await;
        assert!(backlog.is_overdue());
        backlog.batch_durable();
        assert!(!backlog.is_overdue());
        assert_eq!(backlog.age(), Duration::ZERO, "nothing waits");
    }

    #[tokio::test(start_paused = true)]
    async fn a_recovery_counts_from_the_batch_that_failed() {
        let backlog = Backlog::new(WAIT_MAX);
        backlog.batch_submitted();
        after(WAIT_MAX).await;
        backlog.actor_ended();
        after(Duration::from_millis(1)).await;
        assert!(backlog.is_overdue());
        backlog.actor_ended();
        assert!(backlog.is_overdue(), "another attempt failed");
        backlog.recovered();
        assert!(!backlog.is_overdue());
    }
}
