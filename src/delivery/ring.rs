//! The updates of a session that are kept for those who come back, bounded in bytes and age.
//!
//! Overflow policy: the oldest go first; whoever needs them gets a snapshot instead.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use hunt::{Audience, Timestamp};
use protocol::Codec;

use super::frames::Frames;
use crate::telemetry::{as_f64, metrics};

/// What a kept update costs besides its bytes: its entry and its place in the order of eviction.
const ENTRY_BYTES: usize = 96;

/// Kept updates, by audience.
#[derive(Debug)]
pub(super) struct Ring {
    streams: HashMap<Audience, Stream>,
    /// Whose oldest update goes next, and since when it is here.
    eviction: VecDeque<(Audience, Timestamp)>,
    bytes: usize,
    /// How many of them the metrics know of.
    published: usize,
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
    frames: Frames,
}

impl Ring {
    pub(super) fn new(bytes_max: usize, age_max: Duration) -> Self {
        Self {
            streams: HashMap::new(),
            eviction: VecDeque::new(),
            bytes: 0,
            published: 0,
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
    pub(super) fn push(&mut self, audience: Audience, number: u64, frames: Frames, now: Timestamp) {
        let stream = self.streams.get_mut(&audience);
        let stream = stream.expect("an update is announced when it is encoded");
        let last = stream.kept.back().map_or(stream.floor, |kept| kept.number);
        assert_eq!(number, last + 1, "a stream has no holes");
        self.bytes += frames.bytes() + ENTRY_BYTES;
        let order = self.pushed;
        self.pushed += 1;
        stream.kept.push_back(Kept {
            number,
            order,
            frames,
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
            self.bytes -= kept.frames.bytes() + ENTRY_BYTES;
            self.eviction.pop_front();
            metrics().ring_evictions.increment(1);
        }
        self.publish();
    }

    /// Tells the metrics by how much the ring has grown or shrunk since it last told them.
    fn publish(&mut self) {
        let grown = as_f64(self.bytes as u64) - as_f64(self.published as u64);
        metrics().ring_bytes.increment(grown);
        self.published = self.bytes;
    }

    /// Whether everything after number `after` of a stream that now ends at `head` is here or on
    /// its way here.
    pub(super) fn covers(&self, audience: Audience, after: u64, head: u64) -> bool {
        match self.streams.get(&audience) {
            Some(stream) => (stream.floor..=head).contains(&after),
            None => after == head,
        }
    }

    /// Everything after the given numbers, in the order in which it was let out. A codec that is
    /// asked for first makes what is kept larger; [`Ring::evict`] makes good for it.
    pub(super) fn after(&mut self, cursors: &[(Audience, u64)], codec: Codec) -> Vec<Bytes> {
        let mut found: Vec<(u64, Bytes)> = Vec::new();
        for (audience, after) in cursors {
            let Some(stream) = self.streams.get_mut(audience) else {
                continue;
            };
            let seen = stream.kept.partition_point(|kept| kept.number <= *after);
            for kept in stream.kept.range_mut(seen..) {
                self.bytes -= kept.frames.bytes();
                found.push((kept.order, kept.frames.of(codec)));
                self.bytes += kept.frames.bytes();
            }
        }
        found.sort_by_key(|(order, _)| *order);
        found.into_iter().map(|(_, frame)| frame).collect()
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        self.bytes = 0;
        self.publish();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hunt::{Audience, Timestamp};
    use protocol::{Codec, Event, ServerMessage, Update};

    use super::{ENTRY_BYTES, Ring};
    use crate::delivery::frames::Frames;

    const EVERYONE: Audience = Audience::Everyone;

    fn team() -> Audience {
        Audience::Team(1.into())
    }

    fn player() -> Audience {
        Audience::Player(1.into())
    }

    fn frames(number: u64) -> Frames {
        Frames::new(&ServerMessage::Update(Update {
            audience: protocol::Audience::Everyone,
            number,
            at_ms: 0,
            event: Event::SessionPaused,
        }))
    }

    fn push(ring: &mut Ring, audience: Audience, number: u64, at: u64) {
        ring.expect(audience, number);
        ring.push(audience, number, frames(number), Timestamp(at));
    }

    fn after(ring: &mut Ring, everyone: u64, of_team: u64, codec: Codec) -> Vec<u64> {
        let cursors = [(EVERYONE, everyone), (team(), of_team), (player(), 0)];
        let number = |frame: &bytes::Bytes| match codec.decode(frame) {
            Ok(ServerMessage::Update(update)) => update.number,
            other => panic!("{other:?} is no update"),
        };
        ring.after(&cursors, codec).iter().map(number).collect()
    }

    #[test]
    fn streams_are_merged_in_the_order_of_release() {
        for codec in Codec::ALL {
            let mut ring = Ring::new(1 << 20, Duration::from_secs(1));
            push(&mut ring, EVERYONE, 5, 0);
            push(&mut ring, team(), 8, 0);
            push(&mut ring, EVERYONE, 6, 0);
            assert_eq!(after(&mut ring, 4, 7, codec), [5, 8, 6]);
            assert_eq!(after(&mut ring, 5, 8, codec), [6]);
        }
    }

    #[test]
    fn what_is_evicted_is_not_covered() {
        let mut ring = Ring::new(
            2 * (frames(1).bytes() + ENTRY_BYTES),
            Duration::from_secs(1),
        );
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
    fn a_second_codec_counts_towards_the_bound() {
        let mut ring = Ring::new(
            2 * (frames(1).bytes() + ENTRY_BYTES),
            Duration::from_secs(1),
        );
        push(&mut ring, EVERYONE, 1, 0);
        push(&mut ring, EVERYONE, 2, 0);
        assert_eq!(after(&mut ring, 0, 0, Codec::Json), [1, 2]);
        ring.evict(Timestamp(0));
        assert!(!ring.covers(EVERYONE, 0, 2));
        ring.evict(Timestamp(1_001));
        assert_eq!(ring.bytes, 0, "everything is given back");
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
