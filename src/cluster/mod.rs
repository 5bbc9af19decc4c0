//! Several nodes on one store: membership, failure detection, placement and routes of sessions.
//!
//! Pure modules decide (`placement`, `suspicion`, `planner`); thin tasks carry the decisions out. `heartbeat`
//! extends this node's `lease`, `detector` evicts dead nodes, `scan` claims, hands off and abandons sessions.
//! Everything outside is behind traits (`ports`), and time is tokio's, so that a simulation can drive a whole
//! cluster.
//!
//! Architecture invariant: safety does not depend on this module. The store's fence decides which node may
//! write, whatever a node believes; this module decides only how soon a session has a live owner.
//!
//! It never knows what a session is, or how it is stored.

mod detector;
mod heartbeat;
mod join;
mod lease;
mod observations;
mod placement;
mod planner;
mod ports;
mod routes;
mod scan;
mod settings;
mod state;
mod suspicion;
mod watchdog;

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

pub use join::JoinError;
pub use lease::{Lease, LeaseTerm};
pub use ports::{Answer, ClaimError, Host, PeerClient, Probe, Store, StoreError};
pub use routes::{Route, RouteError};
pub use settings::ClusterSettings;
pub use watchdog::Watchdog;

use crate::clock::Moment;
use crate::ids::{Incarnation, NodeRecord, SessionId};
use routes::Routes;
use state::NodeState;
use suspicion::Patience;

/// Missed heartbeats after which a node is late, in halves: two and a half.
const LATE_HALF_HEARTBEATS: u32 = 5;
/// Drift of two machines' clocks that is tolerated during one lease.
const CLOCK_DRIFT_MAX: Duration = Duration::from_millis(100);

/// The parts of a node.
pub struct ClusterParts {
    /// What the node publishes about itself.
    pub record: NodeRecord,
    /// Its settings.
    pub settings: ClusterSettings,
    /// The store that all nodes share.
    pub store: Arc<dyn Store>,
    /// Runs the sessions.
    pub host: Arc<dyn Host>,
    /// Sends requests to other nodes.
    pub peers: Arc<dyn PeerClient>,
    /// The lease that the host's sessions check.
    pub lease: Lease,
}

/// A node of a cluster. Clones share it.
#[derive(Clone)]
pub struct Cluster {
    node: Arc<NodeState>,
}

impl Cluster {
    /// A node that has not joined yet.
    pub fn new(parts: ClusterParts) -> Self {
        let late = parts.settings.heartbeat_interval * LATE_HALF_HEARTBEATS / 2;
        let me = parts.record.incarnation;
        let scan_now = Arc::new(Notify::new());
        let node = NodeState {
            me,
            routes: Routes::new(me, parts.settings, parts.store.clone(), scan_now.clone()),
            record: Mutex::new(parts.record),
            settings: parts.settings,
            patience: Patience {
                late,
                margin: CLOCK_DRIFT_MAX,
            },
            store: parts.store,
            host: parts.host,
            peers: parts.peers,
            lease: parts.lease,
            observations: Mutex::default(),
            scan_now,
            scans_done: watch::Sender::new(0),
            contact_since: Mutex::new(None),
            is_lost: watch::Sender::new(false),
            stop: CancellationToken::new(),
        };
        Self {
            node: Arc::new(node),
        }
    }

    /// This node's incarnation.
    pub fn incarnation(&self) -> Incarnation {
        self.node.me
    }

    /// This node's lease.
    pub fn lease(&self) -> &Lease {
        &self.node.lease
    }

    /// Waits until this node holds its lease, at most as long as a request waits for a route. Without the lease
    /// it does not know which sessions it owns.
    pub async fn wait_for_lease(&self) {
        let waiting = self.node.lease.wait_until_held();
        drop(timeout(self.node.settings.route_wait, waiting).await);
    }

    /// Makes the node a member, which may claim sessions. First evicts an earlier incarnation at the
    /// same address, as soon as it is late.
    pub async fn join(&self) -> Result<(), JoinError> {
        join::evict_predecessors(&self.node).await?;
        let sent_at = Moment::now();
        self.node.store.join(self.node.record()).await?;
        self.node.extend_lease(sent_at);
        Ok(())
    }

    /// Sends heartbeats until the node stops. Must run on a thread of its own, where no other work delays it.
    pub async fn run_heartbeats(&self, watchdog: Watchdog) {
        heartbeat::run(&self.node, &watchdog).await;
    }

    /// Probes and evicts dead nodes until this node stops.
    pub async fn run_failure_detector(&self) {
        detector::run(&self.node).await;
    }

    /// Claims, hands off and abandons sessions until the node stops.
    pub async fn run_scan(&self) {
        scan::run(&self.node).await;
    }

    /// Requests a scan at once.
    pub fn request_scan(&self) {
        self.node.scan_now.notify_one();
    }

    /// Waits until the first scan and all of its steps are done.
    pub async fn first_scan_done(&self) {
        let mut scans = self.node.scans_done.subscribe();
        // An error is impossible: `node` owns the sender.
        drop(scans.wait_for(|scans| *scans > 0).await);
    }

    /// The routing deadline of a request that arrives now.
    pub fn route_deadline(&self) -> Instant {
        Instant::now() + self.node.settings.route_wait
    }

    /// Waits until a session has an owner and returns the route to it. `not_at` is a node that does not have
    /// the session, according to its own answer: it is returned again, after a pause, only if the store names
    /// it as the owner.
    pub async fn route(
        &self,
        session: SessionId,
        not_at: Option<Incarnation>,
        until: Instant,
    ) -> Result<Route, RouteError> {
        self.node.routes.find(session, not_at, until).await
    }

    /// Waits, at most as long as a request waits for a route, until a session is owned by this node or by a node
    /// that answers a probe. Returns whether another node owns it; true after the timeout.
    pub async fn is_elsewhere(&self, session: SessionId) -> bool {
        let node = &self.node;
        let until = self.route_deadline();
        let finding = async {
            loop {
                match node.routes.find(session, None, until).await {
                    Ok(Route::Here) => return false,
                    Ok(Route::At {
                        node: owner,
                        address,
                    }) => {
                        if node.peers.probe(address).await == Probe::Alive(owner) {
                            return true;
                        }
                    }
                    Err(_) => {}
                }
                tokio::time::sleep(node.settings.heartbeat_interval).await;
            }
        };
        timeout_at(until, finding).await.unwrap_or(true)
    }

    /// Waits until a session has an owner other than `from`, or `from` is no longer a member. Cancel-safe.
    pub async fn wait_for_move(&self, session: SessionId, from: Incarnation) {
        self.node.routes.wait_for_move(session, from).await;
    }

    /// Waits until the store was unreachable for so long that the process must exit.
    pub async fn lost(&self) {
        let mut is_lost = self.node.is_lost.subscribe();
        // An error is impossible: `node` owns the sender.
        drop(is_lost.wait_for(|is_lost| *is_lost).await);
    }

    /// Leaves the cluster: hands off every session to its next owner, or releases it if there is no other node,
    /// and ends the membership and the tasks.
    pub async fn leave(&self) {
        self.node.set_leaving();
        scan::hand_off_all(&self.node).await;
        self.node.stop.cancel();
        let evicted = self.node.store.remove(self.node.me, None);
        if let Err(error) = evicted.await {
            tracing::info!(%error, "could not end the membership; the other nodes will evict this one");
        }
        self.node.lease.revoke();
    }
}
