//! Rate limits of wrong codes: per address, per session, and for the whole server.
//!
//! A right code costs nothing, so that a crowd joins as fast as it can. Each attempt holds a token of its
//! buckets until its outcome is known, so that concurrent attempts cannot exceed the limits. The address's
//! bucket comes first: an attempt that it refuses takes no token elsewhere, so that a client that guesses
//! from one address does not lock out the others.

use std::sync::Arc;
use std::time::Duration;

use dashmap::DashMap;
use tokio::time::Instant;

use super::addresses::SubscriberKey;
use super::buckets::{AddressBuckets, TokenBucket};
use crate::config::{LimitsConfig, RateLimit};
use crate::ids::SessionId;
use crate::telemetry::{CodeLimit, metrics};

/// Limiter of code attempts. Bounded by the number of sessions and of tracked addresses.
pub struct CodeAttempts {
    addresses: AddressBuckets,
    server: Arc<TokenBucket>,
    session_limit: RateLimit,
    sessions: DashMap<SessionId, Arc<TokenBucket>>,
}

/// An attempt in progress. Dropped, it counts as wrong, so that hanging up early gains nothing.
#[must_use = "an attempt that is dropped counts as wrong"]
pub struct CodeAttempt {
    held: Vec<Arc<TokenBucket>>,
}

/// Too many codes were wrong; this one was not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "too many wrong codes{}; try again in {} s",
    scope_of(*limit),
    retry_after.as_secs() + 1
)]
pub struct TooManyWrongCodes {
    /// The limit that was reached.
    pub limit: CodeLimit,
    /// When the next attempt will be allowed.
    pub retry_after: Duration,
}

impl CodeAttempts {
    /// A limiter with full buckets.
    pub fn new(limits: &LimitsConfig) -> Self {
        Self {
            addresses: AddressBuckets::new(limits.address_wrong_codes),
            server: Arc::new(TokenBucket::new(limits.wrong_codes)),
            session_limit: limits.session_wrong_codes,
            sessions: DashMap::new(),
        }
    }

    /// Begins an attempt at a code within a session, such as a team's.
    pub fn in_session(
        &self,
        key: SubscriberKey,
        session: SessionId,
    ) -> Result<CodeAttempt, TooManyWrongCodes> {
        let new = || Arc::new(TokenBucket::new(self.session_limit));
        let mut attempt = self.begin(key)?;
        let bucket = self.sessions.entry(session).or_insert_with(new).clone();
        attempt.hold(bucket, CodeLimit::Session)?;
        attempt.hold(self.server.clone(), CodeLimit::Server)?;
        Ok(attempt)
    }

    /// Begins an attempt at the code of a session itself.
    pub fn at_session(&self, key: SubscriberKey) -> Result<CodeAttempt, TooManyWrongCodes> {
        let mut attempt = self.begin(key)?;
        attempt.hold(self.server.clone(), CodeLimit::Server)?;
        Ok(attempt)
    }

    fn begin(&self, key: SubscriberKey) -> Result<CodeAttempt, TooManyWrongCodes> {
        let mut attempt = CodeAttempt { held: Vec::new() };
        if let Some(bucket) = self.addresses.bucket(key) {
            attempt.hold(bucket, CodeLimit::Address)?;
        }
        Ok(attempt)
    }
}

/// The scope of a limit, as part of a message.
fn scope_of(limit: CodeLimit) -> &'static str {
    match limit {
        CodeLimit::Address => " from your address",
        CodeLimit::Session => " in this session",
        CodeLimit::Server => "",
    }
}

impl CodeAttempt {
    /// Takes a token; if the bucket is empty, refunds the tokens already held.
    fn hold(
        &mut self,
        bucket: Arc<TokenBucket>,
        limit: CodeLimit,
    ) -> Result<(), TooManyWrongCodes> {
        match bucket.try_acquire(Instant::now()) {
            Ok(()) => {
                self.held.push(bucket);
                Ok(())
            }
            Err(retry_after) => {
                self.refund_held();
                metrics()
                    .code_attempts_refused
                    .with_label(limit)
                    .increment(1);
                Err(TooManyWrongCodes { limit, retry_after })
            }
        }
    }

    /// Refunds the attempt, because the code was right or was not checked after all.
    pub fn refund(mut self) {
        self.refund_held();
    }

    fn refund_held(&mut self) {
        for bucket in self.held.drain(..) {
            bucket.refund();
        }
    }
}

