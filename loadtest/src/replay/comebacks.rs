//! Judges how the clients followed what a stopping server told them.

use std::time::Duration;

use tokio::time::Instant;

use super::player::Played;
use super::supervisor::{Blow, Outage};
use crate::client::Comeback;
use crate::report::{AckMs, BackWithinAdvice, LateMs};

/// What a connection may take from its first packet until the stream is whole.
const CONNECT_ALLOWANCE: Duration = Duration::from_secs(1);

pub(super) fn judge(played: &[Played], outages: &[Outage]) -> BackWithinAdvice {
    let goaways = played.iter().map(|player| player.tally.goaways).sum();
    let comebacks: Vec<Comeback> = played
        .iter()
        .flat_map(|player| player.comebacks.iter().copied())
        .collect();
    let stops = outages.iter().filter(|outage| outage.blow == Blow::Stop);
    let restart_max = stops.clone().map(Outage::length).max().unwrap_or_default();
    let count = |fits: &dyn Fn(&Comeback) -> bool| {
        comebacks.iter().filter(|comeback| fits(comeback)).count() as u64
    };
    let late = comebacks.iter().map(|comeback| {
        comeback
            .attached_at
            .saturating_duration_since(comeback.advised_at())
    });
    let late = AckMs::of(late);
    BackWithinAdvice {
        goaways,
        back: comebacks.len() as u64,
        too_early: count(&|comeback| comeback.first_attempt_at < comeback.advised_at()),
        within_advice: count(&|comeback| is_in_time(comeback, outages)),
        late_ms: LateMs {
            p50: late.p50,
            p99: late.p99,
            max: late.max,
        },
        restart_ms_max: restart_max.as_secs_f64() * 1_000.0,
    }
}

fn is_in_time(comeback: &Comeback, outages: &[Outage]) -> bool {
    let restart = outage_of(comeback.told_at, outages).map_or(Duration::ZERO, Outage::length);
    comeback.attached_at <= comeback.advised_at() + restart + CONNECT_ALLOWANCE
}

/// The stop that a client was told of: the last one that had begun by then.
fn outage_of(told_at: Instant, outages: &[Outage]) -> Option<&Outage> {
    let mut newest_first = outages.iter().rev();
    newest_first.find(|outage| outage.blow == Blow::Stop && outage.began_at <= told_at)
}

impl Outage {
    fn length(&self) -> Duration {
        self.ready_at - self.began_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn the_restart_is_added_to_the_advice() {
        let began_at = Instant::now();
        let outages = [Outage {
            blow: Blow::Stop,
            began_at,
            ready_at: began_at + ms(300),
        }];
        let back_after = |attached: u64| Comeback {
            told_at: began_at + ms(10),
            advised: ms(500),
            first_attempt_at: began_at + ms(510),
            attached_at: began_at + ms(attached),
        };
        assert!(is_in_time(&back_after(520), &outages));
        assert!(is_in_time(&back_after(1_810), &outages));
        assert!(!is_in_time(&back_after(1_811), &outages));
        assert!(!is_in_time(&back_after(1_511), &[]));
    }
}
