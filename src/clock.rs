//! Time: the only place that reads a clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hunt::Timestamp;
use tokio::time::Instant;

/// Where a server's time comes from.
#[derive(Debug, Clone)]
pub enum Clock {
    /// The operating system's clock.
    System,
    /// One that a simulation sets.
    Simulated(SimulatedClock),
}

/// Follows tokio's time, so that a paused runtime decides how time passes, and is moved as an operator or
/// a time server moves the system's clock. Clones are the same clock.
#[derive(Debug, Clone)]
pub struct SimulatedClock {
    /// What it tells at `started`, in milliseconds.
    epoch_ms: Arc<AtomicU64>,
    started: Instant,
}

impl SimulatedClock {
    /// A clock that begins now with this time.
    pub fn new(epoch: Timestamp) -> Self {
        Self {
            epoch_ms: Arc::new(AtomicU64::new(epoch.0)),
            started: Instant::now(),
        }
    }

    /// Moves it, forth or back, to what it would tell had it begun with this time.
    pub fn jump(&self, epoch: Timestamp) {
        self.epoch_ms.store(epoch.0, Ordering::Relaxed);
    }

    fn now(&self) -> Timestamp {
        let epoch = Timestamp(self.epoch_ms.load(Ordering::Relaxed));
        let ms = self.started.elapsed().as_millis();
        epoch.plus_ms(u64::try_from(ms).unwrap_or(u64::MAX))
    }
}

impl Clock {
    /// A clock for simulations that begins now, with tokio's time.
    pub fn simulated(epoch: Timestamp) -> Self {
        Self::Simulated(SimulatedClock::new(epoch))
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
            Self::Simulated(clock) => clock.now(),
        }
    }

    /// Returns at or after a time; at once if it has passed. For `None` it never returns. A clock that is
    /// moved meanwhile is not noticed: whoever waits looks at the time again.
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

/// A moment of a clock that goes on while the machine is suspended. Tokio's stands still then, and is
/// followed otherwise, so that a paused runtime decides how time passes.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    at: Instant,
    /// How long the machine had been suspended by then, since it was started.
    suspended: Duration,
}

/// What is not counted as suspended: a machine is not suspended for so short a time, while a thread may
/// be stopped for as long between the reads of two clocks.
const SUSPENDED_MIN: Duration = Duration::from_millis(20);

impl Moment {
    /// This moment.
    pub fn now() -> Self {
        Self {
            suspended: suspended(),
            at: Instant::now(),
        }
    }

    /// The time from an earlier moment on; zero from a later one.
    pub fn since(self, earlier: Self) -> Duration {
        let suspended = self.suspended.saturating_sub(earlier.suspended);
        let awake = self.at.saturating_duration_since(earlier.at);
        if suspended < SUSPENDED_MIN {
            awake
        } else {
            awake + suspended
        }
    }

    /// This moment, had the machine been suspended for a time.
    #[cfg(test)]
    pub(crate) fn after_suspension(self, suspended: Duration) -> Self {
        Self {
            suspended: self.suspended + suspended,
            ..self
        }
    }
}

#[cfg(target_os = "linux")]
fn suspended() -> Duration {
    use rustix::time::{ClockId, Timespec, clock_gettime};

    let time = |clock| {
        let Timespec { tv_sec, tv_nsec } = clock_gettime(clock);
        let seconds = Duration::from_secs(u64::try_from(tv_sec).unwrap_or(0));
        seconds + Duration::from_nanos(u64::try_from(tv_nsec).unwrap_or(0))
    };
    let awake = time(ClockId::Monotonic);
    time(ClockId::Boottime).saturating_sub(awake)
}

/// Where there is no such clock, or it is not known how to ask for it.
#[cfg(not(target_os = "linux"))]
fn suspended() -> Duration {
    Duration::ZERO
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::advance;

    use super::{Moment, SUSPENDED_MIN};

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_suspension_counts_as_time() {
        let before = Moment::now();
        advance(SECOND).await;
        let after = Moment::now();
        assert_eq!(after.since(before), SECOND, "the runtime's time alone");
        let later = after.after_suspension(3 * SECOND);
        // The two clocks are read one after the other.
        let difference = later.since(before).abs_diff(4 * SECOND);
        assert!(difference < SUSPENDED_MIN, "{difference:?}");
        assert_eq!(before.since(later), Duration::ZERO);
    }
}
