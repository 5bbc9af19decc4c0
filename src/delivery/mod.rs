//! What each audience may see, encoded once, numbered, and kept for those who come back.
//!
//! Runs at the session's owner, called by its actor through [`crate::session::Delivery`]. It is the
//! only place that knows both the rules and the wire.
//!
//! Architecture invariant: what is shown to an audience is rendered from a state that the actor
//! gives, and leaves only when the actor says so.

mod attach;
mod frames;
mod hub;
mod latest;
mod orders;
mod outbox;
mod refusal;
mod render;
mod ring;
mod rota;
mod snapshots;
mod subscribers;
mod who;

pub use attach::{Attach, Attaching, Prepared};
pub use hub::{Hub, Peer};
pub use orders::{command, push_clue, scopes};
pub use outbox::{Outbox, OutboxReader, Outgoing, outbox};
pub use refusal::{rejection_code, rejection_message};
pub use render::{game_master, member, phase, scope};
pub use who::{Identity, Who};
