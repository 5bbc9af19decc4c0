//! What idle connections cost.

use std::fmt;

use serde::Serialize;

use super::memory::Memory;

/// The figures of `idle`; the keys of the JSON file.
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
    /// Whether every connection stayed and took no more than it may.
    pub fn is_good(&self) -> bool {
        self.ended_early == 0 && self.resident_bytes_per_connection <= self.resident_bytes_max
    }
}

impl fmt::Display for IdleReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut row = |name: &str, figure: &dyn fmt::Display| writeln!(f, "{name:32} {figure:>14}");
        row("connections", &self.connections)?;
        row("  ended early", &self.ended_early)?;
        if let Some(reason) = &self.first_early_end {
            row("    the first", reason)?;
        }
        row("teams", &self.teams)?;
        row("connects a second", &format!("{:.0}", self.connects_per_s))?;
        row("hellos a second", &format!("{:.0}", self.hellos_per_s))?;
        row("resident bytes at the start", &self.bytes_at_start.resident)?;
        row("  with all players joined", &self.bytes_before.resident)?;
        row("  with all connected", &self.bytes_after.resident)?;
        row("  a connection", &self.resident_bytes_per_connection)?;
        row("    allowed", &self.resident_bytes_max)?;
        row("  a player in all", &self.resident_bytes_per_player)?;
        let proportional = self.bytes_after.proportional;
        write!(
            f,
            "{:32} {proportional:>14}",
            "proportional bytes at the end"
        )
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
        let mut short = good;
        short.ended_early = 1;
        assert!(!short.is_good());
    }
}
