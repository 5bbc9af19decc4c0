//! Whether the other side still lives: pings into a silence, and a deadline for any sign of life.
//!
//! Pure: it is told the time and what was heard, and says what to do. Each silence is allowed a
//! little less than the setting, by chance, so that connections that were made together do not ask
//! together.

use std::time::Duration;

use tokio::time::Instant;

use crate::config::GatewayConfig;

/// A silence may end this part of it early.
const SPREAD: f64 = 0.25;

/// See the module.
#[derive(Debug)]
pub(super) struct Pulse {
    silence_max: Duration,
    answer_max: Duration,
    heard_at: Instant,
    /// When the next question is due, or by when the last one has to be answered.
    state: State,
}

#[derive(Debug)]
enum State {
    Quiet { patience: Duration },
    Asked { at: Instant },
}

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beat {
    /// Nothing before this time.
    Wait(Instant),
    /// Send a ping, and look again at this time.
    Ask(Instant),
    /// Nothing was heard in time.
    Dead,
}

impl Pulse {
    pub(super) fn new(config: &GatewayConfig, now: Instant) -> Self {
        let mut pulse = Self {
            silence_max: config.ping_every,
            answer_max: config.pong_max,
            heard_at: now,
            state: State::Asked { at: now },
        };
        pulse.state = pulse.quiet();
        pulse
    }

    /// Something was read.
    pub(super) fn heard(&mut self, now: Instant) {
        self.heard_at = now;
    }

    /// What to do at a time.
    pub(super) fn beat(&mut self, now: Instant) -> Beat {
        if let State::Asked { at } = self.state {
            let late_at = at + self.answer_max;
            if self.heard_at < at {
                return if now < late_at {
                    Beat::Wait(late_at)
                } else {
                    Beat::Dead
                };
            }
            self.state = self.quiet();
        }
        match self.state {
            State::Quiet { patience } if now < self.heard_at + patience => {
                Beat::Wait(self.heard_at + patience)
            }
            State::Quiet { .. } | State::Asked { .. } => {
                self.state = State::Asked { at: now };
                Beat::Ask(now + self.answer_max)
            }
        }
    }

    fn quiet(&self) -> State {
        let part = 1.0 - rand::random_range(0.0..SPREAD);
        State::Quiet {
            patience: self.silence_max.mul_f64(part),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{Beat, Pulse};
    use crate::config::{Config, GatewayConfig, Layers};

    fn config() -> GatewayConfig {
        let mut layers = Layers::built_in();
        layers.add_flag("gateway.ping_every_ms=20000");
        layers.add_flag("gateway.pong_ms_max=10000");
        Config::read(layers).expect("they are in range").gateway
    }

    fn asked(pulse: &mut Pulse, from: Instant) -> Instant {
        let Beat::Wait(ask_at) = pulse.beat(from) else {
            panic!("it is too early to ask");
        };
        let silence = ask_at - from;
        assert!(silence > Duration::from_secs(15), "{silence:?}");
        assert!(silence <= Duration::from_secs(20), "{silence:?}");
        assert_eq!(
            pulse.beat(ask_at),
            Beat::Ask(ask_at + Duration::from_secs(10))
        );
        ask_at
    }

    #[test]
    fn a_silence_is_asked_into_and_an_unanswered_question_is_the_end() {
        let start = Instant::now();
        let mut pulse = Pulse::new(&config(), start);
        let ask_at = asked(&mut pulse, start);
        let late_at = ask_at + Duration::from_secs(10);
        let just_before = late_at - Duration::from_millis(1);
        assert_eq!(pulse.beat(just_before), Beat::Wait(late_at));
        assert_eq!(pulse.beat(late_at), Beat::Dead);
    }

    #[test]
    fn whatever_is_heard_is_a_sign_of_life() {
        let start = Instant::now();
        let mut pulse = Pulse::new(&config(), start);
        for _ in 0..3 {
            let heard_at = pulse.heard_at;
            let ask_at = asked(&mut pulse, heard_at);
            let answer_at = ask_at + Duration::from_secs(9);
            pulse.heard(answer_at);
        }
        let talks_at = pulse.heard_at + Duration::from_secs(14);
        pulse.heard(talks_at);
        let later = talks_at + Duration::from_secs(14);
        assert!(
            matches!(pulse.beat(later), Beat::Wait(_)),
            "it is not silent"
        );
    }

    #[test]
    fn connections_that_were_made_together_do_not_ask_together() {
        let start = Instant::now();
        let mut times: Vec<Instant> = (0..100)
            .map(|_| match Pulse::new(&config(), start).beat(start) {
                Beat::Wait(until) => until,
                Beat::Ask(_) | Beat::Dead => panic!("it is too early"),
            })
            .collect();
        times.sort();
        let spread = times[99] - times[0];
        assert!(spread > Duration::from_secs(2), "{spread:?}");
    }
}
