//! How much a connection may ask for.
//!
//! Messages cost units, as the protocol lists them, of what the settings allow. Pings and pongs have
//! an allowance of their own. Overflow policy: a refusal that tells when to try again.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use protocol::cost::{CONTROL_FRAMES_BURST, CONTROL_FRAMES_PER_SECOND, RESYNC_COST, order_cost};
use protocol::{Command, Order};

use crate::config::LimitsConfig;

const CONTROL_PER_SECOND: NonZeroU32 =
    NonZeroU32::new(CONTROL_FRAMES_PER_SECOND).expect("it is not 0");
const CONTROL_BURST: NonZeroU32 = NonZeroU32::new(CONTROL_FRAMES_BURST).expect("it is not 0");

/// See the module.
#[derive(Debug)]
pub(super) struct Allowance {
    messages: DefaultDirectRateLimiter,
    control_frames: DefaultDirectRateLimiter,
    /// The most that one message may cost: what costs more than all that one may have at once could
    /// never be sent.
    cost_max: NonZeroU32,
}

/// The allowance is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct UsedUp {
    /// When what was asked for will be allowed.
    pub(super) retry_after: Duration,
}

impl Allowance {
    pub(super) fn new(limits: &LimitsConfig) -> Self {
        let messages =
            Quota::per_second(limits.commands_per_second).allow_burst(limits.commands_burst);
        let control_frames = Quota::per_second(CONTROL_PER_SECOND).allow_burst(CONTROL_BURST);
        Self {
            messages: RateLimiter::direct(messages),
            control_frames: RateLimiter::direct(control_frames),
            cost_max: limits.commands_burst,
        }
    }

    /// Takes what a command costs.
    pub(super) fn command(&self, command: &Command) -> Result<(), UsedUp> {
        let order: &Order = &command.order;
        self.spend(order_cost(order))
    }

    /// Takes what a `resync` costs.
    pub(super) fn resync(&self) -> Result<(), UsedUp> {
        self.spend(RESYNC_COST)
    }

    /// Takes a ping or a pong.
    pub(super) fn control_frame(&self) -> Result<(), UsedUp> {
        let checked = self.control_frames.check();
        checked.map_err(|not_until| UsedUp {
            retry_after: not_until.wait_time_from(DefaultClock::default().now()),
        })
    }

    fn spend(&self, cost: u32) -> Result<(), UsedUp> {
        let cost = NonZeroU32::new(cost).map_or(NonZeroU32::MIN, |cost| cost.min(self.cost_max));
        let checked = self.messages.check_n(cost);
        let checked = checked.expect("no cost is above what one may have at once");
        checked.map_err(|not_until| UsedUp {
            retry_after: not_until.wait_time_from(DefaultClock::default().now()),
        })
    }
}

#[cfg(test)]
mod tests {
    use protocol::{Command, Order};

    use super::Allowance;
    use crate::config::{Config, Layers};

    fn allowance(burst: u32) -> Allowance {
        let mut layers = Layers::built_in();
        layers.add_flag("limits.commands_per_second=1");
        layers.add_flag(&format!("limits.commands_burst={burst}"));
        Allowance::new(&Config::read(layers).expect("it is in range").limits)
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
    fn messages_cost_what_the_protocol_says_and_a_refusal_tells_the_time() {
        let allowance = allowance(20);
        allowance.resync().expect("10 of 20");
        for _ in 0..4 {
            allowance.command(&command(Order::Pause)).expect("8 more");
        }
        allowance.command(&guess()).expect("19");
        let used_up = allowance.command(&command(Order::Pause)).expect_err("21");
        assert!(used_up.retry_after.as_secs() < 2, "{used_up:?}");
        allowance.command(&guess()).expect("20");
        let used_up = allowance.resync().expect_err("30");
        assert!(
            (8..=10).contains(&used_up.retry_after.as_secs()),
            "{used_up:?}"
        );
    }

    #[test]
    fn what_costs_more_than_one_may_have_at_once_costs_all_of_it() {
        let allowance = allowance(3);
        allowance.resync().expect("all of it");
        allowance.command(&guess()).expect_err("nothing is left");
    }

    #[test]
    fn pings_are_not_in_the_way_of_guesses() {
        let allowance = allowance(1);
        let pings = (0..200)
            .filter(|_| allowance.control_frame().is_ok())
            .count();
        assert!((100..200).contains(&pings), "{pings}");
        allowance
            .command(&guess())
            .expect("it has an allowance of its own");
    }
}
