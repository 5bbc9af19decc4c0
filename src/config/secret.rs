//! Settings that hold a secret, and how they are shown.

use std::fmt;

use super::postgres_url::PostgresUrl;

/// Shorter secrets can be guessed.
const SECRET_CHARS_MIN: usize = 32;
/// The value that means that no secret is set.
const NO_SECRET: &str = "none";
/// Printed instead of a secret.
const REDACTED: &str = "***";
/// Keys whose values are a secret or contain one.
const SECRET_KEYS: [&str; 2] = ["cluster.secret", "journal.postgres_url"];

/// The secret that all nodes of a cluster share. Its `Debug` output is redacted.
#[derive(Clone)]
pub struct ClusterSecret(String);

impl ClusterSecret {
    /// The secret itself. It must never be printed or logged.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Returns `None` for [`NO_SECRET`]. The error does not repeat the text.
    pub(super) fn parse(text: &str) -> Result<Option<Self>, String> {
        if text == NO_SECRET {
            return Ok(None);
        }
        if text.chars().count() < SECRET_CHARS_MIN {
            return Err(format!(
                "must have at least {SECRET_CHARS_MIN} characters; `openssl rand -hex 32` generates one"
            ));
        }
        Ok(Some(Self(text.to_owned())))
    }
}

impl fmt::Debug for ClusterSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

/// Whether the value of a key must be redacted before it is shown.
pub(super) fn is_secret(key: &str) -> bool {
    SECRET_KEYS.contains(&key)
}

/// The value of a secret key as it may be shown: a URL without its password, otherwise asterisks.
pub(super) fn redacted(value: &toml::Value) -> toml::Value {
    if value.as_str() == Some(NO_SECRET) {
        return value.clone();
    }
    let parsed = value.as_str().map(PostgresUrl::parse);
    toml::Value::String(match parsed {
        Some(Ok(url)) => url.to_string(),
        Some(Err(_)) | None => REDACTED.to_owned(),
    })
}
