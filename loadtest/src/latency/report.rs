//! What `latency` found: its figures, what they prove, and how they are shown.

use std::fmt;

use serde::Serialize;

use crate::report::LatencyMs;
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
    /// The same two ratios to commits from when they were due. They fail nothing.
    pub from_schedule: FromSchedule,
    /// The highest rate of solves, where it has a goal and was looked for.
    pub solves: Option<SolvesGoal>,
}

/// Ratios to bare commits from when they were due.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FromSchedule {
    /// Of the medians.
    pub p50: Goal,
    /// Of the 99th percentiles.
    pub p99: Goal,
}

/// Durable solves a second, and what they must reach.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct SolvesGoal {
    /// The median of the starts.
    pub per_s: f64,
    /// What it must reach.
    pub per_s_min: f64,
    /// Met if every start reaches it, missed if none does.
    pub verdict: Verdict,
}

impl SolvesGoal {
    fn judge(starts: &[Start], per_s_min: f64) -> Option<Self> {
        let found = starts.iter().filter_map(|start| start.solves_per_s_max);
        let found: Vec<f64> = found.collect();
        let reaching = found.iter().filter(|per_s| **per_s >= per_s_min).count();
        let verdict = if found.is_empty() {
            return None;
        } else if reaching == found.len() {
            Verdict::Met
        } else if reaching == 0 {
            Verdict::Missed
        } else {
            Verdict::Undecided
        };
        Some(Self {
            per_s: median(found),
            per_s_min,
            verdict,
        })
    }
}

/// What was found out at a start of the server, before its windows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Start {
    /// The highest rate of an even schedule with which the receipts keep up; none if the rate was
    /// given.
    pub guesses_per_s_max: Option<f64>,
    /// The same for guesses that all are solves.
    pub solves_per_s_max: Option<f64>,
    /// Guesses a second when everybody guesses as fast as the receipts allow; none if the rate was
    /// given.
    pub guesses_per_s_closed: Option<f64>,
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
    pub receipt_ms: LatencyMs,
    /// Bare commits.
    pub commit_ms: CommitMs,
    /// From the intended send to the send: the harness' own share of the receipt's time.
    pub sent_late_ms: LatencyMs,
}

/// Bare commits, by two measures.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct CommitMs {
    /// From the begin of a commit to its end.
    pub alone: LatencyMs,
    /// For each row, from when its commit was due, if the one before held it up; otherwise from its begin.
    /// So receipts are measured, too.
    pub from_schedule: LatencyMs,
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
    /// None with a journal for which there is no such goal.
    pub(super) solves_min: Option<f64>,
    pub(super) seed: u64,
}

impl LatencyReport {
    pub(super) fn judge(measured: Measured, goals: Goals) -> Self {
        let effort = Effort {
            pairs: measured.pairs.len(),
            starts: measured.starts.len(),
            window_s: measured.window_s,
        };
        let goal = |of: fn(&CommitMs) -> &LatencyMs,
                    figure: fn(&LatencyMs) -> f64,
                    times_max: f64| {
            let pairs = measured.pairs.iter();
            let ratios = pairs.map(|pair| figure(&pair.receipt_ms) / figure(of(&pair.commit_ms)));
            let ratios: Vec<f64> = ratios.collect();
            Goal::judge(&ratios, times_max, effort, goals.seed)
        };
        Self {
            p50: goal(|ms| &ms.alone, |ms| ms.p50, goals.p50_max),
            p99: goal(|ms| &ms.alone, |ms| ms.p99, goals.p99_max),
            from_schedule: FromSchedule {
                p50: goal(|ms| &ms.from_schedule, |ms| ms.p50, goals.p50_max),
                p99: goal(|ms| &ms.from_schedule, |ms| ms.p99, goals.p99_max),
            },
            solves: goals
                .solves_min
                .and_then(|min| SolvesGoal::judge(&measured.starts, min)),
            connections: measured.connections,
            window_s: measured.window_s,
            starts: measured.starts,
            pairs: measured.pairs,
        }
    }

