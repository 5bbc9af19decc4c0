//! What this node should do about the sessions, given what is known of all nodes: pure, one look at
//! a time.
//!
//! Every node makes its own plan from the same tables. Two that plan the same thing race for a
//! compare-and-set, which one of them wins; so a plan may be wrong and cost nothing but a statement.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use super::placement::preferences;
use super::sightings::Sighting;
use super::suspicion::Patience;
use crate::ids::{Incarnation, NodeRecord, Ownership, SessionId};

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
    HandOver(SessionId, NodeRecord),
    /// Close a session that nobody needs, and leave it to nobody.
    Retire(SessionId),
    /// Leave to nobody what this node owns, does not run, and need not run.
    Release(Ownership),
}

impl Step {
    /// The session that it is about.
    pub(super) fn session(&self) -> SessionId {
        match self {
            Self::Abandon(session) | Self::HandOver(session, _) | Self::Retire(session) => *session,
            Self::Take(owned) | Self::Release(owned) => owned.session,
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
        let cards: Vec<NodeRecord> = look.nodes.iter().map(|seen| seen.card.clone()).collect();
        let is_member = |node: Incarnation| cards.iter().any(|card| card.incarnation == node);
        let mut steps = self.abandon(look);
        let mut orphans = BTreeMap::new();
        for ownership in &look.ownerships {
            let session = ownership.session;
            match ownership.owner {
                Some(owner) if owner == self.me => {
                    let is_idle =
                        look.finished.contains(&session) && !look.wanted.contains(&session);
                    if !look.held.contains(&session) && is_idle {
                        steps.push(Step::Release(*ownership));
                    } else if !look.held.contains(&session) {
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
    fn is_my_turn(&self, orphan: &Ownership, orphaned: Duration, cards: &[NodeRecord]) -> bool {
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
        cards: &'a [NodeRecord],
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
mod tests;
