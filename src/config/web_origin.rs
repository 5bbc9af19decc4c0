//! The origin of a web page.

use std::fmt;
use std::str::FromStr;

use super::host_port::HostPort;

/// A scheme, a host and an optional port, as in the `Origin` header of browsers (RFC 6454).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebOrigin(String);

/// The text is not an origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an origin")]
pub struct InvalidOrigin;

impl FromStr for WebOrigin {
    type Err = InvalidOrigin;

    fn from_str(text: &str) -> Result<Self, InvalidOrigin> {
        let text = text.to_ascii_lowercase();
        let (scheme, authority) = text.split_once("://").ok_or(InvalidOrigin)?;
        let mut chars = scheme.chars();
        if scheme.is_empty() || !chars.all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c)) {
            return Err(InvalidOrigin);
        }
        let HostPort { host, port } = HostPort::parse(authority).ok_or(InvalidOrigin)?;
        // Browsers omit the scheme's default port.
        let is_default = matches!((scheme, port), ("http", Some(80)) | ("https", Some(443)));
        Ok(Self(match port {
            Some(_) if is_default => format!("{scheme}://{host}"),
            Some(_) | None => text,
        }))
    }
}

impl WebOrigin {
    /// Whether an `Origin` header names this origin.
    pub fn matches(&self, header: &str) -> bool {
        self.0.eq_ignore_ascii_case(header)
    }
}

impl fmt::Display for WebOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::WebOrigin;

    #[test]
    fn an_origin_is_a_scheme_a_host_and_an_optional_port() {
        for good in [
            "https://hunt.example",
            "http://localhost:5173",
            "https://[2001:db8::1]:8443",
            "capacitor://localhost",
        ] {
            let origin: WebOrigin = good.parse().expect(good);
            assert!(origin.matches(&good.to_uppercase()));
            assert!(!origin.matches("https://other.example"));
        }
        for bad in [
            "",
            "hunt.example",
            "https://",
            "https://hunt.example/",
            "null",
            "*",
            "https://hunt.example:99999",
            "https://[]:::",
        ] {
            assert!(bad.parse::<WebOrigin>().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_default_port_is_omitted_as_browsers_do() {
        for (written, sent) in [
            ("https://hunt.example:443", "https://hunt.example"),
            ("http://hunt.example:80", "http://hunt.example"),
            ("https://hunt.example:80", "https://hunt.example:80"),
        ] {
            let origin: WebOrigin = written.parse().expect(written);
            assert!(origin.matches(sent), "{written}");
        }
    }
}
