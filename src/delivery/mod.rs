//! Delivery: renders what each audience may see, numbers and encodes it once, and keeps it for
//! reconnecting clients.
//!
//! Runs at the session's owner, called by the session's actor through [`crate::session::Delivery`].
//! `render` is the only module that turns the rules' state and events into wire messages, for the
//! WebSocket and for REST; `orders` turns wire commands into the rules' commands. The gateway and
//! `http` use types of both packages too, but convert neither into the other; a test of the
//! architecture checks that.
//!
//! Architecture invariant: an audience sees only what was rendered from a state that the actor
//! passed in, and it leaves only when the actor releases it.

mod attach;
mod client_snapshots;
mod effects;
mod frames;
mod hub;
mod latest;
mod orders;
mod outbox;
pub mod render;
mod ring;
mod schedule;
mod subscribers;
#[cfg(test)]
mod tests;
mod viewer;

pub use attach::{Attach, PendingOutbox, Prepared};
pub use hub::{Hub, Peer};
pub use orders::{command, move_end, push_clue, start};
pub use outbox::{Outbox, OutboxReader, Outgoing, outbox};
pub use render::{rejection_code, rejection_message};
pub use viewer::{Identity, Viewer};
