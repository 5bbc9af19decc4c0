//! What the cluster asks of the world: a store that arbitrates, a host that runs sessions, and a way
//! to knock at another node. Declared here, so that the cluster depends on none of them and a
//! simulation can stand for all three.

use futures_util::future::BoxFuture;

use super::validity::Era;
use crate::ids::{
    Epoch, HeartbeatOutcome, HeartbeatSeq, Incarnation, NodeRecord, NodeStatus, Ownership,
    SessionId,
};

/// What a call gives, some time later.
pub type Answer<T, E = StoreError> = BoxFuture<'static, Result<T, E>>;

/// The store did not do what it was asked for; whether it had an effect is unknown.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct StoreError(pub String);

/// Why a session did not change hands.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ClaimError {
    /// It has another owner or epoch than was read.
    #[error("the session has changed hands")]
    Lost,
    /// An append of its owner is under way.
    #[error("an append of the owner is under way")]
    Busy,
    /// It may have changed hands or not.
    #[error(transparent)]
    Failed(#[from] StoreError),
}

/// Decides who owns what. Every method answers from, or changes, what all nodes share.
pub trait Store: Send + Sync + 'static {
    /// Who owns each session.
    fn ownerships(&self) -> Answer<Vec<Ownership>>;

    /// The sessions that are finished, which nobody needs to run until somebody asks for them.
    fn finished(&self) -> Answer<Vec<SessionId>>;

    /// Who owns one session; nothing if it does not exist.
    fn ownership(&self, session: SessionId) -> Answer<Option<Ownership>>;

    /// Gives a session to `to`, if `ground` still holds; the new epoch. Whatever an earlier owner
    /// had not committed by then never will be.
    fn claim(&self, ground: Ownership, to: Incarnation) -> Answer<Epoch, ClaimError>;

    /// Leaves a session to nobody, if `held` still holds.
    fn release(&self, held: Ownership) -> Answer<(), ClaimError>;

    /// Ends what a dead node still has under way in the store.
    fn evict(&self, node: Incarnation) -> Answer<()>;

    /// Makes a node known.
    fn join(&self, card: NodeRecord) -> Answer<()>;

    /// Tells that a known node is alive. Dropping the answer gives up the way to the store that it
    /// was awaited on.
    fn beat(&self, card: NodeRecord) -> Answer<HeartbeatOutcome>;

    /// Every known node.
    fn nodes(&self) -> Answer<Vec<NodeStatus>>;

    /// Forgets a node unless it gave another sign of life after `last_sign`; without one, in any case.
    /// Whether it is unknown now.
    fn forget(&self, node: Incarnation, last_sign: Option<HeartbeatSeq>) -> Answer<bool>;
}

/// Runs the sessions that this node owns.
pub trait Host: Send + Sync + 'static {
    /// The sessions that run here. Each of them was claimed before.
    fn held(&self) -> Vec<SessionId>;

    /// Those of them that stay closed before somebody acts: no other node would fare better.
    fn broken(&self) -> Vec<SessionId>;

    /// Those of them that are finished and that nobody has used for a while.
    fn unneeded(&self) -> Vec<SessionId>;

    /// Whether a session runs here, or is about to: one that is being created is held from before its
    /// claim on.
    fn holds(&self, session: SessionId) -> bool;

    /// Runs a session that was claimed with this epoch, unless the era in which the claim was made is
    /// over: then whoever took this node for dead may have claimed it since. Returns when it is open, or
    /// when it is clear that this takes longer.
    fn open(&self, session: SessionId, epoch: Epoch, era: Era) -> BoxFuture<'static, ()>;

    /// Stops a session: no more requests, everything that was taken in is durable or void. Gives
    /// the epoch in which it was owned to the end, if it was.
    fn close(&self, session: SessionId) -> BoxFuture<'static, Option<Epoch>>;

    /// The same, if nobody has used it for a while still.
    fn retire(&self, session: SessionId) -> BoxFuture<'static, Option<Epoch>>;

    /// Throws a session away that another node may own: nothing of it is let out any more when this
    /// returns.
    fn abandon(&self, session: SessionId) -> BoxFuture<'static, ()>;
}

/// What knocking at a node's own address gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// This life answered.
    Alive(Incarnation),
    /// The life that lives there says that its validity is over: it is cut off from the store.
    Lapsed,
    /// Nobody listens there.
    Refused,
    /// No answer in time, or one that no node of this cluster gives.
    Silent,
}

/// Reaches other nodes directly.
pub trait Neighbours: Send + Sync + 'static {
    /// Knocks; answers within the probe's own deadline.
    fn probe(&self, address: String) -> BoxFuture<'static, Probe>;

    /// Tells a node that something was handed to it, so that it looks at once. A hint: whether it
    /// arrives is of no consequence, because every node looks by itself.
    fn hint(&self, address: String) -> BoxFuture<'static, ()>;
}
