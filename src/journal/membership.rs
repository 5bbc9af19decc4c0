//! Membership: which nodes may be alive, by their heartbeats. It never decides which node may write.

use super::answer::Answer;
use crate::ids::{HeartbeatOutcome, HeartbeatSeq, Incarnation, NodeRecord, NodeStatus};

/// The nodes of the cluster, aged by the store's clock.
pub trait Membership: Send + Sync + 'static {
    /// Makes a node a member, also after an eviction. Counts as a heartbeat.
    fn join(&self, node: NodeRecord) -> Answer<()>;

    /// Records a heartbeat of a member and replaces its record. An evicted node stays evicted.
    ///
    /// Unlike other calls this one makes progress only while it is polled. Dropping the future closes
    /// the connection that it used, so that the next heartbeat opens a new one.
    fn heartbeat(&self, node: NodeRecord) -> Answer<HeartbeatOutcome>;

    /// Every member, in no particular order.
    fn nodes(&self) -> Answer<Vec<NodeStatus>>;

    /// Removes a node unless it sent a later heartbeat than `last_heartbeat`; with `None`, in any case.
    /// Returns whether it is not a member now. From then on other nodes may claim its sessions, and its
    /// heartbeats are refused until it joins again.
    fn remove(
        &self,
        incarnation: Incarnation,
        last_heartbeat: Option<HeartbeatSeq>,
    ) -> Answer<bool>;
}
