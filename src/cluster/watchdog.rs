//! Detects a hung runtime. Heartbeats run on a thread of their own: if they continued while the runtime
//! hangs, no other node would claim its sessions.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior};

/// Time between updates of the timestamp.
const UPDATE_INTERVAL: Duration = Duration::from_millis(50);
/// Age of the timestamp above which the runtime counts as hung. A busy machine delays tasks less than this.
const AGE_MAX: Duration = Duration::from_secs(1);

/// A timestamp that one runtime updates and another one checks. Clones share it.
#[derive(Debug, Clone)]
pub struct Watchdog {
    base: Instant,
    updated_at_ms: Arc<AtomicU64>,
}

impl Watchdog {
    /// A watchdog that counts as just updated.
    pub fn new() -> Self {
        Self {
            base: Instant::now(),
            updated_at_ms: Arc::default(),
        }
    }

    /// Updates the timestamp periodically. Must run on the watched runtime. Never returns.
    pub async fn keep_fresh(self) {
        let mut ticks = tokio::time::interval(UPDATE_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.updated_at_ms.store(self.now_ms(), Ordering::Release);
        }
    }

    /// Whether the watched runtime updated the timestamp recently.
    pub(super) fn is_fresh(&self) -> bool {
        // Load before reading the clock, so that a concurrent update cannot make the age negative.
        let updated_at_ms = self.updated_at_ms.load(Ordering::Acquire);
        let age_ms = self.now_ms().saturating_sub(updated_at_ms);
        Duration::from_millis(age_ms) <= AGE_MAX
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.base.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Default for Watchdog {
    fn default() -> Self {
        Self::new()
    }
}
