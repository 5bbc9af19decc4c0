//! How often codes may be guessed wrongly: per session, and on the whole server.
//!
//! A right code costs nothing, so that a crowd joins as fast as it can; but each attempt holds a unit
//! of its allowance until its outcome is known, so that many at once cannot exceed it. Limiters that
//! only take and never give back cannot do that.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use dashmap::DashMap;
use tokio::time::Instant;

use crate::config::{Allowance, LimitsConfig};
use crate::journal::SessionId;
use crate::telemetry::{CodeLimit, metrics};

/// The attempts at codes on this server. Bounded by the number of sessions.
pub struct CodeAttempts {
    in_all: Arc<Bucket>,
    session_allowance: Allowance,
    sessions: DashMap<SessionId, Arc<Bucket>>,
}

/// An attempt under way. One that is dropped counts as wrong: nobody learns more by hanging up.
#[must_use = "an attempt that is dropped counts as wrong"]
pub struct Attempt {
    held: Vec<Arc<Bucket>>,
}

/// Too many codes were wrong; this one was not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many codes were wrong; try again in {} s", retry_after.as_secs() + 1)]
pub struct TooManyWrongCodes {
    /// When the next one will be looked at.
    pub retry_after: Duration,
}

impl CodeAttempts {
    /// No attempts yet.
    pub fn new(limits: &LimitsConfig) -> Self {
        Self {
            in_all: Arc::new(Bucket::new(limits.wrong_codes)),
            session_allowance: limits.session_wrong_codes,
            sessions: DashMap::new(),
        }
    }

    /// Begins an attempt at a code of a session, such as a team's.
    pub fn in_session(&self, session: SessionId) -> Result<Attempt, TooManyWrongCodes> {
        let new = || Arc::new(Bucket::new(self.session_allowance));
        let bucket = self.sessions.entry(session).or_insert_with(new).clone();
        let mut attempt = Attempt { held: Vec::new() };
        attempt.hold(bucket, CodeLimit::Session)?;
        attempt.hold(self.in_all.clone(), CodeLimit::Server)?;
        Ok(attempt)
    }

    /// Begins an attempt at the code of a session itself.
    pub fn at_session(&self) -> Result<Attempt, TooManyWrongCodes> {
        let mut attempt = Attempt { held: Vec::new() };
        attempt.hold(self.in_all.clone(), CodeLimit::Server)?;
        Ok(attempt)
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
                metrics().code_attempts_refused.of(limit).increment(1);
                Err(TooManyWrongCodes { retry_after })
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

/// A bucket that empties at a steady rate: the generic cell rate algorithm (ITU-T I.371), with a way
/// back.
struct Bucket {
    /// What one unit takes to drain.
    drain: Duration,
    capacity: u32,
    /// When it will be empty; in the past, it is.
    empty_at: Mutex<Instant>,
}

impl Bucket {
    fn new(allowance: Allowance) -> Self {
        Self {
            drain: Duration::from_mins(1) / allowance.per_minute.get(),
            capacity: allowance.burst.get(),
            empty_at: Mutex::new(Instant::now()),
        }
    }

    /// Puts one unit in, or tells how long until there is room for it.
    fn take(&self, now: Instant) -> Result<(), Duration> {
        let mut empty_at = self.empty_at();
        let with_one_more = (*empty_at).max(now) + self.drain;
        let room = self.drain * self.capacity;
        let overflow = (with_one_more - now).saturating_sub(room);
        if overflow > Duration::ZERO {
            return Err(overflow);
        }
        *empty_at = with_one_more;
        Ok(())
    }

    fn give_back(&self) {
        let mut empty_at = self.empty_at();
        // At the very beginning of the clock there is nothing before it.
        *empty_at = empty_at.checked_sub(self.drain).unwrap_or(*empty_at);
    }

    fn empty_at(&self) -> MutexGuard<'_, Instant> {
        let empty_at = self.empty_at.lock();
        empty_at.expect("nothing panics while it holds the lock")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::advance;

    use super::CodeAttempts;
    use crate::config::{Config, Layers, LimitsConfig};
    use crate::journal::SessionId;

    fn attempts() -> CodeAttempts {
        let mut layers = Layers::built_in();
        for setting in [
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

    const ONE: SessionId = SessionId::new(1);
    const OTHER: SessionId = SessionId::new(2);

    #[tokio::test(start_paused = true)]
    async fn wrong_codes_use_up_the_sessions_allowance_and_time_gives_it_back() {
        let attempts = attempts();
        for _ in 0..2 {
            drop(attempts.in_session(ONE).expect("within the burst"));
        }
        let refused = attempts.in_session(ONE).err().expect("the third");
        assert_eq!(refused.retry_after, Duration::from_secs(1));
        advance(refused.retry_after).await;
        drop(attempts.in_session(ONE).expect("at the time that was told"));
        attempts.in_session(ONE).err().expect("one a second");
    }

    #[tokio::test(start_paused = true)]
    async fn right_codes_cost_nothing_but_many_at_once_cannot_exceed_the_allowance() {
        let attempts = attempts();
        for _ in 0..1_000 {
            attempts
                .in_session(ONE)
                .expect("all are right")
                .was_not_wrong();
        }
        let under_way = [(); 2].map(|()| attempts.in_session(ONE).expect("within the burst"));
        attempts.in_session(ONE).err().expect("two are under way");
        for attempt in under_way {
            attempt.was_not_wrong();
        }
        attempts
            .in_session(ONE)
            .expect("both were right")
            .was_not_wrong();
    }

    #[tokio::test(start_paused = true)]
    async fn sessions_share_the_servers_allowance() {
        let attempts = attempts();
        for _ in 0..2 {
            drop(attempts.in_session(ONE).expect("within the burst"));
        }
        drop(attempts.at_session().expect("the third of all"));
        let refused = attempts.in_session(OTHER).err().expect("the fourth of all");
        assert_eq!(refused.retry_after, Duration::from_millis(100));
        attempts.at_session().err().expect("there too");
        // What the server refused was not counted against the session.
        advance(Duration::from_millis(200)).await;
        for _ in 0..2 {
            drop(
                attempts
                    .in_session(OTHER)
                    .expect("its own allowance is whole"),
            );
        }
    }
}
