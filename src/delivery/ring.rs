//! The ring of a session: its last updates, kept for reconnecting clients, bounded in bytes and age.
//!
//! Overflow policy: the oldest updates are evicted first. A client that needs an evicted one gets a
//! snapshot instead.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use hunt::{Audience, Timestamp};
use protocol::{Codec, Heads};

use super::frames::UpdateFrames;
use super::viewer::head;
use crate::telemetry::{as_f64, metrics};

/// Memory of a kept update besides its frames: its entry, and its entry in the eviction order.
const ENTRY_BYTES: usize = 96;

/// The kept updates, by audience.
#[derive(Debug)]
pub(super) struct Ring {
    streams: HashMap<Audience, Stream>,
    /// For each kept update, oldest first: its audience, and the time of its release.
    eviction: VecDeque<(Audience, Timestamp)>,
    bytes: usize,
    /// The part of `bytes` that is in the metrics.
    published: usize,
    pushed: u64,
    bytes_max: usize,
    age_max: Duration,
}

#[derive(Debug)]
struct Stream {
    /// Every number above this one is kept, or announced.
    floor: u64,
    kept: VecDeque<Kept>,
}

#[derive(Debug)]
struct Kept {
    number: u64,
    /// Position in the order in which the updates of all audiences were released.
    order: u64,
    frames: UpdateFrames,
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

    /// Announces the next update of an audience: it was encoded, and [`Ring::push`] follows at its
    /// release.
    pub(super) fn announce(&mut self, audience: Audience, number: u64) {
        self.streams.entry(audience).or_insert(Stream {
            floor: number - 1,
            kept: VecDeque::new(),
        });
    }

    /// Keeps an announced update.
    ///
    /// # Panics
    /// If it was not announced, or leaves a hole in its stream.
    pub(super) fn push(
        &mut self,
        audience: Audience,
        number: u64,
        frames: UpdateFrames,
        now: Timestamp,
    ) {
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

    /// Evicts the oldest updates until the bounds of age and bytes hold.
    pub(super) fn evict(&mut self, now: Timestamp) {
        while let Some((audience, since)) = self.eviction.front() {
            let age = Duration::from_millis(now.ms_since(*since));
            if self.bytes <= self.bytes_max && age <= self.age_max {
                break;
            }
            let stream = self.streams.get_mut(audience);
            let stream = stream.expect("an update in the eviction order has a stream");
            let kept = stream.kept.pop_front();
            let kept = kept.expect("an update in the eviction order is kept");
            stream.floor = kept.number;
            self.bytes -= kept.frames.bytes() + ENTRY_BYTES;
            self.eviction.pop_front();
            metrics().ring_evictions.increment(1);
        }
        self.publish();
    }

    /// Adds the change of `bytes` since the last call to the metrics.
    fn publish(&mut self) {
        let grown = as_f64(self.bytes as u64) - as_f64(self.published as u64);
        metrics().ring_bytes.increment(grown);
        self.published = self.bytes;
    }

    /// Whether each stream is covered from its cursor up to its head.
    pub(super) fn covers_all(&self, cursors: &[(Audience, u64)], heads: Heads) -> bool {
        let mut cursors = cursors.iter();
        cursors.all(|(audience, after)| self.covers(*audience, *after, head(heads, *audience)))
    }

    /// Whether every update after number `after` of a stream that ends at `head` is kept or announced.
    fn covers(&self, audience: Audience, after: u64, head: u64) -> bool {
        match self.streams.get(&audience) {
            Some(stream) => (stream.floor..=head).contains(&after),
            None => after == head,
        }
    }

    /// The frames of every kept update after the given numbers, in the order of release. Encoding them
    /// for a further codec may exceed the byte bound; the next [`Ring::evict`] restores it.
    pub(super) fn after(&mut self, cursors: &[(Audience, u64)], codec: Codec) -> Vec<Bytes> {
        let mut found: Vec<(u64, Bytes)> = Vec::new();
        for (audience, after) in cursors {
            let Some(stream) = self.streams.get_mut(audience) else {
                continue;
            };
            let seen = stream.kept.partition_point(|kept| kept.number <= *after);
            for kept in stream.kept.range_mut(seen..) {
                self.bytes -= kept.frames.bytes();
                found.push((kept.order, kept.frames.for_codec(codec)));
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
    use crate::delivery::frames::UpdateFrames;

    const EVERYONE: Audience = Audience::Everyone;

    fn team() -> Audience {
        Audience::Team(1.into())
    }

    fn player() -> Audience {
        Audience::Player(1.into())
    }

    fn frames(number: u64) -> UpdateFrames {
        UpdateFrames::new(&ServerMessage::Update(Update {
            audience: protocol::Audience::Everyone,
            number,
            at_ms: 0,
            event: Event::SessionPaused,
        }))
    }

    fn push(ring: &mut Ring, audience: Audience, number: u64, at: u64) {
        ring.announce(audience, number);
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
    fn evicted_updates_are_not_covered() {
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
        assert_eq!(ring.bytes, 0, "all bytes are returned");
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
