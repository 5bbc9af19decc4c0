//! The updates of a session that are kept for those who come back, bounded in bytes and age.
//!
//! Overflow policy: the oldest go first; whoever needs them gets a snapshot instead.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use hunt::{Audience, Timestamp};

/// What a kept update costs besides its bytes: its entry and its place in the order of eviction.
const ENTRY_BYTES: usize = 96;

/// Kept updates, by audience.
#[derive(Debug)]
pub(super) struct Ring {
    streams: HashMap<Audience, Stream>,
    /// Whose oldest update goes next, and since when it is here.
    eviction: VecDeque<(Audience, Timestamp)>,
    bytes: usize,
    pushed: u64,
    bytes_max: usize,
    age_max: Duration,
}

#[derive(Debug)]
struct Stream {
    /// Every number above this is here, or on its way here.
    floor: u64,
    kept: VecDeque<Kept>,
}

#[derive(Debug)]
struct Kept {
    number: u64,
    /// The place in the order of all updates of the session.
    order: u64,
    frame: Bytes,
}

impl Ring {
    pub(super) fn new(bytes_max: usize, age_max: Duration) -> Self {
        Self {
            streams: HashMap::new(),
            eviction: VecDeque::new(),
            bytes: 0,
            pushed: 0,
            bytes_max,
            age_max,
        }
    }

    /// Announces that the update with this number is on its way.
    pub(super) fn expect(&mut self, audience: Audience, number: u64) {
        self.streams.entry(audience).or_insert(Stream {
            floor: number - 1,
            kept: VecDeque::new(),
        });
    }

    /// Keeps an update that was announced.
    pub(super) fn push(&mut self, audience: Audience, number: u64, frame: Bytes, now: Timestamp) {
        let stream = self.streams.get_mut(&audience);
        let stream = stream.expect("an update is announced when it is encoded");
        let last = stream.kept.back().map_or(stream.floor, |kept| kept.number);
        assert_eq!(number, last + 1, "a stream has no holes");
        self.bytes += frame.len() + ENTRY_BYTES;
        let order = self.pushed;
        self.pushed += 1;
        stream.kept.push_back(Kept {
            number,
            order,
            frame,
        });
        self.eviction.push_back((audience, now));
        self.evict(now);
    }

    /// Lets go of what is too old or too much.
    pub(super) fn evict(&mut self, now: Timestamp) {
        while let Some((audience, since)) = self.eviction.front() {
            let age = Duration::from_millis(now.ms_since(*since));
            if self.bytes <= self.bytes_max && age <= self.age_max {
                break;
            }
            let stream = self.streams.get_mut(audience);
            let stream = stream.expect("what is to be evicted has a stream");
            let kept = stream.kept.pop_front();
            let kept = kept.expect("what is to be evicted is kept");
            stream.floor = kept.number;
            self.bytes -= kept.frame.len() + ENTRY_BYTES;
            self.eviction.pop_front();
        }
    }

    /// Whether everything after number `after` of a stream that now ends at `head` is here or on
    /// its way here.
    pub(super) fn covers(&self, audience: Audience, after: u64, head: u64) -> bool {
        match self.streams.get(&audience) {
            Some(stream) => (stream.floor..=head).contains(&after),
            None => after == head,
        }
    }

    /// Everything after the given numbers, in the order in which it was let out.
    pub(super) fn after(&self, cursors: [(Audience, u64); 3]) -> Vec<Bytes> {
        let mut found: Vec<&Kept> = Vec::new();
        for (audience, after) in cursors {
            let Some(stream) = self.streams.get(&audience) else {
                continue;
            };
            let seen = stream.kept.partition_point(|kept| kept.number <= after);
            found.extend(stream.kept.range(seen..));
        }
        found.sort_by_key(|kept| kept.order);
        found.into_iter().map(|kept| kept.frame.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hunt::{Audience, Timestamp};

    use super::{ENTRY_BYTES, Ring};

    const EVERYONE: Audience = Audience::Everyone;

    fn team() -> Audience {
        Audience::Team(1.into())
    }

    fn player() -> Audience {
        Audience::Player(1.into())
    }

    fn push(ring: &mut Ring, audience: Audience, number: u64, at: u64) {
        ring.expect(audience, number);
        ring.push(audience, number, number.to_string().into(), Timestamp(at));
    }

    fn after(ring: &Ring, everyone: u64, of_team: u64) -> Vec<String> {
        let cursors = [(EVERYONE, everyone), (team(), of_team), (player(), 0)];
        let frames = ring.after(cursors);
        let text = |frame: &bytes::Bytes| String::from_utf8_lossy(frame).into_owned();
        frames.iter().map(text).collect()
    }

    #[test]
    fn streams_are_merged_in_the_order_of_release() {
        let mut ring = Ring::new(1 << 20, Duration::from_secs(1));
        push(&mut ring, EVERYONE, 5, 0);
        push(&mut ring, team(), 8, 0);
        push(&mut ring, EVERYONE, 6, 0);
        assert_eq!(after(&ring, 4, 7), ["5", "8", "6"]);
        assert_eq!(after(&ring, 5, 8), ["6"]);
    }

    #[test]
    fn what_is_evicted_is_not_covered() {
        let mut ring = Ring::new(2 * (1 + ENTRY_BYTES), Duration::from_secs(1));
        push(&mut ring, EVERYONE, 1, 0);
        push(&mut ring, EVERYONE, 2, 0);
        assert!(ring.covers(EVERYONE, 0, 2));
        push(&mut ring, EVERYONE, 3, 0);
        assert!(!ring.covers(EVERYONE, 0, 3), "by bytes");
        assert!(ring.covers(EVERYONE, 1, 3));
        ring.evict(Timestamp(1_001));
        assert!(!ring.covers(EVERYONE, 1, 3), "by age");
        assert!(ring.covers(EVERYONE, 3, 3));
    }

    #[test]
    fn a_cursor_ahead_of_the_stream_is_not_covered() {
        let mut ring = Ring::new(1 << 20, Duration::from_secs(1));
        assert!(ring.covers(EVERYONE, 0, 0));
        assert!(!ring.covers(EVERYONE, 1, 0));
        push(&mut ring, EVERYONE, 1, 0);
        assert!(!ring.covers(EVERYONE, 2, 1));
    }
}
