//! Live sessions: one actor for each, and the registry of those that run on this node.
//!
//! - [`Delivery`]: the trait by which a session encodes updates and sends them to
//!   connections.
//! - `actor`: one session. A request enters the actor's mailbox through a [`SessionHandle`]. The actor
//!   decides on it with the rules of `hunt`, applies the events, appends them to the journal, and holds
//!   every output in the output gate until the journal holds the events that the output depends on. A
//!   supervisor recovers the session from the journal after a failure.
//! - `registry`: all sessions of a node ([`Sessions`]), by id: creates, opens, retires and hands them off.
//!
//! Invariants:
//!
//! - Only a session's actor changes its state, and only one actor of a session runs in a process.
//! - Nothing leaves an actor before the events that it depends on are durable.
//! - An output that does not follow from the journal alone is released only while the node holds its
//!   lease: otherwise another node may own the session.
//! - Outputs are released in the order in which they were decided.
//! - A session is claimed before its journal is read. Every write carries the claim's epoch, which the
//!   journal checks.
//! - After a failed append the actor releases nothing more, and the session is recovered.
//! - A panic ends one session's actor only. After repeated panics the session stays closed.
//!
//! Never here: frames, connections, HTTP and the wire protocol. Outputs leave through [`Delivery`] or
//! through the reply channel of a request.

mod actor;
mod cluster_store;
mod delivery;
mod fault;
mod idempotency;
mod private;
mod registry;

pub use actor::{
    Archiving, Change, ClientCommand, InstanceSlot, JournalAccess, Mail, Services, SessionExit,
    SessionHandle, SessionSpec, Unavailable, launch,
};
pub use cluster_store::JournalStore;
pub use delivery::{Delivery, Outcome, Refusal, View};
pub use fault::InjectedFault;
pub use idempotency::{IdempotencyKey, KeyDigest};
pub use private::PrivateData;
pub use registry::{
    CreateSessionError, HuntError, NotHere, OpenError, Sessions, StoredHunt, first_game_master,
};
