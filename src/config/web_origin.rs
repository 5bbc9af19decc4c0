//! Where a web page comes from.

use std::fmt;
use std::str::FromStr;

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
        let (scheme, host) = text.split_once("://").ok_or(NotAnOrigin)?;
        let is_good = |part: &str, more: &str| {
            let mut chars = part.chars();
            !part.is_empty() && chars.all(|c| c.is_ascii_alphanumeric() || more.contains(c))
        };
        if !is_good(scheme, "+-.") || !is_good(host, "-._:[]") {
            return Err(NotAnOrigin);
        }
        Ok(Self(text.to_ascii_lowercase()))
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
        ] {
            assert!(bad.parse::<WebOrigin>().is_err(), "{bad}");
        }
    }
}
