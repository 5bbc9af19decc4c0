//! Time: the only place that reads a clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hunt::Timestamp;
use tokio::time::Instant;

/// Where a server's time comes from.
#[derive(Debug, Clone)]
pub enum Clock {
    /// The operating system's clock.
    System,
    /// Follows tokio's time from a given moment on, so that a paused runtime decides how time
    /// passes.
    Simulated {
        /// The time at `started`.
        epoch: Timestamp,
        /// When the simulation began.
        started: Instant,
    },
}

impl Clock {
    /// A clock for simulations that begins now, with tokio's time.
    pub fn simulated(epoch: Timestamp) -> Self {
        Self::Simulated {
            epoch,
            started: Instant::now(),
        }
    }

    /// The time. It may go back when an operator or a time server moves the system's clock; the
    /// rules take care of that.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the clock"
    )]
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => {
                let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
                // A clock before 1970 is a machine without time; the rules go on from 0.
                let ms = since_epoch.map_or(0, |elapsed| elapsed.as_millis());
                Timestamp(u64::try_from(ms).unwrap_or(u64::MAX))
            }
            Self::Simulated { epoch, started } => {
                let ms = started.elapsed().as_millis();
                epoch.plus_ms(u64::try_from(ms).unwrap_or(u64::MAX))
            }
        }
    }

    /// Returns at or after a time; at once if it has passed. For `None` it never returns.
    pub async fn sleep_until(&self, deadline: Option<Timestamp>) {
        match deadline {
            Some(deadline) => {
                let wait_ms = deadline.ms_since(self.now());
                tokio::time::sleep(Duration::from_millis(wait_ms)).await;
            }
            None => std::future::pending().await,
        }
    }
}
