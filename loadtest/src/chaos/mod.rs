//! Injects faults into nodes and a PostgreSQL of its own while players play, and proves from the
//! players' notes and the journal that what was promised was kept.
//!
//! One task conducts: it injects, and waits until every session answers again. Each player is a task
//! of its own that owns its client and its notes. Everything that was started goes with the run,
//! whether it ends well, fails, or is interrupted.

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

/// What a run came to.
#[derive(Debug)]
pub struct Chaos {
    /// The figures, as far as the run went.
    pub report: ChaosReport,
    /// The first things that were not as they must be, in words.
    pub problems: Vec<String>,
    /// Why it did not reach its end.
    pub unfinished: Option<ChaosError>,
}

impl Chaos {
    /// What it proves. A promise that was broken before something failed counts.
    pub fn conclusion(&self) -> Conclusion {
        match &self.unfinished {
            Some(_) | None if !self.report.is_safe() => Conclusion::Bad,
            Some(_) => Conclusion::Unfinished,
            None => Conclusion::from_passed(self.report.is_good()),
        }
    }
}

/// Why a run could not begin, or not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum ChaosError {
    /// The options contradict each other.
    #[error("{0}")]
    Contradiction(String),
    /// There is no PostgreSQL.
    #[error(transparent)]
    Rig(#[from] RigError),
    /// PostgreSQL cannot be made to note who claims what.
    #[error("cannot install the trigger that logs claims: {0}")]
    Claims(#[source] sqlx::Error),
    /// There is no node.
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
        /// Which.
        player: u32,
        /// Why.
        why: String,
    },
    /// A fault could not be injected.
    #[error(transparent)]
    Inject(#[from] InjectError),
    /// There is nobody left who plays.
    #[error("every player failed: see the problems above")]
    NoPlayersLeft,
    /// Players did not come to their end.
    #[error("{0} players did not finish after the last fault")]
    Unsettled(usize),
    /// The journal could not be exported.
    #[error("cannot export the journal: {0}")]
    Export(#[source] RestError),
    /// Signals cannot be watched.
    #[error("cannot install signal handlers: {0}")]
    Signals(#[from] io::Error),
    /// It was stopped from outside.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// Runs to the end, or until a signal or the time-out stops it; then nothing is told but that.
pub async fn chaos(arguments: ChaosArguments) -> Result<Chaos, ChaosError> {
    let store = arguments.store().map_err(ChaosError::Contradiction)?;
    let mut stopped = pin!(crate::replay::stopped(arguments.timeout)?);
    tokio::select! {
        run = Box::pin(run::run(arguments, store)) => run,
        stopped = &mut stopped => Err(stopped.into()),
    }
}
