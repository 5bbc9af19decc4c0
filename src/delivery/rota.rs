//! When each connection is told its heads: once in each period, and not all of them together.
//!
//! A frame for thousands of connections at once would hold up the receipts behind it for tens of
//! milliseconds: each is a write of its own.

use std::time::Duration;

use tokio::time::Instant;

use super::subscribers::Place;

/// Into how many parts a period is divided.
const SLOTS: u32 = 64;

/// The places of each slot. A connection's place decides its slot.
#[derive(Debug)]
pub(super) struct Rota {
    began_at: Instant,
    /// From one slot to the next.
    step: Duration,
    /// The next slot to come, counted from the begin.
    next: u64,
    slots: [Vec<Place>; SLOTS as usize],
    due_at: Instant,
}

/// What has become due.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) places: Vec<Place>,
    /// Whether a period has begun.
    pub(super) is_new_period: bool,
}

impl Rota {
    /// Nobody yet; the first period begins now.
    pub(super) fn new(period: Duration) -> Self {
        let now = Instant::now();
        let step = period / SLOTS;
        let mut rota = Self {
            began_at: now,
            step,
            next: 1,
            slots: [const { Vec::new() }; SLOTS as usize],
            due_at: now,
        };
        rota.note_due();
        rota
    }

    pub(super) fn add(&mut self, place: Place) {
        self.slots[slot_of(place)].push(place);
        self.note_due();
    }

    pub(super) fn remove(&mut self, place: Place) {
        self.slots[slot_of(place)].retain(|other| *other != place);
        self.note_due();
    }

    pub(super) fn clear(&mut self) {
        self.slots = [const { Vec::new() }; SLOTS as usize];
        self.note_due();
    }

    /// When there will be something to do: for somebody, or because a period begins.
    pub(super) fn due_at(&self) -> Instant {
        self.due_at
    }

    /// What has become due by now. Of a time longer than a period, everybody once.
    pub(super) fn take_due(&mut self, now: Instant) -> Due {
        let mut due = Due {
            places: Vec::new(),
            is_new_period: false,
        };
        let steps = (now - self.began_at).as_nanos() / self.step.as_nanos();
        let end = u64::try_from(steps).unwrap_or(u64::MAX).saturating_add(1);
        self.next = self.next.max(end.saturating_sub(SLOTS.into()));
        while self.next < end {
            let slot = slot_of(self.next);
            due.places.extend(&self.slots[slot]);
            due.is_new_period |= slot == 0;
            self.next += 1;
        }
        self.note_due();
        due
    }

    fn note_due(&mut self) {
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

    use super::{Rota, SLOTS};

    const PERIOD: Duration = Duration::from_millis(6_400);
    const STEP: Duration = Duration::from_millis(100);

    #[tokio::test(start_paused = true)]
    async fn everybody_is_due_once_a_period_and_never_many_at_once() {
        let begin = Instant::now();
        let mut rota = Rota::new(PERIOD);
        for place in 0..1_000 {
            rota.add(place);
        }
        let mut times: BTreeMap<u64, Vec<Duration>> = BTreeMap::new();
        let mut periods = 0;
        while begin.elapsed() < 3 * PERIOD {
            sleep_until(rota.due_at()).await;
            let due = rota.take_due(Instant::now());
            assert!(
                due.places.len() <= 1_000_usize.div_ceil(SLOTS as usize),
                "{due:?}"
            );
            periods += u32::from(due.is_new_period);
            for place in due.places {
                times.entry(place).or_default().push(begin.elapsed());
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
    async fn with_nobody_only_the_periods_are_due() {
        let begin = Instant::now();
        let mut rota = Rota::new(PERIOD);
        assert_eq!(rota.due_at(), begin + PERIOD);
        rota.add(7);
        assert_eq!(rota.due_at(), begin + 7 * STEP);
        rota.remove(7);
        assert_eq!(rota.due_at(), begin + PERIOD);
        rota.add(8);
        rota.clear();
        assert_eq!(rota.due_at(), begin + PERIOD);
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_long_time_everybody_is_due_once() {
        let mut rota = Rota::new(PERIOD);
        for place in 0..u64::from(SLOTS) {
            rota.add(place);
        }
        advance(10 * PERIOD + STEP / 2).await;
        let mut due = rota.take_due(Instant::now());
        due.places.sort_unstable();
        assert_eq!(due.places, (0..u64::from(SLOTS)).collect::<Vec<u64>>());
        assert!(rota.due_at() > Instant::now());
        assert!(rota.take_due(Instant::now()).places.is_empty());
    }
}
