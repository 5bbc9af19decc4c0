//! Membership for stores that only one process opens: kept in memory and lost with the process.
//!
//! In simulations several nodes share one journal; time is tokio's, so that a paused clock governs it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::time::Instant;

use crate::ids::{HeartbeatOutcome, HeartbeatSeq, Incarnation, NodeRecord, NodeStatus};

/// The members. Clones share them. In a running server it holds one node.
#[derive(Debug, Clone, Default)]
pub(super) struct Nodes {
    members: Arc<Mutex<Members>>,
}

#[derive(Debug, Default)]
struct Members {
    nodes: BTreeMap<Incarnation, Member>,
    heartbeats: i64,
}

#[derive(Debug)]
struct Member {
    record: NodeRecord,
    last_heartbeat: HeartbeatSeq,
    heartbeat_at: Instant,
}

impl Members {
    fn record_heartbeat(&mut self, record: NodeRecord) {
        self.heartbeats += 1;
        let incarnation = record.incarnation;
        let member = Member {
            record,
            last_heartbeat: HeartbeatSeq(self.heartbeats),
            heartbeat_at: Instant::now(),
        };
        self.nodes.insert(incarnation, member);
    }
}

impl Nodes {
    pub(super) fn join(&self, node: NodeRecord) {
        self.members().record_heartbeat(node);
    }

    pub(super) fn heartbeat(&self, node: NodeRecord) -> HeartbeatOutcome {
        let mut members = self.members();
        if !members.nodes.contains_key(&node.incarnation) {
            return HeartbeatOutcome::Evicted;
        }
        members.record_heartbeat(node);
        HeartbeatOutcome::Renewed
    }

    pub(super) fn all(&self) -> Vec<NodeStatus> {
        let members = self.members();
        let nodes = members.nodes.values().map(|member| NodeStatus {
            record: member.record.clone(),
            last_heartbeat: member.last_heartbeat,
            age: member.heartbeat_at.elapsed(),
        });
        nodes.collect()
    }

    pub(super) fn remove(
        &self,
        incarnation: Incarnation,
        last_heartbeat: Option<HeartbeatSeq>,
    ) -> bool {
        let mut members = self.members();
        if let Some(member) = members.nodes.get(&incarnation)
            && last_heartbeat.is_some_and(|last| last != member.last_heartbeat)
        {
            return false;
        }
        members.nodes.remove(&incarnation);
        true
    }

    fn members(&self) -> MutexGuard<'_, Members> {
        self.members
            .lock()
            .expect("nothing panics while it holds the lock")
    }
}
