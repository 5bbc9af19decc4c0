//! Rate limits of one connection's messages and control frames.
//!
//! A message costs tokens as the protocol lists them. Pings and pongs have a token bucket of their own.
//! Overflow policy: a refusal with a retry-after. A refused command reserves its tokens, in the order of the
//! refusals, so it is accepted when it is sent again at that time. A client that exceeds
//! [`REFUSALS_PER_MINUTE_MAX`] is disconnected.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use protocol::cost::{CONTROL_FRAMES_BURST, CONTROL_FRAMES_PER_SECOND, RESYNC_COST, order_cost};
use protocol::limits::REFUSALS_PER_MINUTE_MAX;
use protocol::{Command, Order};
use tokio::time::Instant;

use crate::config::LimitsConfig;

const CONTROL_PER_SECOND: NonZeroU32 = NonZeroU32::new(CONTROL_FRAMES_PER_SECOND).expect("not 0");
const CONTROL_BURST: NonZeroU32 = NonZeroU32::new(CONTROL_FRAMES_BURST).expect("not 0");
/// The window in which refusals are counted.
const REFUSAL_WINDOW: Duration = Duration::from_mins(1);

/// The token buckets of one connection.
#[derive(Debug)]
pub(in crate::gateway) struct MessageRateLimiter {
    messages: Mutex<ReservingBucket>,
    control_frames: DefaultDirectRateLimiter,
    /// Highest cost of one message. A message that cost more than the whole bucket could never be sent.
    cost_max: NonZeroU32,
}

/// A token bucket whose refusals reserve, by the generic cell rate algorithm: `full_at` is when it would be
/// full again if nothing came.
#[derive(Debug)]
struct ReservingBucket {
    token_every: Duration,
    burst: Duration,
    full_at: Instant,
    /// By command id, when a refused command passes. Bounded by [`REFUSALS_PER_MINUTE_MAX`].
    reserved: BTreeMap<u64, Instant>,
    window_began: Instant,
    refusals: u32,
}

impl ReservingBucket {
    fn new(limits: &LimitsConfig) -> Self {
        let token_every = Duration::from_secs(1) / limits.commands_per_second.get();
        let now = Instant::now();
        Self {
            token_every,
            burst: token_every * limits.commands_burst.get(),
            full_at: now,
            reserved: BTreeMap::new(),
            window_began: now,
            refusals: 0,
        }
    }

    /// Takes tokens, or returns when they will be there.
    fn acquire(&mut self, cost: NonZeroU32, now: Instant) -> Result<(), Instant> {
        let full_at = self.full_at.max(now) + self.token_every * cost.get();
        let passes_at = full_at.checked_sub(self.burst).unwrap_or(now);
        if passes_at > now {
            return Err(passes_at);
        }
        self.full_at = full_at;
        Ok(())
    }

    /// Takes the tokens of a command, or reserves them and returns when it passes.
    fn command(&mut self, id: u64, cost: NonZeroU32, now: Instant) -> Result<(), Refused> {
        if let Some(passes_at) = self.reserved.get(&id).copied() {
            if passes_at > now {
                return Err(self.refuse(passes_at, now));
            }
            self.reserved.remove(&id);
            return Ok(());
        }
        self.acquire(cost, now).map_err(|passes_at| {
            self.full_at = self.full_at.max(now) + self.token_every * cost.get();
            let is_bounded = self.reserved.len() < REFUSALS_PER_MINUTE_MAX as usize;
            if is_bounded {
                self.reserved.insert(id, passes_at);
            }
            self.refuse(passes_at, now)
        })
    }

    fn refuse(&mut self, passes_at: Instant, now: Instant) -> Refused {
        if now.duration_since(self.window_began) >= REFUSAL_WINDOW {
            self.window_began = now;
            self.refusals = 0;
            // A reservation that was not used for a minute is void.
            self.reserved.retain(|_, at| *at + REFUSAL_WINDOW > now);
        }
        self.refusals += 1;
        let limited = RateLimited {
            retry_after: passes_at.duration_since(now),
        };
        if self.refusals > REFUSALS_PER_MINUTE_MAX {
            Refused::TooOften(limited)
        } else {
            Refused::Once(limited)
        }
    }
}

/// Why a command is not let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::gateway) enum Refused {
    /// It may be sent again later.
    Once(RateLimited),
    /// The client has ignored too many refusals: the connection is to be closed.
    TooOften(RateLimited),
}

/// A token bucket is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::gateway) struct RateLimited {
    /// When the refused message will be allowed.
    pub(in crate::gateway) retry_after: Duration,
}

impl MessageRateLimiter {
    pub(in crate::gateway) fn new(limits: &LimitsConfig) -> Self {
        let control_frames = Quota::per_second(CONTROL_PER_SECOND).allow_burst(CONTROL_BURST);
        Self {
            messages: Mutex::new(ReservingBucket::new(limits)),
            control_frames: RateLimiter::direct(control_frames),
            cost_max: limits.commands_burst,
        }
    }

    /// Takes the cost of a command, or reserves it.
    pub(in crate::gateway) fn command(&self, command: &Command) -> Result<(), Refused> {
        let order: &Order = &command.order;
        let cost = self.bounded(order_cost(order));
        self.with_bucket(|bucket| bucket.command(command.id, cost, Instant::now()))
    }

