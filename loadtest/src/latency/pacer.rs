//! Constant schedules, and waiting for a slot.

use std::time::Duration;

use tokio::time::Instant;

/// Equally spaced slots.
#[derive(Debug, Clone, Copy)]
pub(super) struct Schedule {
    pub(super) start: Instant,
    pub(super) interval: Duration,
    /// Number of slots.
    pub(super) slots: usize,
}

impl Schedule {
    /// Schedule of a rate for a duration.
    pub(super) fn of_rate(start: Instant, per_second: f64, length: Duration) -> Self {
        let interval = Duration::from_secs_f64(1.0 / per_second);
        let slots = length.as_nanos() / interval.as_nanos().max(1);
        Self {
            start,
            interval,
            slots: usize::try_from(slots).unwrap_or(usize::MAX).max(1),
        }
    }

    /// Time of a slot.
    pub(super) fn at(self, slot: usize) -> Instant {
        let slot = u32::try_from(slot).expect("a window has fewer than 2^32 slots");
        self.start + self.interval * slot
    }
}

/// Blocks the thread until `moment`.
pub(super) fn wait_until(moment: Instant) {
    let wait = moment.saturating_duration_since(Instant::now());
    if !wait.is_zero() {
        #[expect(
            clippy::disallowed_methods,
            reason = "this thread is not a runtime's, and a timer would be too coarse"
        )]
        std::thread::sleep(wait);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{Schedule, wait_until};

    #[test]
    fn moments_are_evenly_spaced_and_not_waited_for_too_briefly() {
        let start = Instant::now();
        let schedule = Schedule::of_rate(start, 1_000.0, Duration::from_millis(7));
        assert_eq!(schedule.slots, 7);
        assert_eq!(schedule.at(6), start + Duration::from_millis(6));
        wait_until(schedule.at(6));
        assert!(Instant::now() >= schedule.at(6));
    }
}
