//! The client's address behind reverse proxies.
//!
//! Each proxy appends the address of its peer to the header. The list is therefore trusted from its end:
//! entries of trusted proxies are skipped, and the first other entry is the client, whatever that client
//! wrote before it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use hyper::HeaderMap;
use hyper::header::{FORWARDED, HeaderName};
use ipnet::IpNet;

use crate::config::{GatewayConfig, ProxyHeader};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The trusted proxies, and the header that they send.
#[derive(Debug, Clone)]
pub(in crate::gateway) struct Proxies {
    trusted: Arc<[IpNet]>,
    header: ProxyHeader,
}

impl Proxies {
    pub(in crate::gateway) fn new(config: &GatewayConfig) -> Self {
        Self {
            trusted: config.proxies.clone(),
            header: config.proxy_header,
        }
    }

    /// Whether an address belongs to a trusted proxy.
    pub(in crate::gateway) fn contain(&self, address: IpAddr) -> bool {
        self.trusted
            .iter()
            .any(|network| network.contains(&address))
    }

    /// The client's address of a request from a trusted proxy. If the list ends, or an entry is not an
    /// address, the proxy that appended that entry counts as the client.
    pub(in crate::gateway) fn client(&self, proxy: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = proxy;
        let (name, address): (_, fn(&str) -> Option<IpAddr>) = match self.header {
            ProxyHeader::XForwardedFor => (X_FORWARDED_FOR, parse_address),
            ProxyHeader::Forwarded => (FORWARDED, parse_forwarded),
        };
        let values: Vec<_> = headers.get_all(name).iter().collect();
        for value in values.into_iter().rev() {
            // A value that is not text counts as one entry that is not an address.
            let entries = value.to_str().unwrap_or_default();
            for entry in entries.rsplit(',') {
                let Some(address) = address(entry.trim()) else {
                    return client;
                };
                client = address;
                if !self.contain(client) {
                    return client;
                }
            }
        }
        client
    }
}

/// Parses an address with an optional port; an IPv6 address may be in brackets.
fn parse_address(text: &str) -> Option<IpAddr> {
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    let address = bare.unwrap_or(text).parse();
    let address = address.or_else(|_| text.parse().map(|with_port: SocketAddr| with_port.ip()));
    address.ok().map(|address: IpAddr| address.to_canonical())
}

/// Parses the parameter `for`, which may be quoted, of an element of `Forwarded` (RFC 7239).
fn parse_forwarded(element: &str) -> Option<IpAddr> {
    let mut pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case("for"))?;
    let value = value.trim();
    let quoted = value
        .strip_prefix('"')
        .and_then(|value| value.strip_suffix('"'));
    parse_address(quoted.unwrap_or(value))
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use hyper::HeaderMap;
    use hyper::header::HeaderValue;

    use super::Proxies;
    use crate::config::{Config, Layers};

    fn client(header: &str, values: &[&str]) -> String {
        let mut layers = Layers::built_in();
        layers.add_flag("gateway.proxies=[\"10.0.0.0/8\", \"2001:db8:1::/48\"]");
        layers.add_flag(&format!("gateway.proxy_header={header}"));
        let config = Config::read(layers)
            .expect("the networks are valid")
            .gateway;
        let mut headers = HeaderMap::new();
        for value in values {
            let name = if header == "forwarded" {
                "forwarded"
            } else {
                "x-forwarded-for"
            };
            headers.append(name, HeaderValue::from_str(value).expect("text"));
        }
        let proxy: IpAddr = "10.0.0.1".parse().expect("an address");
        Proxies::new(&config).client(proxy, &headers).to_string()
    }

    #[test]
    fn the_last_address_that_is_not_a_trusted_proxy_is_the_client() {
        for (values, expected) in [
            (&["192.0.2.1"][..], "192.0.2.1"),
            (&["198.51.100.7, 192.0.2.1"], "192.0.2.1"),
            (&["198.51.100.7, 192.0.2.1, 10.2.3.4,10.0.0.9"], "192.0.2.1"),
            (&["198.51.100.7", "192.0.2.1", "10.2.3.4"], "192.0.2.1"),
            (&["192.0.2.1:4711"], "192.0.2.1"),
            (&["2001:db8::7, 2001:db8:1::1"], "2001:db8::7"),
            (&["[2001:db8::7]:4711"], "2001:db8::7"),
            (&["::ffff:192.0.2.1"], "192.0.2.1"),
            // Only proxies: the first of them is the client.
            (&["10.2.3.4, 10.0.0.9"], "10.2.3.4"),
            (&[], "10.0.0.1"),
            // An entry that is not an address hides the entries before it.
            (&["192.0.2.1, unknown"], "10.0.0.1"),
            (&["192.0.2.1, nonsense, 10.2.3.4"], "10.2.3.4"),
            (&["192.0.2.1,"], "10.0.0.1"),
        ] {
            assert_eq!(client("x_forwarded_for", values), expected, "{values:?}");
        }
    }

    #[test]
    fn forwarded_is_parsed_as_in_rfc_7239() {
        for (values, expected) in [
            (&["for=192.0.2.1"][..], "192.0.2.1"),
            (&["proto=https;For=192.0.2.1;by=10.0.0.1"], "192.0.2.1"),
            (
                &["for=198.51.100.7, for=\"[2001:db8::7]:4711\""],
                "2001:db8::7",
            ),
            (&["for=192.0.2.1, for=10.2.3.4"], "192.0.2.1"),
            (&["for=192.0.2.1, for=_hidden"], "10.0.0.1"),
            (&["proto=https"], "10.0.0.1"),
        ] {
            assert_eq!(client("forwarded", values), expected, "{values:?}");
        }
    }
}
