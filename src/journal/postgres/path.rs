//! Whether existing connections still reach the server.
//!
//! A machine that vanishes, or a firewall that drops its connection state, closes no connection: a query
//! waits there until its own timeout. Heartbeats detect this early, because they have a short timeout:
//! once one timed out and the next succeeded over a newer connection, every older connection is suspect.
//! Idle suspect connections are dropped. Pending queries get a short grace period, because a server that
//! was merely stalled answers on all connections at once.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};

/// How long pending queries on suspect connections may still take.
const GRACE: Duration = Duration::from_millis(500);

/// What the heartbeats have detected about the network path to the server. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct PathMonitor {
    /// When the connection was requested that reached the server while an older one did not.
    newest: watch::Sender<Option<Instant>>,
}

impl PathMonitor {
    pub(super) fn new() -> Self {
        Self {
            newest: watch::Sender::new(None),
        }
    }

    /// Records that a connection requested at this time reaches the server, and the one before did not.
    pub(super) fn mark_reachable(&self, requested_at: Instant) {
        self.newest.send_replace(Some(requested_at));
    }

    /// Whether a connection requested at this time may be dead.
    pub(super) fn is_suspect(&self, requested_at: Instant) -> bool {
        is_older(requested_at, *self.newest.borrow())
    }

    /// Returns once a connection requested at this time is suspect and its grace period is over. Pending
    /// until then; cancel-safe.
    pub(super) async fn grace_over(&self, requested_at: Instant) {
        let mut newest = self.newest.subscribe();
        let is_suspect = |newest: &Option<Instant>| is_older(requested_at, *newest);
        // The sender is in `self`, so that the channel stays open.
        drop(newest.wait_for(is_suspect).await);
        sleep(GRACE).await;
    }
}

fn is_older(requested_at: Instant, newest: Option<Instant>) -> bool {
    newest.is_some_and(|newest| requested_at < newest)
}
