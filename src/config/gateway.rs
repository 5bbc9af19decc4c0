//! The connections.

use std::time::Duration;

use super::layers::Reader;

/// See `[gateway]` in `config/default.toml`.
#[derive(Debug, Clone, Copy)]
pub struct GatewayConfig {
    /// Connections at the same time.
    pub connections_max: usize,
    /// Until a request's header must be complete.
    pub header_max: Duration,
    /// Until `hello` must have arrived.
    pub hello_max: Duration,
    /// How long a write may be stuck.
    pub write_max: Duration,
}

impl GatewayConfig {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self {
            connections_max: reader.take_count("gateway.connections_max", 1..=1_000_000),
            header_max: reader.take_ms("gateway.header_ms_max", 100..=60_000),
            hello_max: reader.take_ms(
                "gateway.hello_ms_max",
                100..=protocol::limits::HELLO_WAIT_MS_MAX,
            ),
            write_max: reader.take_ms("gateway.write_ms_max", 100..=120_000),
        }
    }
}