impl Drop for CodeAttempt {
    fn drop(&mut self) {
        if !self.held.is_empty() {
            metrics().wrong_codes.increment(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::advance;

    use super::{CodeAttempts, SubscriberKey};
    use crate::config::{Config, Layers, LimitsConfig};
    use crate::ids::SessionId;
    use crate::telemetry::CodeLimit;

    fn attempts() -> CodeAttempts {
        let mut layers = Layers::built_in();
        for setting in [
            "limits.address_wrong_codes_per_minute=30",
            "limits.address_wrong_codes_burst=1",
            "limits.session_wrong_codes_per_minute=60",
            "limits.session_wrong_codes_burst=2",
            "limits.wrong_codes_per_minute=600",
            "limits.wrong_codes_burst=3",
        ] {
            layers.add_flag(setting);
        }
        let limits: LimitsConfig = Config::read(layers)
            .expect("the settings are in range")
            .limits;
        CodeAttempts::new(&limits)
    }

    const EXEMPT: SubscriberKey = SubscriberKey::Exempt;
    const ONE: SessionId = SessionId::new(1);
    const OTHER: SessionId = SessionId::new(2);

    #[tokio::test(start_paused = true)]
    async fn wrong_codes_use_up_the_sessions_tokens_and_time_refills_them() {
        let attempts = attempts();
        for _ in 0..2 {
            drop(attempts.in_session(EXEMPT, ONE).expect("within the burst"));
        }
        let refused = attempts.in_session(EXEMPT, ONE).err().expect("the third");
        assert_eq!(refused.retry_after, Duration::from_secs(1));
        advance(refused.retry_after).await;
        drop(
            attempts
                .in_session(EXEMPT, ONE)
                .expect("after the retry-after"),
        );
        attempts
            .in_session(EXEMPT, ONE)
            .err()
            .expect("one a second");
    }

    #[tokio::test(start_paused = true)]
    async fn right_codes_cost_nothing_but_concurrent_attempts_cannot_exceed_the_limit() {
        let attempts = attempts();
        for _ in 0..1_000 {
            attempts
                .in_session(EXEMPT, ONE)
                .expect("all are right")
                .refund();
        }
        let in_progress =
            [(); 2].map(|()| attempts.in_session(EXEMPT, ONE).expect("within the burst"));
        attempts
            .in_session(EXEMPT, ONE)
            .err()
            .expect("two are in progress");
        for attempt in in_progress {
            attempt.refund();
        }
        attempts
            .in_session(EXEMPT, ONE)
            .expect("both were right")
            .refund();
    }

    #[tokio::test(start_paused = true)]
    async fn all_sessions_share_the_servers_limit() {
        let attempts = attempts();
        for _ in 0..2 {
            drop(attempts.in_session(EXEMPT, ONE).expect("within the burst"));
        }
        drop(attempts.at_session(EXEMPT).expect("the third of all"));
        let refused = attempts
            .in_session(EXEMPT, OTHER)
            .err()
            .expect("the fourth of all");
        assert_eq!(refused.retry_after, Duration::from_millis(100));
        attempts.at_session(EXEMPT).err().expect("the same bucket");
        // What the server refused was not counted against the session.
        advance(Duration::from_millis(200)).await;
        for _ in 0..2 {
            drop(
                attempts
                    .in_session(EXEMPT, OTHER)
                    .expect("its own bucket is full"),
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_address_does_not_use_up_the_shared_limits() {
        let attempts = attempts();
        let address = |last: u8| SubscriberKey::Address([192, 0, 2, last].into());
        drop(
            attempts
                .in_session(address(1), ONE)
                .expect("its first token"),
        );
        for _ in 0..100 {
            let refused = attempts.in_session(address(1), ONE).err();
            let refused = refused.expect("its bucket is empty");
            assert_eq!(refused.limit, CodeLimit::Address);
            assert_eq!(refused.retry_after, Duration::from_secs(2));
            attempts
                .at_session(address(1))
                .err()
                .expect("the same bucket");
        }
        let attempt = attempts.in_session(address(2), ONE);
        attempt.expect("the session has one token left").refund();
        let attempt = attempts.in_session(address(2), ONE);
        drop(attempt.expect("a right code costs an address nothing either"));
        let refused = attempts.in_session(address(3), ONE).err();
        let refused = refused.expect("the session's bucket is empty");
        assert_eq!(refused.limit, CodeLimit::Session);
        // What the session refused was not counted against the address.
        drop(
            attempts
                .in_session(address(3), OTHER)
                .expect("its first token"),
        );
    }
}
