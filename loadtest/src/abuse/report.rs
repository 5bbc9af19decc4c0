//! Report of `abuse`.

use std::fmt;

use serde::Serialize;

use super::player::PlayerResult;
use crate::report::{LatencyMs, write_outcome};

/// Report of `abuse`; its fields are the keys of the JSON file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AbuseReport {
    /// Number of clients that pinged without reading.
    pub pinging: u32,
    /// Number of clients that sent their handshake byte by byte.
    pub dripping: u32,
    /// Duration of the attack after all clients had connected.
    pub seconds: f64,
    /// Number of pings sent.
    pub pings: u64,
    /// Number of handshake bytes sent.
    pub handshake_bytes: u64,
    /// Number of attackers' connections that the server closed or refused; each attacker reconnects.
    pub connections_closed: u64,
    /// Resident bytes of the server before any client connected.
    pub bytes_before: u64,
    /// Maximum resident bytes in the first third of the attack.
    pub bytes_first_third: u64,
    /// Maximum resident bytes in the last third of the attack.
    pub bytes_last_third: u64,
    /// Growth from the first to the last third.
    pub growth_bytes: u64,
    /// Maximum allowed growth.
    pub growth_bytes_max: u64,
    /// The well-behaved players.
    pub players: PlayersReport,
    /// Maximum allowed 99th percentile of their receipt latency.
    pub ack_ms_max: u32,
}

/// Results of the well-behaved players.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlayersReport {
    /// Number of players.
    pub players: u32,
    /// Receipts before the attack began.
    pub receipts_before: usize,
    /// Receipts since the attack began.
    pub receipts_during: usize,
    /// Latency of receipts before the attack.
    pub ack_ms_before: LatencyMs,
    /// Latency of receipts since the attack began.
    pub ack_ms_during: LatencyMs,
    /// Players that lost their connection, a guess, or a part of their stream.
    pub failed: usize,
    /// Error of the first of them.
    pub first_failure: Option<String>,
}

impl PlayersReport {
    pub(super) fn from_results(players: u32, all: Vec<PlayerResult>) -> Self {
        let (mut before, mut during, mut failures) = (Vec::new(), Vec::new(), Vec::new());
        for result in all {
            before.extend(result.before);
            during.extend(result.during);
            failures.extend(result.failure);
        }
        Self {
            players,
            receipts_before: before.len(),
            receipts_during: during.len(),
            ack_ms_before: LatencyMs::from_durations(before),
            ack_ms_during: LatencyMs::from_durations(during),
            failed: failures.len(),
            first_failure: failures.into_iter().next(),
        }
    }
}

impl AbuseReport {
    /// Whether memory stayed flat and no well-behaved player was affected.
    pub fn is_good(&self) -> bool {
        self.failures().is_empty()
    }

    /// The reasons why the test failed, one sentence each; empty if it passed.
    fn failures(&self) -> Vec<String> {
        let players = &self.players;
        let mut failures = Vec::new();
        if self.growth_bytes > self.growth_bytes_max {
            let (grown, allowed) = (self.growth_bytes, self.growth_bytes_max);
            failures.push(format!("memory grew by {grown} bytes, {allowed} allowed"));
        }
        if players.failed > 0 {
            failures.push(format!("{} well-behaved players failed", players.failed));
        }
        if players.receipts_before == 0 || players.receipts_during == 0 {
            failures.push("no receipts before or during the attack".to_owned());
        }
        let (p99, allowed) = (players.ack_ms_during.p99, self.ack_ms_max);
        if p99 > f64::from(allowed) {
            failures.push(format!("receipt p99 of {p99:.1} ms, {allowed} ms allowed"));
        }
        failures
    }
}

impl fmt::Display for AbuseReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut row = |name: &str, figure: &dyn fmt::Display| writeln!(f, "{name:32} {figure:>14}");
        row("clients that ping", &self.pinging)?;
        row("  pings", &self.pings)?;
        row("clients with a slow handshake", &self.dripping)?;
        row("  handshake bytes", &self.handshake_bytes)?;
        row("connections closed or refused", &self.connections_closed)?;
        row("resident bytes before", &self.bytes_before)?;
        row("  in the first third", &self.bytes_first_third)?;
        row("  in the last third", &self.bytes_last_third)?;
        row("  growth", &self.growth_bytes)?;
        row("    allowed", &self.growth_bytes_max)?;
        let players = &self.players;
        row("well-behaved players", &players.players)?;
        row("  failed", &players.failed)?;
        if let Some(reason) = &players.first_failure {
            row("    first reason", reason)?;
        }
        for (when, receipts, ack) in [
            ("before", players.receipts_before, players.ack_ms_before),
            ("during", players.receipts_during, players.ack_ms_during),
        ] {
            row(&format!("  receipts {when} the attack"), &receipts)?;
            let figures = format!("{:.1} {:.1} {:.1}", ack.p50, ack.p99, ack.max);
            row("    p50, p99, max (ms)", &figures)?;
        }
        row("    p99 allowed (ms)", &self.ack_ms_max)?;
        write_outcome(f, &self.failures())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{AbuseReport, PlayerResult, PlayersReport};

    #[test]
    fn growth_failed_players_and_slow_receipts_each_fail() {
        let players = |late_ms: &[u64], failure: Option<&str>| {
            let result = PlayerResult {
                before: vec![Duration::from_millis(1)],
                during: late_ms.iter().copied().map(Duration::from_millis).collect(),
                failure: failure.map(str::to_owned),
            };
            PlayersReport::from_results(1, vec![result])
        };
        let good = AbuseReport {
            pinging: 5_000,
            dripping: 5_000,
            seconds: 45.0,
            pings: 1,
            handshake_bytes: 1,
            connections_closed: 0,
            bytes_before: 1_000,
            bytes_first_third: 2_000,
            bytes_last_third: 3_000,
            growth_bytes: 1_000,
            growth_bytes_max: 1_000,
            players: players(&[1], None),
            ack_ms_max: 500,
        };
        assert!(good.is_good());
        let mut grown = good.clone();
        grown.growth_bytes += 1;
        let mut failed = good.clone();
        failed.players = players(&[1], Some("cut"));
        let mut during = good.clone();
        during.players = players(&[600], None);
        let mut silent = good;
        silent.players = players(&[], None);
        for bad in [grown, failed, during, silent] {
            assert!(!bad.is_good(), "{bad}");
            assert!(bad.to_string().contains("FAILED: "), "{bad}");
        }
    }
}
