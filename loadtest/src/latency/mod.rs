//! How long a receipt takes at half the highest rate, beside a bare loop of commits on the same
//! disk.
//!
//! The two alternate, window by window, so that whatever else goes on in the machine meets both.
//! Each window of the server has a session of its own, so that none is larger than a real hunt.

mod bare;
mod bench;
mod crowd;
mod pacer;
mod recording;
mod report;
mod wal;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use protocol::RejectionCode;
use testkit::{RestError, ServerError, TempDir};

use crate::arguments::LatencyArguments;
use crate::client::ClientError;
use crate::own_server::OwnServerError;
use bench::Bench;
use report::{Goals, Measured};

pub use report::{LatencyReport, Pair, Start};

/// Why there are no figures.
#[derive(Debug, thiserror::Error)]
pub enum LatencyError {
    /// There is no server.
    #[error(transparent)]
    OwnServer(#[from] OwnServerError),
    /// It failed.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// A session could not be prepared.
    #[error("cannot prepare a session: {0}")]
    Prepare(#[from] RestError),
    /// A client could not go on.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A guess was refused.
    #[error("a guess was refused: {0:?}")]
    Refused(RejectionCode),
    /// A wrong guess was not judged so.
    #[error("a wrong guess was not judged wrong")]
    Misjudged,
    /// Receipts stayed out.
    #[error("the server does not keep up with the schedule; choose a lower --rate")]
    Late,
    /// The server's journal shows no commits.
    #[error("the server's journal shows no commits; is its backend sqlite?")]
    NothingRecorded,
    /// A folder or a file.
    #[error("cannot use the data folder: {0}")]
    Folder(#[from] io::Error),
    /// A database.
    #[error("a database failed: {0}")]
    Database(#[from] rusqlite::Error),
}

/// How many windows there are, and how long each is.
#[derive(Debug, Clone, Copy)]
struct Plan {
    pairs: u32,
    starts: u32,
    window: Duration,
}

impl Plan {
    fn of(arguments: &LatencyArguments) -> Self {
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
    let plan = Plan::of(&arguments);
    let (folder, _temporary) = folder(arguments.data_dir.clone())?;
    let mut measured = Measured {
        connections: arguments.connections,
        window_s: plan.window.as_secs_f64(),
        starts: Vec::new(),
        pairs: Vec::new(),
    };
    for start in 0..plan.starts {
        let place = folder.join(format!("start-{}", start + 1));
        let bench = Bench::set_up(&place, plan.window, &arguments).await?;
        let (found, pairs) = Box::pin(bench.run(arguments.rate, plan.pairs_of(start))).await?;
        measured.starts.push(found);
        measured.pairs.extend(pairs);
    }
    let goals = Goals {
        p50_max: arguments.p50_max,
        p99_max: arguments.p99_max,
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
