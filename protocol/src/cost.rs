//! The rate-limit cost of client messages.
//!
//! The server limits each connection by a token bucket. A guess costs one token; messages that cause more
//! work cost more.

use crate::client::Order;

/// The cost of a `resync`, which is answered with a snapshot or with all missed updates.
pub const RESYNC_COST: u32 = 10;

/// Refill rate of the bucket for pings and pongs. It is separate, so that they never delay a guess.
pub const CONTROL_FRAMES_PER_SECOND: u32 = 10;

/// Capacity of the bucket for pings and pongs.
pub const CONTROL_FRAMES_BURST: u32 = 100;

/// The cost of a command with this order.
pub fn order_cost(order: &Order) -> u32 {
    match order {
        Order::SubmitGuess { .. } | Order::CancelClue { .. } => 1,
        // These reach many players.
        Order::PushClue { .. }
        | Order::Announce { .. }
        | Order::Start { .. }
        | Order::CancelStart
        | Order::Pause
        | Order::Resume
        | Order::MoveEnd { .. }
        | Order::Finish { .. }
        | Order::Reopen => 2,
    }
}
