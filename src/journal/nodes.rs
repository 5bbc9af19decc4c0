//! The nodes of a journal that only one process has open: they are kept in its memory.
//!
//! In simulations several nodes share one journal, and the time is tokio's.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::time::Instant;

use super::{HeartbeatOutcome, HeartbeatSeq, Incarnation, NodeRecord, NodeStatus};

/// The known nodes. Clones share them. As many as join: in one process that is one.
#[derive(Debug, Clone, Default)]
pub(super) struct Nodes {
    heard_of: Arc<Mutex<HeardOf>>,
}

#[derive(Debug, Default)]
struct HeardOf {
    nodes: BTreeMap<Incarnation, (NodeRecord, HeartbeatSeq, Instant)>,
    signs: i64,
}

impl HeardOf {
    fn note(&mut self, node: NodeRecord) {
        self.signs += 1;
        let key = node.incarnation;
        self.nodes
            .insert(key, (node, HeartbeatSeq(self.signs), Instant::now()));
    }
}

impl Nodes {
    pub(super) fn join(&self, node: NodeRecord) {
        self.heard_of().note(node);
    }

    pub(super) fn beat(&self, node: NodeRecord) -> HeartbeatOutcome {
        let mut heard_of = self.heard_of();
        if !heard_of.nodes.contains_key(&node.incarnation) {
            return HeartbeatOutcome::Evicted;
        }
        heard_of.note(node);
        HeartbeatOutcome::Renewed
    }

    pub(super) fn all(&self) -> Vec<NodeStatus> {
        let heard_of = self.heard_of();
        let nodes = heard_of.nodes.values();
        let nodes = nodes.map(|(record, last_sign, at)| NodeStatus {
            record: record.clone(),
            last_heartbeat: *last_sign,
            age: at.elapsed(),
        });
        nodes.collect()
    }

    pub(super) fn forget(&self, incarnation: Incarnation, last_sign: Option<HeartbeatSeq>) -> bool {
        let mut heard_of = self.heard_of();
        if let Some((_, last, _)) = heard_of.nodes.get(&incarnation)
            && last_sign.is_some_and(|sign| sign != *last)
        {
            return false;
        }
        heard_of.nodes.remove(&incarnation);
        true
    }

    fn heard_of(&self) -> MutexGuard<'_, HeardOf> {
        self.heard_of
            .lock()
            .expect("nothing panics while it holds the lock")
    }
}
