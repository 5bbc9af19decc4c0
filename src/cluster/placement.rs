//! Placement of sessions on nodes: weighted rendezvous hashing.
//!
//! Every node computes the same result from the same list of nodes, without agreement. When a node joins or
//! leaves, only its own share of the sessions moves. The hash uses the node's address, not its incarnation,
//! so a restarted node gets its sessions back.

use crate::ids::{NodeRecord, SessionId};

/// Bits of the significand of an `f64`.
const FRACTION_BITS: u32 = 53;

/// The nodes ordered by a session's preference. Leaving nodes and nodes with weight 0 come last.
pub fn preferences(session: SessionId, nodes: &[NodeRecord]) -> Vec<&NodeRecord> {
    let mut ranked: Vec<(bool, f64, &NodeRecord)> = nodes
        .iter()
        .map(|node| {
            let is_last = node.is_leaving || node.weight == 0;
            (is_last, distance(session, node), node)
        })
        .collect();
    ranked.sort_by(|a, b| {
        let by_distance = a.0.cmp(&b.0).then(a.1.total_cmp(&b.1));
        by_distance.then_with(|| a.2.incarnation.cmp(&b.2.incarnation))
    });
    ranked.into_iter().map(|(_, _, node)| node).collect()
}

/// The distance of a node from a session; the nearest node is preferred. `-ln(u) / weight` with `u` uniform
/// in (0, 1) is exponentially distributed with rate `weight`. The minimum of several such values is each
/// node's with a probability proportional to its weight.
fn distance(session: SessionId, node: &NodeRecord) -> f64 {
    let mixed = mix(session.number() ^ hash(node.address.as_bytes()));
    #[expect(clippy::cast_precision_loss, reason = "the number has 53 bits")]
    let uniform = ((mixed >> (u64::BITS - FRACTION_BITS)) as f64 + 0.5) / (2_f64).powi(53);
    -uniform.ln() / f64::from(node.weight.max(1))
}

/// FNV-1a. Unlike the standard library's hashers it is the same in every version and on every machine.
fn hash(bytes: &[u8]) -> u64 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    bytes.iter().fold(OFFSET, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(PRIME)
    })
}

/// The finalizer of `SplitMix64`: each input bit changes half of the output bits on average.
fn mix(number: u64) -> u64 {
    let mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::preferences;
    use crate::ids::{Incarnation, NodeRecord, SessionId};

    const SESSIONS: u64 = 10_000;

    fn node(number: u8, weight: u32) -> NodeRecord {
        NodeRecord {
            incarnation: Incarnation(u64::from(number)),
            address: format!("10.0.0.{number}:7000"),
            version: "1".to_owned(),
            weight,
            lease: Duration::from_secs(1),
            is_leaving: false,
        }
    }

    fn owner(session: u64, nodes: &[NodeRecord]) -> Incarnation {
        preferences(SessionId::new(session), nodes)[0].incarnation
    }

    #[test]
    fn sessions_are_placed_in_proportion_to_the_weights() {
        let nodes = [node(1, 100), node(2, 100), node(3, 200)];
        let mut counts = BTreeMap::<Incarnation, u64>::new();
        for session in 0..SESSIONS {
            *counts.entry(owner(session, &nodes)).or_default() += 1;
        }
        for (number, share) in [(1, 25), (2, 25), (3, 50)] {
            let count = counts[&Incarnation(number)];
            let expected = SESSIONS * share / 100;
            assert!(count.abs_diff(expected) < SESSIONS / 50, "{counts:?}");
        }
    }

    #[test]
    fn only_the_share_of_a_node_moves_when_it_goes() {
        let nodes = [node(1, 100), node(2, 100), node(3, 100)];
        for session in 0..SESSIONS {
            let before = owner(session, &nodes);
            let after = owner(session, &nodes[..2]);
            assert!(before == after || before == Incarnation(3));
        }
    }

    #[test]
    fn a_node_that_was_restarted_gets_its_sessions_back() {
        let again = NodeRecord {
            incarnation: Incarnation(77),
            ..node(2, 100)
        };
        for session in 0..1_000 {
            let before = owner(session, &[node(1, 100), node(2, 100)]);
            let after = owner(session, &[again.clone(), node(1, 100)]);
            assert_eq!(before == Incarnation(2), after == Incarnation(77));
        }
    }

    #[test]
    fn leaving_nodes_and_nodes_without_weight_come_last() {
        let leaving = NodeRecord {
            is_leaving: true,
            ..node(1, 1_000_000)
        };
        for session in 0..1_000 {
            let nodes = [leaving.clone(), node(2, 0), node(3, 1)];
            assert_eq!(owner(session, &nodes), Incarnation(3));
            assert_eq!(preferences(SessionId::new(session), &nodes).len(), 3);
        }
    }
}
