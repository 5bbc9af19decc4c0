//! What a server's journal got in a window: how many commits, of how many rows, of how many bytes.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, OpenFlags};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::LatencyError;
use super::pacer::wait_until;
use super::wal::WalReader;
use crate::managed_server::DATABASE_FILE;

/// The time between looks at the log. It starts anew about once a second, and what was written
/// since the last look before that is missed: less than one commit in a hundred.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// The commits of a window, equally spaced.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Recording {
    /// The rows of each commit, by their bytes. With SQLite, how many rows a commit has is their mean
    /// over the window, since that journal does not tell which were committed together.
    pub(super) commits: Vec<Vec<usize>>,
    pub(super) commits_per_s: f64,
}

/// The time for which a journal was watched.
#[derive(Debug, Clone, Copy)]
pub(super) struct Watched {
    pub(super) length: Duration,
    pub(super) began_ms: u64,
    pub(super) ended_ms: u64,
}

/// Notes for how long a window is under way.
pub(super) struct Watch {
    began_at: Instant,
    began_ms: u64,
}

impl Watch {
    /// From now on.
    pub(super) fn start() -> Self {
        Self {
            began_at: Instant::now(),
            began_ms: unix_ms(),
        }
    }

    /// Until now.
    pub(super) fn end(&self) -> Watched {
        Watched {
            length: self.began_at.elapsed(),
            began_ms: self.began_ms,
            ended_ms: unix_ms(),
        }
    }
}

/// Watches a SQLite journal while a window is under way.
pub(super) struct Recorder {
    database: PathBuf,
    over: Arc<AtomicBool>,
    counting: JoinSet<std::io::Result<u64>>,
    watch: Watch,
}

impl Recorder {
    /// Watches from now on.
    pub(super) fn start(data_dir: &Path) -> Result<Self, LatencyError> {
        let database = data_dir.join(DATABASE_FILE);
        let mut log = database.clone().into_os_string();
        log.push("-wal");
        let mut reader = WalReader::from_end(log.into())?;
        let over = Arc::new(AtomicBool::new(false));
        let is_over = Arc::clone(&over);
        let mut counting = JoinSet::new();
        counting.spawn_blocking(move || {
            let mut commits = 0;
            while !is_over.load(Ordering::Relaxed) {
                commits += reader.commits()?;
                wait_until(Instant::now() + LOOK_EVERY);
            }
            Ok(commits + reader.commits()?)
        });
        Ok(Self {
            database,
            over,
            counting,
            watch: Watch::start(),
        })
    }

    /// Ends the window, and reads what the session with this code got in it.
    pub(super) async fn finish(mut self, session: &str) -> Result<Recording, LatencyError> {
        self.over.store(true, Ordering::Relaxed);
        let watched = self.watch.end();
        let counted = self.counting.join_next().await;
        let counted = counted.ok_or(LatencyError::NothingRecorded)?;
        let commits = counted.expect("counting does not panic")?;
        let rows = rows(&self.database, session, watched.began_ms..=watched.ended_ms)?;
        let commits = usize::try_from(commits).unwrap_or(usize::MAX);
        Recording::new(&rows, commits, watched.length).ok_or(LatencyError::NothingRecorded)
    }
}

impl Recording {
    /// Deals the rows out to the commits as evenly as whole rows allow.
    fn new(rows: &[usize], commits: usize, length: Duration) -> Option<Self> {
        let commits = commits.min(rows.len());
        if commits == 0 {
            return None;
        }
        let bound = |commit: usize| commit * rows.len() / commits;
        let rows_of = |commit: usize| rows[bound(commit)..bound(commit + 1)].to_vec();
        Self::of_commits((0..commits).map(rows_of).collect(), length)
    }

    /// The commits of so long a time, by the bytes of their rows; none without a commit.
    pub(super) fn of_commits(commits: Vec<Vec<usize>>, length: Duration) -> Option<Self> {
        let count = u32::try_from(commits.len()).expect("a window has fewer than 2^32 commits");
        let commits_per_s = f64::from(count) / length.as_secs_f64();
        (count > 0).then_some(Self {
            commits,
            commits_per_s,
        })
    }

    /// The mean number of rows of a commit.
    pub(super) fn rows_per_commit(&self) -> f64 {
        mean(self.commits.iter().map(Vec::len))
    }

    /// The mean number of bytes of a row.
    pub(super) fn bytes_per_row(&self) -> f64 {
        mean(self.commits.iter().flatten().copied())
    }
}

#[expect(clippy::cast_precision_loss, reason = "a mean of a window's counts")]
fn mean(figures: impl Iterator<Item = usize>) -> f64 {
    let (sum, count) = figures.fold((0, 0_usize), |(sum, count), one| (sum + one, count + 1));
    sum as f64 / count.max(1) as f64
}

/// The bytes of each row that the session got within a time, in their order.
fn rows(
    database: &Path,
    session: &str,
    within_ms: std::ops::RangeInclusive<u64>,
) -> Result<Vec<usize>, LatencyError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let database = Connection::open_with_flags(database, flags)?;
    let mut select = database.prepare(
        "SELECT length(events) FROM journal JOIN session ON session.id = journal.session_id \
         WHERE session.code = ?1 AND at_ms BETWEEN ?2 AND ?3 ORDER BY seq",
    )?;
    let [from, to] = [*within_ms.start(), *within_ms.end()].map(u64::cast_signed);
    let lengths = select.query_map((session, from, to), |row| row.get::<_, i64>(0))?;
    let lengths: Result<Vec<i64>, _> = lengths.collect();
    let lengths = lengths?.into_iter();
    Ok(lengths
        .map(|bytes| usize::try_from(bytes).expect("a length is not negative"))
        .collect())
}

/// The server runs on this machine, so that its clock is this one.
fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Recording;

    #[test]
    fn rows_are_dealt_out_evenly_and_none_is_left() {
        let rows: Vec<usize> = (1..=10).collect();
        let recording = Recording::new(&rows, 4, Duration::from_secs(2)).expect("there are some");
        let lengths: Vec<usize> = recording.commits.iter().map(Vec::len).collect();
        assert_eq!(lengths, [2, 3, 2, 3]);
        assert_eq!(recording.commits.concat(), rows);
        let figures = [
            recording.commits_per_s,
            recording.rows_per_commit(),
            recording.bytes_per_row(),
        ];
        for (figure, wanted) in figures.into_iter().zip([2.0, 2.5, 5.5]) {
            assert!((figure - wanted).abs() < 1e-9, "{figures:?}");
        }
        assert_eq!(Recording::new(&[], 4, Duration::from_secs(2)), None);
        let few = Recording::new(&[1, 2], 4, Duration::from_secs(1)).expect("there are some");
        assert_eq!(few.commits, [[1], [2]]);
    }
}