    /// Takes the cost of a `resync`.
    pub(in crate::gateway) fn resync(&self) -> Result<(), RateLimited> {
        self.acquire(RESYNC_COST)
    }

    /// Takes one token for a ping or a pong.
    pub(in crate::gateway) fn control_frame(&self) -> Result<(), RateLimited> {
        let checked = self.control_frames.check();
        checked.map_err(|not_until| RateLimited {
            retry_after: not_until.wait_time_from(DefaultClock::default().now()),
        })
    }

    fn acquire(&self, cost: u32) -> Result<(), RateLimited> {
        let cost = self.bounded(cost);
        let now = Instant::now();
        let acquired = self.with_bucket(|bucket| bucket.acquire(cost, now));
        acquired.map_err(|passes_at| RateLimited {
            retry_after: passes_at.duration_since(now),
        })
    }

    fn bounded(&self, cost: u32) -> NonZeroU32 {
        NonZeroU32::new(cost).map_or(NonZeroU32::MIN, |cost| cost.min(self.cost_max))
    }

    /// Only the connection's own task uses the bucket, so the lock is free.
    fn with_bucket<T>(&self, use_bucket: impl FnOnce(&mut ReservingBucket) -> T) -> T {
        let mut bucket = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        use_bucket(&mut bucket)
    }
}

#[cfg(test)]
mod tests {
    use protocol::{Command, Order};

    use std::time::Duration;

    use protocol::limits::REFUSALS_PER_MINUTE_MAX;

    use super::{MessageRateLimiter, REFUSAL_WINDOW, Refused};
    use crate::config::{Config, Layers};

    fn limiter(burst: u32) -> MessageRateLimiter {
        let mut layers = Layers::built_in();
        layers.add_flag("limits.commands_per_second=1");
        layers.add_flag(&format!("limits.commands_burst={burst}"));
        MessageRateLimiter::new(
            &Config::read(layers)
                .expect("the setting is in range")
                .limits,
        )
    }

    fn command(order: Order) -> Command {
        Command { id: 1, order }
    }

    fn guess() -> Command {
        command(Order::SubmitGuess {
            puzzle: "p".to_owned(),
            guess: "g".to_owned(),
        })
    }

    #[tokio::test(start_paused = true)]
    async fn messages_cost_as_the_protocol_lists_and_a_refusal_has_a_retry_after() {
        let limiter = limiter(20);
        limiter.resync().expect("10 of 20");
        for _ in 0..4 {
            limiter.command(&command(Order::Pause)).expect("8 more");
        }
        limiter.command(&guess()).expect("19");
        limiter.command(&guess()).expect("20");
        let refusal = limiter.resync().expect_err("30");
        let wait = refusal.retry_after.as_secs();
        assert!((8..=10).contains(&wait), "{refusal:?}");
    }

    fn numbered(id: u64) -> Command {
        Command { id, ..guess() }
    }

    #[tokio::test(start_paused = true)]
    async fn each_refusal_reserves_the_next_time_slot() {
        let limiter = limiter(3);
        for id in 1..=3 {
            limiter.command(&numbered(id)).expect("the burst");
        }
        let wait = |id| match limiter.command(&numbered(id)) {
            Err(Refused::Once(refusal)) => refusal.retry_after.as_secs(),
            other => panic!("{id}: {other:?}"),
        };
        assert_eq!([4, 5, 6].map(wait), [1, 2, 3]);
        // Too early, it keeps its time.
        assert_eq!(wait(5), 2);
        tokio::time::advance(Duration::from_secs(2)).await;
        limiter.command(&numbered(5)).expect("its time has come");
        limiter.command(&numbered(4)).expect("its time was before");
        assert_eq!([6, 7].map(wait), [1, 2], "a new one queues behind");
        tokio::time::advance(Duration::from_secs(2)).await;
        limiter.command(&numbered(6)).expect("its time has come");
        limiter.command(&numbered(7)).expect("its time has come");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_ignores_a_thousand_refusals_is_closed() {
        let limiter = limiter(1);
        limiter.command(&numbered(1)).expect("the burst");
        for id in 2..2 + u64::from(REFUSALS_PER_MINUTE_MAX) {
            let refused = limiter.command(&numbered(id));
            assert!(matches!(refused, Err(Refused::Once(_))), "{refused:?}");
        }
        let refused = limiter.command(&numbered(5_000));
        assert!(matches!(refused, Err(Refused::TooOften(_))), "{refused:?}");
        assert!(limiter.with_bucket(|bucket| bucket.reserved.len()) <= 1_000);
        tokio::time::advance(REFUSAL_WINDOW).await;
        let refused = limiter.command(&numbered(5_000));
        assert!(matches!(refused, Err(Refused::Once(_))), "{refused:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_cost_above_the_burst_takes_the_whole_bucket() {
        let limiter = limiter(3);
        limiter.resync().expect("the whole bucket");
        limiter.command(&guess()).expect_err("the bucket is empty");
    }

    #[tokio::test(start_paused = true)]
    async fn pings_take_no_tokens_of_commands() {
        let limiter = limiter(1);
        let pings = (0..200).filter(|_| limiter.control_frame().is_ok()).count();
        assert!((100..200).contains(&pings), "{pings}");
        limiter
            .command(&guess())
            .expect("commands have their own bucket");
    }
}
