//! What this node should do about the sessions, given what is known of all nodes: pure, one look at
//! a time.
//!
//! Every node makes its own plan from the same tables. Two that plan the same thing race for a
//! compare-and-set, which one of them wins; so a plan may be wrong and cost nothing but a statement.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use super::ids::{Incarnation, SessionId};
use super::placement::preferences;
use super::ports::{NodeCard, Ownership};
use super::sightings::Sighting;
use super::suspicion::Patience;

/// How long a session that never had an owner is left to the node that created it.
const NEWBORN_FOR: Duration = Duration::from_secs(5);
/// How long each node waits for those that a session prefers to it.
const TURN: Duration = Duration::from_secs(3);
/// How long the list of nodes must have been the same before sessions are moved for balance: a
/// restart of the whole cluster must not move each of them several times.
const CALM_FOR: Duration = Duration::from_secs(5);

/// What one look gave. The ownerships were read before the nodes: a session that a node claimed is
/// then never taken for an orphan by a list of nodes from before that node joined.
#[derive(Debug, Clone)]
pub(super) struct Look {
    pub(super) at: Instant,
    pub(super) ownerships: Vec<Ownership>,
    pub(super) nodes: Vec<Sighting>,
    pub(super) held: BTreeSet<SessionId>,
    /// Those of them that stay closed.
    pub(super) broken: BTreeSet<SessionId>,
    /// Those of them that are finished and that nobody has used for a while.
    pub(super) unneeded: BTreeSet<SessionId>,
    /// Sessions that nobody needs to run.
    pub(super) finished: BTreeSet<SessionId>,
    /// Sessions that somebody has just asked this node for and that nobody ran.
    pub(super) wanted: BTreeSet<SessionId>,
}

/// Something to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Throw a session away: another node owns it.
    Abandon(SessionId),
    /// Claim a session on this ground, and run it.
    Take(Ownership),
    /// Give a session to a node that it prefers.
    HandOver(SessionId, NodeCard),
    /// Close a session and leave it to nobody, until somebody asks for it.
    Retire(SessionId),
}

impl Step {
    /// The session that it is about.
    pub(super) fn session(&self) -> SessionId {
        match self {
            Self::Abandon(session) | Self::HandOver(session, _) | Self::Retire(session) => *session,
            Self::Take(ground) => ground.session,
        }
    }
}

/// Makes plans, and remembers since when what it sees has been so.
#[derive(Debug)]
pub(super) struct Planner {
    me: Incarnation,
    patience: Patience,
    /// Sessions that may be moved for balance in one look.
    rebalance_max: usize,
    orphans_since: BTreeMap<SessionId, Instant>,
    members: BTreeSet<Incarnation>,
    members_since: Option<Instant>,
}

impl Planner {
    pub(super) fn new(me: Incarnation, patience: Patience, rebalance_max: usize) -> Self {
        Self {
            me,
            patience,
            rebalance_max,
            orphans_since: BTreeMap::new(),
            members: BTreeSet::new(),
            members_since: None,
        }
    }

    /// What to do now: first what must be thrown away, then what is to be taken, then what is to be
    /// given.
    pub(super) fn plan(&mut self, look: &Look) -> Vec<Step> {
        let cards: Vec<NodeCard> = look.nodes.iter().map(|seen| seen.card.clone()).collect();
        let is_member = |node: Incarnation| cards.iter().any(|card| card.incarnation == node);
        let mut steps = self.abandon(look);
        let mut orphans = BTreeMap::new();
        for ownership in &look.ownerships {
            let session = ownership.session;
            match ownership.owner {
                Some(owner) if owner == self.me => {
                    if !look.held.contains(&session) {
                        steps.push(Step::Take(*ownership));
                    } else if look.unneeded.contains(&session) {
                        steps.push(Step::Retire(session));
                    }
                }
                Some(owner) if is_member(owner) => {}
                // Whoever is asked for it runs it, wherever it would be better.
                Some(_) | None if look.finished.contains(&session) => {
                    if look.wanted.contains(&session) && is_member(self.me) {
                        steps.push(Step::Take(*ownership));
                    }
                }
                Some(_) | None => {
                    let known = self.orphans_since.get(&session);
                    let since = known.copied().unwrap_or(look.at);
                    orphans.insert(session, since);
                    if self.is_my_turn(ownership, look.at - since, &cards) {
                        steps.push(Step::Take(*ownership));
                    }
                }
            }
        }
        self.orphans_since = orphans;
        if self.is_calm(look) {
            steps.extend(self.rebalance(look, &cards));
        }
        steps
    }

