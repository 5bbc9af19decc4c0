//! The connections.

use std::sync::Arc;
use std::time::Duration;

use ipnet::{IpNet, Ipv4Net};
use serde::Deserialize;

use super::reader::Reader;
use super::web_origin::WebOrigin;

/// Networks and origins that a list may name: each connection is compared with all of them.
const LISTED_MAX: usize = 100;
/// What comes before an IPv4 address that is written as IPv6, in bits (RFC 4291, section 2.5.5.2).
const MAPPED_PREFIX: u8 = 96;
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
            venues: networks(reader, "gateway.venues"),
            proxies: networks(reader, "gateway.proxies"),
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

/// Networks as the addresses that are compared with them: what is IPv4 written as IPv6 is IPv4.
fn networks(reader: &mut Reader, key: &str) -> Arc<[IpNet]> {
    let written: Vec<IpNet> = reader.take_list(key, LISTED_MAX, NETWORK_WANTED);
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

#[cfg(test)]
mod tests {
    use crate::config::{Config, Layers};

    #[test]
    fn an_ipv4_network_may_be_written_as_ipv6() {
        let mut layers = Layers::built_in();
        layers.add_flag("gateway.venues=['::ffff:10.0.0.0/104', '2001:db8::/32', '::/0']");
        let config = Config::read(layers).expect("they are networks");
        let venues = config.gateway.venues.iter().map(ToString::to_string);
        let venues: Vec<String> = venues.collect();
        assert_eq!(venues, ["10.0.0.0/8", "2001:db8::/32", "::/0"]);
    }
}
