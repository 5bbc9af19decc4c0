//! Injects faults into its own nodes and PostgreSQL while players play, and checks the guarantees
//! against the players' records and the journal.
//!
//! One task coordinates: it injects and waits for recovery. Each player is a task that owns its client
//! and its record. Everything that was started is stopped with the run, whether it completes, fails, or
//! is interrupted.

mod ack_tracker;
mod balancer;
mod claims;
mod compare;
mod conclude;
mod environment;
mod export;
mod fleet;
mod goals;
mod hunt;
mod injector;
mod log;
mod owner_faults;
mod player;
mod report;
mod rig;
mod rows;
mod run;
mod store;
mod store_faults;
mod timeline;
mod witness;

use std::io;
use std::pin::pin;

use testkit::{RestError, ServerError};

use crate::arguments::ChaosArguments;
use crate::managed_server::ManagedServerError;
use crate::replay::{Conclusion, Stopped};

pub use goals::Goal;
pub use injector::InjectError;
pub use report::{ChaosReport, FaultFigures, Spread};
pub use rig::RigError;

/// Result of a run.
#[derive(Debug)]
pub struct Chaos {
    /// The report, as far as the run got.
    pub report: ChaosReport,
    /// The first problems in words.
    pub problems: Vec<String>,
    /// Error that ended the run early.
    pub unfinished: Option<ChaosError>,
}

impl Chaos {
    /// Conclusion of the run. A violated guarantee counts even if the run failed later.
    pub fn conclusion(&self) -> Conclusion {
        match &self.unfinished {
            Some(_) | None if !self.report.is_safe() => Conclusion::Bad,
            Some(_) => Conclusion::Unfinished,
            None => Conclusion::from_passed(self.report.is_good()),
        }
    }
}

/// Error that prevents or ends a run.
#[derive(Debug, thiserror::Error)]
pub enum ChaosError {
    /// The options contradict each other.
    #[error("{0}")]
    Contradiction(String),
    /// PostgreSQL, its proxy or its disk could not be started.
    #[error(transparent)]
    Rig(#[from] RigError),
    /// The claim log could not be installed.
    #[error("cannot install the trigger that logs claims: {0}")]
    Claims(#[source] sqlx::Error),
    /// A node could not be started.
    #[error(transparent)]
    Node(#[from] ManagedServerError),
    /// A node did not stop cleanly.
    #[error("a node did not stop cleanly: {0}")]
    Stop(#[from] ServerError),
    /// The sessions or their players could not be created.
    #[error("cannot prepare the sessions: {0}")]
    Prepare(#[source] RestError),
    /// A player failed before the first fault.
    #[error("player {player} could not connect before the first fault: {why}")]
    Player {
        /// Number of the player.
        player: u32,
        /// Its error.
        why: String,
    },
    /// A fault could not be injected.
    #[error(transparent)]
    Inject(#[from] InjectError),
    /// Every player failed.
    #[error("every player failed: see the problems above")]
    NoPlayersLeft,
    /// Players did not finish in time.
    #[error("{0} players did not finish after the last fault")]
    Unsettled(usize),
    /// The journal could not be exported.
    #[error("cannot export the journal: {0}")]
    Export(#[source] RestError),
    /// Signal handlers could not be installed.
    #[error("cannot install signal handlers: {0}")]
    Signals(#[from] io::Error),
    /// The run was interrupted.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// Runs to the end, or until a signal or the timeout, which return only [`ChaosError::Stopped`].
pub async fn chaos(arguments: ChaosArguments) -> Result<Chaos, ChaosError> {
    let store = arguments.store().map_err(ChaosError::Contradiction)?;
    let mut stopped = pin!(crate::replay::stopped(arguments.timeout)?);
    tokio::select! {
        run = Box::pin(run::run(arguments, store)) => run,
        stopped = &mut stopped => Err(stopped.into()),
    }
}