    /// Whether a goal was missed for certain.
    pub fn is_missed(&self) -> bool {
        let solves = self.solves.map(|solves| solves.verdict);
        [self.p50.verdict, self.p99.verdict]
            .into_iter()
            .chain(solves)
            .any(|verdict| verdict == Verdict::Missed)
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
            "{pairs} window pairs of {seconds} s, {} connections",
            self.connections
        )?;
        for (number, start) in self.starts.iter().enumerate() {
            write!(f, "start {}: ", number + 1)?;
            if let (Some(max), Some(closed)) = (start.guesses_per_s_max, start.guesses_per_s_closed)
            {
                writeln!(
                    f,
                    "maximum {max:.0} guesses/s, {closed:.0} in a closed loop,"
                )?;
                write!(f, "         ")?;
            }
            if let Some(solves) = start.solves_per_s_max {
                write!(f, "maximum {solves:.0} solves/s, ")?;
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
                "measured at {guesses_per_s:.0} guesses/s\n         {commits_per_s:.0} commits/s of \
                 {rows_per_commit:.2} rows of {bytes_per_row:.0} bytes"
            )?;
        }
        writeln!(f, "\nmedian over windows       p50 ms     p99 ms")?;
        let mut row = |name: &str, of: fn(&Pair) -> &LatencyMs| {
            let p50 = self.middle(|pair| of(pair).p50);
            let p99 = self.middle(|pair| of(pair).p99);
            writeln!(f, "  {name:<17} {p50:>12.3} {p99:>10.3}")
        };
        row("receipt", |pair| &pair.receipt_ms)?;
        row("bare commit", |pair| &pair.commit_ms.alone)?;
        row("  from schedule", |pair| &pair.commit_ms.from_schedule)?;
        row("send delay", |pair| &pair.sent_late_ms)?;
        for (name, goal) in [
            ("p50", &self.p50),
            ("p99", &self.p99),
            ("p50 from schedule", &self.from_schedule.p50),
            ("p99 from schedule", &self.from_schedule.p99),
        ] {
            let Estimate { low, median, high } = goal.times;
            let (max, word) = (goal.times_max, goal.verdict.word());
            write!(
                f,
                "\n{name} ratio: {median:.2} ({low:.2} to {high:.2}), at most {max}: {word}"
            )?;
        }
        if let Some(solves) = &self.solves {
            let (per_s, min, word) = (solves.per_s, solves.per_s_min, solves.verdict.word());
            write!(
                f,
                "\nsolves per second: {per_s:.0}, at least {min:.0}: {word}"
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{
        CommitMs, Goals, LatencyMs, LatencyReport, Measured, Pair, SolvesGoal, Start, Verdict,
    };

    fn judged(receipt_us: u64, pairs: usize, starts: usize) -> LatencyReport {
        let ms = |us: u64| LatencyMs::from_durations([Duration::from_micros(us)]);
        let start = Start {
            guesses_per_s_max: Some(12_000.0),
            guesses_per_s_closed: Some(20_000.0),
            solves_per_s_max: Some(11_000.0),
            guesses_per_s: 6_000.0,
            commits_per_s: 1_500.0,
            rows_per_commit: 2.5,
            bytes_per_row: 60.0,
        };
        let pair = Pair {
            receipt_ms: ms(receipt_us),
            commit_ms: CommitMs {
                alone: ms(400),
                from_schedule: ms(440),
            },
            sent_late_ms: ms(20),
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
            solves_min: Some(10_000.0),
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
        let solves = |per_s: &[f64]| {
            let report = judged(900, 24, 3);
            let starts = report.starts.iter().zip(per_s);
            let starts = starts.map(|(start, per_s)| Start {
                solves_per_s_max: Some(*per_s),
                ..*start
            });
            let starts: Vec<Start> = starts.collect();
            SolvesGoal::judge(&starts, 10_000.0).map(|solves| solves.verdict)
        };
        assert_eq!(solves(&[9e3, 8e3, 7e3]), Some(Verdict::Missed));
        assert_eq!(solves(&[9e3, 12e3, 13e3]), Some(Verdict::Undecided));
        assert_eq!(solves(&[11e3, 12e3, 13e3]), Some(Verdict::Met));
        assert_eq!(solves(&[]), None);
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
