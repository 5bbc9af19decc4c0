//! How often codes may be guessed wrongly: from one address, per session, and on the whole server.
//!
//! A right code costs nothing, so that a crowd joins as fast as it can; but each attempt holds a unit
//! of its allowance until its outcome is known, so that many at once cannot exceed it. The address is
//! asked first: what is refused there is not counted elsewhere, so that nobody who guesses from one
//! address locks the others out.

use std::sync::Arc;
use std::time::Duration;

use dashmap::DashMap;
use tokio::time::Instant;

use super::addresses::Source;
use super::bucket::Bucket;
use super::shares::Shares;
use crate::config::{LimitsConfig, RateLimit};
use crate::journal::SessionId;
use crate::telemetry::{CodeLimit, metrics};

/// The attempts at codes on this server. Bounded by the number of sessions and of addresses.
pub struct CodeAttempts {
    addresses: Shares,
    in_all: Arc<Bucket>,
    session_allowance: RateLimit,
    sessions: DashMap<SessionId, Arc<Bucket>>,
}

/// An attempt under way. One that is dropped counts as wrong: nobody learns more by hanging up.
#[must_use = "an attempt that is dropped counts as wrong"]
pub struct Attempt {
    held: Vec<Arc<Bucket>>,
}

/// Too many codes were wrong; this one was not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many codes{} were wrong; try again in {} s", of(*limit), retry_after.as_secs() + 1)]
pub struct TooManyWrongCodes {
    /// Whose allowance is used up.
    pub limit: CodeLimit,
    /// When the next one will be looked at.
    pub retry_after: Duration,
}

impl CodeAttempts {
    /// No attempts yet.
    pub fn new(limits: &LimitsConfig) -> Self {
        Self {
            addresses: Shares::new(limits.address_wrong_codes),
            in_all: Arc::new(Bucket::new(limits.wrong_codes)),
            session_allowance: limits.session_wrong_codes,
            sessions: DashMap::new(),
        }
    }

    /// Begins an attempt at a code of a session, such as a team's.
    pub fn in_session(
        &self,
        source: Source,
        session: SessionId,
    ) -> Result<Attempt, TooManyWrongCodes> {
        let new = || Arc::new(Bucket::new(self.session_allowance));
        let mut attempt = self.from(source)?;
        let bucket = self.sessions.entry(session).or_insert_with(new).clone();
        attempt.hold(bucket, CodeLimit::Session)?;
        attempt.hold(self.in_all.clone(), CodeLimit::Server)?;
        Ok(attempt)
    }

    /// Begins an attempt at the code of a session itself.
    pub fn at_session(&self, source: Source) -> Result<Attempt, TooManyWrongCodes> {
        let mut attempt = self.from(source)?;
        attempt.hold(self.in_all.clone(), CodeLimit::Server)?;
        Ok(attempt)
    }

    fn from(&self, source: Source) -> Result<Attempt, TooManyWrongCodes> {
        let mut attempt = Attempt { held: Vec::new() };
        if let Some(share) = self.addresses.of(source) {
            attempt.hold(share, CodeLimit::Address)?;
        }
        Ok(attempt)
    }
}

/// Which codes are meant.
fn of(limit: CodeLimit) -> &'static str {
    match limit {
        CodeLimit::Address => " from your address",
        CodeLimit::Session => " of this session",
        CodeLimit::Server => "",
    }
}

impl Attempt {
    fn hold(&mut self, bucket: Arc<Bucket>, limit: CodeLimit) -> Result<(), TooManyWrongCodes> {
        match bucket.take(Instant::now()) {
            Ok(()) => {
                self.held.push(bucket);
                Ok(())
            }
            Err(retry_after) => {
                self.give_back();
                metrics()
                    .code_attempts_refused
                    .with_label(limit)
                    .increment(1);
                Err(TooManyWrongCodes { limit, retry_after })
            }
        }
    }

    /// The code was right, or was not looked at after all.
    pub fn was_not_wrong(mut self) {
        self.give_back();
    }

