//! Plans what this node does about sessions, from one view of the cluster at a time. Pure.
//!
//! Every node plans by itself from the same tables. If two nodes plan to claim the same session, one of them
//! wins the compare-and-set; so a wrong plan costs only a statement.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use super::observations::Observation;
use super::placement::preferences;
use super::suspicion::Patience;
use crate::ids::{Incarnation, NodeRecord, Ownership, SessionId};

/// Time for which a session that never had an owner is left to the node that created it.
const CREATION_GRACE: Duration = Duration::from_secs(5);
/// Time that a node waits for each node that a session prefers to it.
const TURN: Duration = Duration::from_secs(3);
/// Time for which membership must be stable before sessions are rebalanced, so that a restart of the whole
/// cluster does not move each session several times.
const STABLE_MIN: Duration = Duration::from_secs(5);

/// A view of the cluster from one scan. Ownerships are read before nodes; otherwise a session could look
/// orphaned whose owner joined and claimed it between the two reads.
#[derive(Debug, Clone)]
pub(super) struct ClusterView {
    pub(super) at: Instant,
    pub(super) ownerships: Vec<Ownership>,
    pub(super) nodes: Vec<Observation>,
    /// The sessions that run on this node.
    pub(super) running: BTreeSet<SessionId>,
    /// Running sessions that stay closed until an operator acts.
    pub(super) broken: BTreeSet<SessionId>,
    /// Running sessions that are finished and unused.
    pub(super) retirable: BTreeSet<SessionId>,
    /// All finished sessions. They need not run.
    pub(super) finished: BTreeSet<SessionId>,
    /// Sessions without a live owner that requests at this node wait for.
    pub(super) requested: BTreeSet<SessionId>,
}

/// A step of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Drop a session that another node owns.
    Abandon(SessionId),
    /// Claim a session if its ownership is still this one, and run it.
    Claim(Ownership),
    /// Hand a session off to a node that it prefers.
    HandOff(SessionId, NodeRecord),
    /// Close an unused finished session, and release it.
    Retire(SessionId),
    /// Release a finished session that this node owns but does not run.
    Release(Ownership),
}

impl Step {
    /// The session of the step.
    pub(super) fn session(&self) -> SessionId {
        match self {
            Self::Abandon(session) | Self::HandOff(session, _) | Self::Retire(session) => *session,
            Self::Claim(owned) | Self::Release(owned) => owned.session,
        }
    }
}

/// Makes plans. Remembers since when sessions have been orphaned and membership has been stable.
#[derive(Debug)]
pub(super) struct Planner {
    me: Incarnation,
    patience: Patience,
    /// Sessions that may be moved for balance in one view.
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

    /// The steps for a view: first sessions to abandon, then to claim or release, then to hand off.
    pub(super) fn plan(&mut self, view: &ClusterView) -> Vec<Step> {
        let records: Vec<NodeRecord> = view.nodes.iter().map(|node| node.record.clone()).collect();
        let is_member = |node: Incarnation| records.iter().any(|record| record.incarnation == node);
        let mut steps = self.abandon(view);
        let mut orphans = BTreeMap::new();
        for ownership in &view.ownerships {
            let session = ownership.session;
            match ownership.owner {
                Some(owner) if owner == self.me => {
                    let is_idle =
                        view.finished.contains(&session) && !view.requested.contains(&session);
                    if !view.running.contains(&session) && is_idle {
                        steps.push(Step::Release(*ownership));
                    } else if !view.running.contains(&session) {
                        steps.push(Step::Claim(*ownership));
                    } else if view.retirable.contains(&session) {
                        steps.push(Step::Retire(session));
                    }
                }
                Some(owner) if is_member(owner) => {}
                // The node with the request runs it, even if the session prefers another node.
                Some(_) | None if view.finished.contains(&session) => {
                    if view.requested.contains(&session) && is_member(self.me) {
                        steps.push(Step::Claim(*ownership));
                    }
                }
                Some(_) | None => {
                    let known = self.orphans_since.get(&session);
                    let since = known.copied().unwrap_or(view.at);
                    orphans.insert(session, since);
                    if self.is_my_turn(ownership, view.at - since, &records) {
                        steps.push(Step::Claim(*ownership));
                    }
                }
            }
        }
        self.orphans_since = orphans;
        if self.is_stable(view) {
            steps.extend(self.rebalance(view, &records));
        }
        steps
    }

    /// Sessions that run here but are owned by another node, or do not exist any more.
    fn abandon(&self, view: &ClusterView) -> Vec<Step> {
        let owned: BTreeSet<SessionId> = view
            .ownerships
            .iter()
            .filter(|ownership| ownership.owner == Some(self.me))
            .map(|ownership| ownership.session)
            .collect();
        let lost = view.running.difference(&owned);
        lost.map(|session| Step::Abandon(*session)).collect()
    }

    /// Whether this node should claim an orphaned session: at once if the session prefers this node, otherwise
    /// after the turns of the nodes that it prefers have passed, so that every session gets an owner.
    fn is_my_turn(&self, orphan: &Ownership, orphaned: Duration, records: &[NodeRecord]) -> bool {
        let ranked = preferences(orphan.session, records);
        let mut ranked = ranked.iter();
        let Some(rank) = ranked.position(|record| record.incarnation == self.me) else {
            // This node is not a member, and must not claim before it is.
            return false;
        };
        let is_new = orphan.owner.is_none() && orphan.epoch.0 == 0;
        let delay = if is_new {
            CREATION_GRACE
        } else {
            Duration::ZERO
        };
        let turns = u32::try_from(rank).unwrap_or(u32::MAX);
        orphaned >= delay + TURN.saturating_mul(turns)
    }

    /// Whether membership has been stable for a while. Leaving nodes do not count as members.
    fn is_stable(&mut self, view: &ClusterView) -> bool {
        let staying = view.nodes.iter().filter(|node| !node.record.is_leaving);
        let members: BTreeSet<Incarnation> = staying.map(|node| node.record.incarnation).collect();
        if members != self.members || self.members_since.is_none() {
            self.members = members;
            self.members_since = Some(view.at);
        }
        let since = self.members_since.unwrap_or(view.at);
        view.at - since >= STABLE_MIN
    }

    fn rebalance<'a>(
        &'a self,
        view: &'a ClusterView,
        records: &'a [NodeRecord],
    ) -> impl Iterator<Item = Step> + 'a {
        let mine = view.ownerships.iter().filter(|ownership| {
            let session = ownership.session;
            let runs_here = ownership.owner == Some(self.me) && view.running.contains(&session);
            // A broken session is not moved: the new owner would open it again, and hand-offs of it would use
            // up the limit of every scan.
            runs_here && !view.finished.contains(&session) && !view.broken.contains(&session)
        });
        // A late node may be dead: a session handed off to it would not run until it is evicted.
        let late = view.nodes.iter();
        let late = late.filter(|node| self.patience.is_late(node, self.me));
        let late: BTreeSet<Incarnation> = late.map(|node| node.record.incarnation).collect();
        let moves = mine.filter_map(move |ownership| {
            let to = *preferences(ownership.session, records).first()?;
            let is_better = to.incarnation != self.me && !to.is_leaving && to.weight > 0;
            let is_available = is_better && !late.contains(&to.incarnation);
            is_available.then(|| Step::HandOff(ownership.session, to.clone()))
        });
        moves.take(self.rebalance_max)
    }
}

#[cfg(test)]
mod tests;
