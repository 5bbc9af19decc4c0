//! Observations of the other nodes: how long ago each sent its last heartbeat, by two clocks.
//!
//! The store's clock gives the age of a heartbeat also to a node that has just joined. But it may be set
//! back, or the store may move to a machine whose clock is behind, and then a dead node would look alive
//! for that long. It may also be set forward. So every node also measures by its own clock, from when it first
//! saw a heartbeat, which is after that heartbeat was sent.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::ids::{HeartbeatSeq, Incarnation, NodeRecord, NodeStatus};

/// A node and the age of its last heartbeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Observation {
    /// What the node published last.
    pub(super) record: NodeRecord,
    /// Its last heartbeat.
    pub(super) last_heartbeat: HeartbeatSeq,
    /// Age of the last heartbeat: the larger one of the store's and this node's measurement.
    pub(super) age: Duration,
    /// Age of the last heartbeat by this node's clock: a lower bound of the true age.
    pub(super) silent_for: Duration,
}

/// The last heartbeat of each member, and when this node first saw it.
#[derive(Debug, Default)]
pub(super) struct Observations {
    last: BTreeMap<Incarnation, (HeartbeatSeq, Instant)>,
}

impl Observations {
    /// Updates the observations with the members that the store returned. `at` must be after its answer.
    pub(super) fn update(&mut self, nodes: Vec<NodeStatus>, at: Instant) -> Vec<Observation> {
        let before = std::mem::take(&mut self.last);
        let mut observe = |seen: NodeStatus| {
            let node = seen.record.incarnation;
            let known = before.get(&node).copied();
            let known = known.filter(|(heartbeat, _)| *heartbeat == seen.last_heartbeat);
            let (heartbeat, since) = known.unwrap_or((seen.last_heartbeat, at));
            self.last.insert(node, (heartbeat, since));
            let silent_for = at.saturating_duration_since(since);
            Observation {
                record: seen.record,
                last_heartbeat: heartbeat,
                age: seen.age.max(silent_for),
                silent_for,
            }
        };
        nodes.into_iter().map(&mut observe).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{Observation, Observations};
    use crate::ids::{HeartbeatSeq, Incarnation, NodeRecord, NodeStatus};

    const SECOND: Duration = Duration::from_secs(1);

    fn status(seq: i64, age: Duration) -> NodeStatus {
        NodeStatus {
            record: NodeRecord {
                incarnation: Incarnation(1),
                address: "192.0.2.1:7000".to_owned(),
                version: "1".to_owned(),
                weight: 1,
                lease: Duration::from_millis(1_500),
                is_leaving: false,
            },
            last_heartbeat: HeartbeatSeq(seq),
            age,
        }
    }

    fn ages(observations: &[Observation]) -> Vec<(Duration, Duration)> {
        let ages = observations
            .iter()
            .map(|observed| (observed.age, observed.silent_for));
        ages.collect()
    }

    #[test]
    fn a_heartbeat_ages_even_if_the_stores_clock_puts_it_in_the_future() {
        let start = Instant::now();
        let mut observations = Observations::default();
        let zero = Duration::ZERO;
        let first = observations.update(vec![status(7, zero)], start);
        assert_eq!(ages(&first), [(zero, zero)]);
        let later = observations.update(vec![status(7, zero)], start + SECOND);
        assert_eq!(ages(&later), [(SECOND, SECOND)]);
        let renewed = observations.update(vec![status(6, zero)], start + 2 * SECOND);
        assert_eq!(
            ages(&renewed),
            [(zero, zero)],
            "any other sequence number is a new heartbeat"
        );
    }

    #[test]
    fn the_stores_age_counts_as_age_but_not_as_proven_silence() {
        let start = Instant::now();
        let mut observations = Observations::default();
        let first = observations.update(vec![status(7, 9 * SECOND)], start);
        assert_eq!(ages(&first), [(9 * SECOND, Duration::ZERO)]);
        let gone = observations.update(Vec::new(), start + SECOND);
        assert_eq!(gone, []);
        let again = observations.update(vec![status(7, 9 * SECOND)], start + 2 * SECOND);
        assert_eq!(ages(&again), [(9 * SECOND, Duration::ZERO)]);
    }
}
