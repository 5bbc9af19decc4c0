//! Time. The only module that reads a clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hunt::Timestamp;
use tokio::time::Instant;

/// The source of a server's time.
#[derive(Debug, Clone)]
pub enum Clock {
    /// The operating system's clock.
    System,
    /// A clock that a simulation sets.
    Simulated(SimulatedClock),
}

/// A wall clock that follows tokio's time, so that a paused runtime controls it. It can jump, as the system
/// clock does when an operator or NTP sets it. Clones share the clock.
#[derive(Debug, Clone)]
pub struct SimulatedClock {
    /// The time at `started`, in milliseconds of Unix time.
    epoch_ms: Arc<AtomicU64>,
    started: Instant,
}

impl SimulatedClock {
    /// A clock that starts now with this time.
    pub fn new(epoch: Timestamp) -> Self {
        Self {
            epoch_ms: Arc::new(AtomicU64::new(epoch.0)),
            started: Instant::now(),
        }
    }

    /// Sets the clock, forward or back, as if it had started with this time.
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
    /// A simulated clock that starts now with this time.
    pub fn simulated(epoch: Timestamp) -> Self {
        Self::Simulated(SimulatedClock::new(epoch))
    }

    /// The current time. It may go back when an operator or NTP sets the system clock; the rules handle that.
    #[expect(
        clippy::disallowed_methods,
        reason = "the only place that reads the clock"
    )]
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => {
                let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
                // A clock before 1970 is not set; the rules start from 0.
                let ms = since_epoch.map_or(0, |elapsed| elapsed.as_millis());
                Timestamp(u64::try_from(ms).unwrap_or(u64::MAX))
            }
            Self::Simulated(clock) => clock.now(),
        }
    }

    /// Sleeps until a deadline; returns at once if it has passed, and never for `None`. Does not notice a jump of
    /// the clock meanwhile: the caller must check the time again. Cancel-safe.
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

/// A moment of a monotonic clock that includes suspension of the machine. Tokio's clock does not; otherwise this
/// one follows it, so that a paused runtime controls time.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    at: Instant,
    /// Total time that the machine had been suspended since boot.
    suspended: Duration,
}

/// Shorter differences are not counted as suspension: a thread may be preempted for as long between the reads
/// of two clocks.
const SUSPENDED_MIN: Duration = Duration::from_millis(20);

impl Moment {
    /// The current moment.
    pub fn now() -> Self {
        Self {
            suspended: suspended(),
            at: Instant::now(),
        }
    }

    /// The time since an earlier moment; zero if that moment is later.
    pub fn since(self, earlier: Self) -> Duration {
        let suspended = self.suspended.saturating_sub(earlier.suspended);
        let awake = self.at.saturating_duration_since(earlier.at);
        if suspended < SUSPENDED_MIN {
            awake
        } else {
            awake + suspended
        }
    }

    /// This moment plus a suspension of the machine.
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

/// Other systems have no such clock, or it is not supported here.
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
