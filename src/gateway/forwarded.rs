//! The address of a client behind proxies.
//!
//! Each proxy appends the address that it was called from. So the list is believed from its end on:
//! entries of trusted proxies are passed over, and the first other one is the client, whatever it
//! wrote before that itself.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use hyper::HeaderMap;
use hyper::header::{FORWARDED, HeaderName};
use ipnet::IpNet;

use crate::config::{GatewayConfig, ProxyHeader};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Which proxies are believed, and how they tell.
#[derive(Debug, Clone)]
pub(super) struct Proxies {
    trusted: Arc<[IpNet]>,
    header: ProxyHeader,
}

impl Proxies {
    pub(super) fn new(config: &GatewayConfig) -> Self {
        Self {
            trusted: config.proxies.clone(),
            header: config.proxy_header,
        }
    }

    /// Whether an address is a trusted proxy's.
    pub(super) fn has(&self, address: IpAddr) -> bool {
        self.trusted
            .iter()
            .any(|network| network.contains(&address))
    }

    /// The client of a request that came from a trusted proxy. Where the list ends, or an entry is
    /// no address, it is whoever appended that entry.
    pub(super) fn client(&self, proxy: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = proxy;
        let (name, address): (_, fn(&str) -> Option<IpAddr>) = match self.header {
            ProxyHeader::XForwardedFor => (X_FORWARDED_FOR, address_of),
            ProxyHeader::Forwarded => (FORWARDED, forwarded_for),
        };
        let values: Vec<_> = headers.get_all(name).iter().collect();
        for value in values.into_iter().rev() {
            // An entry that is no text is an entry all the same, and no address.
            let entries = value.to_str().unwrap_or_default();
            for entry in entries.rsplit(',') {
                let Some(address) = address(entry.trim()) else {
                    return client;
                };
                client = address;
                if !self.has(client) {
                    return client;
                }
            }
        }
        client
    }
}

/// An address that may have a port, and around one of IPv6 brackets.
fn address_of(text: &str) -> Option<IpAddr> {
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    let address = bare.unwrap_or(text).parse();
    let address = address.or_else(|_| text.parse().map(|with_port: SocketAddr| with_port.ip()));
    address.ok().map(|address: IpAddr| address.to_canonical())
}

/// The parameter `for` of an element of `Forwarded`, which may be quoted.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let mut pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case("for"))?;
    let value = value.trim();
    let quoted = value
        .strip_prefix('"')
        .and_then(|value| value.strip_suffix('"'));
    address_of(quoted.unwrap_or(value))
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
        let config = Config::read(layers).expect("they are networks").gateway;
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
    fn the_last_address_that_is_no_proxy_of_ours_is_the_client() {
        for (values, expected) in [
            (&["192.0.2.1"][..], "192.0.2.1"),
            (&["198.51.100.7, 192.0.2.1"], "192.0.2.1"),
            (&["198.51.100.7, 192.0.2.1, 10.2.3.4,10.0.0.9"], "192.0.2.1"),
            (&["198.51.100.7", "192.0.2.1", "10.2.3.4"], "192.0.2.1"),
            (&["192.0.2.1:4711"], "192.0.2.1"),
            (&["2001:db8::7, 2001:db8:1::1"], "2001:db8::7"),
            (&["[2001:db8::7]:4711"], "2001:db8::7"),
            (&["::ffff:192.0.2.1"], "192.0.2.1"),
            // Nobody but proxies: the first of them asks for itself.
            (&["10.2.3.4, 10.0.0.9"], "10.2.3.4"),
            (&[], "10.0.0.1"),
            // What is no address hides what was written before it.
            (&["192.0.2.1, unknown"], "10.0.0.1"),
            (&["192.0.2.1, nonsense, 10.2.3.4"], "10.2.3.4"),
            (&["192.0.2.1,"], "10.0.0.1"),
        ] {
            assert_eq!(client("x_forwarded_for", values), expected, "{values:?}");
        }
    }

    #[test]
    fn forwarded_is_read_as_rfc_7239_writes_it() {
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
