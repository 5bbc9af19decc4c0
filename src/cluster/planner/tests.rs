//! Plans for sequences of views.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use tokio::time::Instant;

use super::{CREATION_GRACE, ClusterView, Planner, STABLE_MIN, Step, TURN};
use crate::cluster::observations::Observation;
use crate::cluster::placement::preferences;
use crate::cluster::suspicion::Patience;
use crate::ids::{Epoch, HeartbeatSeq, Incarnation, NodeRecord, Ownership, SessionId};

const ME: Incarnation = Incarnation(1);
const OTHER: Incarnation = Incarnation(2);
const DEAD: Incarnation = Incarnation(3);
const REBALANCE_MAX: usize = 2;

const PATIENCE: Patience = Patience {
    late: Duration::from_millis(500),
    margin: Duration::from_millis(100),
};

fn planner(node: Incarnation) -> Planner {
    Planner::new(node, PATIENCE, REBALANCE_MAX)
}

fn record(node: Incarnation) -> NodeRecord {
    NodeRecord {
        incarnation: node,
        address: format!("10.0.0.{}:7000", node.0),
        version: "1".to_owned(),
        weight: 100,
        lease: Duration::from_secs(1),
        is_leaving: false,
    }
}

fn observed(node: Incarnation) -> Observation {
    Observation {
        record: record(node),
        last_heartbeat: HeartbeatSeq(1),
        age: Duration::ZERO,
        silent_for: Duration::ZERO,
    }
}

fn owned(session: u64, owner: Option<Incarnation>, epoch: u64) -> Ownership {
    Ownership {
        session: SessionId::new(session),
        owner,
        epoch: Epoch(epoch),
    }
}

fn view_of(at: Instant, ownerships: Vec<Ownership>, nodes: &[Incarnation]) -> ClusterView {
    ClusterView {
        at,
        ownerships,
        nodes: nodes.iter().map(|node| observed(*node)).collect(),
        running: BTreeSet::new(),
        broken: BTreeSet::new(),
        retirable: BTreeSet::new(),
        finished: BTreeSet::new(),
        requested: BTreeSet::new(),
    }
}

/// A session that prefers this node, of me and the other.
fn preferring(node: Incarnation) -> u64 {
    let records = [record(ME), record(OTHER)];
    let prefers = |session: &u64| {
        let ranked = preferences(SessionId::new(*session), &records);
        ranked[0].incarnation == node
    };
    (0..10_000)
        .find(prefers)
        .expect("each node is preferred by some")
}

#[test]
fn orphans_are_taken_by_the_node_that_they_prefer() {
    let start = Instant::now();
    let (near, far) = (preferring(ME), preferring(OTHER));
    for owner in [None, Some(DEAD)] {
        let mut planner = planner(ME);
        let orphans = vec![owned(near, owner, 4), owned(far, owner, 4)];
        let nodes = [ME, OTHER];
        let steps = planner.plan(&view_of(start, orphans.clone(), &nodes));
        assert_eq!(steps, [Step::Claim(owned(near, owner, 4))]);
        let later = planner.plan(&view_of(start + TURN, orphans.clone(), &nodes));
        let both = [near, far].map(|session| Step::Claim(owned(session, owner, 4)));
        assert_eq!(
            later, both,
            "every session gets an owner if the other node does nothing"
        );
    }
}

#[test]
fn a_finished_session_is_left_alone_until_it_is_asked_for() {
    let mut planner = Planner::new(ME, PATIENCE, REBALANCE_MAX);
    // Not even the node that it would prefer: that one was not asked.
    let orphan = owned(preferring(OTHER), Some(DEAD), 4);
    let mut view = view_of(Instant::now(), vec![orphan], &[ME, OTHER]);
    view.finished = [orphan.session].into();
    for _ in 0..5 {
        assert_eq!(planner.plan(&view), []);
        view.at += 2 * TURN;
    }
    view.requested = [orphan.session].into();
    assert_eq!(planner.plan(&view), [Step::Claim(orphan)]);
    view.nodes.retain(|node| node.record.incarnation != ME);
    assert_eq!(planner.plan(&view), [], "this node is not a member");
}

