//! The connection URL of PostgreSQL.

use std::fmt;

use sqlx::postgres::{PgConnectOptions, PgSslMode};

use super::host_port::HostPort;

/// PostgreSQL's default port.
const DEFAULT_PORT: u16 = 5432;
/// The accepted parameters of the URL.
const PARAMETERS: [&str; 4] = ["sslmode", "sslrootcert", "sslcert", "sslkey"];

/// A connection URL with a password. `Display` and `Debug` redact it.
#[derive(Clone)]
pub struct PostgresUrl(PgConnectOptions);

impl PostgresUrl {
    /// The error does not repeat the text, which may contain a password.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let parts = UrlParts::parse(text);
        let parsed = parts.zip(text.parse::<PgConnectOptions>().ok());
        let (parts, mut options) = parsed.ok_or(
            "expected a URL such as postgres://user:password@host:5432/database?sslmode=verify-full",
        )?;
        let unknown = parts
            .parameters
            .iter()
            .find(|name| !PARAMETERS.contains(name));
        if unknown.is_some() {
            return Err(format!(
                "unknown parameter; expected one of {}",
                PARAMETERS.join(", ")
            ));
        }
        // Explicit defaults: otherwise sqlx would read PGPORT and PGSSLMODE.
        if !parts.has_port {
            options = options.port(DEFAULT_PORT);
        }
        if !parts.parameters.contains(&"sslmode") {
            options = options.ssl_mode(PgSslMode::Prefer);
        }
        Ok(Self(options))
    }

    /// The connection options, password included. They must never be printed or logged.
    pub fn options(&self) -> PgConnectOptions {
        self.0.clone()
    }
}

/// The parts of a URL that sqlx's parser does not report.
struct UrlParts<'a> {
    has_port: bool,
    parameters: Vec<&'a str>,
}

impl<'a> UrlParts<'a> {
    /// `None` unless the URL has a user, a host and a database.
    fn parse(text: &'a str) -> Option<Self> {
        let mut schemes = ["postgres://", "postgresql://"].into_iter();
        let rest = schemes.find_map(|scheme| text.strip_prefix(scheme))?;
        let (location, parameters) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = location.split_once('/')?;
        let (user, host_port) = authority.rsplit_once('@')?;
        let host_port = HostPort::parse(host_port)?;
        if user.is_empty() || user.starts_with(':') || database.is_empty() {
            return None;
        }
        let parameters = parameters
            .split('&')
            .filter(|parameter| !parameter.is_empty());
        Some(Self {
            has_port: host_port.port.is_some(),
            parameters: parameters
                .map(|parameter| {
                    parameter
                        .split_once('=')
                        .map_or(parameter, |(name, _)| name)
                })
                .collect(),
        })
    }
}

impl fmt::Display for PostgresUrl {
    /// Omits the password, and the parameters, which may contain one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options = &self.0;
        let (user, host, port) = (
            options.get_username(),
            options.get_host(),
            options.get_port(),
        );
        let database = options.get_database().unwrap_or(user);
        write!(f, "postgres://{user}:***@{host}:{port}/{database}")
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
