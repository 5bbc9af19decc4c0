//! Settings of delivery: what sessions keep for clients, and what is queued for a connection.

use std::time::Duration;

use super::reader::Reader;

/// The `[delivery]` section of `config/default.toml`.
#[derive(Debug, Clone, Copy)]
pub struct DeliveryConfig {
    /// Bytes of encoded updates that a session keeps for reconnecting clients.
    pub ring_bytes_max: usize,
    /// Time that an update is kept.
    pub ring_age_max: Duration,
    /// Time between `heads` frames.
    pub heads_every: Duration,
    /// Bytes queued for one connection.
    pub outbound_bytes_max: usize,
    /// Frames queued for one connection.
    pub outbound_frames_max: usize,
    /// Time between updates of the board, of standings and of presence.
    pub latest_every: Duration,
    /// Rows of the board.
    pub board_rows_max: usize,
    /// Bytes of encoded client snapshots that a session caches.
    pub snapshot_bytes_max: usize,
    /// Spectators of one session.
    pub spectators_max: usize,
}

impl DeliveryConfig {
    pub(super) fn read(reader: &mut Reader) -> Self {
        let config = Self {
            ring_bytes_max: reader.read_count("delivery.ring_bytes_max", 1 << 16..=1 << 30),
            ring_age_max: reader.read_ms("delivery.ring_age_ms_max", 1_000..=3_600_000),
            heads_every: reader.read_ms(
                "delivery.heads_every_ms",
                100..=protocol::limits::HEADS_EVERY_MS_MAX,
            ),
            outbound_bytes_max: reader.read_count("delivery.outbound_bytes_max", 1 << 16..=1 << 26),
            outbound_frames_max: reader.read_count("delivery.outbound_frames_max", 64..=100_000),
            latest_every: reader.read_ms("delivery.latest_every_ms", 50..=60_000),
            board_rows_max: reader.read_count("delivery.board_rows_max", 1..=1_000),
            snapshot_bytes_max: reader.read_count("delivery.snapshot_bytes_max", 1 << 16..=1 << 30),
            spectators_max: reader.read_count("delivery.spectators_max", 1..=100_000),
        };
        if config.ring_age_max < config.heads_every {
            let keys = ["delivery.ring_age_ms_max", "delivery.heads_every_ms"];
            let message = "delivery.ring_age_ms_max must be at least delivery.heads_every_ms; otherwise \
                           a connection that died silently cannot resume from the ring";
            reader.record_conflict(keys, message);
        }
        config
    }
}