    fn give_back(&mut self) {
        for bucket in self.held.drain(..) {
            bucket.give_back();
        }
    }
}

impl Drop for Attempt {
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

    use super::CodeAttempts;
    use crate::config::{Config, Layers, LimitsConfig};
    use crate::gateway::addresses::Source;
    use crate::journal::SessionId;
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
        let limits: LimitsConfig = Config::read(layers).expect("they are in range").limits;
        CodeAttempts::new(&limits)
    }

    const ANYONE: Source = Source::Unlimited;
    const ONE: SessionId = SessionId::new(1);
    const OTHER: SessionId = SessionId::new(2);

    #[tokio::test(start_paused = true)]
    async fn wrong_codes_use_up_the_sessions_allowance_and_time_gives_it_back() {
        let attempts = attempts();
        for _ in 0..2 {
            drop(attempts.in_session(ANYONE, ONE).expect("within the burst"));
        }
        let refused = attempts.in_session(ANYONE, ONE).err().expect("the third");
        assert_eq!(refused.retry_after, Duration::from_secs(1));
        advance(refused.retry_after).await;
        drop(
            attempts
                .in_session(ANYONE, ONE)
                .expect("at the time that was told"),
        );
        attempts
            .in_session(ANYONE, ONE)
            .err()
            .expect("one a second");
    }

    #[tokio::test(start_paused = true)]
    async fn right_codes_cost_nothing_but_many_at_once_cannot_exceed_the_allowance() {
        let attempts = attempts();
        for _ in 0..1_000 {
            attempts
                .in_session(ANYONE, ONE)
                .expect("all are right")
                .was_not_wrong();
        }
        let under_way =
            [(); 2].map(|()| attempts.in_session(ANYONE, ONE).expect("within the burst"));
        attempts
            .in_session(ANYONE, ONE)
            .err()
            .expect("two are under way");
        for attempt in under_way {
            attempt.was_not_wrong();
        }
        attempts
            .in_session(ANYONE, ONE)
            .expect("both were right")
            .was_not_wrong();
    }

    #[tokio::test(start_paused = true)]
    async fn sessions_share_the_servers_allowance() {
        let attempts = attempts();
        for _ in 0..2 {
            drop(attempts.in_session(ANYONE, ONE).expect("within the burst"));
        }
        drop(attempts.at_session(ANYONE).expect("the third of all"));
        let refused = attempts
            .in_session(ANYONE, OTHER)
            .err()
            .expect("the fourth of all");
        assert_eq!(refused.retry_after, Duration::from_millis(100));
        attempts.at_session(ANYONE).err().expect("there too");
        // What the server refused was not counted against the session.
        advance(Duration::from_millis(200)).await;
        for _ in 0..2 {
            drop(
                attempts
                    .in_session(ANYONE, OTHER)
                    .expect("its own allowance is whole"),
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_address_does_not_use_up_what_is_everybodys() {
        let attempts = attempts();
        let address = |last: u8| Source::Subscriber([192, 0, 2, last].into());
        drop(attempts.in_session(address(1), ONE).expect("its share"));
        for _ in 0..100 {
            let refused = attempts.in_session(address(1), ONE).err();
            let refused = refused.expect("its share is used up");
            assert_eq!(refused.limit, CodeLimit::Address);
            assert_eq!(refused.retry_after, Duration::from_secs(2));
            attempts
                .at_session(address(1))
                .err()
                .expect("the same share");
        }
        let attempt = attempts.in_session(address(2), ONE);
        attempt.expect("the session has one left").was_not_wrong();
        let attempt = attempts.in_session(address(2), ONE);
        drop(attempt.expect("right ones are free for an address too"));
        let refused = attempts.in_session(address(3), ONE).err();
        let refused = refused.expect("the session's are used up");
        assert_eq!(refused.limit, CodeLimit::Session);
        // What the session refused was not counted against the address.
        drop(attempts.in_session(address(3), OTHER).expect("its share"));
    }
}
