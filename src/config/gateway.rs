//! Settings of the gateway: connections, proxies, origins and timeouts.

use std::sync::Arc;
use std::time::Duration;

use ipnet::{IpNet, Ipv4Net};
use serde::Deserialize;

use super::reader::Reader;
use super::web_origin::WebOrigin;

/// Entries of a list of networks or origins. Each connection is compared with all of them.
const LISTED_MAX: usize = 100;
/// Bits of the prefix of IPv4-mapped IPv6 addresses (RFC 4291, section 2.5.5.2).
const MAPPED_PREFIX: u8 = 96;
const NETWORK_EXPECTED: &str =
    "expected a network such as 10.1.0.0/16, or a single address such as 192.0.2.7/32";
const ORIGIN_EXPECTED: &str =
    "expected a scheme, a host and an optional port, such as https://hunt.example";

/// The header in which reverse proxies report a client's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProxyHeader {
    /// `X-Forwarded-For`, a list of addresses.
    XForwardedFor,
    /// `Forwarded` of RFC 7239.
    Forwarded,
}

/// The `[gateway]` section of `config/default.toml`.
#[derive(Debug, Clone)]
pub struct GatewayConfig {
    /// Connections at the same time.
    pub connections_max: usize,
    /// Connections at the same time from one address without a valid token.
    pub unauthenticated_per_address_max: usize,
    /// Networks that are exempt from per-address limits.
    pub venues: Arc<[IpNet]>,
    /// Networks of trusted reverse proxies.
    pub proxies: Arc<[IpNet]>,
    /// The header in which they report a client's address.
    pub proxy_header: ProxyHeader,
    /// Allowed web origins besides the server's own.
    pub origins: Arc<[WebOrigin]>,
    /// Timeout for a request's header.
    pub header_max: Duration,
    /// Timeout for a request's body.
    pub body_max: Duration,
    /// Timeout for `hello`.
    pub hello_max: Duration,
    /// Time for which a socket may accept no written data.
    pub write_max: Duration,
    /// Time without received data after which a keepalive ping is sent.
    pub ping_every: Duration,
    /// Time after a ping within which something must arrive.
    pub pong_max: Duration,
}

impl GatewayConfig {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self {
            connections_max: reader.read_count("gateway.connections_max", 1..=1_000_000),
            unauthenticated_per_address_max: reader
                .read_count("gateway.unauthenticated_per_address_max", 1..=1_000_000),
            venues: read_networks(reader, "gateway.venues"),
            proxies: read_networks(reader, "gateway.proxies"),
            proxy_header: reader.read_choice("gateway.proxy_header"),
            origins: reader
                .read_list("gateway.origins", LISTED_MAX, ORIGIN_EXPECTED)
                .into(),
            header_max: reader.read_ms("gateway.header_ms_max", 100..=60_000),
            body_max: reader.read_ms("gateway.body_ms_max", 100..=600_000),
            hello_max: reader.read_ms(
                "gateway.hello_ms_max",
                100..=protocol::limits::HELLO_WAIT_MS_MAX,
            ),
            write_max: reader.read_ms("gateway.write_ms_max", 100..=120_000),
            ping_every: reader.read_ms("gateway.ping_every_ms", 100..=600_000),
            pong_max: reader.read_ms("gateway.pong_ms_max", 100..=120_000),
        }
    }
}

/// Reads a list of networks. IPv4-mapped IPv6 networks become IPv4, as the addresses do that are
/// compared with them.
fn read_networks(reader: &mut Reader, key: &str) -> Arc<[IpNet]> {
    let written: Vec<IpNet> = reader.read_list(key, LISTED_MAX, NETWORK_EXPECTED);
    let canonical = written.into_iter().map(|network| {
        let IpNet::V6(mapped) = network else {
            return network;
        };
        let address = mapped.addr().to_ipv4_mapped();
        let prefix = mapped.prefix_len().checked_sub(MAPPED_PREFIX);
        let v4 = address.zip(prefix);
        v4.and_then(|(address, prefix)| Ipv4Net::new(address, prefix).ok())
            .map_or(network, IpNet::V4)
    });
    canonical.collect()
}
