//! Routes: a cache of which node owns each session.
//!
//! A route from the last scan is used until the node turns out not to own the session; then the store is
//! queried until the session has an owner. An owner that the store returns is used even if that node did not
//! have the session: it may have claimed it a moment ago and be about to open it. A route with a lower epoch
//! never replaces one with a higher epoch.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::{Instant, timeout_at};

use super::observations::Observation;
use super::ports::Store;
use super::settings::ClusterSettings;
use crate::ids::{Epoch, Incarnation, NodeRecord, Ownership, SessionId};
use crate::telemetry::metrics;

/// Pause between two queries to the store about one session.
const QUERY_INTERVAL: Duration = Duration::from_millis(50);
/// Concurrent queries to the store; further ones wait.
const QUERIES_MAX: usize = 4;
/// Time for which a session counts as requested after a request. Longer than the interval of scans.
const REQUESTED_FOR: Duration = Duration::from_secs(2);

/// The owner of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// This node owns it.
    Here,
    /// Another node owns it.
    At {
        /// The owner.
        node: Incarnation,
        /// Host and port of the owner.
        address: String,
    },
}

/// Why a request was not routed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// No node owned the session until the deadline.
    #[error("the session is moving to another node; retry in a moment")]
    NoOwner,
    /// Too many requests wait for a route.
    #[error(
        "too many requests wait for sessions that are moving to another node; retry in a moment"
    )]
    TooManyWaiting,
}

pub(super) struct Routes {
    me: Incarnation,
    store: Arc<dyn Store>,
    known: Mutex<Known>,
    waiting: Semaphore,
    queries: Semaphore,
    /// Incremented whenever an owner changes.
    changes: watch::Sender<u64>,
    /// Sessions without a live owner, by the time of the last request. Bounded by the number of waiting
    /// requests.
    requested: Mutex<HashMap<SessionId, Instant>>,
    /// Requests a scan before the next one is due.
    scan_now: Arc<Notify>,
}

/// The cached owners and addresses. Bounded by the number of sessions and nodes.
#[derive(Default)]
struct Known {
    owners: HashMap<SessionId, (Incarnation, Epoch)>,
    addresses: HashMap<Incarnation, String>,
}

impl Routes {
    pub(super) fn new(
        me: Incarnation,
        settings: ClusterSettings,
        store: Arc<dyn Store>,
        scan_now: Arc<Notify>,
    ) -> Self {
        Self {
            me,
            store,
            known: Mutex::default(),
            waiting: Semaphore::new(settings.waiting_max),
            queries: Semaphore::new(QUERIES_MAX),
            changes: watch::Sender::new(0),
            requested: Mutex::default(),
            scan_now,
        }
    }

    /// The sessions without a live owner that requests wait for.
    pub(super) fn requested(&self) -> BTreeSet<SessionId> {
        let requested = self.requested.lock();
        let mut requested = requested.expect("nothing panics while it holds the lock");
        requested.retain(|_, asked| asked.elapsed() < REQUESTED_FOR);
        requested.keys().copied().collect()
    }

    fn mark_requested(&self, session: SessionId) {
        let requested = self.requested.lock();
        let mut requested = requested.expect("nothing panics while it holds the lock");
        if requested.insert(session, Instant::now()).is_none() {
            self.scan_now.notify_one();
        }
    }

    /// Replaces the cache by the result of a scan, except for routes with a higher epoch.
    pub(super) fn update(&self, ownerships: &[Ownership], nodes: &[Observation]) {
        let mut known = self.known();
        let records = nodes.iter().map(|node| &node.record);
        let addresses = records.map(|record| (record.incarnation, record.address.clone()));
        let addresses: HashMap<Incarnation, String> = addresses.collect();
        let mut has_changed = addresses != known.addresses;
        known.addresses = addresses;
        let before = std::mem::take(&mut known.owners);
        let owned = ownerships.iter().filter_map(|row| {
            let owner = row.owner?;
            let newer = before.get(&row.session);
            let newer = newer.filter(|(_, epoch)| *epoch > row.epoch);
            let (owner, epoch) = newer.copied().unwrap_or((owner, row.epoch));
            Some((row.session, (owner, epoch)))
        });
        known.owners = owned.collect();
        has_changed |= known.owners != before;
        drop(known);
        if has_changed {
            self.notify_change();
        }
    }

    /// Records that this node owns a session.
    pub(super) fn set_local(&self, session: SessionId, epoch: Epoch) {
        self.known().set_owner(session, self.me, epoch);
        self.notify_change();
    }

