//! For how long the others have been silent, by this node's own clock.
//!
//! The store's clock says how old a last sign of life is, also to one who has just come. But it may be
//! set back, or the store may move to a machine whose clock is behind: a node that is dead by then would
//! look young for as long. And it may be set forward. So every node also counts for itself, from when
//! it first saw the sign that is still the last one, which is after that sign was given.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::ids::{HeartbeatSeq, Incarnation, NodeRecord, NodeStatus};

/// A node, and for how long it has been silent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sighting {
    /// What it told last.
    pub(super) card: NodeRecord,
    /// Its last sign of life.
    pub(super) last_sign: HeartbeatSeq,
    /// How old that is, by the clock that says more: the store's or this node's.
    pub(super) age: Duration,
    /// How long it has certainly been silent, whatever the store's clock says.
    pub(super) silent_for: Duration,
}

/// The last signs that this node has seen, of as many nodes as the store knows.
#[derive(Debug, Default)]
pub(super) struct Sightings {
    last: BTreeMap<Incarnation, (HeartbeatSeq, Instant)>,
}

impl Sightings {
    /// Takes in what the store told. `at` is after it had told that.
    pub(super) fn note(&mut self, nodes: Vec<NodeStatus>, at: Instant) -> Vec<Sighting> {
        let before = std::mem::take(&mut self.last);
        let mut note = |seen: NodeStatus| {
            let node = seen.record.incarnation;
            let known = before.get(&node).copied();
            let known = known.filter(|(sign, _)| *sign == seen.last_heartbeat);
            let (sign, since) = known.unwrap_or((seen.last_heartbeat, at));
            self.last.insert(node, (sign, since));
            let silent_for = at.saturating_duration_since(since);
            Sighting {
                card: seen.record,
                last_sign: sign,
                age: seen.age.max(silent_for),
                silent_for,
            }
        };
        nodes.into_iter().map(&mut note).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{Sighting, Sightings};
    use crate::ids::{HeartbeatSeq, Incarnation, NodeRecord, NodeStatus};

    const SECOND: Duration = Duration::from_secs(1);

    fn seen(sign: i64, age: Duration) -> NodeStatus {
        NodeStatus {
            record: NodeRecord {
                incarnation: Incarnation(1),
                address: "192.0.2.1:7000".to_owned(),
                version: "1".to_owned(),
                weight: 1,
                lease: Duration::from_millis(1_500),
                is_leaving: false,
            },
            last_heartbeat: HeartbeatSeq(sign),
            age,
        }
    }

    fn ages(sightings: &[Sighting]) -> Vec<(Duration, Duration)> {
        let ages = sightings
            .iter()
            .map(|sighting| (sighting.age, sighting.silent_for));
        ages.collect()
    }

    #[test]
    fn a_sign_ages_also_while_the_stores_clock_says_that_it_is_still_to_come() {
        let start = Instant::now();
        let mut sightings = Sightings::default();
        let zero = Duration::ZERO;
        let first = sightings.note(vec![seen(7, zero)], start);
        assert_eq!(ages(&first), [(zero, zero)]);
        let later = sightings.note(vec![seen(7, zero)], start + SECOND);
        assert_eq!(ages(&later), [(SECOND, SECOND)]);
        let beaten = sightings.note(vec![seen(6, zero)], start + 2 * SECOND);
        assert_eq!(ages(&beaten), [(zero, zero)], "any other sign is a new one");
    }

    #[test]
    fn the_stores_clock_may_know_of_an_earlier_silence_but_proves_none() {
        let start = Instant::now();
        let mut sightings = Sightings::default();
        let first = sightings.note(vec![seen(7, 9 * SECOND)], start);
        assert_eq!(ages(&first), [(9 * SECOND, Duration::ZERO)]);
        let gone = sightings.note(Vec::new(), start + SECOND);
        assert_eq!(gone, []);
        let again = sightings.note(vec![seen(7, 9 * SECOND)], start + 2 * SECOND);
        assert_eq!(ages(&again), [(9 * SECOND, Duration::ZERO)]);
    }
}
