//! The connections.

use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use serde::Deserialize;

use super::reader::Reader;
use super::web_origin::WebOrigin;

/// Networks and origins that a list may name: each connection is compared with all of them.
const LISTED_MAX: usize = 100;
const NETWORK_WANTED: &str =
    "write a network such as 10.1.0.0/16, or a single address as 192.0.2.7/32";
const ORIGIN_WANTED: &str = "write a scheme, a host and maybe a port, such as https://hunt.example";

/// The header in which proxies tell a client's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProxyHeader {
    /// `X-Forwarded-For`, a list of addresses.
    XForwardedFor,
    /// `Forwarded` of RFC 7239.
    Forwarded,
}

/// See `[gateway]` in `config/default.toml`.
#[derive(Debug, Clone)]
pub struct GatewayConfig {
    /// Connections at the same time.
    pub connections_max: usize,
    /// Connections at the same time from one address that have not shown a valid token.
    pub unauthenticated_per_address_max: usize,
    /// Networks without that limit.
    pub venues: Arc<[IpNet]>,
    /// Networks of proxies that are believed.
    pub proxies: Arc<[IpNet]>,
    /// How they tell a client's address.
    pub proxy_header: ProxyHeader,
    /// Web pages from elsewhere that may connect.
    pub origins: Arc<[WebOrigin]>,
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
                .take_list("gateway.venues", LISTED_MAX, NETWORK_WANTED)
                .into(),
            proxies: reader
                .take_list("gateway.proxies", LISTED_MAX, NETWORK_WANTED)
                .into(),
            proxy_header: reader.take_word("gateway.proxy_header"),
            origins: reader
                .take_list("gateway.origins", LISTED_MAX, ORIGIN_WANTED)
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
