//! Latency of receipts at half the maximum rate, against bare commits on the same disk.
//!
//! The two alternate, window by window, so that other load on the machine affects both. Each window of
//! the server has a new session, so that none is larger than in a real hunt.

mod bare;
mod bench;
mod commit_timings;
mod cores;
mod crowd;
mod generator;
mod pacer;
mod player_socket;
mod postgres;
mod rate;
mod recording;
mod report;
mod wal;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use protocol::RejectionCode;
use testkit::{PostgresError, RestError, ServerError, TempDir};

use crate::arguments::{JournalKind, LatencyArguments};
use crate::client::{Ended, OpenError};
use crate::managed_server::ManagedServerError;
use bench::Bench;
use cores::Cores;
use report::{Goals, Measured};

pub use postgres::APPEND_STATEMENT;
pub use report::{CommitMs, LatencyReport, Pair, SolvesGoal, Start};

/// Error that ends the test without a report.
#[derive(Debug, thiserror::Error)]
pub enum LatencyError {
    /// The server could not be started.
    #[error(transparent)]
    ManagedServer(#[from] ManagedServerError),
    /// The server failed.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// A session could not be prepared.
    #[error("cannot prepare a session: {0}")]
    Prepare(#[from] RestError),
    /// A player could not connect.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A player did not attach in time.
    #[error("timed out while a player was attaching to the session")]
    NotAttached,
    /// A connection closed.
    #[error("a connection closed: {0}")]
    Ended(#[from] Ended),
    /// An answer to a guess that is not outstanding.
    #[error("the server answered a guess that is not outstanding")]
    UnknownAnswer,
    /// A guess was rejected.
    #[error("a guess was rejected: {0:?}")]
    Refused(RejectionCode),
    /// A guess got the wrong verdict.
    #[error("a guess got the wrong verdict")]
    WrongVerdict,
    /// Receipts are missing.
    #[error("the server does not sustain the schedule: choose a lower --rate")]
    NotSustained,
    /// No commits were recorded.
    #[error(
        "the server's journal shows no commits: does --server-set choose another backend than --journal?"
    )]
    NothingRecorded,
    /// The search found no sustainable rate.
    #[error(
        "the server does not even sustain {0:.0} guesses per second: is the machine or disk busy?"
    )]
    NoRate(f64),
    /// More puzzles per team would be needed than a hunt allows.
    #[error("each team would need more puzzles than a hunt allows: use more --connections")]
    TooFewTeams,
    /// Pinning requires two cores.
    #[error("--pin requires two CPU cores that this process may use")]
    OneCore,
    /// A file or system call failed.
    #[error("a file or system call failed: {0}")]
    System(#[from] io::Error),
    /// A SQLite statement failed.
    #[error("a SQLite statement of the harness failed: {0}")]
    Database(#[from] rusqlite::Error),
    /// PostgreSQL could not be started.
    #[error(transparent)]
    Postgres(#[from] PostgresError),
    /// A PostgreSQL statement failed.
    #[error("a PostgreSQL statement of the harness failed: {0}")]
    Statement(#[from] sqlx::Error),
    /// The fence rejected bare rows.
    #[error("the fence rejected a bare statement, although no other owner exists")]
    BareLeftOut,
}

/// Number and duration of windows.
#[derive(Debug, Clone, Copy)]
struct Plan {
    pairs: u32,
    starts: u32,
    window: Duration,
}

impl Plan {
    fn from_arguments(arguments: &LatencyArguments) -> Self {
        if arguments.quick {
            return Self {
                pairs: 4,
                starts: 1,
                window: Duration::from_secs(2),
            };
        }
        Self {
            pairs: arguments.pairs,
            starts: arguments.starts.min(arguments.pairs),
            window: arguments.window,
        }
    }

    /// Number of pairs in a start, counted from 0: distributed as evenly as whole pairs allow.
    fn pairs_of(self, start: u32) -> u32 {
        self.pairs * (start + 1) / self.starts - self.pairs * start / self.starts
    }
}

/// Runs the whole test.
pub async fn latency(arguments: LatencyArguments) -> Result<LatencyReport, LatencyError> {
    let plan = Plan::from_arguments(&arguments);
    let cores = arguments.pin.then(Cores::detect).transpose()?;
    let (folder, _temporary) = folder(arguments.data_dir.clone())?;
    let mut measured = Measured {
        connections: arguments.connections,
        window_s: plan.window.as_secs_f64(),
        starts: Vec::new(),
        pairs: Vec::new(),
    };
    for start in 0..plan.starts {
        let start_folder = folder.join(format!("start-{}", start + 1));
        let bench = Bench::set_up(&start_folder, plan.window, &arguments, cores.as_ref()).await?;
        let (found, pairs) = Box::pin(bench.run(&arguments, plan.pairs_of(start))).await?;
        measured.starts.push(found);
        measured.pairs.extend(pairs);
    }
    let goals = Goals {
        p50_max: arguments.p50_max,
        p99_max: arguments.p99_max,
        solves_min: match arguments.journal {
            JournalKind::Sqlite => None,
            JournalKind::Postgres => Some(arguments.solves_min),
        },
        seed: arguments.seed,
    };
    Ok(LatencyReport::judge(measured, goals))
}

fn folder(wanted: Option<PathBuf>) -> io::Result<(PathBuf, Option<TempDir>)> {
    if let Some(wanted) = wanted {
        return Ok((wanted, None));
    }
    let folder = testkit::temporary_folder()?;
    Ok((folder.path().to_owned(), Some(folder)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Plan;

    #[test]
    fn every_pair_has_its_start() {
        for (pairs, starts) in [(24, 3), (25, 3), (4, 1), (2, 2)] {
            let window = Duration::from_secs(4);
            let plan = Plan {
                pairs,
                starts,
                window,
            };
            let each: Vec<u32> = (0..starts).map(|start| plan.pairs_of(start)).collect();
            assert_eq!(each.iter().sum::<u32>(), pairs, "{each:?}");
            assert!(each.iter().all(|of_start| *of_start > 0), "{each:?}");
        }
    }
}
