//! How long a receipt takes at half the highest rate, beside a bare loop of commits on the same
//! disk.
//!
//! The two alternate, window by window, so that whatever else goes on in the machine meets both.
//! Each window of the server has a session of its own, so that none is larger than a real hunt.

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

/// Why there are no figures.
#[derive(Debug, thiserror::Error)]
pub enum LatencyError {
    /// There is no server.
    #[error(transparent)]
    ManagedServer(#[from] ManagedServerError),
    /// It failed.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// A session could not be prepared.
    #[error("cannot prepare a session: {0}")]
    Prepare(#[from] RestError),
    /// A player could not connect.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A player could not be attached to the session in time.
    #[error("timed out while a player was attaching to the session")]
    NotAttached,
    /// A connection ended.
    #[error("a connection closed: {0}")]
    Ended(#[from] Ended),
    /// An answer to no guess.
    #[error("the server answered a guess that is not outstanding")]
    UnknownAnswer,
    /// A guess was refused.
    #[error("a guess was rejected: {0:?}")]
    Refused(RejectionCode),
    /// A wrong guess was not judged so, or a right one.
    #[error("a guess got the wrong verdict")]
    WrongVerdict,
    /// Receipts stayed out.
    #[error("the server does not sustain the schedule: choose a lower --rate")]
    NotSustained,
    /// The server's journal shows no commits.
    #[error(
        "the server's journal shows no commits: does --server-set choose another backend than --journal?"
    )]
    NothingRecorded,
    /// No rate at all is kept up with.
    #[error(
        "the server does not even sustain {0:.0} guesses per second: is the machine or disk busy?"
    )]
    NoRate(f64),
    /// More puzzles would be needed than a hunt may have.
    #[error("each team would need more puzzles than a hunt allows: use more --connections")]
    TooFewTeams,
    /// More cores are needed than there are.
    #[error("--pin requires two CPU cores that this process may use")]
    OneCore,
    /// A folder, a file or a system call.
    #[error("a file or system call failed: {0}")]
    System(#[from] io::Error),
    /// A SQLite database.
    #[error("a SQLite statement of the harness failed: {0}")]
    Database(#[from] rusqlite::Error),
    /// There is no PostgreSQL.
    #[error(transparent)]
    Postgres(#[from] PostgresError),
    /// A PostgreSQL database.
    #[error("a PostgreSQL statement of the harness failed: {0}")]
    Statement(#[from] sqlx::Error),
    /// Bare rows were not inserted.
    #[error("the fence rejected a bare statement, although no other owner exists")]
    BareLeftOut,
}

/// How many windows there are, and how long each is.
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

    /// The pairs of a start, from 0 on: as even as whole pairs allow.
    fn pairs_of(self, start: u32) -> u32 {
        self.pairs * (start + 1) / self.starts - self.pairs * start / self.starts
    }
}

/// Runs the whole measurement.
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
