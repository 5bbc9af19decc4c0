//! The interfaces that the cluster uses: the store that arbitrates, the host that runs sessions, and the
//! client that reaches other nodes. They are declared here, so that the cluster depends on no
//! implementation and a simulation can replace all three.

use futures_util::future::BoxFuture;

use super::lease::LeaseTerm;
use crate::ids::{
    Epoch, HeartbeatOutcome, HeartbeatSeq, Incarnation, NodeRecord, NodeStatus, Ownership,
    SessionId,
};

/// The future of a call to the store.
pub type Answer<T, E = StoreError> = BoxFuture<'static, Result<T, E>>;

/// The store failed; it is unknown whether the call had an effect.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct StoreError(pub String);

/// Why the owner of a session was not changed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ClaimError {
    /// The stored ownership is not the expected one.
    #[error("the session has another owner or epoch than expected")]
    Lost,
    /// An append of the owner is in progress.
    #[error("an append of the owner is in progress")]
    Busy,
    /// The outcome is unknown.
    #[error(transparent)]
    Failed(#[from] StoreError),
}

/// The store that all nodes share. It arbitrates who owns a session.
pub trait Store: Send + Sync + 'static {
    /// The ownership of every session.
    fn ownerships(&self) -> Answer<Vec<Ownership>>;

    /// The finished sessions. No node needs to run them until a request asks for them.
    fn finished(&self) -> Answer<Vec<SessionId>>;

    /// The ownership of one session; `None` if it does not exist.
    fn ownership(&self, session: SessionId) -> Answer<Option<Ownership>>;

    /// Makes `to` the owner of a session if its ownership is still the expected one (compare-and-set), and
    /// returns the new epoch. Appends that an earlier owner has not committed by then never will be.
    fn claim(&self, expected: Ownership, to: Incarnation) -> Answer<Epoch, ClaimError>;

    /// Removes the owner of a session if its ownership is still the expected one.
    fn release(&self, expected: Ownership) -> Answer<(), ClaimError>;

    /// Terminates what a dead node still has in progress in the store.
    fn terminate_connections(&self, node: Incarnation) -> Answer<()>;

    /// Makes a node a member.
    fn join(&self, node: NodeRecord) -> Answer<()>;

    /// Records a heartbeat of a member. Dropping the future closes the connection that it waited on, so
    /// that the next heartbeat uses another one.
    fn heartbeat(&self, node: NodeRecord) -> Answer<HeartbeatOutcome>;

    /// All members.
    fn nodes(&self) -> Answer<Vec<NodeStatus>>;

    /// Removes a member, unless it sent another heartbeat after `last`; with `None`, unconditionally.
    /// Returns whether the node is no member now.
    fn remove(&self, node: Incarnation, last: Option<HeartbeatSeq>) -> Answer<bool>;
}

/// Runs the sessions that this node owns.
pub trait Host: Send + Sync + 'static {
    /// The sessions that run here. Each of them was claimed before.
    fn running(&self) -> Vec<SessionId>;

    /// The running sessions that stay closed until an operator acts, on any node.
    fn broken(&self) -> Vec<SessionId>;

    /// The running sessions that are finished and have been unused for a while.
    fn retirable(&self) -> Vec<SessionId>;

    /// Whether a session runs here or is being created here. The latter starts before its claim.
    fn holds(&self, session: SessionId) -> bool;

    /// Runs a session that was claimed with this epoch, unless the lease term of the claim is over: another
    /// node may have claimed the session since. Returns when it is open, or when its recovery takes longer.
    fn open(&self, session: SessionId, epoch: Epoch, term: LeaseTerm) -> BoxFuture<'static, ()>;

    /// Stops a session: it accepts no more requests, and accepted ones become durable or void. Returns the
    /// epoch if this node owned the session until the end.
    fn close(&self, session: SessionId) -> BoxFuture<'static, Option<Epoch>>;

    /// Stops a session if it is still retirable. Otherwise as [`Host::close`].
    fn retire(&self, session: SessionId) -> BoxFuture<'static, Option<Epoch>>;

    /// Drops a session that another node may own. When this returns, it releases no more outputs.
    fn abandon(&self, session: SessionId) -> BoxFuture<'static, ()>;
}

/// Result of a liveness probe of a node's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// This incarnation answered.
    Alive(Incarnation),
    /// The node at this address answered that its lease has expired: it is cut off from the store.
    LeaseExpired,
    /// The connection was refused.
    Refused,
    /// No answer in time, or not the answer of a node of this cluster.
    NoAnswer,
}

/// Sends requests to other nodes.
pub trait PeerClient: Send + Sync + 'static {
    /// Probes a node. Has a timeout of its own.
    fn probe(&self, address: String) -> BoxFuture<'static, Probe>;

    /// Asks a node to scan at once, because a session was handed off to it. Best effort: every node scans
    /// periodically anyway.
    fn hint(&self, address: String) -> BoxFuture<'static, ()>;
}
