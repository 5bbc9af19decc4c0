//! Decides which nodes are dead.
//!
//! A wrong verdict costs a change of owner and nothing else, so verdicts may be quick: the fence keeps the
//! suspected node from writing, and its expired lease keeps it from answering.

use std::time::Duration;

use super::observations::Observation;
use super::ports::Probe;
use crate::ids::Incarnation;

/// Thresholds of the failure detector.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// Age of the last heartbeat from which a node is probed.
    pub(super) late: Duration,
    /// Added to a node's lease: how far the clocks of two machines may drift apart during one.
    pub(super) margin: Duration,
}

/// What to do about a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing, for now.
    Alive,
    /// Evict it, unless it has sent another heartbeat.
    Dead {
        /// Time for which this node must have been in contact with the store before it may evict.
        contact_min: Duration,
    },
}

impl Patience {
    /// Whether a node must be probed. Any clock is good enough: a wrong one costs a probe.
    pub(super) fn is_late(self, node: &Observation, me: Incarnation) -> bool {
        node.record.incarnation != me && node.age >= self.late
    }

    /// The verdict on a node after a probe.
    pub(super) fn judge(self, node: &Observation, probe: Probe) -> Verdict {
        let is_gone = match probe {
            Probe::Refused => true,
            // Another incarnation runs at the same address: this one has ended.
            Probe::Alive(incarnation) => incarnation != node.record.incarnation,
            Probe::NoAnswer | Probe::LeaseExpired => false,
        };
        if is_gone && node.age >= self.late {
            let contact_min = self.late;
            return Verdict::Dead { contact_min };
        }
        // The node may still answer clients. Its lease began before its last heartbeat, so it has expired
        // once this node has observed no other heartbeat for as long.
        let contact_min = node.record.lease + self.margin;
        let is_unresponsive = match probe {
            Probe::NoAnswer | Probe::LeaseExpired => true,
            Probe::Refused | Probe::Alive(_) => false,
        };
        if is_unresponsive && node.silent_for >= contact_min {
            return Verdict::Dead { contact_min };
        }
        Verdict::Alive
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::ports::Probe;
    use super::{Patience, Verdict};
    use crate::cluster::observations::Observation;
    use crate::ids::{HeartbeatSeq, Incarnation, NodeRecord};

    const PATIENCE: Patience = Patience {
        late: Duration::from_millis(500),
        margin: Duration::from_millis(100),
    };
    const NODE: Incarnation = Incarnation(1);

    fn observed(age_ms: u64) -> Observation {
        Observation {
            record: NodeRecord {
                incarnation: NODE,
                address: "192.0.2.1:7000".to_owned(),
                version: "1".to_owned(),
                weight: 1,
                lease: Duration::from_millis(1_500),
                is_leaving: false,
            },
            last_heartbeat: HeartbeatSeq(1),
            age: Duration::from_millis(age_ms),
            silent_for: Duration::from_millis(age_ms),
        }
    }

    #[test]
    fn a_node_is_dead_when_it_is_late_and_does_not_answer() {
        let other_incarnation = Probe::Alive(Incarnation(2));
        let dead_after = |ms| Verdict::Dead {
            contact_min: Duration::from_millis(ms),
        };
        for (age_ms, probe, verdict) in [
            (499, Probe::Refused, Verdict::Alive),
            (500, Probe::Refused, dead_after(500)),
            (500, other_incarnation, dead_after(500)),
            (500, Probe::NoAnswer, Verdict::Alive),
            (1_599, Probe::NoAnswer, Verdict::Alive),
            (1_600, Probe::NoAnswer, dead_after(1_600)),
            (1_599, Probe::LeaseExpired, Verdict::Alive),
            (1_600, Probe::LeaseExpired, dead_after(1_600)),
            (60_000, Probe::Alive(NODE), Verdict::Alive),
        ] {
            let judged = PATIENCE.judge(&observed(age_ms), probe);
            assert_eq!(judged, verdict, "{age_ms} {probe:?}");
        }
    }

    #[test]
    fn a_store_whose_clock_is_set_forward_expires_no_lease() {
        let jumped = Observation {
            silent_for: Duration::from_millis(1_599),
            ..observed(60_000)
        };
        assert!(PATIENCE.is_late(&jumped, Incarnation(9)));
        for probe in [Probe::NoAnswer, Probe::LeaseExpired] {
            assert_eq!(PATIENCE.judge(&jumped, probe), Verdict::Alive);
        }
    }

    #[test]
    fn only_other_nodes_that_are_late_are_probed() {
        assert!(PATIENCE.is_late(&observed(500), Incarnation(9)));
        assert!(!PATIENCE.is_late(&observed(499), Incarnation(9)));
        assert!(!PATIENCE.is_late(&observed(5_000), NODE));
    }
}
