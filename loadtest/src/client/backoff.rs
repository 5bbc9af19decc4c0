//! Reconnect backoff, and the times at which rejected commands may be retried.

use std::time::Duration;

use protocol::{Advice, CloseCode, Reconnect};
use rand::RngExt;
use rand::rngs::StdRng;
use tokio::time::Instant;

/// Advice before a server has sent any.
const ADVICE_FIRST: Reconnect = Reconnect {
    min_in_ms: 0,
    max_in_ms: 200,
};

/// Maximum delay up to which the backoff doubles, as the protocol defines. Clients can have a lower
/// maximum.
pub const RECONNECT_MAX: Duration = Duration::from_secs(10);

/// Maximum wait for a time that the server names.
const RETRY_MAX: Duration = Duration::from_mins(1);

/// Minimum delay after two failed connections in a row, so that `retry now` from a failing server does
/// not cause a busy loop.
const DELAY_AFTER_FAILURES_MS_MIN: u64 = 10;

/// Computes the delays between a client's connection attempts: random within the server's advice,
/// doubled with each failure.
#[derive(Debug)]
pub struct ReconnectBackoff {
    advice: Reconnect,
    /// When to reconnect according to the last `goaway`.
    goaway_at: Option<Instant>,
    delay_ms_max: u64,
    /// Failed attempts in a row, that is, attempts without a complete stream.
    failures: u32,
    random: StdRng,
}

impl ReconnectBackoff {
    /// Draws delays from `random`, at most [`RECONNECT_MAX`]. The delay of a `goaway` may be up to a
    /// minute.
    pub fn new(random: StdRng) -> Self {
        Self {
            advice: ADVICE_FIRST,
            goaway_at: None,
            delay_ms_max: whole_ms(RECONNECT_MAX),
            failures: 0,
            random,
        }
    }

    /// Limits every delay to `delay_max`, also after a `goaway`.
    #[must_use]
    pub fn with_delay_max(mut self, delay_max: Duration) -> Self {
        self.delay_ms_max = whole_ms(delay_max.min(RECONNECT_MAX));
        self
    }

    /// Stores the reconnect advice of a `welcome` or `heads` frame.
    pub fn advise(&mut self, advice: Reconnect) {
        self.advice = advice;
    }

    /// Stores the delay of a `goaway` frame, which counts for the next connection only.
    pub fn goaway(&mut self, reconnect_in_ms: u64, now: Instant) {
        let is_patient = self.delay_ms_max == whole_ms(RECONNECT_MAX);
        let delay_ms_max = if is_patient {
            whole_ms(RETRY_MAX)
        } else {
            self.delay_ms_max
        };
        self.goaway_at = Some(now + Duration::from_millis(reconnect_in_ms.min(delay_ms_max)));
    }

    /// Resets the backoff after the stream is complete.
    pub fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// Number of failed attempts in a row.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// When to reconnect after a connection or attempt has ended; `None` for never.
    pub fn next_attempt(&mut self, close: Option<CloseCode>, now: Instant) -> Option<Instant> {
        let goaway_at = self.goaway_at.take();
        let at = match close.map(CloseCode::advice) {
            Some(Advice::Never) => return None,
            Some(Advice::RetryNow) if self.failures == 0 => now,
            Some(Advice::RetryNow | Advice::RetryLater) | None => {
                goaway_at.unwrap_or_else(|| now + Duration::from_millis(self.spread_ms()))
            }
        };
        let floor_ms = if self.failures > 1 {
            DELAY_AFTER_FAILURES_MS_MIN
        } else {
            0
        };
        self.failures = self.failures.saturating_add(1);
        Some(at.max(now + Duration::from_millis(floor_ms)))
    }

    /// Retry delay of a command that was rejected without a retry time: random up to 50 ms, doubled with
    /// each rejection up to 3.2 s.
    pub fn retry_delay(&mut self, refusals: u32) -> Duration {
        let max_ms = 50 << refusals.min(6);
        Duration::from_millis(self.random.random_range(1..=max_ms))
    }

    /// Random delay within the advised bounds, both doubled with every failure.
    fn spread_ms(&mut self) -> u64 {
        let doubled = |ms: u64| {
            let factor = 1_u64.checked_shl(self.failures).unwrap_or(u64::MAX);
            ms.saturating_mul(factor).min(self.delay_ms_max)
        };
        let min_ms = doubled(self.advice.min_in_ms);
        let max_ms = doubled(self.advice.max_in_ms).max(min_ms);
        self.random.random_range(min_ms..=max_ms)
    }
}

