//! What `latency` found: its figures, what they prove, and how they are shown.

use std::fmt;

use serde::Serialize;

use crate::report::AckMs;
use crate::statistics::{Effort, Estimate, Goal, Verdict, median};

/// The figures of `latency`; the keys of the JSON file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LatencyReport {
    /// Connections that guessed.
    pub connections: u16,
    /// The length of a window, in seconds.
    pub window_s: f64,
    /// What was found out at each start of the server.
    pub starts: Vec<Start>,
    /// The paired windows, in their order.
    pub pairs: Vec<Pair>,
    /// The ratio of the medians.
    pub p50: Goal,
    /// The ratio of the 99th percentiles.
    pub p99: Goal,
}

/// What was found out at a start of the server, before its windows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Start {
    /// Guesses a second when everybody guesses as fast as the receipts allow; none if the rate was
    /// given.
    pub guesses_per_s_max: Option<f64>,
    /// Guesses a second in its windows.
    pub guesses_per_s: f64,
    /// Commits a second at that rate.
    pub commits_per_s: f64,
    /// The mean number of rows of a commit.
    pub rows_per_commit: f64,
    /// The mean number of bytes of a row.
    pub bytes_per_row: f64,
}

/// Two windows, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Pair {
    /// From the intended send to the receipt.
    pub receipt_ms: AckMs,
    /// From the begin to the end of a bare commit.
    pub commit_ms: AckMs,
}

/// What was measured, before it is judged.
pub(super) struct Measured {
    pub(super) connections: u16,
    pub(super) window_s: f64,
    pub(super) starts: Vec<Start>,
    pub(super) pairs: Vec<Pair>,
}

/// By what it is judged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Goals {
    pub(super) p50_max: f64,
    pub(super) p99_max: f64,
    pub(super) seed: u64,
}

impl LatencyReport {
    pub(super) fn judge(measured: Measured, goals: Goals) -> Self {
        let effort = Effort {
            pairs: measured.pairs.len(),
            starts: measured.starts.len(),
            window_s: measured.window_s,
        };
        let goal = |figure: fn(&AckMs) -> f64, times_max: f64| {
            let pairs = measured.pairs.iter();
            let ratios = pairs.map(|pair| figure(&pair.receipt_ms) / figure(&pair.commit_ms));
            let ratios: Vec<f64> = ratios.collect();
            Goal::judge(&ratios, times_max, effort, goals.seed)
        };
        Self {
            p50: goal(|ms| ms.p50, goals.p50_max),
            p99: goal(|ms| ms.p99, goals.p99_max),
            connections: measured.connections,
            window_s: measured.window_s,
            starts: measured.starts,
            pairs: measured.pairs,
        }
    }

    /// Whether a goal was missed for certain.
    pub fn is_missed(&self) -> bool {
        [self.p50, self.p99]
            .iter()
            .any(|goal| goal.verdict == Verdict::Missed)
    }

    fn middle(&self, figure: impl Fn(&Pair) -> f64) -> f64 {
        median(self.pairs.iter().map(figure).collect())
    }
}

impl fmt::Display for LatencyReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (pairs, seconds) = (self.pairs.len(), self.window_s);
        writeln!(
            f,
            "{pairs} pairs of windows of {seconds} s, {} connections",
            self.connections
        )?;
        for (number, start) in self.starts.iter().enumerate() {
            write!(f, "start {}: ", number + 1)?;
            if let Some(max) = start.guesses_per_s_max {
                write!(f, "{max:.0} guesses/s at most, ")?;
            }
            let Start {
                guesses_per_s,
                commits_per_s,
                rows_per_commit,
                bytes_per_row,
                ..
            } = start;
            writeln!(
                f,
                "measured at {guesses_per_s:.0}\n         {commits_per_s:.0} commits/s of \
                 {rows_per_commit:.2} rows of {bytes_per_row:.0} bytes"
            )?;
        }
        writeln!(f, "\nmedian of the windows     p50 ms     p99 ms")?;
        let [p50, p99] = [
            self.middle(|pair| pair.receipt_ms.p50),
            self.middle(|pair| pair.receipt_ms.p99),
        ];
        writeln!(f, "  receipt             {p50:>10.3} {p99:>10.3}")?;
        let [p50, p99] = [
            self.middle(|pair| pair.commit_ms.p50),
            self.middle(|pair| pair.commit_ms.p99),
        ];
        writeln!(f, "  bare commit         {p50:>10.3} {p99:>10.3}")?;
        for (name, goal) in [("p50", &self.p50), ("p99", &self.p99)] {
            let Estimate { low, median, high } = goal.times;
            let (max, word) = (goal.times_max, goal.verdict.word());
            write!(
                f,
                "\n{name}: {median:.2} times ({low:.2} to {high:.2}), at most {max}: {word}"
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{AckMs, Goals, LatencyReport, Measured, Pair, Start, Verdict};

    fn judged(receipt_us: u64, pairs: usize, starts: usize) -> LatencyReport {
        let ms = |us: u64| AckMs::of([Duration::from_micros(us)]);
        let start = Start {
            guesses_per_s_max: Some(12_000.0),
            guesses_per_s: 6_000.0,
            commits_per_s: 1_500.0,
            rows_per_commit: 2.5,
            bytes_per_row: 60.0,
        };
        let pair = Pair {
            receipt_ms: ms(receipt_us),
            commit_ms: ms(400),
        };
        let measured = Measured {
            connections: 256,
            window_s: 4.0,
            starts: vec![start; starts],
            pairs: vec![pair; pairs],
        };
        let goals = Goals {
            p50_max: 2.5,
            p99_max: 3.0,
            seed: 1,
        };
        LatencyReport::judge(measured, goals)
    }

    #[test]
    fn goals_are_judged_apart_and_only_with_enough_windows() {
        let report = judged(1_100, 24, 3);
        assert_eq!(report.p50.verdict, Verdict::Missed);
        assert_eq!(report.p99.verdict, Verdict::Met);
        assert!(report.is_missed());
        assert!(!judged(900, 24, 3).is_missed());
        for (pairs, starts) in [(23, 3), (24, 2)] {
            let report = judged(1_100, pairs, starts);
            assert_eq!(report.p50.verdict, Verdict::TooFew);
            assert!(!report.is_missed());
        }
    }

    #[test]
    fn the_table_fits_a_terminal() {
        let table = judged(900, 2, 2).to_string();
        assert!(table.lines().all(|line| line.len() <= 80), "{table}");
    }
}
