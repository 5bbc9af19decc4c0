//! What a client's messages cost of the allowance that its connection has.
//!
//! A server gives each connection units: so many at once, and so many a second from then on. The unit is
//! a guess. Messages that make a server do more cost more.

use crate::Order;

/// A `resync`: it is answered with a snapshot, if not with everything that was missed.
pub const RESYNC_COST: u32 = 10;

/// Pings and pongs that a client may send a second in the long run. They have an allowance of their
/// own, so that they are never in the way of a guess.
pub const CONTROL_FRAMES_PER_SECOND: u32 = 10;

/// Pings and pongs that a client may send at once.
pub const CONTROL_FRAMES_BURST: u32 = 100;

/// What a command with this order costs.
pub fn order_cost(order: &Order) -> u32 {
    match order {
        Order::SubmitGuess { .. } | Order::CancelClue { .. } => 1,
        // These reach many players.
        Order::PushClue { .. }
        | Order::Announce { .. }
        | Order::Start
        | Order::Pause
        | Order::Resume
        | Order::Finish => 2,
    }
}
