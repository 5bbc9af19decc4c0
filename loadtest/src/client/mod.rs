//! A wire client that believes nothing: it numbers what it receives, keeps what it was shown, and
//! sends what has no outcome again after every cut.
//!
//! [`WireClient`] is the whole; [`Connection`] is a single connection without any of that, for
//! tests that want to see or break each message; [`StreamChecker`] is the arithmetic alone.

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
