//! What the abuse did to the server and to others.

use std::fmt;

use serde::Serialize;

use super::player::Played;
use crate::report::AckMs;

/// The figures of `abuse`; the keys of the JSON file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AbuseReport {
    /// Clients that pinged and never read.
    pub pinging: u32,
    /// Clients that sent their handshake byte by byte.
    pub dripping: u32,
    /// How long, once everybody was there.
    pub seconds: f64,
    /// Pings that were sent.
    pub pings: u64,
    /// Bytes of handshakes that were sent.
    pub drips: u64,
    /// Connections that the server ended or refused; whoever made them came again.
    pub sent_away: u64,
    /// Resident bytes before anybody connected.
    pub bytes_before: u64,
    /// The most resident bytes in the first third of the time.
    pub bytes_first_third: u64,
    /// The most in the last third.
    pub bytes_last_third: u64,
    /// The growth from the one to the other.
    pub growth_bytes: u64,
    /// What it may be.
    pub growth_bytes_max: u64,
    /// Those who behaved well.
    pub players: PlayersReport,
    /// Milliseconds within which 99 of 100 of their receipts must come.
    pub ack_ms_max: u32,
}

/// How those fared who behaved well.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlayersReport {
    /// How many there were.
    pub players: u32,
    /// Their receipts before the others came, and since.
    pub receipts: [usize; 2],
    /// How long those took before.
    pub ack_ms_alone: AckMs,
    /// And since then.
    pub ack_ms_beside: AckMs,
    /// Players who lost their connection, a guess, or a part of their stream.
    pub harmed: usize,
    /// What happened to the first of them.
    pub first_harm: Option<String>,
}

impl PlayersReport {
    pub(super) fn of(players: u32, all: Vec<Played>) -> Self {
        let (mut alone, mut beside, mut harms) = (Vec::new(), Vec::new(), Vec::new());
        for played in all {
            alone.extend(played.early);
            beside.extend(played.late);
            harms.extend(played.failure);
        }
        Self {
            players,
            receipts: [alone.len(), beside.len()],
            ack_ms_alone: AckMs::of(alone),
            ack_ms_beside: AckMs::of(beside),
            harmed: harms.len(),
            first_harm: harms.into_iter().next(),
        }
    }
}

impl AbuseReport {
    /// Whether memory stayed flat and nobody was harmed.
    pub fn is_good(&self) -> bool {
        let players = &self.players;
        self.growth_bytes <= self.growth_bytes_max
            && players.harmed == 0
            && players.receipts.iter().all(|receipts| *receipts > 0)
            && players.ack_ms_beside.p99 <= f64::from(self.ack_ms_max)
    }
}

impl fmt::Display for AbuseReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut row = |name: &str, figure: &dyn fmt::Display| writeln!(f, "{name:32} {figure:>14}");
        row("clients that ping", &self.pinging)?;
        row("  pings", &self.pings)?;
        row("clients that drip", &self.dripping)?;
        row("  bytes", &self.drips)?;
        row("connections ended by the server", &self.sent_away)?;
        row("resident bytes before", &self.bytes_before)?;
        row("  in the first third", &self.bytes_first_third)?;
        row("  in the last third", &self.bytes_last_third)?;
        row("  growth", &self.growth_bytes)?;
        row("    allowed", &self.growth_bytes_max)?;
        let players = &self.players;
        row("players who behave well", &players.players)?;
        row("  harmed", &players.harmed)?;
        if let Some(harm) = &players.first_harm {
            row("    the first", harm)?;
        }
        for (when, receipts, ack) in [
            ("alone", players.receipts[0], players.ack_ms_alone),
            ("beside", players.receipts[1], players.ack_ms_beside),
        ] {
            row(&format!("  receipts {when}"), &receipts)?;
            let figures = format!("{:.1} {:.1} {:.1}", ack.p50, ack.p99, ack.max);
            row("    p50 p99 max ms", &figures)?;
        }
        write!(f, "{:32} {:>14}", "    p99 allowed ms", self.ack_ms_max)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{AbuseReport, Played, PlayersReport};

    #[test]
    fn growth_harm_and_waiting_each_fail() {
        let players = |late_ms: &[u64], failure: Option<&str>| {
            let played = Played {
                early: vec![Duration::from_millis(1)],
                late: late_ms.iter().copied().map(Duration::from_millis).collect(),
                failure: failure.map(str::to_owned),
            };
            PlayersReport::of(1, vec![played])
        };
        let good = AbuseReport {
            pinging: 5_000,
            dripping: 5_000,
            seconds: 45.0,
            pings: 1,
            drips: 1,
            sent_away: 0,
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
        let mut harmed = good.clone();
        harmed.players = players(&[1], Some("cut"));
        let mut late = good.clone();
        late.players = players(&[600], None);
        let mut silent = good;
        silent.players = players(&[], None);
        for bad in [grown, harmed, late, silent] {
            assert!(!bad.is_good(), "{bad}");
        }
    }
}
