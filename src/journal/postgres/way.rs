//! Whether old connections still lead to the server.
//!
//! A machine that vanishes, and a firewall that drops what it has forgotten, end no connection: whoever
//! waits for an answer there waits for as long as the server may take. The beats find out soon, because
//! each of them may take only a moment: once one was given up and the next was answered over a newer
//! connection, everything older is suspect. What is idle is then left; what waits for an answer has a
//! last moment, since a server that merely stood still answers everywhere at once.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};

/// How long an older connection is still waited for.
const LAST_MOMENT: Duration = Duration::from_millis(500);

/// What the beats have found out. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Way {
    /// When the connection was asked for that is known to lead to the server while an older one did not.
    newest: watch::Sender<Option<Instant>>,
}

impl Way {
    pub(super) fn new() -> Self {
        Self {
            newest: watch::Sender::new(None),
        }
    }

    /// A connection that was asked for then leads to the server, and the one before did not.
    pub(super) fn found(&self, asked_at: Instant) {
        self.newest.send_replace(Some(asked_at));
    }

    /// Whether a connection that was asked for then may lead nowhere.
    pub(super) fn is_suspect(&self, asked_at: Instant) -> bool {
        is_older(asked_at, *self.newest.borrow())
    }

    /// Returns once a connection that was asked for then need not be waited for any longer.
    pub(super) async fn given_up(&self, asked_at: Instant) {
        let mut newest = self.newest.subscribe();
        // The sender is in `self`.
        drop(newest.wait_for(|newest| is_older(asked_at, *newest)).await);
        sleep(LAST_MOMENT).await;
    }
}

fn is_older(asked_at: Instant, newest: Option<Instant>) -> bool {
    newest.is_some_and(|newest| asked_at < newest)
}
