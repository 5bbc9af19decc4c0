//! Rate limit of new teams per address.
//!
//! Teams are never removed, and a session's number of teams is limited. Without this rate limit one client
//! could fill a session within seconds.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::addresses::SubscriberKey;
use super::buckets::{AddressBuckets, TokenBucket};
use crate::config::LimitsConfig;
use crate::telemetry::metrics;

/// Limiter of team creations. Bounded by the number of tracked addresses.
pub struct NewTeams {
    addresses: AddressBuckets,
}

/// A team creation in progress, which holds a token. Dropping it spends the token.
#[must_use = "a team creation that is dropped counts against the limit"]
pub struct TeamCreation {
    bucket: Option<Arc<TokenBucket>>,
}

/// The address has created too many teams; the creation was not begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "too many teams were created from your address; join one of them by its code, or try again in {} s",
    retry_after.as_secs() + 1
)]
pub struct TooManyNewTeams {
    /// Time until the next creation is allowed.
    pub retry_after: Duration,
}

impl NewTeams {
    /// A limiter with full buckets.
    pub fn new(limits: &LimitsConfig) -> Self {
        Self {
            addresses: AddressBuckets::new(limits.address_new_teams),
        }
    }

    /// Begins to create a team.
    pub fn begin(&self, key: SubscriberKey) -> Result<TeamCreation, TooManyNewTeams> {
        let bucket = self.addresses.bucket(key);
        if let Some(bucket) = &bucket {
            let acquired = bucket.try_acquire(Instant::now());
            acquired.map_err(|retry_after| {
                metrics().new_teams_refused.increment(1);
                TooManyNewTeams { retry_after }
            })?;
        }
        Ok(TeamCreation { bucket })
    }
}

impl TeamCreation {
    /// Refunds the creation, because the session rejected the team.
    pub fn refund(self) {
        if let Some(bucket) = self.bucket {
            bucket.refund();
        }
    }
}
