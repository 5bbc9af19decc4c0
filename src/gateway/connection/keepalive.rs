//! Keepalive: pings an idle connection and times out if nothing is received in answer.
//!
//! Pure: takes the time and the moments of input, returns what to do. Each idle period is shortened by a
//! random part (jitter), so that connections that were opened together are not pinged together.

use std::time::Duration;

use tokio::time::Instant;

use crate::config::GatewayConfig;

/// Largest part by which an idle period is shortened.
const JITTER: f64 = 0.25;

/// The keepalive state of one connection.
#[derive(Debug)]
pub(super) struct Keepalive {
    idle_max: Duration,
    pong_max: Duration,
    input_at: Instant,
    state: State,
}

#[derive(Debug)]
enum State {
    /// A ping is due after this much idle time.
    Idle { ping_after: Duration },
    /// A ping was sent; input must arrive within the pong timeout.
    Pinged { at: Instant },
}

/// What the connection must do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeepaliveAction {
    /// Nothing before this time.
    Wait(Instant),
    /// Send a ping, and check again at this time.
    Ping(Instant),
    /// Nothing was received in time: give the connection up.
    TimedOut,
}

impl Keepalive {
    pub(super) fn new(config: &GatewayConfig, now: Instant) -> Self {
        let mut keepalive = Self {
            idle_max: config.ping_every,
            pong_max: config.pong_max,
            input_at: now,
            state: State::Pinged { at: now },
        };
        keepalive.state = keepalive.new_idle_state();
        keepalive
    }

    /// Records that something was received.
    pub(super) fn record_input(&mut self, now: Instant) {
        self.input_at = now;
    }

    /// The action that is due at `now`.
    pub(super) fn next_action(&mut self, now: Instant) -> KeepaliveAction {
        if let State::Pinged { at } = self.state {
            let timeout_at = at + self.pong_max;
            if self.input_at < at {
                return if now < timeout_at {
                    KeepaliveAction::Wait(timeout_at)
                } else {
                    KeepaliveAction::TimedOut
                };
            }
            self.state = self.new_idle_state();
        }
        match self.state {
            State::Idle { ping_after } if now < self.input_at + ping_after => {
                KeepaliveAction::Wait(self.input_at + ping_after)
            }
            State::Idle { .. } | State::Pinged { .. } => {
                self.state = State::Pinged { at: now };
                KeepaliveAction::Ping(now + self.pong_max)
            }
        }
    }

    fn new_idle_state(&self) -> State {
        let part = 1.0 - rand::random_range(0.0..JITTER);
        State::Idle {
            ping_after: self.idle_max.mul_f64(part),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{Keepalive, KeepaliveAction};
    use crate::config::{Config, GatewayConfig, Layers};

    fn config() -> GatewayConfig {
        let mut layers = Layers::built_in();
        layers.add_flag("gateway.ping_every_ms=20000");
        layers.add_flag("gateway.pong_ms_max=10000");
        Config::read(layers)
            .expect("the settings are in range")
            .gateway
    }

    fn pinged(keepalive: &mut Keepalive, from: Instant) -> Instant {
        let KeepaliveAction::Wait(ping_at) = keepalive.next_action(from) else {
            panic!("it is too early to ping");
        };
        let idle = ping_at - from;
        assert!(idle > Duration::from_secs(15), "{idle:?}");
        assert!(idle <= Duration::from_secs(20), "{idle:?}");
        assert_eq!(
            keepalive.next_action(ping_at),
            KeepaliveAction::Ping(ping_at + Duration::from_secs(10))
        );
        ping_at
    }

    #[test]
    fn an_idle_connection_is_pinged_and_an_unanswered_ping_times_out() {
        let start = Instant::now();
        let mut keepalive = Keepalive::new(&config(), start);
        let ping_at = pinged(&mut keepalive, start);
        let timeout_at = ping_at + Duration::from_secs(10);
        let just_before = timeout_at - Duration::from_millis(1);
        assert_eq!(
            keepalive.next_action(just_before),
            KeepaliveAction::Wait(timeout_at)
        );
        assert_eq!(keepalive.next_action(timeout_at), KeepaliveAction::TimedOut);
    }

    #[test]
    fn any_input_answers_a_ping() {
        let start = Instant::now();
        let mut keepalive = Keepalive::new(&config(), start);
        for _ in 0..3 {
            let input_at = keepalive.input_at;
            let ping_at = pinged(&mut keepalive, input_at);
            let answer_at = ping_at + Duration::from_secs(9);
            keepalive.record_input(answer_at);
        }
        let last_input_at = keepalive.input_at + Duration::from_secs(14);
        keepalive.record_input(last_input_at);
        let later = last_input_at + Duration::from_secs(14);
        assert!(
            matches!(keepalive.next_action(later), KeepaliveAction::Wait(_)),
            "it is not idle"
        );
    }

    #[test]
    fn connections_opened_together_are_not_pinged_together() {
        let start = Instant::now();
        let mut times: Vec<Instant> = (0..100)
            .map(
                |_| match Keepalive::new(&config(), start).next_action(start) {
                    KeepaliveAction::Wait(until) => until,
                    KeepaliveAction::Ping(_) | KeepaliveAction::TimedOut => {
                        panic!("it is too early")
                    }
                },
            )
            .collect();
        times.sort();
        let spread = times[99] - times[0];
        assert!(spread > Duration::from_secs(2), "{spread:?}");
    }
}
