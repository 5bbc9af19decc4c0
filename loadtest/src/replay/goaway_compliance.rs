//! Judges how the clients followed what a stopping server told them.

use std::time::Duration;

use tokio::time::Instant;

use super::player::PlayerResult;
use super::supervisor::{Outage, OutageKind};
use crate::client::GoawayReconnect;
use crate::report::{GoawayCompliance, LateMs, LatencyMs};

/// What a connection may take from its first packet until the stream is whole.
const CONNECT_ALLOWANCE: Duration = Duration::from_secs(1);

pub(super) fn judge(played: &[PlayerResult], outages: &[Outage]) -> GoawayCompliance {
    let goaways = played.iter().map(|player| player.tally.goaways).sum();
    let goaway_reconnects: Vec<GoawayReconnect> = played
        .iter()
        .flat_map(|player| player.goaway_reconnects.iter().copied())
        .collect();
    let stops = outages
        .iter()
        .filter(|outage| outage.kind == OutageKind::Stop);
    let restart_max = stops.clone().map(Outage::length).max().unwrap_or_default();
    let count = |fits: &dyn Fn(&GoawayReconnect) -> bool| {
        goaway_reconnects
            .iter()
            .filter(|reconnect| fits(reconnect))
            .count() as u64
    };
    let late = goaway_reconnects.iter().map(|reconnect| {
        reconnect
            .attached_at
            .saturating_duration_since(reconnect.advised_at())
    });
    let late = LatencyMs::from_durations(late);
    GoawayCompliance {
        goaways,
        reconnected: goaway_reconnects.len() as u64,
        too_early: count(&|reconnect| reconnect.first_attempt_at < reconnect.advised_at()),
        in_time: count(&|reconnect| is_in_time(reconnect, outages)),
        late_ms: LateMs {
            p50: late.p50,
            p99: late.p99,
            max: late.max,
        },
        restart_ms_max: restart_max.as_secs_f64() * 1_000.0,
    }
}

fn is_in_time(reconnect: &GoawayReconnect, outages: &[Outage]) -> bool {
    let restart = outage_of(reconnect.goaway_at, outages).map_or(Duration::ZERO, Outage::length);
    reconnect.attached_at <= reconnect.advised_at() + restart + CONNECT_ALLOWANCE
}

/// The stop that a client was told of: the last one that had begun by then.
fn outage_of(goaway_at: Instant, outages: &[Outage]) -> Option<&Outage> {
    let mut newest_first = outages.iter().rev();
    newest_first.find(|outage| outage.kind == OutageKind::Stop && outage.began_at <= goaway_at)
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
            kind: OutageKind::Stop,
            began_at,
            ready_at: began_at + ms(300),
        }];
        let back_after = |attached: u64| GoawayReconnect {
            goaway_at: began_at + ms(10),
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
