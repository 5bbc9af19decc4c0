//! Outcomes of commands, counters, and errors of a client.

use std::time::Duration;

use protocol::{CloseCode, Receipt, Rejection};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::http::StatusCode;

use super::checker::StreamFault;

/// The server's answer to a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Accepted and durable.
    Accepted(Receipt),
    /// Rejected without any change.
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
    /// When the command was first sent; resends do not change it.
    pub sent_at: Instant,
    /// When the answer was received.
    pub received_at: Instant,
}

impl Outcome {
    /// Time from the first send to the answer, including disconnects.
    pub fn latency(&self) -> Duration {
        self.received_at - self.sent_at
    }
}

/// Counters of a client.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Connections after the first one that received a `welcome`.
    pub reconnects: u64,
    /// How many of those resumed with a snapshot.
    pub snapshots: u64,
    /// How many of those resumed with the missed updates.
    pub replays: u64,
    /// Number of `goaway` messages. Several before the client is attached again count once.
    pub goaways: u64,
    /// Stream faults other than duplicates: gaps, missing updates, messages out of order, and heads that
    /// are behind.
    pub gaps: u64,
    /// Updates received a second time.
    pub repeated: u64,
    /// Connections to a server that had lost an acknowledged command of the device, or its whole
    /// session.
    pub forgotten_commands: u64,
    /// The first stream fault.
    pub first_fault: Option<StreamFault>,
}

/// A reconnect after a `goaway`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GoawayReconnect {
    /// When the `goaway` was received.
    pub goaway_at: Instant,
    /// The delay that it advised.
    pub advised: Duration,
    /// When the client first tried to reconnect.
    pub first_attempt_at: Instant,
    /// When its stream was complete again.
    pub attached_at: Instant,
}

impl GoawayReconnect {
    /// When it was advised to reconnect.
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

/// Permanent error of a client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The server closed the connection with a code that forbids a reconnect.
    #[error("the server closed the connection permanently: {} ({reason})", code.name())]
    Closed {
        /// The close code.
        code: CloseCode,
        /// The reason in the close frame.
        reason: String,
    },
    /// The server rejected the upgrade with a permanent status.
    #[error("the server rejected the WebSocket upgrade with HTTP status {0}")]
    Refused(StatusCode),
    /// The stream was incomplete for too long.
    #[error("disconnected for {disconnected_for:?} after {failures} attempts; last error: {last}")]
    Unreachable {
        /// Duration of the disconnect.
        disconnected_for: Duration,
        /// Number of failed attempts in a row.
        failures: u32,
        /// Error of the last attempt.
        last: String,
    },
    /// The stream is still faulty after several resyncs.
    #[error("the stream is still inconsistent after several resyncs: {0}")]
    Broken(StreamFault),
}
