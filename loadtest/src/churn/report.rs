//! Report of `churn`.

use std::fmt;

use serde::Serialize;

use crate::idle::Memory;
use crate::report::write_outcome;

/// Report of `churn`; its fields are the keys of the JSON file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ChurnReport {
    /// Total number of connections.
    pub connections: u32,
    /// Number of connections after which memory was first measured.
    pub settled_after: u32,
    /// Connections per second, without pauses.
    pub connections_per_s: f64,
    /// Memory after the first connections, all closed.
    pub bytes_settled: Memory,
    /// Memory after all connections.
    pub bytes_at_end: Memory,
    /// Growth of resident memory between the two.
    pub growth_bytes: u64,
    /// Maximum allowed growth.
    pub growth_bytes_max: u64,
}

impl ChurnReport {
    /// Whether memory grew no more than allowed.
    pub fn is_good(&self) -> bool {
        self.failures().is_empty()
    }

    /// The reasons why the test failed, one sentence each; empty if it passed.
    fn failures(&self) -> Vec<String> {
        let (grown, allowed) = (self.growth_bytes, self.growth_bytes_max);
        let failure = format!("memory grew by {grown} bytes, {allowed} allowed");
        (grown > allowed).then_some(failure).into_iter().collect()
    }
}

impl fmt::Display for ChurnReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut row = |name: &str, figure: &dyn fmt::Display| writeln!(f, "{name:32} {figure:>14}");
        row("connections", &self.connections)?;
        row("  per second", &format!("{:.0}", self.connections_per_s))?;
        row(
            &format!("resident bytes after {}", self.settled_after),
            &self.bytes_settled.resident,
        )?;
        row("  at the end", &self.bytes_at_end.resident)?;
        row("  growth", &self.growth_bytes)?;
        row("    allowed", &self.growth_bytes_max)?;
        write_outcome(f, &self.failures())
    }
}

#[cfg(test)]
mod tests {
    use super::{ChurnReport, Memory};

    #[test]
    fn one_byte_too_much_fails() {
        let good = ChurnReport {
            connections: 100_000,
            settled_after: 20_000,
            connections_per_s: 3_000.0,
            bytes_settled: Memory::default(),
            bytes_at_end: Memory::default(),
            growth_bytes: 1_000,
            growth_bytes_max: 1_000,
        };
        assert!(good.is_good());
        let mut heavy = good;
        heavy.growth_bytes += 1;
        assert!(!heavy.is_good());
    }
}
