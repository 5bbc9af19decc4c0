//! How long the commits of a bare loop took.

use std::time::Duration;

use tokio::time::Instant;

use super::pacer::{Schedule, wait_until};
use super::recording::Recording;
use super::report::CommitMs;
use crate::report::LatencyMs;

/// The commits of a window.
#[derive(Debug, Default)]
pub(super) struct CommitTimings {
    alone: Vec<Duration>,
    from_schedule: Vec<Duration>,
    ended_at: Option<Instant>,
}

/// A commit that was due at a moment of the schedule.
#[derive(Debug, Clone, Copy)]
struct Commit {
    due_at: Instant,
    began_at: Instant,
    ended_at: Instant,
    rows: usize,
}

impl CommitTimings {
    /// Has what was recorded committed when it is due, as often as it was, for so long. `commit` gets the
    /// number of the last row before and the sizes of the rows, and gives the number of the last one.
    /// Blocks its thread.
    pub(super) fn replay<E>(
        recording: &Recording,
        warm_up: Duration,
        window: Duration,
        mut commit: impl FnMut(i64, &[usize]) -> Result<i64, E>,
    ) -> Result<Self, E> {
        let start = Instant::now();
        let schedule = Schedule::of_rate(start, recording.commits_per_s, warm_up + window);
        let mut timings = Self::default();
        let mut seq = 0;
        for (slot, rows) in (0..schedule.slots).zip(recording.commits.iter().cycle()) {
            let due_at = schedule.at(slot);
            wait_until(due_at);
            let began_at = Instant::now();
            seq = commit(seq, rows)?;
            let commit = Commit {
                due_at,
                began_at,
                ended_at: Instant::now(),
                rows: rows.len(),
            };
            timings.record(commit, start + warm_up);
        }
        Ok(timings)
    }

    /// Takes the next commit in; those that began before `from` are not measured.
    ///
    /// What waits for a slow commit is slow too, and a loop that only times its own calls does not see it.
    /// So a commit that was held up by the one before counts from when it was due as well, once for each
    /// of its rows. One that the loop's own timer brought late counts from its begin.
    fn record(&mut self, commit: Commit, from: Instant) {
        let held_up = self
            .ended_at
            .is_some_and(|ended_at| ended_at > commit.due_at);
        self.ended_at = Some(commit.ended_at);
        if commit.began_at < from {
            return;
        }
        self.alone.push(commit.ended_at - commit.began_at);
        let waited_from = if held_up {
            commit.due_at
        } else {
            commit.began_at
        };
        let waited = commit.ended_at - waited_from;
        self.from_schedule
            .extend(std::iter::repeat_n(waited, commit.rows));
    }

    pub(super) fn figures(self) -> CommitMs {
        CommitMs {
            alone: LatencyMs::from_durations(self.alone),
            from_schedule: LatencyMs::from_durations(self.from_schedule),
        }
    }

    #[cfg(test)]
    pub(super) fn commits(&self) -> usize {
        self.alone.len()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{Commit, CommitTimings};

    #[test]
    fn whoever_waits_for_a_slow_commit_counts_from_when_it_was_due() {
        let start = Instant::now();
        let ms = |ms| start + Duration::from_millis(ms);
        let mut timings = CommitTimings::default();
        // A slow one; the next was due meanwhile, the last was not and only began late.
        for (due, began, ended, rows) in [(0, 0, 50, 1), (10, 50, 51, 3), (60, 61, 62, 1)] {
            let commit = Commit {
                due_at: ms(due),
                began_at: ms(began),
                ended_at: ms(ended),
                rows,
            };
            timings.record(commit, start);
        }
        let in_ms = |durations: &[Duration]| -> Vec<u128> {
            durations.iter().map(Duration::as_millis).collect()
        };
        assert_eq!(in_ms(&timings.alone), [50, 1, 1]);
        assert_eq!(in_ms(&timings.from_schedule), [50, 41, 41, 41, 1]);
    }
}
