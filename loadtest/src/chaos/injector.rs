//! Injects faults one after the other and waits for recovery after each.

use std::time::Duration;

use indicatif::ProgressBar;
use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use testkit::{PostgresError, ServerError};
use tokio::time::{Instant, sleep};

use super::ack_tracker::AckTracker;
use super::fleet::Fleet;
use super::rig::Rig;
use super::rows::RowChecker;
use super::store::{Store, StoreError};
use super::witness::Witnesses;
use crate::arguments::{ChaosArguments, Fault};

/// A session that does not answer within this time after a fault counts as not recovered.
pub(super) const RECOVERY_WAIT_MAX: Duration = Duration::from_mins(1);

/// Minimum pause after a freeze, in which recovered latency is measured.
const CALM_AFTER_FREEZE_MIN: Duration = Duration::from_secs(11);
/// Minimum pause before a freeze, at the end of which normal latency is measured.
const CALM_BEFORE_FREEZE_MIN: Duration = Duration::from_secs(10);

/// A fault that was injected.
#[derive(Debug, Clone)]
pub(super) struct InjectedFault {
    pub(super) fault: Fault,
    /// Start of the fault.
    pub(super) at: Instant,
    /// End of the fault; equals `at` for a fault without duration.
    pub(super) over_at: Instant,
    /// Indices of the affected sessions.
    pub(super) sessions: Vec<usize>,
    /// When another node was first seen to own one of them.
    pub(super) claimed_at: Option<Instant>,
    pub(super) is_recovered: bool,
    /// Maximum growth of a node's resident memory during the fault; `None` if not measured.
    pub(super) memory_growth_bytes: Option<u64>,
}

/// Error that prevents the injection of a fault.
#[derive(Debug, thiserror::Error)]
pub enum InjectError {
    /// A node could not be signalled, stopped or started.
    #[error(transparent)]
    Node(#[from] ServerError),
    /// PostgreSQL could not be signalled, stopped or started.
    #[error("PostgreSQL: {0}")]
    Postgres(#[from] PostgresError),
    /// The store cannot be read.
    #[error("{0}")]
    Store(String),
    /// The disk cannot be filled.
    #[error("cannot fill or free the disk: {0}")]
    Disk(#[from] std::io::Error),
    /// An expected effect did not occur in time.
    #[error("timed out after {waited:?} waiting for {what}")]
    Late {
        /// The expected effect.
        what: &'static str,
        /// The timeout.
        waited: Duration,
    },
    /// No node owns a session.
    #[error("no node of this run owns a session: is the cluster enabled by --server-set?")]
    NoOwner,
    /// The run lacks what the fault requires.
    #[error("{} cannot be injected: the run lacks the PostgreSQL, proxy or disk it needs", fault.name())]
    Impossible {
        /// The fault.
        fault: Fault,
    },
}

impl From<StoreError> for InjectError {
    fn from(error: StoreError) -> Self {
        Self::Store(error.to_string())
    }
}

/// The state of a run that faults need.
#[derive(Debug)]
pub(super) struct Injector {
    pub(super) arguments: ChaosArguments,
    pub(super) fleet: Fleet,
    pub(super) rig: Option<Rig>,
    pub(super) store: Store,
    pub(super) ack_tracker: AckTracker,
    /// The code of each session.
    pub(super) codes: Vec<String>,
    pub(super) witnesses: Witnesses,
    pub(super) random: StdRng,
    pub(super) progress: ProgressBar,
    pub(super) rows: RowChecker,
    pub(super) injected_faults: Vec<InjectedFault>,
}

impl Injector {
    /// Injects all faults.
    pub(super) async fn inject_all(&mut self) -> Result<(), InjectError> {
        let mut order = Vec::new();
        for fault in &self.arguments.fault {
            order.extend((0..self.arguments.count).map(|_| *fault));
        }
        order.shuffle(&mut self.random);
        let mut calm_since = Instant::now();
        self.pause(Duration::ZERO).await;
        for fault in order {
            self.progress.set_message(fault.name());
            self.fleet.all_up().await;
            if fault == Fault::PgFreeze {
                let pause = CALM_BEFORE_FREEZE_MIN.saturating_sub(calm_since.elapsed());
                self.wait(pause).await;
            }
            let injected = self.inject(fault).await?;
            calm_since = Instant::now();
            let is_recovered = injected.is_recovered;
            self.injected_faults.push(injected);
            self.progress.inc(1);
            if !is_recovered {
                // Sessions that do not answer cannot show the effect of further faults.
                return Ok(());
            }
            let calm_min = match fault {
                Fault::PgFreeze => CALM_AFTER_FREEZE_MIN,
                Fault::OwnerKill
                | Fault::OwnerPause
                | Fault::PgKill
                | Fault::PgSlow
                | Fault::ReplyLost
                | Fault::DiskFull => Duration::ZERO,
            };
            self.pause(calm_min).await;
        }
        Ok(())
    }

    async fn inject(&mut self, fault: Fault) -> Result<InjectedFault, InjectError> {
        match fault {
            Fault::OwnerKill => self.owner_kill().await,
            Fault::OwnerPause => self.owner_pause().await,
            Fault::PgKill => self.pg_kill().await,
            Fault::PgFreeze => self.pg_freeze().await,
            Fault::PgSlow => self.pg_slow().await,
            Fault::ReplyLost => self.reply_lost().await,
            Fault::DiskFull => self.disk_full().await,
        }
    }

    /// Returns a fault that starts at `at` and affects all sessions.
    pub(super) fn injected(&self, fault: Fault, at: Instant) -> InjectedFault {
        InjectedFault {
            fault,
            at,
            over_at: at,
            sessions: (0..self.codes.len()).collect(),
            claimed_at: None,
            is_recovered: false,
            memory_growth_bytes: None,
        }
    }

    /// Waits until every session has acknowledged a command sent after `moment`. Restarts nodes that
    /// exit meanwhile.
    pub(super) async fn recovered_since(&mut self, moment: Instant) -> bool {
        tokio::select! {
            () = self.ack_tracker.wait_for_all_since(moment) => true,
            never = self.fleet.restart_exits() => match never {},
            () = sleep(RECOVERY_WAIT_MAX) => false,
        }
    }

    /// Waits for a random pause without a fault.
    async fn pause(&mut self, calm_min: Duration) {
        let pause = self
            .arguments
            .calm
            .mul_f64(self.random.random_range(0.5..1.5));
        self.wait(pause.max(calm_min)).await;
    }

    /// Waits for a duration. Restarts nodes that exit meanwhile.
    pub(super) async fn wait(&mut self, time: Duration) {
        tokio::select! {
            () = sleep(time) => {}
            never = self.fleet.restart_exits() => match never {},
        }
    }
}
