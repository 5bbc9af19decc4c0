//! The state that the tasks of a node share.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::lease::Lease;
use super::observations::{Observation, Observations};
use super::ports::{Host, PeerClient, Store, StoreError};
use super::routes::Routes;
use super::settings::ClusterSettings;
use super::suspicion::Patience;
use crate::clock::Moment;
use crate::ids::{Incarnation, NodeRecord};

pub(super) struct NodeState {
    pub(super) me: Incarnation,
    pub(super) record: Mutex<NodeRecord>,
    pub(super) settings: ClusterSettings,
    pub(super) patience: Patience,
    pub(super) store: Arc<dyn Store>,
    pub(super) host: Arc<dyn Host>,
    pub(super) peers: Arc<dyn PeerClient>,
    pub(super) lease: Lease,
    pub(super) routes: Routes,
    pub(super) observations: Mutex<Observations>,
    /// Requests a scan before the next one is due.
    pub(super) scan_now: Arc<Notify>,
    /// Number of times that all steps of the scans so far had been carried out.
    pub(super) scans_done: watch::Sender<u64>,
    /// Start of the period in which every heartbeat was answered and the lease was held without a gap;
    /// `None` outside such a period.
    pub(super) contact_since: Mutex<Option<Instant>>,
    /// Becomes true when the store was unreachable for too long.
    pub(super) is_lost: watch::Sender<bool>,
    pub(super) stop: CancellationToken,
}

impl NodeState {
    /// What this node publishes about itself.
    pub(super) fn record(&self) -> NodeRecord {
        let record = self.record.lock();
        record
            .expect("no panic occurs while the lock is held")
            .clone()
    }

    /// Publishes with the next heartbeat that this node is leaving.
    pub(super) fn set_leaving(&self) {
        let record = self.record.lock();
        record
            .expect("no panic occurs while the lock is held")
            .is_leaving = true;
    }

    /// Reads the members from the store and combines them with what this node observed before.
    pub(super) async fn observe_nodes(&self) -> Result<Vec<Observation>, StoreError> {
        let nodes = self.store.nodes().await?;
        let observations = self.observations.lock();
        let mut observations = observations.expect("no panic occurs while the lock is held");
        Ok(observations.update(nodes, Instant::now()))
    }

    /// Extends the lease after an answered heartbeat, from the moment at which it was sent.
    pub(super) fn extend_lease(&self, sent_at: Moment) {
        let was_held = self.lease.is_held();
        self.lease.extend(sent_at, self.record().lease);
        let since = self.contact_since.lock();
        let mut since = since.expect("no panic occurs while the lock is held");
        if !was_held || since.is_none() {
            *since = Some(Instant::now());
        }
    }

    /// Ends the period of contact after a failed heartbeat. The next one may be answered by another server, or
    /// by one that has restarted.
    pub(super) fn reset_contact(&self) {
        let since = self.contact_since.lock();
        *since.expect("no panic occurs while the lock is held") = None;
    }

    /// Whether this node has been in contact with the store for long enough to declare others dead. After an
    /// outage of the store all nodes look late to the first one that reaches it again.
    pub(super) fn can_judge(&self, contact_min: Duration) -> bool {
        let since = self.contact_since.lock();
        let since = since.expect("no panic occurs while the lock is held");
        self.lease.is_held() && since.is_some_and(|since| since.elapsed() >= contact_min)
    }

    /// Sleeps for a time. Returns false if the node stops meanwhile.
    pub(super) async fn pause(&self, wait: Duration) -> bool {
        let sleeping = tokio::time::sleep(wait);
        self.stop.run_until_cancelled(sleeping).await.is_some()
    }
}
