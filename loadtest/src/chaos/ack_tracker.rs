//! Tracks acknowledgements while players play, so that recoveries can be detected.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Polling interval of the waiting functions.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// For each player, the send time of its newest acknowledged command, and the total number of
/// acknowledgements.
#[derive(Debug, Clone)]
pub(super) struct AckTracker {
    began_at: Instant,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// Microseconds since `began_at`.
    newest: Box<[AtomicU64]>,
    acked: AtomicU64,
}

impl AckTracker {
    pub(super) fn new(players: usize) -> Self {
        let newest = (0..players).map(|_| AtomicU64::new(0)).collect();
        Self {
            began_at: Instant::now(),
            shared: Arc::new(Shared {
                newest,
                acked: AtomicU64::new(0),
            }),
        }
    }

    /// Records that a command which this player sent at `sent_at` was acknowledged.
    pub(super) fn acked(&self, player: u32, sent_at: Instant) {
        let micros = self.micros(sent_at);
        self.shared.newest[player as usize].fetch_max(micros, Ordering::Relaxed);
        self.shared.acked.fetch_add(1, Ordering::Relaxed);
    }

    /// Excludes a player that sends no more commands.
    pub(super) fn mark_ended(&self, player: u32) {
        self.shared.newest[player as usize].store(u64::MAX, Ordering::Relaxed);
    }

    /// Number of acknowledged commands.
    pub(super) fn count(&self) -> u64 {
        self.shared.acked.load(Ordering::Relaxed)
    }

    /// Number of active players without a receipt for a command sent after `moment`.
    pub(super) fn unanswered_since(&self, moment: Instant) -> usize {
        let micros = self.micros(moment);
        let newest = self.shared.newest.iter();
        newest
            .filter(|newest| newest.load(Ordering::Relaxed) <= micros)
            .count()
    }

    /// Waits until every active player has a receipt for a command sent after `moment`.
    pub(super) async fn wait_for_all_since(&self, moment: Instant) {
        while self.unanswered_since(moment) > 0 {
            sleep(LOOK_EVERY).await;
        }
    }

    /// Waits until `count` commands are acknowledged.
    pub(super) async fn wait_for_count(&self, count: u64) {
        while self.count() < count {
            sleep(LOOK_EVERY).await;
        }
    }

    fn micros(&self, moment: Instant) -> u64 {
        let since = moment.saturating_duration_since(self.began_at);
        u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::AckTracker;

    #[tokio::test]
    async fn only_what_was_sent_after_the_moment_counts() {
        let ack_tracker = AckTracker::new(2);
        let moment = ack_tracker.began_at + Duration::from_millis(5);
        let later = moment + Duration::from_millis(1);
        ack_tracker.acked(0, later);
        ack_tracker.acked(1, moment);
        assert_eq!(ack_tracker.unanswered_since(moment), 1);
        ack_tracker.acked(1, later);
        ack_tracker.wait_for_all_since(moment).await;
        ack_tracker.wait_for_count(3).await;
        assert_eq!(ack_tracker.unanswered_since(later), 2);
        ack_tracker.mark_ended(0);
        assert_eq!(ack_tracker.unanswered_since(later), 1);
        assert_eq!(ack_tracker.count(), 3);
    }
}
