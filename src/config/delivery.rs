//! What connections receive.

use std::time::Duration;

use super::reader::Reader;

/// See `[delivery]` in `config/default.toml`.
#[derive(Debug, Clone, Copy)]
pub struct DeliveryConfig {
    /// Bytes of encoded updates that a session keeps.
    pub ring_bytes_max: usize,
    /// How long an update is kept.
    pub ring_age_max: Duration,
    /// Time between `heads` frames.
    pub heads_every: Duration,
    /// Bytes that may wait for one connection.
    pub outbound_bytes_max: usize,
    /// Frames that may wait for one connection.
    pub outbound_frames_max: usize,
    /// The window in which changes of the board and of who is connected are told together.
    pub latest_every: Duration,
    /// Places that the board shows.
    pub board_rows_max: usize,
    /// Bytes of encoded snapshots for clients that a session keeps for a moment.
    pub snapshot_bytes_max: usize,
    /// Spectators of one session.
    pub spectators_max: usize,
}

impl DeliveryConfig {
    pub(super) fn read(reader: &mut Reader) -> Self {
        let config = Self {
            ring_bytes_max: reader.take_count("delivery.ring_bytes_max", 1 << 16..=1 << 30),
            ring_age_max: reader.take_ms("delivery.ring_age_ms_max", 1_000..=3_600_000),
            heads_every: reader.take_ms(
                "delivery.heads_every_ms",
                100..=protocol::limits::HEADS_EVERY_MS_MAX,
            ),
            outbound_bytes_max: reader.take_count("delivery.outbound_bytes_max", 1 << 16..=1 << 26),
            outbound_frames_max: reader.take_count("delivery.outbound_frames_max", 64..=100_000),
            latest_every: reader.take_ms("delivery.latest_every_ms", 50..=60_000),
            board_rows_max: reader.take_count("delivery.board_rows_max", 1..=1_000),
            snapshot_bytes_max: reader.take_count("delivery.snapshot_bytes_max", 1 << 16..=1 << 30),
            spectators_max: reader.take_count("delivery.spectators_max", 1..=100_000),
        };
        if config.ring_age_max < config.heads_every {
            let keys = ["delivery.ring_age_ms_max", "delivery.heads_every_ms"];
            let message = "delivery.ring_age_ms_max must be at least delivery.heads_every_ms, or a \
                           connection that died silently cannot resume from the ring";
            reader.contradiction(keys, message);
        }
        config
    }
}
