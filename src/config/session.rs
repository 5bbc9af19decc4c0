//! The session actors.

use std::time::Duration;

use super::reader::Reader;

/// See `[session]` in `config/default.toml`.
#[derive(Debug, Clone, Copy)]
pub struct SessionConfig {
    /// Requests that may wait for an actor.
    pub mailbox_max: usize,
    /// Requests that an actor takes in one turn.
    pub turn_requests_max: usize,
    /// Batches that may be on their way to the disk.
    pub batches_in_flight_max: usize,
    /// How long the oldest of them may be before commands are refused.
    pub wait_max: Duration,
    /// How long a finished session that nobody uses stays open.
    pub idle_max: Duration,
}

impl SessionConfig {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self {
            mailbox_max: reader.take_count("session.mailbox_max", 16..=100_000),
            turn_requests_max: reader.take_count("session.turn_requests_max", 1..=10_000),
            batches_in_flight_max: reader.take_count("session.batches_in_flight_max", 1..=100),
            wait_max: reader.take_ms("session.wait_ms_max", 100..=60_000),
            idle_max: reader.take_ms("session.idle_ms_max", 1_000..=86_400_000),
        }
    }
}
