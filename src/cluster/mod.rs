//! Several nodes on one store: who is alive, who owns which session, and where to find it.
//!
//! The pure parts (`placement`, `suspicion`, `planner`, `validity`) decide; thin loops ask the store
//! and the neighbours and carry the decisions out: `heart` tells that this node is alive, `watch`
//! finds out who is not, `scan` takes, gives and throws away sessions. Their ends are traits
//! (`ports`), and their time is tokio's, so that a simulation can drive a whole cluster.
//!
//! Architecture invariant: nothing here is needed for safety. The store's fence decides who may write,
//! whatever a node believes; what is decided here is only how soon somebody does.
//!
//! Never here: what a session is, or how it is stored.

mod heart;
mod join;
mod placement;
mod planner;
mod ports;
mod routes;
mod scan;
mod sightings;
mod suspicion;
mod validity;
mod watch;
mod watchdog;

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Notify, watch as watched};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

pub use join::JoinError;
pub use ports::{Answer, ClaimError, Host, Neighbours, Probe, Store, StoreError};
pub use routes::{Route, Unrouted};
pub use validity::{Era, Validity};
pub use watchdog::Watchdog;

use crate::clock::Moment;
use crate::ids::{Incarnation, NodeRecord, SessionId};
use routes::Routes;
use sightings::{Sighting, Sightings};
use suspicion::Patience;

/// How a node behaves towards the others.
#[derive(Debug, Clone, Copy)]
pub struct ClusterSettings {
    /// Time between two beats. Other nodes are looked at as often.
    pub heartbeat_interval: Duration,
    /// How long an unreachable store is borne.
    pub exit_after: Duration,
    /// Sessions that are taken, or given away, at the same time.
    pub moves_max: usize,
    /// Sessions that may be moved for balance in one look.
    pub rebalance_max: usize,
    /// How long a request waits until somebody owns its session.
    pub route_wait: Duration,
    /// Requests that may wait so at the same time.
    pub waiting_max: usize,
}

/// Time between two looks at who owns what.
const SCAN_EVERY: Duration = Duration::from_secs(1);
/// Beats that may be missing before a node is knocked at, in halves: two and a half.
const LATE_HALF_BEATS: u32 = 5;
/// What two clocks are allowed to differ by while a validity lasts.
const CLOCKS_DIFFER_MAX: Duration = Duration::from_millis(100);

/// What a node is made of.
pub struct ClusterParts {
    /// What it tells of itself.
    pub card: NodeRecord,
    /// How it behaves.
    pub settings: ClusterSettings,
    /// Who decides.
    pub store: Arc<dyn Store>,
    /// Who runs the sessions.
    pub host: Arc<dyn Host>,
    /// How other nodes are reached.
    pub neighbours: Arc<dyn Neighbours>,
    /// The validity that the host's sessions look at.
    pub validity: Validity,
}

/// A node of a cluster. Clones share it.
#[derive(Clone)]
pub struct Cluster {
    shared: Arc<Shared>,
}

struct Shared {
    me: Incarnation,
    card: Mutex<NodeRecord>,
    settings: ClusterSettings,
    patience: Patience,
    store: Arc<dyn Store>,
    host: Arc<dyn Host>,
    neighbours: Arc<dyn Neighbours>,
    validity: Validity,
    routes: Routes,
    sightings: Mutex<Sightings>,
    /// Asks for a look at the sessions before its time.
    look_now: Arc<Notify>,
    /// How often everything has been carried out that looks had given to do.
    looks: watched::Sender<u64>,
    /// Since when every beat has been answered, and the validity has held without a gap; none while
    /// they are not.
    steady_since: Mutex<Option<Instant>>,
    /// Becomes true when the store was out of reach for too long.
    is_lost: watched::Sender<bool>,
    stop: CancellationToken,
}

