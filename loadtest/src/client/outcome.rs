//! What comes of a command, what was counted on the way, and why a client gives up.

use std::time::Duration;

use protocol::{CloseCode, Receipt, Rejection};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::http::StatusCode;

use super::checker::StreamFault;

/// What the server answered to a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It was accepted and is durable.
    Accepted(Receipt),
    /// It was refused and changed nothing.
    Refused(Rejection),
}

impl Answer {
    /// The id of the command.
    pub fn id(&self) -> u64 {
        match self {
            Self::Accepted(receipt) => receipt.id,
            Self::Refused(rejection) => rejection.id,
        }
    }
}

/// An answered command.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The answer.
    pub answer: Answer,
    /// When the command was first sent. That it was sent again after a cut does not change it.
    pub sent_at: Instant,
    /// When the answer was read.
    pub received_at: Instant,
}

impl Outcome {
    /// From the first send to the answer, through every cut between the two.
    pub fn latency(&self) -> Duration {
        self.received_at - self.sent_at
    }
}

/// What a client has counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Connections after the first one that were answered with a `welcome`.
    pub reconnects: u64,
    /// How many of those went on with a snapshot.
    pub snapshots: u64,
    /// How many of those went on with the missed updates.
    pub replays: u64,
    /// How often the server said when to come back with a `goaway`. One that came before the
    /// client was attached again counts together with the one before.
    pub goaways: u64,
    /// Faults of the stream other than repetitions: gaps, missing updates, messages out of order,
    /// and heads behind what was sent before.
    pub gaps: u64,
    /// Updates that came a second time.
    pub repeated: u64,
    /// Connections to a server that did not know an acknowledged command of the device, or its
    /// whole session, any more.
    pub forgotten_commands: u64,
    /// The first fault of the stream.
    pub first_fault: Option<StreamFault>,
}

/// How a client followed a `goaway`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GoawayReconnect {
    /// When it was told to go.
    pub goaway_at: Instant,
    /// The delay that it was told.
    pub advised: Duration,
    /// When it first tried to connect again.
    pub first_attempt_at: Instant,
    /// When its stream was whole again.
    pub attached_at: Instant,
}

impl GoawayReconnect {
    /// When it was told to come back.
    pub fn advised_at(&self) -> Instant {
        self.goaway_at + self.advised
    }
}

impl Tally {
    pub(super) fn count_fault(&mut self, fault: StreamFault) {
        self.first_fault.get_or_insert(fault);
        match fault {
            StreamFault::Repeated { .. } => self.repeated += 1,
            StreamFault::Gap { .. }
            | StreamFault::Missing { .. }
            | StreamFault::Forgotten { .. }
            | StreamFault::OutOfOrder(_) => self.gaps += 1,
        }
    }
}

/// Why a client cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The server closed the connection with a code that says never to come back.
    #[error("the server closed the connection permanently: {} ({reason})", code.name())]
    Closed {
        /// The code.
        code: CloseCode,
        /// The reason in the close frame.
        reason: String,
    },
    /// The server refuses the upgrade in a way that would repeat itself.
    #[error("the server rejected the WebSocket upgrade with HTTP status {0}")]
    Refused(StatusCode),
    /// No whole stream could be had for too long.
    #[error("disconnected for {disconnected_for:?} after {failures} attempts; last error: {last}")]
    Unreachable {
        /// For how long.
        disconnected_for: Duration,
        /// How many attempts failed in a row.
        failures: u32,
        /// What became of the last attempt.
        last: String,
    },
    /// The stream stays broken, however often it is asked for again.
    #[error("the stream is still inconsistent after several resyncs: {0}")]
    Broken(StreamFault),
}
