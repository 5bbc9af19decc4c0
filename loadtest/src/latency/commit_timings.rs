//! Timings of bare commits.

use std::time::Duration;

use tokio::time::Instant;

use super::pacer::{Schedule, wait_until};
use super::recording::Recording;
use super::report::CommitMs;
use crate::report::LatencyMs;

/// The commits of a window.
#[derive(Debug, Default)]
pub(super) struct CommitTimings {
    duration: Vec<Duration>,
    from_schedule: Vec<Duration>,
    ended_at: Option<Instant>,
}

/// A scheduled commit.
#[derive(Debug, Clone, Copy)]
struct Commit {
    due_at: Instant,
    began_at: Instant,
    ended_at: Instant,
    rows: usize,
}

impl CommitTimings {
    /// Replays the recorded commits at their rate for warm-up and window. `commit` gets the number of
    /// the last row and the sizes of the new rows, and returns the number of its last row. Blocks its
    /// thread.
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

    /// Records the next commit; those that began before `from` are not measured.
    ///
    /// Commits that wait for a slow one are slow too, which a loop that times only its own calls would
    /// omit (coordinated omission). So a commit that was delayed by the previous one also counts from
    /// its scheduled time, once for each of its rows. One that the loop's own timer delayed counts from
    /// its start.
    fn record(&mut self, commit: Commit, from: Instant) {
        let held_up = self
            .ended_at
            .is_some_and(|ended_at| ended_at > commit.due_at);
        self.ended_at = Some(commit.ended_at);
        if commit.began_at < from {
            return;
        }
        self.duration.push(commit.ended_at - commit.began_at);
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
            duration: LatencyMs::from_durations(self.duration),
            from_schedule: LatencyMs::from_durations(self.from_schedule),
        }
    }

    #[cfg(test)]
    pub(super) fn commits(&self) -> usize {
        self.duration.len()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{Commit, CommitTimings};

    #[test]
    fn commits_delayed_by_a_slow_one_count_from_their_scheduled_time() {
        let start = Instant::now();
        let ms = |ms| start + Duration::from_millis(ms);
        let mut timings = CommitTimings::default();
        // A slow one; the next was due meanwhile, the last was not and only started late.
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
        assert_eq!(in_ms(&timings.duration), [50, 1, 1]);
        assert_eq!(in_ms(&timings.from_schedule), [50, 41, 41, 41, 1]);
    }
}
