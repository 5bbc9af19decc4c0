//! Where a session is.
//!
//! What the last look told is believed until a node turns out not to have the session; then the store
//! is asked, again and again, until somebody owns it. What the store says itself is believed although
//! that node did not have the session: it may have claimed it a moment ago, and be about to open it. A
//! route of a lower epoch never replaces one of a higher.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::{Instant, timeout_at};

use super::ClusterSettings;
use super::ports::Store;
use super::sightings::Sighting;
use crate::ids::{Epoch, Incarnation, NodeRecord, Ownership, SessionId};
use crate::telemetry::metrics;

/// Between two questions to the store about one session.
const ASK_EVERY: Duration = Duration::from_millis(50);
/// Questions to the store at the same time; further ones wait their turn.
const ASKING_MAX: usize = 4;
/// How long a session is wanted after a request asked for it: longer than from one look to the next.
const WANTED_FOR: Duration = Duration::from_secs(2);

/// Where a session is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// This node owns it.
    Here,
    /// Another node owns it.
    At {
        /// Which.
        node: Incarnation,
        /// Where that is reached.
        address: String,
    },
}

/// Why there is no route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unrouted {
    /// Nobody owned it for as long as a request may wait.
    #[error("the session is changing hands; try again in a moment")]
    Nobody,
    /// As many requests wait for a route as may.
    #[error("too many requests wait for sessions that are changing hands; try again in a moment")]
    TooManyWait,
}

pub(super) struct Routes {
    me: Incarnation,
    store: Arc<dyn Store>,
    known: Mutex<Known>,
    waiting: Semaphore,
    asking: Semaphore,
    /// Rises whenever an owner changes.
    changes: watch::Sender<u64>,
    /// Sessions that nobody ran when they were asked for, and when that was last. As many as requests
    /// wait.
    wanted: Mutex<HashMap<SessionId, Instant>>,
    /// Asks for a look at the sessions before its time.
    look_now: Arc<Notify>,
}

/// As many sessions as exist, and as many nodes.
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
        look_now: Arc<Notify>,
    ) -> Self {
        Self {
            me,
            store,
            known: Mutex::default(),
            waiting: Semaphore::new(settings.waiting_max),
            asking: Semaphore::new(ASKING_MAX),
            changes: watch::Sender::new(0),
            wanted: Mutex::default(),
            look_now,
        }
    }

    /// The sessions that requests wait for and that nobody runs.
    pub(super) fn wanted(&self) -> BTreeSet<SessionId> {
        let wanted = self.wanted.lock();
        let mut wanted = wanted.expect("nothing panics while it holds the lock");
        wanted.retain(|_, asked| asked.elapsed() < WANTED_FOR);
        wanted.keys().copied().collect()
    }

    fn want(&self, session: SessionId) {
        let wanted = self.wanted.lock();
        let mut wanted = wanted.expect("nothing panics while it holds the lock");
        if wanted.insert(session, Instant::now()).is_none() {
            self.look_now.notify_one();
        }
    }

    /// Takes over what a look gave.
    pub(super) fn learn(&self, ownerships: &[Ownership], nodes: &[Sighting]) {
        let mut known = self.known();
        let cards = nodes.iter().map(|seen| &seen.card);
        let addresses = cards.map(|card| (card.incarnation, card.address.clone()));
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
            self.changed();
        }
    }

    pub(super) fn is_mine(&self, session: SessionId, epoch: Epoch) {
        self.known().note(session, self.me, epoch);
        self.changed();
    }

    pub(super) fn is_at(&self, session: SessionId, node: &NodeRecord, epoch: Epoch) {
        let mut known = self.known();
        known
            .addresses
            .insert(node.incarnation, node.address.clone());
        known.note(session, node.incarnation, epoch);
        drop(known);
        self.changed();
    }

    /// Waits until a session turns out to be owned by another node than this, or this one to be known no
    /// more: nobody takes over what is finished. Cancel-safe.
    pub(super) async fn moved(&self, session: SessionId, from: Incarnation) {
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
            // The sender is in `self`.
            drop(changes.changed().await);
        }
    }

    fn changed(&self) {
        self.changes.send_modify(|changes| *changes += 1);
    }

    /// See [`Cluster::route`](super::Cluster::route).
    pub(super) async fn find(
        &self,
        session: SessionId,
        not_at: Option<Incarnation>,
        until: Instant,
    ) -> Result<Route, Unrouted> {
        let known = self.known().route(session, self.me);
        let is_new = |route: &Route| Some(self.node_of(route)) != not_at;
        if let Some(route) = known.filter(is_new) {
            return Ok(route);
        }
        let Ok(_place) = self.waiting.try_acquire() else {
            return Err(Unrouted::TooManyWait);
        };
        let began = Instant::now();
        let found = timeout_at(until, self.ask_until_owned(session, not_at)).await;
        metrics().cluster_route_seconds.record(began.elapsed());
        found.map_err(|_| {
            metrics().cluster_routes_missing.increment(1);
            Unrouted::Nobody
        })
    }

    /// The node that turned out not to have the session is named again after a pause; for this node
    /// itself the caller waits.
    async fn ask_until_owned(&self, session: SessionId, not_at: Option<Incarnation>) -> Route {
        loop {
            let asked = self.ask(session).await;
            let is_too_soon = match &asked {
                Some(Route::At { node, .. }) => Some(*node) == not_at,
                Some(Route::Here) => false,
                None => true,
            };
            if is_too_soon {
                tokio::time::sleep(ASK_EVERY).await;
            }
            if let Some(route) = asked {
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

    /// Asks the store, and keeps what it says.
    async fn ask(&self, session: SessionId) -> Option<Route> {
        let asking = self.asking.acquire().await;
        let _asking = asking.expect("the semaphore is never closed");
        // Somebody may have learnt it while this waited for its turn; that is not known to be newer
        // than what the caller found wrong, so the store is asked all the same.
        let row = self.store.ownership(session).await.ok()??;
        let Some(owner) = row.owner else {
            self.want(session);
            return None;
        };
        if self.known().addresses.contains_key(&owner) || owner == self.me {
            self.known().note(session, owner, row.epoch);
            self.changed();
            return self.known().route(session, self.me);
        }
        // An owner that the last look did not know: new, or dead.
        let nodes = self.store.nodes().await.ok()?;
        let node = nodes
            .into_iter()
            .find(|seen| seen.record.incarnation == owner);
        let Some(node) = node else {
            self.want(session);
            return None;
        };
        self.is_at(session, &node.record, row.epoch);
        self.known().route(session, self.me)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known
            .lock()
            .expect("nothing panics while it holds the lock")
    }
}

impl Known {
    fn note(&mut self, session: SessionId, owner: Incarnation, epoch: Epoch) {
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
