//! Who is dead, as far as anyone can tell.
//!
//! A wrong verdict costs a change of owner and nothing else, so that it may be quick: the fence keeps
//! the accused from writing, and its own validity from speaking.

use std::time::Duration;

use super::ports::Probe;
use super::sightings::Sighting;
use crate::ids::Incarnation;

/// When silence becomes suspicious.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// The age of a last beat above which a node is knocked at.
    pub(super) late: Duration,
    /// Added to a node's validity, for what the clocks of two machines differ by in that time.
    pub(super) margin: Duration,
}

/// What to do about a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing, for now.
    Trusted,
    /// Forget it, if it has given no other sign of life.
    Dead {
        /// For how long whoever judges must have been in touch with the store.
        unseen_for: Duration,
    },
}

impl Patience {
    /// Whether a node is to be knocked at. For this any clock will do: a wrong one costs a knock.
    pub(super) fn is_late(self, node: &Sighting, me: Incarnation) -> bool {
        node.card.incarnation != me && node.age >= self.late
    }

    /// What a knock at a late node tells.
    pub(super) fn judge(self, node: &Sighting, probe: Probe) -> Verdict {
        let is_gone = match probe {
            Probe::Refused => true,
            // Another life at the same address: this one is over.
            Probe::Alive(incarnation) => incarnation != node.card.incarnation,
            Probe::Silent | Probe::Lapsed => false,
        };
        if is_gone && node.age >= self.late {
            let unseen_for = self.late;
            return Verdict::Dead { unseen_for };
        }
        // It may still speak. Its validity began before it gave its last sign, and is over for certain
        // once this node has seen no other for as long.
        let unseen_for = node.card.lease + self.margin;
        let is_mute = match probe {
            Probe::Silent | Probe::Lapsed => true,
            Probe::Refused | Probe::Alive(_) => false,
        };
        if is_mute && node.silent_for >= unseen_for {
            return Verdict::Dead { unseen_for };
        }
        Verdict::Trusted
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::ports::Probe;
    use super::{Patience, Sighting, Verdict};
    use crate::ids::{HeartbeatSeq, Incarnation, NodeRecord};

    const PATIENCE: Patience = Patience {
        late: Duration::from_millis(500),
        margin: Duration::from_millis(100),
    };
    const NODE: Incarnation = Incarnation(1);

    fn seen(age_ms: u64) -> Sighting {
        Sighting {
            card: NodeRecord {
                incarnation: NODE,
                address: "192.0.2.1:7000".to_owned(),
                version: "1".to_owned(),
                weight: 1,
                lease: Duration::from_millis(1_500),
                is_leaving: false,
            },
            last_sign: HeartbeatSeq(1),
            age: Duration::from_millis(age_ms),
            silent_for: Duration::from_millis(age_ms),
        }
    }

    #[test]
    fn a_node_is_dead_when_it_is_late_and_does_not_answer() {
        let other_life = Probe::Alive(Incarnation(2));
        let dead_after = |ms| Verdict::Dead {
            unseen_for: Duration::from_millis(ms),
        };
        for (age_ms, probe, verdict) in [
            (499, Probe::Refused, Verdict::Trusted),
            (500, Probe::Refused, dead_after(500)),
            (500, other_life, dead_after(500)),
            (500, Probe::Silent, Verdict::Trusted),
            (1_599, Probe::Silent, Verdict::Trusted),
            (1_600, Probe::Silent, dead_after(1_600)),
            (1_599, Probe::Lapsed, Verdict::Trusted),
            (1_600, Probe::Lapsed, dead_after(1_600)),
            (60_000, Probe::Alive(NODE), Verdict::Trusted),
        ] {
            let judged = PATIENCE.judge(&seen(age_ms), probe);
            assert_eq!(judged, verdict, "{age_ms} {probe:?}");
        }
    }

    #[test]
    fn a_store_whose_clock_is_set_forward_ends_no_validity() {
        let leapt = Sighting {
            silent_for: Duration::from_millis(1_599),
            ..seen(60_000)
        };
        assert!(PATIENCE.is_late(&leapt, Incarnation(9)));
        for probe in [Probe::Silent, Probe::Lapsed] {
            assert_eq!(PATIENCE.judge(&leapt, probe), Verdict::Trusted);
        }
    }

    #[test]
    fn only_others_that_are_late_are_knocked_at() {
        assert!(PATIENCE.is_late(&seen(500), Incarnation(9)));
        assert!(!PATIENCE.is_late(&seen(499), Incarnation(9)));
        assert!(!PATIENCE.is_late(&seen(5_000), NODE));
    }
}
