//! Connects and disconnects repeatedly: no connection may leave memory behind.

mod report;
mod visit;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use testkit::{Rest, RestError, ServerError};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep};

use crate::arguments::ChurnArguments;
use crate::idle::Memory;
use crate::managed_server::{ManagedServer, ManagedServerError, Target};
use crate::players::{Group, LARGE_TEAM, Players};
use crate::setup;

pub use report::ChurnReport;
use visit::Ending;
pub use visit::VisitError;
pub(crate) use visit::{expect_upgrade, request};

/// Time for the server to finish the last connections: longer than a closing handshake.
const SETTLING: Duration = Duration::from_secs(3);

/// Error that ends the test without a report.
#[derive(Debug, thiserror::Error)]
pub enum ChurnError {
    /// The server could not be started.
    #[error(transparent)]
    ManagedServer(#[from] ManagedServerError),
    /// The server failed.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The session or its players could not be created.
    #[error("cannot prepare the session: {0}")]
    Prepare(#[from] RestError),
    /// The server's memory cannot be read.
    #[error("cannot read the server's memory: {0}")]
    Memory(#[from] io::Error),
    /// A connection was refused or failed.
    #[error("a connection failed: {0}")]
    Visit(#[from] VisitError),
    /// A connection task panicked.
    #[error("a connection task panicked: {0}")]
    Row(#[from] JoinError),
    /// `--server` names a running server, whose memory cannot be measured.
    #[error("this test measures the memory of a server that it starts itself: leave --server out")]
    RunningServer,
    /// No connection follows the first measurement.
    #[error("--settled-after must be less than --connections, so that some connections follow it")]
    NothingAfter,
}

/// Runs the test and stops the server at its end.
pub async fn churn(arguments: ChurnArguments) -> Result<ChurnReport, ChurnError> {
    if arguments.settled_after >= arguments.connections {
        return Err(ChurnError::NothingAfter);
    }
    let target = Target::resolve(&arguments.server).await?;
    let rest = Rest::new(&target.url, setup::REST_WAIT_MAX)?;
    let workers = usize::from(arguments.concurrency);
    let group = Group {
        players: workers,
        team_size: LARGE_TEAM,
    };
    let players = Players::join(&rest, &target.admin_token, &[group]).await?;
    let players = Arc::new(players);
    let mut own = target.own.ok_or(ChurnError::RunningServer)?;

    let began_at = Instant::now();
    connect(&players, 0..arguments.settled_after).await?;
    sleep(SETTLING).await;
    let bytes_settled = memory(&own)?;
    connect(&players, arguments.settled_after..arguments.connections).await?;
    let took = began_at.elapsed().saturating_sub(SETTLING);
    sleep(SETTLING).await;
    let bytes_at_end = memory(&own)?;
    own.stop().await?;
    Ok(ChurnReport {
        connections: arguments.connections,
        settled_after: arguments.settled_after,
        connections_per_s: f64::from(arguments.connections) / took.as_secs_f64(),
        bytes_settled,
        bytes_at_end,
        growth_bytes: bytes_at_end.resident.saturating_sub(bytes_settled.resident),
        growth_bytes_max: arguments.growth_bytes_max,
    })
}

/// Makes the connections of a range, with one worker per player.
async fn connect(players: &Arc<Players>, range: std::ops::Range<u32>) -> Result<(), ChurnError> {
    let next = Arc::new(AtomicU32::new(range.start));
    let mut workers = JoinSet::new();
    for worker in 0..players.tokens.len() {
        let (players, next, end) = (players.clone(), next.clone(), range.end);
        workers.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= end {
                    return Ok::<(), VisitError>(());
                }
                let token = &players.tokens[worker];
                Ending::for_connection(number)
                    .run(&players.endpoint, number, token)
                    .await?;
            }
        });
    }
    while let Some(worker) = workers.join_next().await {
        worker??;
    }
    Ok(())
}

fn memory(own: &ManagedServer) -> Result<Memory, ChurnError> {
    let process = own
        .id()
        .ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
    Ok(Memory::read(process)?)
}
