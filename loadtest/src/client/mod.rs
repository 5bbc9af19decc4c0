//! A wire client that believes nothing: it numbers what it receives, keeps what it was shown, and
//! sends what has no outcome again after every cut.
//!
//! [`WireClient`] is the whole; [`Connection`] is a single connection without any of that, for
//! tests that want to see or break each message; [`StreamChecker`] is the arithmetic alone.

mod checker;
mod connection;
mod outcome;
mod pace;
mod view;
mod wire;

pub use checker::{Fault, StreamChecker};
pub use connection::{Connection, Ended, Endpoint, OpenError};
pub(crate) use connection::{OPEN_WAIT_MAX, SERVER_MESSAGE_BYTES_MAX, SILENCE_MAX, upgrade};
pub use outcome::{Answer, ClientError, Comeback, Outcome, Tally};
pub use pace::{Pace, RECONNECT_MAX, ServerClock};
pub use view::View;
pub use wire::{Node, WireClient};
