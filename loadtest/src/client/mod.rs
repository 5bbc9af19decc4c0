//! A protocol client that verifies everything: it checks the numbers of what it receives, keeps a view
//! of it, and resends unanswered commands after every disconnect.
//!
//! [`WireClient`] is the complete client; [`Connection`] is a single connection, for tests that inspect
//! or break messages; [`StreamChecker`] checks the numbers alone.

mod backoff;
mod checker;
mod connection;
mod outcome;
mod view;
mod wire;

pub use backoff::{RECONNECT_MAX, ReconnectBackoff, ServerClock};
pub use checker::{StreamChecker, StreamFault};
pub use connection::{Connection, Ended, Endpoint, OpenError};
pub(crate) use connection::{OPEN_WAIT_MAX, SERVER_MESSAGE_BYTES_MAX, SILENCE_MAX, upgrade};
pub use outcome::{Answer, ClientError, GoawayReconnect, Outcome, Tally};
pub use view::View;
pub use wire::{Node, WireClient};