    /// Sessions that run here and are another's, or do not exist any more.
    fn abandon(&self, look: &Look) -> Vec<Step> {
        let mine: BTreeSet<SessionId> = look
            .ownerships
            .iter()
            .filter(|ownership| ownership.owner == Some(self.me))
            .map(|ownership| ownership.session)
            .collect();
        let lost = look.held.difference(&mine);
        lost.map(|session| Step::Abandon(*session)).collect()
    }

    /// Whether this node should take an orphan: at once if the session prefers it to all others,
    /// later if those before it have let their turns go by, so that no session is forgotten.
    fn is_my_turn(&self, orphan: &Ownership, orphaned: Duration, cards: &[NodeCard]) -> bool {
        let ranked = preferences(orphan.session, cards);
        let mut ranked = ranked.iter();
        let Some(place) = ranked.position(|card| card.incarnation == self.me) else {
            // This node is not known itself, and must not act before it is.
            return false;
        };
        let is_newborn = orphan.owner.is_none() && orphan.epoch.0 == 0;
        let first = if is_newborn {
            NEWBORN_FOR
        } else {
            Duration::ZERO
        };
        let turns = u32::try_from(place).unwrap_or(u32::MAX);
        orphaned >= first + TURN.saturating_mul(turns)
    }

    /// Whether the same nodes have been there for a while. Those who are leaving count as gone.
    fn is_calm(&mut self, look: &Look) -> bool {
        let staying = look.nodes.iter().filter(|seen| !seen.card.is_leaving);
        let members: BTreeSet<Incarnation> = staying.map(|seen| seen.card.incarnation).collect();
        if members != self.members || self.members_since.is_none() {
            self.members = members;
            self.members_since = Some(look.at);
        }
        let since = self.members_since.unwrap_or(look.at);
        look.at - since >= CALM_FOR
    }

