//! What `fanout` found: its figures, whether they are good, and how they are shown.

use std::fmt;

use serde::Serialize;

use super::follower::FollowerResult;
use crate::report::{LatencyMs, write_outcome};
use crate::statistics::{Estimate, Goal, Verdict};

/// How many problems are told in words.
const PROBLEMS_SHOWN_MAX: usize = 10;

/// The figures of `fanout`; the keys of the JSON file.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct FanoutReport {
    /// Clients, each with a device of its own.
    pub clients: u64,
    /// How many of them stopped reading now and then.
    pub clients_stalled: u64,
    /// How many of them read slowly.
    pub clients_slow: u64,
    /// Clients that could not go on.
    pub clients_failed: u64,
    /// Clues that were pushed.
    pub clues: u64,
    /// Updates that told a client of a clue.
    pub deliveries: u64,
    /// Gaps of the streams: updates that are missing or out of order, heads that promise more or
    /// less than what came, and clues that a later snapshot lacks.
    pub stream_gaps: u64,
    /// Updates that came twice, by their number or by their clue.
    pub stream_duplicates: u64,
    /// Updates and clues that are meant for another team, another player or game masters.
    pub foreign_updates: u64,
    /// Clues that a client should have and has not at the end, from updates or from a snapshot.
    pub lost: u64,
    /// How often a client was cut.
    pub cuts: u64,
    /// How often a client stopped reading.
    pub stalls: u64,
    /// How often the server ended a connection, or it broke.
    pub ended: u64,
    /// Connections after a client's first that went on with a snapshot.
    pub snapshots: u64,
    /// Connections after a client's first that went on with the missed updates.
    pub resumes: u64,
    /// From a clue's intended moment until a client has read it that reads well and was there at
    /// that moment.
    pub delivery_ms: LatencyMs,
    /// Clues a second.
    pub clues_per_s: f64,
    /// What it cost the server.
    pub server: ServerCost,
    /// Windows with and without stalled and slow readers.
    pub paired: Option<Paired>,
    /// The first problems in words.
    pub problems: Vec<String>,
}

/// What it cost the server; none where it does not tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct ServerCost {
    /// Processor time while clues were pushed and everybody came back.
    pub cpu_s: Option<f64>,
    /// The same for each million of deliveries.
    pub cpu_s_per_million_deliveries: Option<f64>,
    /// From nobody connected to everybody attached.
    pub resident_bytes_per_connection: Option<f64>,
    /// Connections that read too slowly and were told to resume.
    pub slow_readers_closed: Option<f64>,
    /// The most that waited for one connection in the server's own queue.
    pub queue_bytes_peak: Option<f64>,
    /// The most that waited in one socket of the server, as the operating system tells it, whenever it
    /// was looked at: at the end of the clues, and of each window.
    pub socket_bytes_peak: Option<u64>,
    /// The most write attempts within a second to a socket that took nothing.
    pub stalled_write_attempts_per_second: Option<f64>,
}

/// Windows with and without stalled and slow readers, in turn.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Paired {
    /// The length of a window, in seconds.
    pub window_s: f64,
    /// Starts of the server.
    pub starts: u32,
    /// The pairs in their order.
    pub pairs: Vec<Pair>,
    /// The others' 99th percentile: with them, divided by without.
    pub p99: Goal,
    /// The growth of the server's resident memory from the window without to the window with them,
    /// for each of them; the median of the pairs.
    pub bytes_per_impaired_reader: Option<f64>,
}

/// Two windows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Pair {
    /// While everybody reads well.
    pub without_ms: LatencyMs,
    /// While some stall and some are slow; of the others.
    pub with_ms: LatencyMs,
}

impl FanoutReport {
    /// Adds what a client has found.
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
