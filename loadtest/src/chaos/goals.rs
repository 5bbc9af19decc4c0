//! Goals of a run in time, memory and coverage. A goal without a sample counts as missed.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::report::FaultFigures;
use crate::arguments::Fault;

/// Maximum memory growth while PostgreSQL is frozen.
const MEMORY_GROWTH_BYTES_MAX: u64 = 64 << 20;

/// Latency has recovered if its 99th percentile is at most this multiple of the one before.
const NORMAL_TIMES: f64 = 2.0;

/// A measured figure and its upper bound.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Goal {
    /// What is measured, with its unit.
    pub what: String,
    /// Measured value; `None` without a sample.
    pub found: Option<f64>,
    /// Upper bound.
    pub limit: f64,
    /// Whether the value is within the bound.
    pub is_met: bool,
}

/// Facts about a run that decide whether the figures of its faults prove anything.
#[derive(Debug, Clone, Copy)]
pub(super) struct Coverage {
    pub(super) nodes: usize,
    /// Number of game masters that observed a replaced owner until it closed.
    pub(super) witnesses: u64,
    /// Number of sessions without a logged claim; `None` without PostgreSQL.
    pub(super) sessions_unclaimed: Option<usize>,
}

impl Goal {
    pub(super) fn new(what: impl Into<String>, found: Option<f64>, limit: f64) -> Self {
        Self {
            what: what.into(),
            found,
            limit,
            is_met: found.is_some_and(|found| found <= limit),
        }
    }

    /// Goal that a count is zero.
    fn none(what: impl Into<String>, found: usize) -> Self {
        let found = u32::try_from(found).unwrap_or(u32::MAX);
        Self::new(what, Some(found.into()), 0.0)
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.is_met { "met" } else { "MISSED" };
        let Self { what, limit, .. } = self;
        match self.found {
            Some(found) => write!(f, "{verdict:6} {what}: {found:.1}, at most {limit:.1}"),
            None => write!(f, "{verdict:6} {what}: no sample"),
        }
    }
}

impl Coverage {
    /// Evaluates the goals for the figures of the faults.
    pub(super) fn goals(self, faults: &BTreeMap<&'static str, FaultFigures>) -> Vec<Goal> {
        let mut goals = Vec::new();
        let unclaimed = self.sessions_unclaimed;
        goals.extend(unclaimed.map(|found| Goal::none("sessions without a logged claim", found)));
        for (fault, figures) in faults {
            let mut recovery_within = |limit_ms: f64| {
                let what = format!("{fault}: p99 of first client ack, ms");
                goals.push(Goal::new(what, figures.recovery_ms.p99(), limit_ms));
            };
            if *fault == Fault::OwnerKill.name() && self.nodes > 1 {
                recovery_within(2_000.0);
            }
            if *fault == Fault::OwnerPause.name() {
                recovery_within(3_000.0);
                let observed = usize::try_from(self.witnesses).unwrap_or(usize::MAX);
                let unobserved = figures.count.saturating_sub(observed);
                let what = format!("{fault}: owners not observed until closed");
                goals.push(Goal::none(what, unobserved));
            }
            if [Fault::PgFreeze.name(), Fault::DiskFull.name()].contains(fault) {
                pauses(fault, figures, &mut goals);
            }
            if *fault == Fault::PgFreeze.name() {
                freezes(fault, figures, &mut goals);
            }
        }
        goals
    }
}

/// While nothing can be made durable for long, every session must pause, signal this with a retry time,
/// and resume.
fn pauses(fault: &str, figures: &FaultFigures, goals: &mut Vec<Goal>) {
    let silent = figures.sessions_affected - figures.sessions_paused;
    let stuck = figures.sessions_paused - figures.sessions_resumed;
    let timeless = usize::try_from(figures.rejections_without_retry_time).unwrap_or(usize::MAX);
    for (what, found) in [
        ("sessions that did not signal the pause", silent),
        ("rejections without a retry time", timeless),
        ("sessions that paused and did not resume", stuck),
    ] {
        goals.push(Goal::none(format!("{fault}: {what}"), found));
    }
}