#[test]
fn a_finished_session_is_not_moved_for_balance() {
    let start = Instant::now();
    let mut planner = Planner::new(ME, PATIENCE, REBALANCE_MAX);
    let mine = owned(preferring(OTHER), Some(ME), 4);
    let mut view = view_of(start, vec![mine], &[ME, OTHER]);
    view.running = [mine.session].into();
    view.finished = [mine.session].into();
    assert_eq!(planner.plan(&view), []);
    view.at += 2 * STABLE_MIN;
    assert_eq!(planner.plan(&view), []);
    view.finished.clear();
    assert_eq!(planner.plan(&view).len(), 1);
}

#[test]
fn an_unused_session_is_retired_and_released() {
    let mut planner = planner(ME);
    let mine = [1, 2].map(|session| owned(session, Some(ME), 4));
    let mut view = view_of(Instant::now(), mine.to_vec(), &[ME]);
    view.running = [SessionId::new(1), SessionId::new(2)].into();
    assert_eq!(planner.plan(&view), []);
    view.retirable = [SessionId::new(2)].into();
    assert_eq!(planner.plan(&view), [Step::Retire(SessionId::new(2))]);
    // It was closed, and its release failed.
    view.retirable.clear();
    view.running.remove(&SessionId::new(2));
    view.finished = [SessionId::new(2)].into();
    assert_eq!(planner.plan(&view), [Step::Release(mine[1])]);
    view.requested = [SessionId::new(2)].into();
    assert_eq!(planner.plan(&view), [Step::Claim(mine[1])]);
}

#[test]
fn a_created_session_is_left_to_its_creator_for_a_while() {
    let start = Instant::now();
    let mut planner = planner(ME);
    let created = vec![owned(preferring(ME), None, 0)];
    let mut plan = |at| planner.plan(&view_of(at, created.clone(), &[ME, OTHER]));
    assert_eq!(plan(start), []);
    assert_eq!(plan(start + CREATION_GRACE / 2), []);
    assert_eq!(plan(start + CREATION_GRACE), [Step::Claim(created[0])]);
}

#[test]
fn running_sessions_of_another_owner_are_abandoned_first() {
    let mut planner = planner(ME);
    let near = preferring(ME);
    let mut view = view_of(
        Instant::now(),
        vec![owned(near, Some(DEAD), 9), owned(500, Some(OTHER), 7)],
        &[ME, OTHER],
    );
    view.running = [SessionId::new(500), SessionId::new(501)].into();
    let steps = planner.plan(&view);
    let expected = [
        Step::Abandon(SessionId::new(500)),
        Step::Abandon(SessionId::new(501)),
        Step::Claim(owned(near, Some(DEAD), 9)),
    ];
    assert_eq!(steps, expected);
}

#[test]
fn own_sessions_that_do_not_run_are_claimed_again() {
    let mut planner = planner(ME);
    let mine = owned(1, Some(ME), 3);
    let steps = planner.plan(&view_of(Instant::now(), vec![mine], &[ME, OTHER]));
    assert_eq!(steps, [Step::Claim(mine)]);
}

#[test]
fn an_unknown_node_takes_no_sessions_of_others() {
    let mut planner = planner(ME);
    let orphan = vec![owned(1, Some(DEAD), 3)];
    let at = Instant::now();
    assert_eq!(planner.plan(&view_of(at, orphan.clone(), &[OTHER])), []);
    assert_eq!(planner.plan(&view_of(at + 9 * TURN, orphan, &[OTHER])), []);
}

#[test]
fn a_stable_cluster_rebalances_a_few_sessions_at_a_time() {
    let start = Instant::now();
    let far = (0..).filter(|session| {
        let records = [record(ME), record(OTHER)];
        preferences(SessionId::new(*session), &records)[0].incarnation == OTHER
    });
    let far: Vec<u64> = far.take(5).collect();
    let mine: Vec<Ownership> = far.iter().map(|s| owned(*s, Some(ME), 1)).collect();
    let mut planner = planner(ME);
    let mut plan = |at, nodes: &[Incarnation]| {
        let mut view = view_of(at, mine.clone(), nodes);
        view.running = far.iter().map(|session| SessionId::new(*session)).collect();
        planner.plan(&view)
    };
    assert_eq!(plan(start, &[ME]), []);
    assert_eq!(
        plan(start + STABLE_MIN, &[ME, OTHER]),
        [],
        "one came just now"
    );
    let moves = plan(start + 2 * STABLE_MIN, &[ME, OTHER]);
    let expected = [0, 1].map(|i| Step::HandOff(SessionId::new(far[i]), record(OTHER)));
    assert_eq!(moves, expected);
}

