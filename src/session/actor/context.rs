//! What a session runs with: the services that all sessions of a process share, and its own parts.

use std::sync::Arc;

use hunt::Hunt;
use tokio_util::sync::CancellationToken;

use super::archiving::Archiving;
use super::backlog::Backlog;
use super::usage::Usage;
use crate::clock::Clock;
use crate::cluster::Lease;
use crate::config::SessionConfig;
use crate::ids::{Epoch, Incarnation, SessionId};
use crate::journal::{Journal, SessionRecord};
use crate::session::fault::InjectedFault;

/// What all sessions of a process share.
#[derive(Clone)]
pub struct Services {
    /// The journal.
    pub journal: Arc<dyn Journal>,
    /// The incarnation of this process; it owns the sessions.
    pub owner: Incarnation,
    /// Whether other processes use the same journal.
    pub access: JournalAccess,
    /// The clock.
    pub clock: Clock,
    /// Bounds and timeouts of the actors.
    pub config: SessionConfig,
    /// Least number of events between two snapshots.
    pub snapshot_every_events: u64,
    /// Moves old batches into an archive; none if they stay in the journal.
    pub archiving: Option<Archiving>,
    /// The fault that a test injects.
    pub fault: InjectedFault,
}

/// Which processes run sessions of a journal.
#[derive(Debug, Clone)]
pub enum JournalAccess {
    /// Only this process. An earlier owner of a session is dead.
    Exclusive,
    /// Several nodes. This one may answer for its sessions while it holds its lease.
    Shared(Lease),
}

impl Services {
    /// The node's lease; one that never expires if access is exclusive.
    pub fn lease(&self) -> Lease {
        match &self.access {
            JournalAccess::Exclusive => Lease::unlimited(),
            JournalAccess::Shared(lease) => lease.clone(),
        }
    }

    /// The lease that is checked before anything is sent that the journal does not hold.
    pub fn lease_for_output(&self) -> Lease {
        if self.fault.is(InjectedFault::SpeaksWithoutLease) {
            return Lease::unlimited();
        }
        self.lease()
    }
}

/// A session to run, and the signals that end it.
#[derive(Clone)]
pub struct SessionSpec {
    /// The session.
    pub record: Arc<SessionRecord>,
    /// Its hunt.
    pub hunt: Arc<Hunt>,
    /// The epoch of a claim that was made in order to run it; the first recovery uses it. Without one, and
    /// at every later recovery, the session is claimed again.
    pub claimed: Option<Epoch>,
    /// Stops the session: it finishes what it has accepted and stores a snapshot.
    pub stop: CancellationToken,
    /// Ends the session at once, because another node may own it.
    pub abandon: CancellationToken,
}

/// Everything that a session's actor and supervisor use, from launch to exit.
pub(super) struct SessionContext {
    pub(super) services: Arc<Services>,
    pub(super) spec: SessionSpec,
    pub(super) lease: Lease,
    pub(super) backlog: Arc<Backlog>,
    pub(super) usage: Arc<Usage>,
}

impl SessionContext {
    pub(super) fn new(services: Arc<Services>, spec: SessionSpec) -> Self {
        Self {
            lease: services.lease_for_output(),
            backlog: Arc::new(Backlog::new(services.config.wait_max)),
            usage: Arc::default(),
            services,
            spec,
        }
    }

    pub(super) fn session(&self) -> SessionId {
        self.spec.record.id
    }

    pub(super) fn journal(&self) -> &Arc<dyn Journal> {
        &self.services.journal
    }

    pub(super) fn has_fault(&self, fault: InjectedFault) -> bool {
        self.services.fault.is(fault)
    }
}
