//! Parsing of `host[:port]`.

use std::net::Ipv6Addr;

/// A host name, an IPv4 address, or an IPv6 address in brackets; and an optional port other than 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct HostPort<'a> {
    pub(super) host: &'a str,
    pub(super) port: Option<u16>,
}

impl<'a> HostPort<'a> {
    /// `None` if the text is anything else.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let end = match text.strip_prefix('[') {
            Some(rest) => {
                let (address, _) = rest.split_once(']')?;
                address.parse::<Ipv6Addr>().ok()?;
                address.len() + 2
            }
            None => text.find(':').unwrap_or(text.len()),
        };
        let (host, rest) = text.split_at(end);
        let is_name = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        if host.is_empty() || !(host.starts_with('[') || host.chars().all(is_name)) {
            return None;
        }
        let port = match rest.strip_prefix(':') {
            // `u16::parse` would accept a leading `+`.
            Some(port) if port.starts_with(|c: char| c.is_ascii_digit()) => {
                Some(port.parse().ok().filter(|port| *port != 0)?)
            }
            None if rest.is_empty() => None,
            Some(_) | None => return None,
        };
        Some(Self { host, port })
    }
}

#[cfg(test)]
mod tests {
    use super::HostPort;

    #[test]
    fn hosts_and_ports_are_separated() {
        for (text, host, port) in [
            ("node-1.internal:7000", "node-1.internal", Some(7_000)),
            ("localhost", "localhost", None),
            ("10.0.0.5:1", "10.0.0.5", Some(1)),
            ("[2001:db8::1]:65535", "[2001:db8::1]", Some(65_535)),
            ("[::1]", "[::1]", None),
        ] {
            assert_eq!(
                HostPort::parse(text),
                Some(HostPort { host, port }),
                "{text}"
            );
        }
    }

    #[test]
    fn everything_else_is_rejected() {
        for text in [
            "",
            ":7000",
            "a b:1",
            "a:",
            "a:0",
            "a:+1",
            "a:65536",
            "a:1:2",
            "http://a:1",
            "2001:db8::1",
            "[]:::",
            "[a]:1",
            "[::1]1",
            "a/b",
        ] {
            assert_eq!(HostPort::parse(text), None, "{text}");
        }
    }
}
