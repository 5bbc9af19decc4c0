//! Where PostgreSQL is, and how the journal uses it.

use std::fmt;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgSslMode};

use super::cluster::NO_SECRET;
use super::host_port::HostPort;
use super::reader::Reader;

/// Stands for what is not shown.
const HIDDEN: &str = "***";
/// PostgreSQL's own port.
const PORT: u16 = 5432;
/// What may be set beside user, host and database.
const PARAMETERS: [&str; 4] = ["sslmode", "sslrootcert", "sslcert", "sslkey"];

/// See `postgres_…` of `[journal]` in `config/default.toml`.
#[derive(Debug, Clone)]
pub struct PostgresConfig {
    /// Where the server is, and as whom to connect.
    pub url: PostgresUrl,
    /// Connections that append.
    pub lanes: usize,
    /// Connections for everything else but beats.
    pub connections_max: u32,
    /// Bytes of events that one flush takes at most.
    pub flush_bytes_max: usize,
    /// How long connecting may take.
    pub connect_max: Duration,
    /// How long the server may take to answer.
    pub answer_max: Duration,
}

impl PostgresConfig {
    pub(super) fn read(reader: &mut Reader) -> Self {
        let connections_max = reader.take_within("journal.postgres_connections_max", 1..=100);
        Self {
            url: reader.take_checked("journal.postgres_url", PostgresUrl::parse),
            lanes: reader.take_count("journal.postgres_lanes", 1..=16),
            connections_max: u32::try_from(connections_max).expect("the range fits"),
            flush_bytes_max: reader
                .take_count("journal.postgres_flush_bytes_max", 1 << 16..=1 << 26),
            connect_max: reader.take_ms("journal.postgres_connect_ms_max", 100..=60_000),
            answer_max: reader.take_ms("journal.postgres_answer_ms_max", 1_000..=600_000),
        }
    }
}

/// An address with a password in it, which is shown to nobody.
#[derive(Clone)]
pub struct PostgresUrl(PgConnectOptions);

impl PostgresUrl {
    /// The refusal says nothing of what was written.
    fn parse(text: &str) -> Result<Self, String> {
        let written = Written::read(text);
        let parsed = written.zip(text.parse::<PgConnectOptions>().ok());
        let (written, mut options) = parsed.ok_or(
            "an address is expected, as in \
             postgres://user:password@host:5432/database?sslmode=verify-full",
        )?;
        let unknown = written
            .parameters
            .iter()
            .find(|name| !PARAMETERS.contains(name));
        if unknown.is_some() {
            return Err(format!("a parameter is none of {}", PARAMETERS.join(", ")));
        }
        // What the address leaves out has a default, whatever variables of PostgreSQL say.
        if !written.has_port {
            options = options.port(PORT);
        }
        if !written.parameters.contains(&"sslmode") {
            options = options.ssl_mode(PgSslMode::Prefer);
        }
        Ok(Self(options))
    }

    /// How to connect. Whatever prints this prints the password.
    pub fn options(&self) -> PgConnectOptions {
        self.0.clone()
    }
}

/// What an address says of itself.
struct Written<'a> {
    has_port: bool,
    parameters: Vec<&'a str>,
}

impl<'a> Written<'a> {
    /// None unless it names user, host and database.
    fn read(text: &'a str) -> Option<Self> {
        let mut schemes = ["postgres://", "postgresql://"].into_iter();
        let rest = schemes.find_map(|scheme| text.strip_prefix(scheme))?;
        let (place, parameters) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = place.split_once('/')?;
        let (user, place) = authority.rsplit_once('@')?;
        let place = HostPort::parse(place)?;
        if user.is_empty() || user.starts_with(':') || database.is_empty() {
            return None;
        }
        let parameters = parameters
            .split('&')
            .filter(|parameter| !parameter.is_empty());
        Some(Self {
            has_port: place.port.is_some(),
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
    /// Without the password and without parameters, which may hold one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options = &self.0;
        let (user, host, port) = (
            options.get_username(),
            options.get_host(),
            options.get_port(),
        );
        let database = options.get_database().unwrap_or(user);
        write!(f, "postgres://{user}:{HIDDEN}@{host}:{port}/{database}")
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A secret's value as it may be shown.
pub(super) fn redacted(value: &toml::Value) -> toml::Value {
    if value.as_str() == Some(NO_SECRET) {
        return value.clone();
    }
    let parsed = value.as_str().map(PostgresUrl::parse);
    toml::Value::String(match parsed {
        Some(Ok(url)) => url.to_string(),
        Some(Err(_)) | None => HIDDEN.to_owned(),
    })
}