/// While the store is frozen, a node's memory stays within its limits; afterwards latency is as before.
fn freezes(fault: &str, figures: &FaultFigures, goals: &mut Vec<Goal>) {
    let mib = |bytes: u64| {
        let mib = bytes.div_ceil(1 << 20);
        f64::from(u32::try_from(mib).unwrap_or(u32::MAX))
    };
    goals.push(Goal::new(
        format!("{fault}: memory growth, MiB"),
        figures.memory_growth_bytes_max.map(mib),
        mib(MEMORY_GROWTH_BYTES_MAX),
    ));
    let before = figures.ack_p99_before_ms;
    goals.push(Goal::new(
        format!("{fault}: ack p99 from 5 s after the fault, ms"),
        before.and(figures.ack_p99_after_ms),
        NORMAL_TIMES * before.unwrap_or(0.0),
    ));
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::super::report::Spread;
    use super::{Coverage, FaultFigures};

    const WATCHED: Coverage = Coverage {
        nodes: 2,
        witnesses: 2,
        sessions_unclaimed: Some(0),
    };

    /// Figures of two faults that meet every goal.
    fn good() -> FaultFigures {
        FaultFigures {
            count: 2,
            sessions_affected: 8,
            sessions_paused: 8,
            sessions_resumed: 8,
            recovery_ms: Spread::from_durations(vec![Duration::from_secs(1)]),
            memory_growth_bytes_max: Some(1),
            ack_p99_before_ms: Some(4.0),
            ack_p99_after_ms: Some(8.0),
            ..FaultFigures::default()
        }
    }

    /// Missed goals as displayed.
    fn missed_by(
        coverage: Coverage,
        fault: &'static str,
        change: impl FnOnce(&mut FaultFigures),
    ) -> Vec<String> {
        let mut figures = good();
        change(&mut figures);
        let goals = coverage.goals(&BTreeMap::from([(fault, figures)]));
        assert!(!goals.is_empty(), "{fault} has goals");
        let missed = goals.iter().filter(|goal| !goal.is_met);
        missed.map(ToString::to_string).collect()
    }

    fn missed(fault: &'static str, change: impl FnOnce(&mut FaultFigures)) -> Vec<String> {
        missed_by(WATCHED, fault, change)
    }

    #[test]
    fn good_figures_reach_every_goal() {
        for fault in ["owner-kill", "owner-pause", "pg-freeze", "disk-full"] {
            assert!(missed(fault, |_| ()).is_empty(), "{fault}");
        }
    }

    #[test]
    fn sessions_must_pause_signal_it_and_resume() {
        assert_eq!(
            missed("disk-full", |figures| {
                figures.sessions_paused = 7;
                figures.sessions_resumed = 7;
            }),
            ["MISSED disk-full: sessions that did not signal the pause: 1.0, at most 0.0"]
        );
        assert_eq!(
            missed("disk-full", |figures| figures.sessions_resumed = 7),
            ["MISSED disk-full: sessions that paused and did not resume: 1.0, at most 0.0"]
        );
        assert_eq!(
            missed("disk-full", |figures| figures
                .rejections_without_retry_time =
                1),
            ["MISSED disk-full: rejections without a retry time: 1.0, at most 0.0"]
        );
    }

    #[test]
    fn a_figure_without_a_sample_misses_its_goal() {
        for fault in ["owner-kill", "owner-pause"] {
            assert_eq!(
                missed(fault, |figures| figures.recovery_ms = Spread::default()),
                [format!(
                    "MISSED {fault}: p99 of first client ack, ms: no sample"
                )]
            );
        }
        let latency = "MISSED pg-freeze: ack p99 from 5 s after the fault, ms: no sample";
        assert_eq!(
            missed("pg-freeze", |figures| figures.ack_p99_after_ms = None),
            [latency]
        );
        assert_eq!(
            missed("pg-freeze", |figures| figures.ack_p99_before_ms = None),
            [latency]
        );
        assert_eq!(
            missed("pg-freeze", |figures| figures.memory_growth_bytes_max =
                None),
            ["MISSED pg-freeze: memory growth, MiB: no sample"]
        );
    }

    #[test]
    fn a_replaced_owner_that_was_not_observed_proves_nothing() {
        let coverage = Coverage {
            witnesses: 1,
            ..WATCHED
        };
        assert_eq!(
            missed_by(coverage, "owner-pause", |_| ()),
            ["MISSED owner-pause: owners not observed until closed: 1.0, at most 0.0"]
        );
        assert!(missed_by(coverage, "owner-kill", |_| ()).is_empty());
    }

    #[test]
    fn a_session_whose_claims_are_unknown_proves_nothing() {
        let coverage = Coverage {
            sessions_unclaimed: Some(3),
            ..WATCHED
        };
        assert_eq!(
            missed_by(coverage, "owner-kill", |_| ()),
            ["MISSED sessions without a logged claim: 3.0, at most 0.0"]
        );
    }
}
