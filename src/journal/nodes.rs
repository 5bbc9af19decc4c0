//! The nodes of a journal that only one process has open: they are kept in its memory.
//!
//! In simulations several nodes share one journal, and the time is tokio's.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;

use super::{Beat, Incarnation, NodeRecord, NodeSeen};

/// The known nodes. Clones share them. As many as join: in one process that is one.
#[derive(Debug, Clone, Default)]
pub(super) struct Nodes {
    heard_of: Arc<Mutex<BTreeMap<Incarnation, (NodeRecord, Instant)>>>,
}

impl Nodes {
    pub(super) fn join(&self, node: NodeRecord) {
        let key = node.incarnation;
        self.heard_of().insert(key, (node, Instant::now()));
    }

    pub(super) fn beat(&self, node: NodeRecord) -> Beat {
        match self.heard_of().get_mut(&node.incarnation) {
            Some(known) => {
                *known = (node, Instant::now());
                Beat::Renewed
            }
            None => Beat::Forgotten,
        }
    }

    pub(super) fn all(&self) -> Vec<NodeSeen> {
        let heard_of = self.heard_of();
        let nodes = heard_of.values().map(|(record, at)| NodeSeen {
            record: record.clone(),
            age: at.elapsed(),
        });
        nodes.collect()
    }

    pub(super) fn forget(&self, incarnation: Incarnation, unseen_for: Duration) -> bool {
        let mut heard_of = self.heard_of();
        if let Some((_, at)) = heard_of.get(&incarnation)
            && at.elapsed() < unseen_for
        {
            return false;
        }
        heard_of.remove(&incarnation);
        true
    }

    fn heard_of(&self) -> MutexGuard<'_, BTreeMap<Incarnation, (NodeRecord, Instant)>> {
        self.heard_of
            .lock()
            .expect("nothing panics while it holds the lock")
    }
}