#[test]
fn a_session_that_stays_closed_is_not_moved_and_does_not_block_other_moves() {
    let start = Instant::now();
    let records = [record(ME), record(OTHER)];
    let is_far = |s: &u64| preferences(SessionId::new(*s), &records)[0].incarnation == OTHER;
    let far: Vec<u64> = (0..).filter(is_far).take(REBALANCE_MAX + 1).collect();
    let mine = far.iter().map(|session| owned(*session, Some(ME), 1));
    let mut planner = planner(ME);
    let mut view = view_of(start, mine.collect(), &[ME, OTHER]);
    view.running = far.iter().map(|session| SessionId::new(*session)).collect();
    view.broken = view.running.iter().take(REBALANCE_MAX).copied().collect();
    assert_eq!(planner.plan(&view), []);
    view.at += 2 * STABLE_MIN;
    let sound = SessionId::new(far[REBALANCE_MAX]);
    let moved = Step::HandOff(sound, record(OTHER));
    assert_eq!(planner.plan(&view), [moved]);
}

#[test]
fn a_late_node_receives_no_sessions() {
    let start = Instant::now();
    let far = preferring(OTHER);
    let mut planner = planner(ME);
    let mut plan = |at, age| {
        let mut view = view_of(at, vec![owned(far, Some(ME), 1)], &[ME, OTHER]);
        view.running = [SessionId::new(far)].into();
        view.nodes[1].age = age;
        planner.plan(&view)
    };
    assert_eq!(plan(start, Duration::ZERO), []);
    assert_eq!(plan(start + STABLE_MIN, PATIENCE.late), []);
    let moved = Step::HandOff(SessionId::new(far), record(OTHER));
    assert_eq!(plan(start + STABLE_MIN, PATIENCE.late / 2), [moved]);
}

proptest! {
    /// Several nodes that act on the same tables in any order: each session ends up with one
    /// owner, which is alive and the one that it prefers, whatever was the case before.
    #[test]
    fn every_session_ends_up_with_one_living_owner(
        owners in prop::collection::vec(prop::option::of(1_u64..6), 1..20),
        order in prop::collection::vec(0_usize..3, 30),
    ) {
        let nodes = [Incarnation(1), Incarnation(2), Incarnation(3)];
        let mut table: BTreeMap<SessionId, Ownership> = (0..)
            .zip(&owners)
            .map(|(session, owner)| {
                let owner = owner.map(Incarnation);
                (SessionId::new(session), owned(session, owner, 1))
            })
            .collect();
        let mut planners = nodes.map(planner);
        let mut held = [const { BTreeSet::new() }; 3];
        let mut at = Instant::now();
        // After the random scans, each node scans in turn until all turns have passed.
        let settling = (0..60).map(|scan| scan % 3);
        for index in order.into_iter().chain(settling) {
            at += TURN;
            let mut view = view_of(at, table.values().copied().collect(), &nodes);
            view.running = held[index].clone();
            for step in planners[index].plan(&view) {
                let session = step.session();
                let row = table.get_mut(&session).expect("only these exist");
                let next = match step {
                    Step::Abandon(_) => {
                        prop_assert_ne!(row.owner, Some(nodes[index]));
                        held[index].remove(&session);
                        continue;
                    }
                    Step::Claim(ground) => {
                        prop_assert_eq!(*row, ground);
                        held[index].insert(session);
                        nodes[index]
                    }
                    Step::Retire(_) | Step::Release(_) => {
                        return Err(TestCaseError::fail("all are needed"));
                    }
                    Step::HandOff(_, to) => {
                        prop_assert_eq!(row.owner, Some(nodes[index]));
                        held[index].remove(&session);
                        to.incarnation
                    }
                };
                row.owner = Some(next);
                row.epoch = Epoch(row.epoch.0 + 1);
            }
        }
        let records = nodes.map(record);
        for (session, row) in &table {
            let preferred = preferences(*session, &records)[0].incarnation;
            prop_assert_eq!(row.owner, Some(preferred), "it is where it should be");
            let holders = (0..3).filter(|index| held[*index].contains(session));
            let holders: Vec<_> = holders.map(|index| Some(nodes[index])).collect();
            prop_assert_eq!(holders, vec![row.owner], "it runs there and nowhere else");
        }
    }
}
