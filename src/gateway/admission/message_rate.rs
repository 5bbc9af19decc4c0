//! Rate limits of one connection's messages and control frames.
//!
//! A message costs tokens as the protocol lists them. Pings and pongs have a token bucket of their own.
//! Overflow policy: a refusal with a retry-after.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use protocol::cost::{CONTROL_FRAMES_BURST, CONTROL_FRAMES_PER_SECOND, RESYNC_COST, order_cost};
use protocol::{Command, Order};

use crate::config::LimitsConfig;

const CONTROL_PER_SECOND: NonZeroU32 = NonZeroU32::new(CONTROL_FRAMES_PER_SECOND).expect("not 0");
const CONTROL_BURST: NonZeroU32 = NonZeroU32::new(CONTROL_FRAMES_BURST).expect("not 0");

/// The token buckets of one connection.
#[derive(Debug)]
pub(in crate::gateway) struct MessageRateLimiter {
    messages: DefaultDirectRateLimiter,
    control_frames: DefaultDirectRateLimiter,
    /// Highest cost of one message. A message that cost more than the whole bucket could never be sent.
    cost_max: NonZeroU32,
}

/// A token bucket is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::gateway) struct RateLimited {
    /// When the refused message will be allowed.
    pub(in crate::gateway) retry_after: Duration,
}

impl MessageRateLimiter {
    pub(in crate::gateway) fn new(limits: &LimitsConfig) -> Self {
        let messages =
            Quota::per_second(limits.commands_per_second).allow_burst(limits.commands_burst);
        let control_frames = Quota::per_second(CONTROL_PER_SECOND).allow_burst(CONTROL_BURST);
        Self {
            messages: RateLimiter::direct(messages),
            control_frames: RateLimiter::direct(control_frames),
            cost_max: limits.commands_burst,
        }
    }

    /// Takes the cost of a command.
    pub(in crate::gateway) fn command(&self, command: &Command) -> Result<(), RateLimited> {
        let order: &Order = &command.order;
        self.acquire(order_cost(order))
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
        let cost = NonZeroU32::new(cost).map_or(NonZeroU32::MIN, |cost| cost.min(self.cost_max));
        let checked = self.messages.check_n(cost);
        let checked = checked.expect("the cost is at most the burst");
        checked.map_err(|not_until| RateLimited {
            retry_after: not_until.wait_time_from(DefaultClock::default().now()),
        })
    }
}

#[cfg(test)]
mod tests {
    use protocol::{Command, Order};

    use super::MessageRateLimiter;
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

    #[test]
    fn messages_cost_as_the_protocol_lists_and_a_refusal_has_a_retry_after() {
        let limiter = limiter(20);
        limiter.resync().expect("10 of 20");
        for _ in 0..4 {
            limiter.command(&command(Order::Pause)).expect("8 more");
        }
        limiter.command(&guess()).expect("19");
        let limited = limiter.command(&command(Order::Pause)).expect_err("21");
        assert!(limited.retry_after.as_secs() < 2, "{limited:?}");
        limiter.command(&guess()).expect("20");
        let limited = limiter.resync().expect_err("30");
        assert!(
            (8..=10).contains(&limited.retry_after.as_secs()),
            "{limited:?}"
        );
    }

    #[test]
    fn a_cost_above_the_burst_takes_the_whole_bucket() {
        let limiter = limiter(3);
        limiter.resync().expect("the whole bucket");
        limiter.command(&guess()).expect_err("the bucket is empty");
    }

    #[test]
    fn pings_take_no_tokens_of_commands() {
        let limiter = limiter(1);
        let pings = (0..200).filter(|_| limiter.control_frame().is_ok()).count();
        assert!((100..200).contains(&pings), "{pings}");
        limiter
            .command(&guess())
            .expect("commands have their own bucket");
    }
}
