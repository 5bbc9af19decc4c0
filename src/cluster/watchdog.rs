//! Whether the runtime that serves the players still runs: a heart that beats on beside a runtime
//! that hangs would keep its sessions from everyone.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior};

/// Time between two signs of life.
const SIGN_EVERY: Duration = Duration::from_millis(50);
/// How old the last sign may be: longer than a busy machine keeps a task waiting.
const SIGN_AGE_MAX: Duration = Duration::from_secs(1);

/// Is shown signs of life by one runtime and asked from another. Clones share it.
#[derive(Debug, Clone)]
pub struct Watchdog {
    base: Instant,
    last_sign_ms: Arc<AtomicU64>,
}

impl Watchdog {
    /// A watchdog that was shown a sign just now.
    pub fn new() -> Self {
        Self {
            base: Instant::now(),
            last_sign_ms: Arc::default(),
        }
    }

    /// Shows signs of life, for as long as it is polled on the runtime that is watched.
    pub async fn keep_fresh(self) {
        let mut ticks = tokio::time::interval(SIGN_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.last_sign_ms.store(self.now_ms(), Ordering::Release);
        }
    }

    /// Whether the watched runtime was alive a moment ago.
    pub(super) fn is_content(&self) -> bool {
        // In this order: a sign may be shown at any moment.
        let last_sign_ms = self.last_sign_ms.load(Ordering::Acquire);
        let age_ms = self.now_ms().saturating_sub(last_sign_ms);
        Duration::from_millis(age_ms) <= SIGN_AGE_MAX
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
