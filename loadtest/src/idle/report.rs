//! What idle connections cost.

use std::fmt;

use serde::Serialize;

use super::memory::Memory;
use crate::report::write_outcome;

/// With fewer connections the server's fixed costs (thread stacks, buffers, caches) exceed those of the
/// connections.
const CONNECTIONS_MIN: u32 = 1_000;

/// Report of `idle`; its fields are the keys of the JSON file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct IdleReport {
    /// Connections that were open, authenticated and attached.
    pub connections: u32,
    /// Their teams.
    pub teams: u32,
    /// How many of them ended before they should.
    pub ended_early: u64,
    /// Why the first of those ended.
    pub first_early_end: Option<String>,
    /// How long they were open before the memory was read, in seconds.
    pub settled_s: f64,
    /// TCP connections and upgrades a second.
    pub connects_per_s: f64,
    /// From `hello` to a whole stream, a second.
    pub hellos_per_s: f64,
    /// The server right after its start, without sessions.
    pub bytes_at_start: Memory,
    /// The server with all players joined and nobody connected.
    pub bytes_before: Memory,
    /// The server with everybody connected.
    pub bytes_after: Memory,
    /// The growth from before to after.
    pub resident_bytes_per_connection: u64,
    /// The same counted from the start, with the players' place in the session's state.
    pub resident_bytes_per_player: u64,
    /// What a connection may take.
    pub resident_bytes_max: u64,
}

impl IdleReport {
    /// Whether every connection stayed open and used no more memory than allowed.
    pub fn is_good(&self) -> bool {
        self.failures().is_empty()
    }

    /// The reasons why the test failed, one sentence each; empty if it passed.
    fn failures(&self) -> Vec<String> {
        let mut failures = Vec::new();
        if self.ended_early > 0 {
            let (ended, all) = (self.ended_early, self.connections);
            failures.push(format!("{ended} of {all} connections closed early"));
        }
        let (used, allowed) = (self.resident_bytes_per_connection, self.resident_bytes_max);
        if used > allowed {
            failures.push(format!(
                "{used} resident bytes per connection, {allowed} allowed"
            ));
            if self.connections < CONNECTIONS_MIN {
                failures.push(format!(
                    "fixed costs dominate below {CONNECTIONS_MIN} connections: use more, or --bytes-max"
                ));
            }
        }
        failures
    }
}

impl fmt::Display for IdleReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut row = |name: &str, figure: &dyn fmt::Display| writeln!(f, "{name:32} {figure:>14}");
        row("connections", &self.connections)?;
        row("  closed early", &self.ended_early)?;
        if let Some(reason) = &self.first_early_end {
            row("    first reason", reason)?;
        }
        row("teams", &self.teams)?;
        row(
            "connections per second",
            &format!("{:.0}", self.connects_per_s),
        )?;
        row(
            "handshakes (hello) per second",
            &format!("{:.0}", self.hellos_per_s),
        )?;
        row(
            "resident bytes after the start",
            &self.bytes_at_start.resident,
        )?;
        row("  with all players joined", &self.bytes_before.resident)?;
        row("  with all connected", &self.bytes_after.resident)?;
        row("  per connection", &self.resident_bytes_per_connection)?;
        row("    allowed", &self.resident_bytes_max)?;
        row("  per player in total", &self.resident_bytes_per_player)?;
        row(
            "proportional bytes at the end",
            &self.bytes_after.proportional,
        )?;
        write_outcome(f, &self.failures())
    }
}

#[cfg(test)]
mod tests {
    use super::{IdleReport, Memory};

    #[test]
    fn one_byte_too_much_or_one_end_too_early_fails() {
        let good = IdleReport {
            connections: 5_000,
            teams: 1_250,
            ended_early: 0,
            first_early_end: None,
            settled_s: 10.0,
            connects_per_s: 12_345.6,
            hellos_per_s: 12_345.6,
            bytes_at_start: Memory::default(),
            bytes_before: Memory::default(),
            bytes_after: Memory::default(),
            resident_bytes_per_connection: 8_192,
            resident_bytes_per_player: 9_000,
            resident_bytes_max: 8_192,
        };
        assert!(good.is_good());
        assert!(good.to_string().lines().all(|line| line.len() <= 80));
        let mut heavy = good.clone();
        heavy.resident_bytes_per_connection += 1;
        assert!(!heavy.is_good());
        assert!(
            heavy.to_string().contains("FAILED: 8193 resident bytes"),
            "{heavy}"
        );
        heavy.connections = 50;
        assert!(
            heavy.to_string().contains("fixed costs dominate"),
            "{heavy}"
        );
        let mut short = good;
        short.ended_early = 1;
        assert!(!short.is_good());
    }
}
