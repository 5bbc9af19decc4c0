//! The connections.

use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use super::reader::Reader;

/// Networks that may be named as venues: each connection is compared with all of them.
const VENUES_MAX: usize = 100;
const NETWORK_WANTED: &str =
    "write a network such as 10.1.0.0/16, or a single address as 192.0.2.7/32";

/// See `[gateway]` in `config/default.toml`.
#[derive(Debug, Clone)]
pub struct GatewayConfig {
    /// Connections at the same time.
    pub connections_max: usize,
    /// Connections at the same time from one address that have not shown a valid token.
    pub unauthenticated_per_address_max: usize,
    /// Networks without that limit.
    pub venues: Arc<[IpNet]>,
    /// Until a request's header must be complete.
    pub header_max: Duration,
    /// Until a request's body must be complete.
    pub body_max: Duration,
    /// Until `hello` must have arrived.
    pub hello_max: Duration,
    /// How long a write may be stuck.
    pub write_max: Duration,
    /// How long a connection may be silent until it is asked for a sign of life.
    pub ping_every: Duration,
    /// How long it may take to give one.
    pub pong_max: Duration,
}

impl GatewayConfig {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self {
            connections_max: reader.take_count("gateway.connections_max", 1..=1_000_000),
            unauthenticated_per_address_max: reader
                .take_count("gateway.unauthenticated_per_address_max", 1..=1_000_000),
            venues: reader
                .take_list("gateway.venues", VENUES_MAX, NETWORK_WANTED)
                .into(),
            header_max: reader.take_ms("gateway.header_ms_max", 100..=60_000),
            body_max: reader.take_ms("gateway.body_ms_max", 100..=600_000),
            hello_max: reader.take_ms(
                "gateway.hello_ms_max",
                100..=protocol::limits::HELLO_WAIT_MS_MAX,
            ),
            write_max: reader.take_ms("gateway.write_ms_max", 100..=120_000),
            ping_every: reader.take_ms("gateway.ping_every_ms", 100..=600_000),
            pong_max: reader.take_ms("gateway.pong_ms_max", 100..=120_000),
        }
    }
}