    /// Records that another node owns a session.
    pub(super) fn set_remote(&self, session: SessionId, node: &NodeRecord, epoch: Epoch) {
        let mut known = self.known();
        known
            .addresses
            .insert(node.incarnation, node.address.clone());
        known.set_owner(session, node.incarnation, epoch);
        drop(known);
        self.notify_change();
    }

    /// Waits until a session has another owner than `from`, or until `from` is no member any more: a finished
    /// session gets no new owner. Cancel-safe.
    pub(super) async fn wait_for_move(&self, session: SessionId, from: Incarnation) {
        let mut changes = self.changes.subscribe();
        let mut was_known = false;
        loop {
            let (owner, is_known) = {
                let known = self.known();
                let owner = known.owners.get(&session).map(|(owner, _)| *owner);
                (owner, known.addresses.contains_key(&from))
            };
            if owner.is_some_and(|owner| owner != from) || (was_known && !is_known) {
                return;
            }
            was_known |= is_known;
            // An error is impossible: `self` owns the sender.
            drop(changes.changed().await);
        }
    }

    fn notify_change(&self) {
        self.changes.send_modify(|changes| *changes += 1);
    }

    /// The route to a session, as soon as it has an owner. `not_at` is a node that turned out not to have the
    /// session: it is returned again, after a pause, only if the store names it as the owner.
    pub(super) async fn find(
        &self,
        session: SessionId,
        not_at: Option<Incarnation>,
        until: Instant,
    ) -> Result<Route, RouteError> {
        let known = self.known().route(session, self.me);
        let is_new = |route: &Route| Some(self.node_of(route)) != not_at;
        if let Some(route) = known.filter(is_new) {
            return Ok(route);
        }
        let Ok(_permit) = self.waiting.try_acquire() else {
            return Err(RouteError::TooManyWaiting);
        };
        let began = Instant::now();
        let found = timeout_at(until, self.query_until_owned(session, not_at)).await;
        metrics().cluster_route_seconds.record(began.elapsed());
        found.map_err(|_| {
            metrics().cluster_routes_missing.increment(1);
            RouteError::NoOwner
        })
    }

    /// Queries the store until the session has an owner. Pauses before it returns `not_at` again; if
    /// that is this node, the caller waits by itself.
    async fn query_until_owned(&self, session: SessionId, not_at: Option<Incarnation>) -> Route {
        loop {
            let found = self.query(session).await;
            let is_too_soon = match &found {
                Some(Route::At { node, .. }) => Some(*node) == not_at,
                Some(Route::Here) => false,
                None => true,
            };
            if is_too_soon {
                tokio::time::sleep(QUERY_INTERVAL).await;
            }
            if let Some(route) = found {
                return route;
            }
        }
    }

    fn node_of(&self, route: &Route) -> Incarnation {
        match route {
            Route::Here => self.me,
            Route::At { node, .. } => *node,
        }
    }

    /// Queries the store for the owner, and caches the result.
    async fn query(&self, session: SessionId) -> Option<Route> {
        let permit = self.queries.acquire().await;
        let _permit = permit.expect("the semaphore is never closed");
        // Another task may have cached a route meanwhile. It may still be the one that the caller found
        // wrong, so the store is queried in any case.
        let row = self.store.ownership(session).await.ok()??;
        let Some(owner) = row.owner else {
            self.mark_requested(session);
            return None;
        };
        if self.known().addresses.contains_key(&owner) || owner == self.me {
            self.known().set_owner(session, owner, row.epoch);
            self.notify_change();
            return self.known().route(session, self.me);
        }
        // The last scan did not see this owner: it is new, or dead.
        let nodes = self.store.nodes().await.ok()?;
        let node = nodes
            .into_iter()
            .find(|seen| seen.record.incarnation == owner);
        let Some(node) = node else {
            self.mark_requested(session);
            return None;
        };
        self.set_remote(session, &node.record, row.epoch);
        self.known().route(session, self.me)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known
            .lock()
            .expect("nothing panics while it holds the lock")
    }
}

impl Known {
    fn set_owner(&mut self, session: SessionId, owner: Incarnation, epoch: Epoch) {
        let known = self.owners.get(&session);
        if known.is_none_or(|(_, known)| *known <= epoch) {
            self.owners.insert(session, (owner, epoch));
        }
    }

    fn route(&self, session: SessionId, me: Incarnation) -> Option<Route> {
        let (owner, _) = self.owners.get(&session)?;
        if *owner == me {
            return Some(Route::Here);
        }
        let address = self.addresses.get(owner)?.clone();
        let node = *owner;
        Some(Route::At { node, address })
    }
}
