//! The schedule of `heads` frames: each connection gets one per period, spread over the period.
//!
//! Sending them to thousands of connections at once would delay the receipts behind them by tens of
//! milliseconds, because each frame is a separate write.

use std::time::Duration;

use tokio::time::Instant;

/// Identifies an attachment while its session's actor runs.
pub(super) type AttachmentId = u64;

/// Slots of a period.
const SLOTS: u32 = 64;

/// The subscribers of each slot. A subscriber's key decides its slot.
#[derive(Debug)]
pub(super) struct HeadsSchedule {
    began_at: Instant,
    /// Time between two slots.
    step: Duration,
    /// The next slot, counted from `began_at`.
    next: u64,
    slots: [Vec<AttachmentId>; SLOTS as usize],
    due_at: Instant,
}

/// The work that has become due.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) keys: Vec<AttachmentId>,
    /// Whether a period has begun.
    pub(super) is_new_period: bool,
}

impl HeadsSchedule {
    /// A schedule without subscribers, whose first period begins now.
    pub(super) fn new(period: Duration) -> Self {
        let now = Instant::now();
        let step = period / SLOTS;
        let mut schedule = Self {
            began_at: now,
            step,
            next: 1,
            slots: [const { Vec::new() }; SLOTS as usize],
            due_at: now,
        };
        schedule.update_due_at();
        schedule
    }

    pub(super) fn add(&mut self, key: AttachmentId) {
        self.slots[slot_of(key)].push(key);
        self.update_due_at();
    }

    pub(super) fn remove(&mut self, key: AttachmentId) {
        self.slots[slot_of(key)].retain(|other| *other != key);
        self.update_due_at();
    }

    pub(super) fn clear(&mut self) {
        self.slots = [const { Vec::new() }; SLOTS as usize];
        self.update_due_at();
    }

    /// When the next slot with subscribers, or the next period, begins.
    pub(super) fn due_at(&self) -> Instant {
        self.due_at
    }

    /// The work due by now. After more than a period, each subscriber is due once.
    pub(super) fn take_due(&mut self, now: Instant) -> Due {
        let mut due = Due {
            keys: Vec::new(),
            is_new_period: false,
        };
        let steps = (now - self.began_at).as_nanos() / self.step.as_nanos();
        let end = u64::try_from(steps).unwrap_or(u64::MAX).saturating_add(1);
        self.next = self.next.max(end.saturating_sub(SLOTS.into()));
        while self.next < end {
            let slot = slot_of(self.next);
            due.keys.extend(&self.slots[slot]);
            due.is_new_period |= slot == 0;
            self.next += 1;
        }
        self.update_due_at();
        due
    }

    fn update_due_at(&mut self) {
        let mut coming = self.next..;
        let is_due = |number: &u64| {
            let slot = slot_of(*number);
            slot == 0 || !self.slots[slot].is_empty()
        };
        let number = coming.find(is_due).expect("each period begins with slot 0");
        let nanos = u64::try_from(self.step.as_nanos()).unwrap_or(u64::MAX);
        let after = Duration::from_nanos(nanos.saturating_mul(number));
        self.due_at = self.began_at + after;
    }
}

fn slot_of(number: u64) -> usize {
    usize::try_from(number % u64::from(SLOTS)).expect("there are few slots")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use tokio::time::{Instant, advance, sleep_until};

    use super::{HeadsSchedule, SLOTS};

    const PERIOD: Duration = Duration::from_millis(6_400);
    const STEP: Duration = Duration::from_millis(100);

    #[tokio::test(start_paused = true)]
    async fn each_key_is_due_once_a_period_and_never_many_at_once() {
        let begin = Instant::now();
        let mut schedule = HeadsSchedule::new(PERIOD);
        for key in 0..1_000 {
            schedule.add(key);
        }
        let mut times: BTreeMap<u64, Vec<Duration>> = BTreeMap::new();
        let mut periods = 0;
        while begin.elapsed() < 3 * PERIOD {
            sleep_until(schedule.due_at()).await;
            let due = schedule.take_due(Instant::now());
            assert!(
                due.keys.len() <= 1_000_usize.div_ceil(SLOTS as usize),
                "{due:?}"
            );
            periods += u32::from(due.is_new_period);
            for key in due.keys {
                times.entry(key).or_default().push(begin.elapsed());
            }
        }
        assert_eq!(periods, 3);
        assert_eq!(times.len(), 1_000);
        for times in times.values() {
            assert!(times[0] <= PERIOD, "{times:?}");
            assert!(times.windows(2).all(|pair| pair[1] == pair[0] + PERIOD));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn without_subscribers_only_the_periods_are_due() {
        let begin = Instant::now();
        let mut schedule = HeadsSchedule::new(PERIOD);
        assert_eq!(schedule.due_at(), begin + PERIOD);
        schedule.add(7);
        assert_eq!(schedule.due_at(), begin + 7 * STEP);
        schedule.remove(7);
        assert_eq!(schedule.due_at(), begin + PERIOD);
        schedule.add(8);
        schedule.clear();
        assert_eq!(schedule.due_at(), begin + PERIOD);
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_long_time_each_key_is_due_once() {
        let mut schedule = HeadsSchedule::new(PERIOD);
        for key in 0..u64::from(SLOTS) {
            schedule.add(key);
        }
        advance(10 * PERIOD + STEP / 2).await;
        let mut due = schedule.take_due(Instant::now());
        due.keys.sort_unstable();
        assert_eq!(due.keys, (0..u64::from(SLOTS)).collect::<Vec<u64>>());
        assert!(schedule.due_at() > Instant::now());
        assert!(schedule.take_due(Instant::now()).keys.is_empty());
    }
}