impl Cluster {
    /// A node that has not joined yet.
    pub fn new(parts: ClusterParts) -> Self {
        let late = parts.settings.heartbeat_interval * LATE_HALF_BEATS / 2;
        let me = parts.card.incarnation;
        let look_now = Arc::new(Notify::new());
        let shared = Shared {
            me,
            routes: Routes::new(me, parts.settings, parts.store.clone(), look_now.clone()),
            card: Mutex::new(parts.card),
            settings: parts.settings,
            patience: Patience {
                late,
                margin: CLOCKS_DIFFER_MAX,
            },
            store: parts.store,
            host: parts.host,
            neighbours: parts.neighbours,
            validity: parts.validity,
            sightings: Mutex::default(),
            look_now,
            looks: watched::Sender::new(0),
            steady_since: Mutex::new(None),
            is_lost: watched::Sender::new(false),
            stop: CancellationToken::new(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// This node's life.
    pub fn incarnation(&self) -> Incarnation {
        self.shared.me
    }

    /// Whether the node may speak for its sessions.
    pub fn validity(&self) -> &Validity {
        &self.shared.validity
    }

    /// Waits until the node may speak for its sessions, or for as long as a request waits for a route:
    /// before that it does not know which sessions are its own.
    pub async fn settled(&self) {
        let waiting = self.shared.validity.wait();
        drop(timeout(self.shared.settings.route_wait, waiting).await);
    }

    /// Joins: from now on the node is known, and may take sessions. An earlier life at the same address
    /// is forgotten first, as soon as it is late.
    pub async fn join(&self) -> Result<(), JoinError> {
        join::outlive_predecessors(&self.shared).await?;
        let sent = Moment::now();
        self.shared.store.join(self.shared.card()).await?;
        self.shared.renew(sent);
        Ok(())
    }

    /// Tells the others that this node is alive, until it stops. To be run where nothing else can
    /// hold it up.
    pub async fn run_heartbeats(&self, watchdog: Watchdog) {
        heart::run(&self.shared, &watchdog).await;
    }

    /// Watches the others, until the node stops.
    pub async fn run_failure_detector(&self) {
        watch::run(&self.shared).await;
    }

    /// Takes, gives and throws away sessions, until the node stops.
    pub async fn run_scan(&self) {
        scan::run(&self.shared).await;
    }

    /// Asks for a look at the sessions at once.
    pub fn look_now(&self) {
        self.shared.look_now.notify_one();
    }

    /// Waits until all that looks have given to do has been carried out, for the first time.
    pub async fn first_scan_done(&self) {
        let mut looks = self.shared.looks.subscribe();
        // The sender is in `shared`, which is held here.
        drop(looks.wait_for(|looks| *looks > 0).await);
    }

    /// Until when a request that comes now may wait for its session.
    pub fn route_deadline(&self) -> Instant {
        Instant::now() + self.shared.settings.route_wait
    }

    /// Where a session is, as soon as somebody owns it. `not_at` is a node that has just turned out
    /// not to have it: it is named again, after a pause, only if the store says that it is the owner.
    pub async fn route(
        &self,
        session: SessionId,
        not_at: Option<Incarnation>,
        until: Instant,
    ) -> Result<Route, Unrouted> {
        self.shared.routes.find(session, not_at, until).await
    }

    /// Waits until a session is here or at a node that answers, for as long as a request would; whether
    /// it is at another node.
    pub async fn is_elsewhere(&self, session: SessionId) -> bool {
        let shared = &self.shared;
        let until = self.route_deadline();
        let finding = async {
            loop {
                match shared.routes.find(session, None, until).await {
                    Ok(Route::Here) => return false,
                    Ok(Route::At { node, address }) => {
                        if shared.neighbours.probe(address).await == Probe::Alive(node) {
                            return true;
                        }
                    }
                    Err(_) => {}
                }
                tokio::time::sleep(shared.settings.heartbeat_interval).await;
            }
        };
        timeout_at(until, finding).await.unwrap_or(true)
    }

    /// Waits until a session turns out to be owned by another node than this. Cancel-safe.
    pub async fn moved(&self, session: SessionId, from: Incarnation) {
        self.shared.routes.moved(session, from).await;
    }

    /// Waits until the store was out of reach for so long that the process should end.
    pub async fn lost(&self) {
        let mut is_lost = self.shared.is_lost.subscribe();
        // The sender is in `shared`, which is held here.
        drop(is_lost.wait_for(|is_lost| *is_lost).await);
    }

    /// Leaves: gives every session straight to its next owner, or to nobody if there is no other
    /// node, and is forgotten. The loops end.
    pub async fn leave(&self) {
        self.shared.card_mut(|card| card.is_leaving = true);
        scan::give_all(&self.shared).await;
        self.shared.stop.cancel();
        let gone = self.shared.store.forget(self.shared.me, None);
        if let Err(error) = gone.await {
            tracing::info!(%error, "the node was not forgotten; the others will notice");
        }
        self.shared.validity.end();
    }
}

impl Shared {
    fn card(&self) -> NodeRecord {
        let card = self.card.lock();
        card.expect("nothing panics while it holds the lock")
            .clone()
    }

    fn card_mut(&self, change: impl FnOnce(&mut NodeRecord)) {
        let card = self.card.lock();
        change(&mut card.expect("nothing panics while it holds the lock"));
    }

    /// The nodes that the store knows, and since when this node has known what it knows of them.
    async fn nodes(&self) -> Result<Vec<Sighting>, StoreError> {
        let nodes = self.store.nodes().await?;
        let sightings = self.sightings.lock();
        let mut sightings = sightings.expect("nothing panics while it holds the lock");
        Ok(sightings.note(nodes, Instant::now()))
    }

    /// The validity lasts from when a beat was sent that the store has answered.
    fn renew(&self, sent: Moment) {
        let is_steady = self.validity.holds();
        self.validity.renew(sent, self.card().lease);
        let since = self.steady_since.lock();
        let mut since = since.expect("nothing panics while it holds the lock");
        if !is_steady || since.is_none() {
            *since = Some(Instant::now());
        }
    }

    /// A beat was not answered. What answers the next one may be another server, or one that was
    /// restarted meanwhile.
    fn lost_touch(&self) {
        let since = self.steady_since.lock();
        *since.expect("nothing panics while it holds the lock") = None;
    }

    /// Whether this node has been in touch with the store for long enough to judge others: after a
    /// pause of the store everyone is late, and this node merely came back first.
    fn may_judge(&self, silence: Duration) -> bool {
        let since = self.steady_since.lock();
        let since = since.expect("nothing panics while it holds the lock");
        self.validity.holds() && since.is_some_and(|since| since.elapsed() >= silence)
    }

    /// Waits for a time; false when the node stops meanwhile.
    async fn pause(&self, wait: Duration) -> bool {
        let waiting = tokio::time::sleep(wait);
        self.stop.run_until_cancelled(waiting).await.is_some()
    }
}