fn whole_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Estimates the server's clock from the last message that carried its time.
#[derive(Debug, Clone, Copy, Default)]
pub struct ServerClock {
    reference: Option<(u64, Instant)>,
}

impl ServerClock {
    /// Stores the time of a `welcome` or `heads` frame.
    pub fn update(&mut self, server_time_ms: u64, now: Instant) {
        self.reference = Some((server_time_ms, now));
    }

    /// Converts a server time to a local instant; `now` if it has passed or the clock is unknown, and at
    /// most a minute from now.
    pub fn local_instant(&self, at_ms: u64, now: Instant) -> Instant {
        let Some((server_time_ms, read_at)) = self.reference else {
            return now;
        };
        let from_told = Duration::from_millis(at_ms.saturating_sub(server_time_ms));
        let latest = now + RETRY_MAX;
        (read_at + from_told.min(Duration::from_hours(24))).clamp(now, latest)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use protocol::{CloseCode, Reconnect};
    use rand::SeedableRng;
    use rand::rngs::StdRng;
    use tokio::time::Instant;

    use super::{RECONNECT_MAX, ReconnectBackoff, ServerClock};

    fn backoff() -> ReconnectBackoff {
        let mut backoff = ReconnectBackoff::new(StdRng::seed_from_u64(1));
        backoff.advise(Reconnect {
            min_in_ms: 100,
            max_in_ms: 300,
        });
        backoff
    }

    fn delay_ms(backoff: &mut ReconnectBackoff, close: Option<CloseCode>) -> Option<u128> {
        let now = Instant::now();
        let at = backoff.next_attempt(close, now)?;
        Some((at - now).as_millis())
    }

    #[test]
    fn silent_ends_are_spread_and_the_bounds_double() {
        let mut backoff = backoff();
        for (min, max) in [(100, 300), (200, 600), (400, 1200)] {
            let delay = delay_ms(&mut backoff, None).expect("a cut is no reason to give up");
            assert!((min..=max).contains(&delay), "{delay}");
        }
        for _ in 0..100 {
            let delay = delay_ms(&mut backoff, None).expect("a cut is no reason to give up");
            assert!(delay <= RECONNECT_MAX.as_millis(), "{delay}");
        }
        backoff.succeeded();
        let delay = delay_ms(&mut backoff, None).expect("a cut is no reason to give up");
        assert!((100..=300).contains(&delay), "{delay}");
    }

    #[test]
    fn close_codes_are_obeyed() {
        assert_eq!(delay_ms(&mut backoff(), Some(CloseCode::Replaced)), None);
        let mut backoff = backoff();
        assert_eq!(delay_ms(&mut backoff, Some(CloseCode::SlowReader)), Some(0));
        let again = delay_ms(&mut backoff, Some(CloseCode::SlowReader));
        assert!(again >= Some(200), "not at once a second time: {again:?}");
    }

    #[test]
    fn a_goaway_counts_from_the_moment_when_it_was_read() {
        for (delay_max, wanted_ms) in [(RECONNECT_MAX, 11_000), (Duration::from_secs(2), 1_990)] {
            let mut backoff = backoff().with_delay_max(delay_max);
            let now = Instant::now();
            backoff.goaway(11_010, now);
            let closed_at = now + Duration::from_millis(10);
            let at = backoff.next_attempt(Some(CloseCode::GoingAway), closed_at);
            assert_eq!(at, Some(closed_at + Duration::from_millis(wanted_ms)));
            let again = backoff.next_attempt(None, closed_at);
            assert!(
                again < Some(closed_at + Duration::from_secs(1)),
                "{again:?}"
            );
        }
    }

    #[test]
    fn the_servers_clock_decides_when_its_moments_come() {
        let now = Instant::now();
        let mut clock = ServerClock::default();
        assert_eq!(clock.local_instant(5, now), now);
        clock.update(1_000, now);
        let later = now + Duration::from_millis(20);
        assert_eq!(
            clock.local_instant(1_050, later),
            now + Duration::from_millis(50)
        );
        assert_eq!(clock.local_instant(900, later), later);
        assert_eq!(
            clock.local_instant(u64::MAX, later),
            later + Duration::from_mins(1)
        );
    }
}
