//! Settings of the session actors.

use std::time::Duration;

use super::reader::Reader;

/// The `[session]` section of `config/default.toml`.
#[derive(Debug, Clone, Copy)]
pub struct SessionConfig {
    /// Requests queued for an actor.
    pub mailbox_max: usize,
    /// Requests that an actor handles in one turn.
    pub turn_requests_max: usize,
    /// Batches in flight to the journal.
    pub batches_in_flight_max: usize,
    /// Age of the oldest event in flight, or of a recovery, above which commands are rejected.
    pub wait_max: Duration,
    /// Time that an unused finished session stays open.
    pub idle_max: Duration,
    /// Time after a finish within which it can be undone.
    pub reopen_max: Duration,
}

impl SessionConfig {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self {
            mailbox_max: reader.read_count("session.mailbox_max", 16..=100_000),
            turn_requests_max: reader.read_count("session.turn_requests_max", 1..=10_000),
            batches_in_flight_max: reader.read_count("session.batches_in_flight_max", 1..=100),
            wait_max: reader.read_ms("session.wait_ms_max", 100..=60_000),
            idle_max: reader.read_ms("session.idle_ms_max", 1_000..=86_400_000),
            reopen_max: reader.read_ms("session.reopen_ms_max", 0..=900_000),
        }
    }
}