    fn rebalance<'a>(
        &'a self,
        look: &'a Look,
        cards: &'a [NodeCard],
    ) -> impl Iterator<Item = Step> + 'a {
        let mine = look.ownerships.iter().filter(|ownership| {
            let session = ownership.session;
            let runs_here = ownership.owner == Some(self.me) && look.held.contains(&session);
            // To move one that stays closed would open it again, and each look would begin with it.
            runs_here && !look.finished.contains(&session) && !look.broken.contains(&session)
        });
        // One that is late may have been killed: what it is given nobody runs until it is forgotten.
        let late = look.nodes.iter();
        let late = late.filter(|seen| self.patience.is_late(seen, self.me));
        let late: BTreeSet<Incarnation> = late.map(|seen| seen.card.incarnation).collect();
        let moves = mine.filter_map(move |ownership| {
            let to = *preferences(ownership.session, cards).first()?;
            let is_better = to.incarnation != self.me && !to.is_leaving && to.weight > 0;
            let takes_it = is_better && !late.contains(&to.incarnation);
            takes_it.then(|| Step::HandOver(ownership.session, to.clone()))
        });
        moves.take(self.rebalance_max)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::time::Duration;

    use proptest::prelude::*;
    use tokio::time::Instant;

    use super::super::ids::{Epoch, Incarnation, SessionId};
    use super::super::placement::preferences;
    use super::super::ports::{NodeCard, Ownership, Sign};
    use super::super::sightings::Sighting;
    use super::super::suspicion::Patience;
    use super::{CALM_FOR, Look, NEWBORN_FOR, Planner, Step, TURN};

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

    fn card(node: Incarnation) -> NodeCard {
        NodeCard {
            incarnation: node,
            address: format!("10.0.0.{}:7000", node.0),
            weight: 100,
            valid: Duration::from_secs(1),
            is_leaving: false,
        }
    }

    fn seen(node: Incarnation) -> Sighting {
        Sighting {
            card: card(node),
            last_sign: Sign(1),
            age: Duration::ZERO,
            silent_for: Duration::ZERO,
        }
    }

    fn owned(session: u64, owner: Option<Incarnation>, epoch: u64) -> Ownership {
        Ownership {
            session: SessionId(session),
            owner,
            epoch: Epoch(epoch),
        }
    }

    fn look(at: Instant, ownerships: Vec<Ownership>, nodes: &[Incarnation]) -> Look {
        Look {
            at,
            ownerships,
            nodes: nodes.iter().map(|node| seen(*node)).collect(),
            held: BTreeSet::new(),
            broken: BTreeSet::new(),
            unneeded: BTreeSet::new(),
            finished: BTreeSet::new(),
            wanted: BTreeSet::new(),
        }
    }

    /// A session that prefers this node, of me and the other.
    fn preferring(node: Incarnation) -> u64 {
        let cards = [card(ME), card(OTHER)];
        let prefers = |session: &u64| {
            let ranked = preferences(SessionId(*session), &cards);
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
            let steps = planner.plan(&look(start, orphans.clone(), &nodes));
            assert_eq!(steps, [Step::Take(owned(near, owner, 4))]);
            let later = planner.plan(&look(start + TURN, orphans.clone(), &nodes));
            let both = [near, far].map(|session| Step::Take(owned(session, owner, 4)));
            assert_eq!(
                later, both,
                "nobody is forgotten when the other does nothing"
            );
        }
    }

    #[test]
    fn a_finished_session_is_left_alone_until_it_is_asked_for() {
        let mut planner = Planner::new(ME, PATIENCE, REBALANCE_MAX);
        // Not even the node that it would prefer: that one was not asked.
        let orphan = owned(preferring(OTHER), Some(DEAD), 4);
        let mut look = look(Instant::now(), vec![orphan], &[ME, OTHER]);
        look.finished = [orphan.session].into();
        for _ in 0..5 {
            assert_eq!(planner.plan(&look), []);
            look.at += 2 * TURN;
        }
        look.wanted = [orphan.session].into();
        assert_eq!(planner.plan(&look), [Step::Take(orphan)]);
        look.nodes.retain(|seen| seen.card.incarnation != ME);
        assert_eq!(planner.plan(&look), [], "this node is not known");
    }

    #[test]
    fn a_finished_session_is_not_moved_for_balance() {
        let start = Instant::now();
        let mut planner = Planner::new(ME, PATIENCE, REBALANCE_MAX);
        let mine = owned(preferring(OTHER), Some(ME), 4);
        let mut look = look(start, vec![mine], &[ME, OTHER]);
        look.held = [mine.session].into();
        look.finished = [mine.session].into();
        assert_eq!(planner.plan(&look), []);
        look.at += 2 * CALM_FOR;
        assert_eq!(planner.plan(&look), []);
        look.finished.clear();
        assert_eq!(planner.plan(&look).len(), 1);
    }

    #[test]
    fn a_session_that_nobody_needs_is_given_up() {
        let mut planner = planner(ME);
        let mine = [1, 2].map(|session| owned(session, Some(ME), 4));
        let mut look = look(Instant::now(), mine.to_vec(), &[ME]);
        look.held = [SessionId(1), SessionId(2)].into();
        assert_eq!(planner.plan(&look), []);
        look.unneeded = [SessionId(2)].into();
        assert_eq!(planner.plan(&look), [Step::Retire(SessionId(2))]);
    }

    #[test]
    fn a_newborn_session_is_left_to_its_creator_for_a_while() {
        let start = Instant::now();
        let mut planner = planner(ME);
        let newborn = vec![owned(preferring(ME), None, 0)];
        let mut plan = |at| planner.plan(&look(at, newborn.clone(), &[ME, OTHER]));
        assert_eq!(plan(start), []);
        assert_eq!(plan(start + NEWBORN_FOR / 2), []);
        assert_eq!(plan(start + NEWBORN_FOR), [Step::Take(newborn[0])]);
    }

    #[test]
    fn what_runs_here_and_is_anothers_is_thrown_away_first() {
        let mut planner = planner(ME);
        let near = preferring(ME);
        let mut look = look(
            Instant::now(),
            vec![owned(near, Some(DEAD), 9), owned(500, Some(OTHER), 7)],
            &[ME, OTHER],
        );
        look.held = [SessionId(500), SessionId(501)].into();
        let steps = planner.plan(&look);
        let expected = [
            Step::Abandon(SessionId(500)),
            Step::Abandon(SessionId(501)),
            Step::Take(owned(near, Some(DEAD), 9)),
        ];
        assert_eq!(steps, expected);
    }

    #[test]
    fn what_is_mine_and_does_not_run_is_claimed_anew() {
        let mut planner = planner(ME);
        let mine = owned(1, Some(ME), 3);
        let steps = planner.plan(&look(Instant::now(), vec![mine], &[ME, OTHER]));
        assert_eq!(steps, [Step::Take(mine)]);
    }

    #[test]
    fn a_node_that_is_not_known_takes_nothing_of_others() {
        let mut planner = planner(ME);
        let orphan = vec![owned(1, Some(DEAD), 3)];
        let at = Instant::now();
        assert_eq!(planner.plan(&look(at, orphan.clone(), &[OTHER])), []);
        assert_eq!(planner.plan(&look(at + 9 * TURN, orphan, &[OTHER])), []);
    }

    #[test]
    fn sessions_move_for_balance_a_few_at_a_time_when_all_is_calm() {
        let start = Instant::now();
        let far = (0..).filter(|session| {
            let cards = [card(ME), card(OTHER)];
            preferences(SessionId(*session), &cards)[0].incarnation == OTHER
        });
        let far: Vec<u64> = far.take(5).collect();
        let mine: Vec<Ownership> = far.iter().map(|s| owned(*s, Some(ME), 1)).collect();
        let mut planner = planner(ME);
        let mut plan = |at, nodes: &[Incarnation]| {
            let mut look = look(at, mine.clone(), nodes);
            look.held = far.iter().map(|session| SessionId(*session)).collect();
            planner.plan(&look)
        };
        assert_eq!(plan(start, &[ME]), []);
        assert_eq!(
            plan(start + CALM_FOR, &[ME, OTHER]),
            [],
            "one came just now"
        );
        let moves = plan(start + 2 * CALM_FOR, &[ME, OTHER]);
        let expected = [0, 1].map(|i| Step::HandOver(SessionId(far[i]), card(OTHER)));
        assert_eq!(moves, expected);
    }

    #[test]
    fn a_session_that_stays_closed_is_not_moved_and_keeps_no_other_from_it() {
        let start = Instant::now();
        let cards = [card(ME), card(OTHER)];
        let is_far = |s: &u64| preferences(SessionId(*s), &cards)[0].incarnation == OTHER;
        let far: Vec<u64> = (0..).filter(is_far).take(REBALANCE_MAX + 1).collect();
        let mine = far.iter().map(|session| owned(*session, Some(ME), 1));
        let mut planner = planner(ME);
        let mut look = look(start, mine.collect(), &[ME, OTHER]);
        look.held = far.iter().map(|session| SessionId(*session)).collect();
        look.broken = look.held.iter().take(REBALANCE_MAX).copied().collect();
        assert_eq!(planner.plan(&look), []);
        look.at += 2 * CALM_FOR;
        let sound = SessionId(far[REBALANCE_MAX]);
        let moved = Step::HandOver(sound, card(OTHER));
        assert_eq!(planner.plan(&look), [moved]);
    }

    #[test]
    fn a_late_node_is_given_nothing() {
        let start = Instant::now();
        let far = preferring(OTHER);
        let mut planner = planner(ME);
        let mut plan = |at, age| {
            let mut look = look(at, vec![owned(far, Some(ME), 1)], &[ME, OTHER]);
            look.held = [SessionId(far)].into();
            look.nodes[1].age = age;
            planner.plan(&look)
        };
        assert_eq!(plan(start, Duration::ZERO), []);
        assert_eq!(plan(start + CALM_FOR, PATIENCE.late), []);
        let moved = Step::HandOver(SessionId(far), card(OTHER));
        assert_eq!(plan(start + CALM_FOR, PATIENCE.late / 2), [moved]);
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
                    (SessionId(session), owned(session, owner, 1))
                })
                .collect();
            let mut planners = nodes.map(planner);
            let mut held = [const { BTreeSet::new() }; 3];
            let mut at = Instant::now();
            // After the random looks, each node looks in its turn until every turn is over.
            let settling = (0..60).map(|look| look % 3);
            for index in order.into_iter().chain(settling) {
                at += TURN;
                let mut look = look(at, table.values().copied().collect(), &nodes);
                look.held = held[index].clone();
                for step in planners[index].plan(&look) {
                    let session = step.session();
                    let row = table.get_mut(&session).expect("only these exist");
                    let next = match step {
                        Step::Abandon(_) => {
                            prop_assert_ne!(row.owner, Some(nodes[index]));
                            held[index].remove(&session);
                            continue;
                        }
                        Step::Take(ground) => {
                            prop_assert_eq!(*row, ground);
                            held[index].insert(session);
                            nodes[index]
                        }
                        Step::Retire(_) => return Err(TestCaseError::fail("all are needed")),
                        Step::HandOver(_, to) => {
                            prop_assert_eq!(row.owner, Some(nodes[index]));
                            held[index].remove(&session);
                            to.incarnation
                        }
                    };
                    row.owner = Some(next);
                    row.epoch = Epoch(row.epoch.0 + 1);
                }
            }
            let cards = nodes.map(card);
            for (session, row) in &table {
                let preferred = preferences(*session, &cards)[0].incarnation;
                prop_assert_eq!(row.owner, Some(preferred), "it is where it should be");
                let holders = (0..3).filter(|index| held[*index].contains(session));
                let holders: Vec<_> = holders.map(|index| Some(nodes[index])).collect();
                prop_assert_eq!(holders, vec![row.owner], "it runs there and nowhere else");
            }
        }
    }
}
