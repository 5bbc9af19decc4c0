//! Report of `fanout`.

use std::fmt;

use serde::Serialize;

use super::follower::FollowerResult;
use crate::report::{LatencyMs, write_outcome};
use crate::statistics::{Estimate, Goal, Verdict};

/// Maximum number of problems described in words.
const PROBLEMS_SHOWN_MAX: usize = 10;

/// Report of `fanout`; its fields are the keys of the JSON file.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct FanoutReport {
    /// Number of clients, each with its own device.
    pub clients: u64,
    /// Number of clients that stop reading from time to time.
    pub clients_stalled: u64,
    /// Number of clients that read slowly.
    pub clients_slow: u64,
    /// Number of clients that failed.
    pub clients_failed: u64,
    /// Number of pushed clues.
    pub clues: u64,
    /// Number of updates with a clue that arrived at a client.
    pub deliveries: u64,
    /// Gaps in streams: missing or misordered updates, heads that do not match what arrived, and clues
    /// that a later snapshot lacks.
    pub stream_gaps: u64,
    /// Updates that arrived twice, by number or by clue.
    pub stream_duplicates: u64,
    /// Updates and clues addressed to another team, another player or game masters.
    pub foreign_updates: u64,
    /// Clues that a client lacks at the end.
    pub lost: u64,
    /// Number of cuts by the script.
    pub cuts: u64,
    /// Number of stalls.
    pub stalls: u64,
    /// Number of connections that the server closed or that broke.
    pub ended: u64,
    /// Reconnects that resumed with a snapshot.
    pub snapshots: u64,
    /// Reconnects that resumed with the missed updates.
    pub resumes: u64,
    /// Latency from the scheduled time of a clue until a normal reader that was attached at that time
    /// has read it.
    pub delivery_ms: LatencyMs,
    /// Clues per second.
    pub clues_per_s: f64,
    /// Cost for the server.
    pub server: ServerCost,
    /// Comparison of windows with and without stalled and slow readers.
    pub paired: Option<Paired>,
    /// The first problems in words.
    pub problems: Vec<String>,
}

/// Cost for the server; `None` where the server has no such metric.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct ServerCost {
    /// CPU time while clues were pushed and clients caught up.
    pub cpu_s: Option<f64>,
    /// CPU time per million deliveries.
    pub cpu_s_per_million_deliveries: Option<f64>,
    /// Memory growth from no client connected to all attached, per connection.
    pub resident_bytes_per_connection: Option<f64>,
    /// Number of slow readers that were closed with advice to reconnect.
    pub slow_readers_closed: Option<f64>,
    /// Maximum size of one connection's outbound queue.
    pub queue_bytes_peak: Option<f64>,
    /// Maximum send queue of one socket of the server, sampled at the end of the push and of each
    /// window.
    pub socket_bytes_peak: Option<u64>,
    /// Maximum number of write attempts per second to blocked sockets.
    pub stalled_write_attempts_per_second: Option<f64>,
}

/// Comparison of alternating windows with and without stalled and slow readers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Paired {
    /// Duration of a window in seconds.
    pub window_s: f64,
    /// Number of server starts.
    pub starts: u32,
    /// The pairs in order.
    pub pairs: Vec<Pair>,
    /// Ratio of the normal readers' 99th percentiles, with to without.
    pub p99: Goal,
    /// Growth of the server's resident memory from the window without to the window with them, per
    /// stalled or slow reader; median of the pairs.
    pub bytes_per_impaired_reader: Option<f64>,
}

/// A pair of windows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Pair {
    /// Latency while all clients read normally.
    pub without_ms: LatencyMs,
    /// Latency of normal readers while others stall or read slowly.
    pub with_ms: LatencyMs,
}

impl FanoutReport {
    /// Adds a client's result.
    pub(super) fn add(&mut self, followers: &FollowerResult) {
        let FollowerResult {
            client,
            counts,
            findings,
            failure,
        } = followers;
        let violations = findings.violations;
        self.clients_failed += u64::from(failure.is_some());
        self.stream_gaps += findings.gaps + violations.misordered + violations.forgotten;
        self.stream_duplicates += findings.repeated + violations.duplicates;
        self.foreign_updates += violations.foreign;
        self.lost += findings.missing;
        self.cuts += counts.cuts;
        self.stalls += counts.stalls;
        self.ended += counts.ended;
        self.snapshots += findings.snapshots;
        self.resumes += findings.resumes;
        let mut problem = |what: String| {
            if self.problems.len() < PROBLEMS_SHOWN_MAX {
                let player = client.player;
                self.problems.push(format!("client {player}: {what}"));
            }
        };
        if let Some(failure) = failure {
            problem(failure.to_string());
        }
        if let Some(fault) = findings.first_fault {
            problem(fault.to_string());
        }
        for (count, what) in [
            (violations.duplicates, "clues arrived twice"),
            (violations.foreign, "updates are addressed to others"),
            (violations.misordered, "clues arrived out of order"),
            (
                violations.forgotten,
                "clues are missing in a later snapshot",
            ),
            (findings.missing, "clues are missing at the end"),
        ] {
            if count > 0 {
                problem(format!("{count} {what}"));
            }
        }
    }

