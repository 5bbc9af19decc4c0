//! Keeps a schedule to some ten microseconds, which a runtime's timers of a millisecond cannot.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

/// Equally spaced moments.
#[derive(Debug, Clone, Copy)]
pub(super) struct Schedule {
    pub(super) start: Instant,
    pub(super) interval: Duration,
    /// How many moments there are.
    pub(super) slots: usize,
}

impl Schedule {
    /// So many moments a second, for so long.
    pub(super) fn of_rate(start: Instant, per_second: f64, length: Duration) -> Self {
        let interval = Duration::from_secs_f64(1.0 / per_second);
        let slots = length.as_nanos() / interval.as_nanos().max(1);
        Self {
            start,
            interval,
            slots: usize::try_from(slots).unwrap_or(usize::MAX).max(1),
        }
    }

    /// The moment of a slot.
    pub(super) fn at(self, slot: usize) -> Instant {
        let slot = u32::try_from(slot).expect("a window has fewer than 2^32 slots");
        self.start + self.interval * slot
    }

    /// The last moment.
    pub(super) fn end(self) -> Instant {
        self.at(self.slots - 1)
    }
}

/// Tells each moment to one of the receivers in turn, when it has come. Blocks its thread.
pub(super) fn pace(schedule: Schedule, turns: &[mpsc::Sender<Instant>]) {
    for (slot, turn) in (0..schedule.slots).zip(turns.iter().cycle()) {
        let intended_at = schedule.at(slot);
        wait_until(intended_at);
        // A receiver that is gone has failed, and says so itself; its channel holds all its turns.
        let _ = turn.try_send(intended_at);
    }
}

/// Blocks the thread until a moment.
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

    use tokio::sync::mpsc;
    use tokio::time::Instant;

    use super::{Schedule, pace};

    #[test]
    fn turns_are_dealt_out_evenly_and_not_before_their_time() {
        let start = Instant::now();
        let schedule = Schedule::of_rate(start, 1_000.0, Duration::from_millis(7));
        assert_eq!(schedule.slots, 7);
        let (turns, mut dues): (Vec<_>, Vec<_>) = (0..2).map(|_| mpsc::channel(4)).unzip();
        pace(schedule, &turns);
        assert!(Instant::now() >= schedule.end());
        assert_eq!(schedule.end(), start + Duration::from_millis(6));
        let mut counts = [0; 2];
        for (count, due) in counts.iter_mut().zip(&mut dues) {
            while due.try_recv().is_ok() {
                *count += 1;
            }
        }
        assert_eq!(counts, [4, 3]);
    }
}
