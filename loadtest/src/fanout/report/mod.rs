//! What `fanout` found: its figures, whether they are good, and how they are shown.

use std::fmt;

use serde::Serialize;

use super::follower::Followed;
use crate::report::AckMs;
use crate::statistics::{Estimate, Goal, Verdict};

/// How many problems are told in words.
const PROBLEMS_TOLD_MAX: usize = 10;

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
    pub delivery_ms: AckMs,
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
    pub stalled_bytes_each: Option<f64>,
}

/// Two windows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Pair {
    /// While everybody reads well.
    pub without_ms: AckMs,
    /// While some stall and some are slow; of the others.
    pub beside_ms: AckMs,
}

impl FanoutReport {
    /// Adds what a client has found.
    pub(super) fn add(&mut self, followed: &Followed) {
        let Followed {
            seat,
            lived,
            found,
            failure,
        } = followed;
        let wrongs = found.wrongs;
        self.clients_failed += u64::from(failure.is_some());
        self.stream_gaps += found.gaps + wrongs.misordered + wrongs.forgotten;
        self.stream_duplicates += found.repeated + wrongs.duplicates;
        self.foreign_updates += wrongs.foreign;
        self.lost += found.missing;
        self.cuts += lived.cuts;
        self.stalls += lived.stalls;
        self.ended += lived.ended;
        self.snapshots += found.snapshots;
        self.resumes += found.resumes;
        let mut problem = |what: String| {
            if self.problems.len() < PROBLEMS_TOLD_MAX {
                let player = seat.player;
                self.problems.push(format!("client {player}: {what}"));
            }
        };
        if let Some(failure) = failure {
            problem(failure.to_string());
        }
        if let Some(fault) = found.first_fault {
            problem(fault.to_string());
        }
        for (count, what) in [
            (wrongs.duplicates, "clues came twice"),
            (wrongs.foreign, "updates are meant for others"),
            (wrongs.misordered, "clues came out of order"),
            (wrongs.forgotten, "clues are not in a later snapshot"),
            (found.missing, "clues are missing at the end"),
        ] {
            if count > 0 {
                problem(format!("{count} {what}"));
            }
        }
    }

    /// Whether nothing was lost, doubled, foreign or missing in between, and no goal was missed.
    pub fn is_good(&self) -> bool {
        let faults = [
            self.clients_failed,
            self.stream_gaps,
            self.stream_duplicates,
            self.foreign_updates,
            self.lost,
        ];
        let is_missed = |paired: &Paired| paired.p99.verdict == Verdict::Missed;
        faults == [0; 5] && !self.paired.as_ref().is_some_and(is_missed)
    }
}

impl fmt::Display for FanoutReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut row = |name: &str, figure: &dyn fmt::Display| writeln!(f, "{name:34} {figure:>12}");
        row("clients", &self.clients)?;
        row("  that stall", &self.clients_stalled)?;
        row("  that are slow", &self.clients_slow)?;
        row("  that failed", &self.clients_failed)?;
        row("clues", &self.clues)?;
        row("  a second", &format!("{:.1}", self.clues_per_s))?;
        row("deliveries", &self.deliveries)?;
        row("  gaps in streams", &self.stream_gaps)?;
        row("  duplicates", &self.stream_duplicates)?;
        row("  meant for others", &self.foreign_updates)?;
        row("  lost", &self.lost)?;
        row("cuts", &self.cuts)?;
        row("stalls", &self.stalls)?;
        row("connections ended otherwise", &self.ended)?;
        row("came back with a replay", &self.resumes)?;
        row("  with a snapshot", &self.snapshots)?;
        let AckMs { p50, p99, max, .. } = self.delivery_ms;
        row("delivered after, ms: p50", &format!("{p50:.2}"))?;
        row("  p99", &format!("{p99:.2}"))?;
        row("  max", &format!("{max:.2}"))?;
        write!(f, "{}", self.server)?;
        if let Some(paired) = &self.paired {
            write!(f, "\n\n{paired}")?;
        }
        if !self.problems.is_empty() {
            write!(f, "\n\nThe first problems:")?;
        }
        for problem in &self.problems {
            write!(f, "\n- {problem}")?;
        }
        Ok(())
    }
}

impl fmt::Display for ServerCost {
    #[expect(clippy::cast_precision_loss, reason = "no socket holds 2^53 bytes")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let socket_bytes_peak = self.socket_bytes_peak.map(|bytes| bytes as f64);
        let rows = [
            ("server: processor seconds", self.cpu_s, 2),
            (
                "  a million deliveries",
                self.cpu_s_per_million_deliveries,
                2,
            ),
            (
                "  resident bytes a connection",
                self.resident_bytes_per_connection,
                0,
            ),
            ("  slow readers closed", self.slow_readers_closed, 0),
            ("  longest queue, bytes", self.queue_bytes_peak, 0),
            ("  longest socket, bytes", socket_bytes_peak, 0),
            (
                "  writes/s to a socket that stalls",
                self.stalled_write_attempts_per_second,
                0,
            ),
        ];
        for (place, (name, figure, digits)) in rows.into_iter().enumerate() {
            let begin = if place == 0 { "" } else { "\n" };
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
            "{pairs} pairs of windows of {window_s} s, {starts} starts"
        )?;
        let Estimate { low, median, high } = self.p99.times;
        let (max, word) = (self.p99.times_max, self.p99.verdict.word());
        write!(
            f,
            "p99 beside them: {median:.2} times ({low:.2} to {high:.2}), at most {max}: {word}"
        )?;
        if let Some(bytes) = self.stalled_bytes_each {
            write!(f, "\nresident bytes for each of them: {bytes:.0}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
