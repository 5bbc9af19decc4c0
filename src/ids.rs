//! Identifiers and ownership values that the journal and the cluster share: both import them from here,
//! and neither imports the other.
//!
//! Never here: how these values are stored, or what anyone decides from them.

use std::fmt;
use std::time::Duration;

/// Id of a session: random, never reused. Below 2^63, so that every store has a signed integer for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(u64);

impl SessionId {
    const LARGEST: u64 = i64::MAX.cast_unsigned();

    /// Keeps the low 63 bits of any number.
    pub const fn new(number: u64) -> Self {
        Self(number & Self::LARGEST)
    }

    /// The number.
    pub fn number(self) -> u64 {
        self.0
    }

    /// The number as databases store it: never negative.
    pub fn as_i64(self) -> i64 {
        self.0.cast_signed()
    }

    /// The id that a database stored with [`SessionId::as_i64`].
    pub fn from_i64(stored: i64) -> Self {
        Self::new(stored.cast_unsigned())
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// One run of a server process: random, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Incarnation(pub u64);

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Fencing token of a session: every claim raises it by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

/// Which node may append to a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ownership {
    /// The session.
    pub session: SessionId,
    /// Its only writer; none after it was created and after it was released.
    pub owner: Option<Incarnation>,
    /// The epoch of the last claim; 0 before the first one.
    pub epoch: Epoch,
}

impl Ownership {
    /// The claim that makes `to` the owner if this is still the stored ownership.
    pub fn claim_for(self, to: Incarnation) -> Claim {
        Claim { expected: self, to }
    }
}

/// A compare-and-set of a session's owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// The ownership that was read; the claim is lost if another one is stored.
    pub expected: Ownership,
    /// The new owner.
    pub to: Incarnation,
}

/// A node's row in the membership. It shows which nodes may be alive, never which may write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeRecord {
    /// The node.
    pub incarnation: Incarnation,
    /// Where other nodes reach it: host and port.
    pub address: String,
    /// The version of the program that it runs.
    pub version: String,
    /// How many sessions it should own, relative to the weights of the other nodes.
    pub weight: u32,
    /// How long its lease lasts after a heartbeat; stores keep whole milliseconds.
    pub lease: Duration,
    /// It is shutting down and accepts no more sessions.
    pub is_leaving: bool,
}

/// Distinguishes a node's last heartbeat from its earlier ones. Only equality has a meaning: the store's
/// clock may have been set back between two heartbeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeartbeatSeq(pub i64);

/// A node as the store knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeStatus {
    /// What the node published last.
    pub record: NodeRecord,
    /// Its last heartbeat; joining counts as one.
    pub last_heartbeat: HeartbeatSeq,
    /// Age of that heartbeat by the store's clock; zero if that clock puts it in the future.
    pub age: Duration,
}

/// Result of a heartbeat that reached the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeartbeatOutcome {
    /// The node is a member, and the heartbeat was recorded.
    Renewed,
    /// The node is not a member: it was evicted, and other nodes may claim its sessions at any moment.
    /// Only joining again makes it a member.
    Evicted,
}
