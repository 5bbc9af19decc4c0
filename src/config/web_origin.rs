//! Where a web page comes from.

use std::fmt;
use std::str::FromStr;

use super::host_port::HostPort;

/// A scheme, a host and maybe a port, as browsers write it into the header `Origin` (RFC 6454).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebOrigin(String);

/// The text is no origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is no origin")]
pub struct NotAnOrigin;

impl FromStr for WebOrigin {
    type Err = NotAnOrigin;

    fn from_str(text: &str) -> Result<Self, NotAnOrigin> {
        let text = text.to_ascii_lowercase();
        let (scheme, place) = text.split_once("://").ok_or(NotAnOrigin)?;
        let mut chars = scheme.chars();
        if scheme.is_empty() || !chars.all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c)) {
            return Err(NotAnOrigin);
        }
        let HostPort { host, port } = HostPort::parse(place).ok_or(NotAnOrigin)?;
        // Browsers leave a scheme's own port out.
        let is_default = matches!((scheme, port), ("http", Some(80)) | ("https", Some(443)));
        Ok(Self(match port {
            Some(_) if is_default => format!("{scheme}://{host}"),
            Some(_) | None => text,
        }))
    }
}

impl WebOrigin {
    /// Whether a header's value names this one.
    pub fn is(&self, header: &str) -> bool {
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
    fn origins_have_a_scheme_and_a_host_and_nothing_more() {
        for good in [
            "https://hunt.example",
            "http://localhost:5173",
            "https://[2001:db8::1]:8443",
            "capacitor://localhost",
        ] {
            let origin: WebOrigin = good.parse().expect(good);
            assert!(origin.is(&good.to_uppercase()));
            assert!(!origin.is("https://other.example"));
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
    fn a_scheme_s_own_port_is_left_out_as_browsers_do() {
        for (written, sent) in [
            ("https://hunt.example:443", "https://hunt.example"),
            ("http://hunt.example:80", "http://hunt.example"),
            ("https://hunt.example:80", "https://hunt.example:80"),
        ] {
            let origin: WebOrigin = written.parse().expect(written);
            assert!(origin.is(sent), "{written}");
        }
    }
}