    /// Whether no clue was lost, duplicated, misordered or misdelivered, and no goal was missed.
    pub fn is_good(&self) -> bool {
        self.failures().is_empty()
    }

    /// The reasons why the test failed, one each; empty if it passed.
    fn failures(&self) -> Vec<String> {
        let violations = [
            ("failed clients", self.clients_failed),
            ("stream gaps", self.stream_gaps),
            ("duplicates", self.stream_duplicates),
            ("updates addressed to others", self.foreign_updates),
            ("lost clues", self.lost),
        ];
        let violated = violations.into_iter().filter(|(_, count)| *count > 0);
        let violated = violated.map(|(name, count)| format!("{name}: {count}"));
        let is_missed = |paired: &&Paired| paired.p99.verdict == Verdict::Missed;
        let missed = self.paired.as_ref().filter(is_missed);
        let missed = missed.map(|_| "goal missed: p99 ratio with/without".to_owned());
        violated.chain(missed).collect()
    }
}

impl fmt::Display for FanoutReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut row = |name: &str, figure: &dyn fmt::Display| writeln!(f, "{name:34} {figure:>12}");
        row("clients", &self.clients)?;
        row("  stalled", &self.clients_stalled)?;
        row("  slow", &self.clients_slow)?;
        row("  failed", &self.clients_failed)?;
        row("clues", &self.clues)?;
        row("  per second", &format!("{:.1}", self.clues_per_s))?;
        row("deliveries", &self.deliveries)?;
        row("  stream gaps", &self.stream_gaps)?;
        row("  duplicates", &self.stream_duplicates)?;
        row("  addressed to others", &self.foreign_updates)?;
        row("  lost", &self.lost)?;
        row("cuts", &self.cuts)?;
        row("stalls", &self.stalls)?;
        row("other disconnects", &self.ended)?;
        row("resumed by replay", &self.resumes)?;
        row("resumed by snapshot", &self.snapshots)?;
        let LatencyMs { p50, p99, max, .. } = self.delivery_ms;
        row("delivery latency, ms: p50", &format!("{p50:.2}"))?;
        row("  p99", &format!("{p99:.2}"))?;
        row("  max", &format!("{max:.2}"))?;
        write!(f, "{}", self.server)?;
        if let Some(paired) = &self.paired {
            write!(f, "\n\n{paired}")?;
        }
        if !self.problems.is_empty() {
            write!(f, "\n\nFirst problems:")?;
        }
        for problem in &self.problems {
            write!(f, "\n- {problem}")?;
        }
        writeln!(f, "\n")?;
        write_outcome(f, &self.failures())
    }
}

impl fmt::Display for ServerCost {
    #[expect(clippy::cast_precision_loss, reason = "no socket holds 2^53 bytes")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let socket_bytes_peak = self.socket_bytes_peak.map(|bytes| bytes as f64);
        let rows = [
            ("server: CPU seconds", self.cpu_s, 2),
            (
                "  per million deliveries",
                self.cpu_s_per_million_deliveries,
                2,
            ),
            (
                "  resident bytes per connection",
                self.resident_bytes_per_connection,
                0,
            ),
            ("  slow readers closed", self.slow_readers_closed, 0),
            ("  largest outbound queue, bytes", self.queue_bytes_peak, 0),
            ("  largest socket buffer, bytes", socket_bytes_peak, 0),
            (
                "  blocked write attempts per second",
                self.stalled_write_attempts_per_second,
                0,
            ),
        ];
        for (index, (name, figure, digits)) in rows.into_iter().enumerate() {
            let begin = if index == 0 { "" } else { "\n" };
            match figure {
                Some(figure) => write!(f, "{begin}{name:34} {figure:>12.digits$}")?,
                None => write!(f, "{begin}{name:34} {:>12}", "unknown")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Paired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (pairs, starts, window_s) = (self.pairs.len(), self.starts, self.window_s);
        writeln!(
            f,
            "{pairs} window pairs of {window_s} s, {starts} server starts"
        )?;
        let Estimate { low, median, high } = self.p99.times;
        let (max, word) = (self.p99.times_max, self.p99.verdict.word());
        write!(
            f,
            "p99 ratio with/without: {median:.2} ({low:.2} to {high:.2}), at most {max}: {word}"
        )?;
        if let Some(bytes) = self.bytes_per_impaired_reader {
            write!(f, "\nresident bytes per stalled or slow reader: {bytes:.0}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
