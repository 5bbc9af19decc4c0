//! How many teams one address may found: each stays in its session for good, and a session takes so
//! many and no more, so that without this anybody fills it within seconds.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::addresses::Source;
use super::bucket::Bucket;
use super::shares::Shares;
use crate::config::LimitsConfig;
use crate::telemetry::metrics;

/// The teams that addresses have founded lately. Bounded as `Shares` are.
pub struct NewTeams {
    addresses: Shares,
}

/// A team that is being founded. One that is dropped counts.
#[must_use = "a team that is being founded counts"]
pub struct Founding {
    share: Option<Arc<Bucket>>,
}

/// The address has founded too many; this one was not begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "too many teams were founded from your address; join one of them by its code, or try again in {} s",
    retry_after.as_secs() + 1
)]
pub struct TooManyNewTeams {
    /// When the next one will be allowed.
    pub retry_after: Duration,
}

impl NewTeams {
    /// None yet.
    pub fn new(limits: &LimitsConfig) -> Self {
        Self {
            addresses: Shares::new(limits.address_new_teams),
        }
    }

    /// Begins to found one.
    pub fn found(&self, source: Source) -> Result<Founding, TooManyNewTeams> {
        let share = self.addresses.of(source);
        if let Some(share) = &share {
            let taken = share.take(Instant::now());
            taken.map_err(|retry_after| {
                metrics().new_teams_refused.increment(1);
                TooManyNewTeams { retry_after }
            })?;
        }
        Ok(Founding { share })
    }
}

impl Founding {
    /// The session did not take it.
    pub fn was_refused(self) {
        if let Some(share) = self.share {
            share.give_back();
        }
    }
}
