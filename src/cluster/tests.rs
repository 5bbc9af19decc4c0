//! A node with a fake store, host and network.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::time::{Instant, sleep, timeout};

use super::{
    Answer, ClaimError, Cluster, ClusterParts, ClusterSettings, Host, JoinError, Lease, LeaseTerm,
    PeerClient, Probe, Route, RouteError, Store, Watchdog,
};
use crate::ids::{
    Epoch, HeartbeatOutcome, HeartbeatSeq, Incarnation, NodeRecord, NodeStatus, Ownership,
    SessionId,
};

const ME: Incarnation = Incarnation(1);
const OTHER: Incarnation = Incarnation(2);
const DEAD: Incarnation = Incarnation(3);
const KITE: SessionId = SessionId::new(42);
const LAMP: SessionId = SessionId::new(43);
const WAIT_MAX: Duration = Duration::from_secs(20);
const HEARTBEAT_INTERVAL: Duration = Duration::from_millis(200);
/// As [`Cluster::new`] derives it from [`HEARTBEAT_INTERVAL`].
const LATE: Duration = Duration::from_millis(500);

/// The state of the fake store, host and network.
#[derive(Default)]
struct World {
    rows: BTreeMap<SessionId, Ownership>,
    /// Each member and the time of its last heartbeat; `None` if it sends heartbeats continuously.
    nodes: Vec<(NodeRecord, Option<Instant>)>,
    /// Number of times that the members were listed.
    lists: i64,
    /// The store's clock puts all heartbeats in the future.
    is_set_back: bool,
    claims: Vec<Ownership>,
    running: BTreeSet<SessionId>,
    creating: BTreeSet<SessionId>,
    retirable: BTreeSet<SessionId>,
    /// Sessions whose recovery never ends.
    stuck: BTreeSet<SessionId>,
    /// Time that a heartbeat takes to reach the store.
    heartbeat_takes: Duration,
}

#[derive(Clone, Default)]
struct Fake(Arc<Mutex<World>>);

impl Fake {
    fn world(&self) -> MutexGuard<'_, World> {
        self.0
            .lock()
            .expect("nothing panics while it holds the lock")
    }

    fn add_ownership(&self, session: SessionId, owner: Incarnation, epoch: u64) {
        let row = Ownership {
            session,
            owner: Some(owner),
            epoch: Epoch(epoch),
        };
        self.world().rows.insert(session, row);
    }

    fn add_node(&self, node: Incarnation, address: &str, at: Option<Instant>) {
        let record = record(node, address);
        self.world().nodes.push((record, at));
    }

    fn has_member(&self, node: Incarnation) -> bool {
        let world = self.world();
        let mut nodes = world.nodes.iter();
        nodes.any(|(record, _)| record.incarnation == node)
    }

    fn cluster(&self) -> Cluster {
        let settings = ClusterSettings {
            heartbeat_interval: HEARTBEAT_INTERVAL,
            exit_after: Duration::from_secs(30),
            moves_max: 2,
            rebalance_max: 0,
            route_wait: Duration::from_secs(5),
            waiting_max: 8,
        };
        Cluster::new(ClusterParts {
            record: record(ME, "here:7000"),
            settings,
            store: Arc::new(self.clone()),
            host: Arc::new(self.clone()),
            peers: Arc::new(self.clone()),
            lease: Lease::expired(),
        })
    }

    fn answer<T: Send + 'static, E: Send + 'static>(
        &self,
        from: impl FnOnce(&mut World) -> Result<T, E>,
    ) -> Answer<T, E> {
        let answer = from(&mut self.world());
        async move { answer }.boxed()
    }
}

fn record(node: Incarnation, address: &str) -> NodeRecord {
    NodeRecord {
        incarnation: node,
        address: address.to_owned(),
        version: "1".to_owned(),
        weight: 100,
        lease: Duration::from_millis(1_500),
        is_leaving: false,
    }
}

impl Store for Fake {
    fn ownerships(&self) -> Answer<Vec<Ownership>> {
        self.answer(|world| Ok(world.rows.values().copied().collect()))
    }

    fn finished(&self) -> Answer<Vec<SessionId>> {
        async { Ok(Vec::new()) }.boxed()
    }

    fn ownership(&self, session: SessionId) -> Answer<Option<Ownership>> {
        self.answer(|world| Ok(world.rows.get(&session).copied()))
    }

    fn claim(&self, expected: Ownership, to: Incarnation) -> Answer<Epoch, ClaimError> {
        self.answer(|world| {
            world.claims.push(expected);
            let row = world.rows.get_mut(&expected.session);
            let row = row
                .filter(|row| **row == expected)
                .ok_or(ClaimError::Lost)?;
            row.owner = Some(to);
            row.epoch.0 += 1;
            Ok(row.epoch)
        })
    }

    fn release(&self, expected: Ownership) -> Answer<(), ClaimError> {
        self.answer(|world| {
            let row = world.rows.get_mut(&expected.session);
            let row = row
                .filter(|row| **row == expected)
                .ok_or(ClaimError::Lost)?;
            row.owner = None;
            Ok(())
        })
    }

    fn terminate_connections(&self, _node: Incarnation) -> Answer<()> {
        self.answer(|_| Ok(()))
    }

    fn join(&self, node: NodeRecord) -> Answer<()> {
        self.answer(|world| {
            world.nodes.push((node, None));
            Ok(())
        })
    }

    fn heartbeat(&self, node: NodeRecord) -> Answer<HeartbeatOutcome> {
        let this = self.clone();
        async move {
            let heartbeat_takes = this.world().heartbeat_takes;
            sleep(heartbeat_takes).await;
            let is_known = this.has_member(node.incarnation);
            Ok(if is_known {
                HeartbeatOutcome::Renewed
            } else {
                HeartbeatOutcome::Evicted
            })
        }
        .boxed()
    }

    fn nodes(&self) -> Answer<Vec<NodeStatus>> {
        self.answer(|world| {
            world.lists += 1;
            let world = &*world;
            let nodes = world.nodes.iter().map(|(record, at)| NodeStatus {
                record: record.clone(),
                last_heartbeat: world.last_heartbeat(*at),
                age: match at {
                    Some(at) if !world.is_set_back => at.elapsed(),
                    Some(_) | None => Duration::ZERO,
                },
            });
            Ok(nodes.collect())
        })
    }

    fn remove(&self, node: Incarnation, last: Option<HeartbeatSeq>) -> Answer<bool> {
        self.answer(|world| {
            let is_last = |at| last.is_none_or(|last| last == world.last_heartbeat(at));
            let nodes = world.nodes.iter();
            let stay = nodes.filter(|(record, at)| record.incarnation != node || !is_last(*at));
            world.nodes = stay.cloned().collect();
            let remains = |(record, _): &(NodeRecord, _)| record.incarnation == node;
            Ok(!world.nodes.iter().any(remains))
        })
    }
}

impl World {
    fn last_heartbeat(&self, at: Option<Instant>) -> HeartbeatSeq {
        HeartbeatSeq(if at.is_some() { 0 } else { self.lists })
    }
}

impl Host for Fake {
    fn running(&self) -> Vec<SessionId> {
        self.world().running.iter().copied().collect()
    }

    fn broken(&self) -> Vec<SessionId> {
        Vec::new()
    }

    fn retirable(&self) -> Vec<SessionId> {
        self.world().retirable.iter().copied().collect()
    }

    fn holds(&self, session: SessionId) -> bool {
        let world = self.world();
        world.running.contains(&session) || world.creating.contains(&session)
    }

    fn open(&self, session: SessionId, _epoch: Epoch, _term: LeaseTerm) -> BoxFuture<'static, ()> {
        let mut world = self.world();
        world.running.insert(session);
        if world.stuck.contains(&session) {
            return std::future::pending().boxed();
        }
        async {}.boxed()
    }

    fn close(&self, session: SessionId) -> BoxFuture<'static, Option<Epoch>> {
        let mut world = self.world();
        let was_running = world.running.remove(&session);
        let epoch = world.rows[&session].epoch;
        async move { was_running.then_some(epoch) }.boxed()
    }

    fn retire(&self, session: SessionId) -> BoxFuture<'static, Option<Epoch>> {
        if self.world().retirable.remove(&session) {
            self.close(session)
        } else {
            async { None }.boxed()
        }
    }

    fn abandon(&self, session: SessionId) -> BoxFuture<'static, ()> {
        self.world().running.remove(&session);
        async {}.boxed()
    }
}

impl PeerClient for Fake {
    fn probe(&self, _address: String) -> BoxFuture<'static, Probe> {
        async { Probe::NoAnswer }.boxed()
    }

    fn hint(&self, _address: String) -> BoxFuture<'static, ()> {
        async {}.boxed()
    }
}

/// Runs the scan until `other` is done.
async fn scan_during(cluster: &Cluster, other: impl Future<Output = ()>) {
    tokio::select! {
        () = cluster.run_scan() => panic!("it ends only when the node leaves"),
        ended = timeout(WAIT_MAX, other) => ended.expect("it ends in time"),
    }
}

impl Fake {
    async fn wait_until_running(&self, session: SessionId) {
        while !self.world().running.contains(&session) {
            sleep(Duration::from_millis(10)).await;
        }
    }
}

fn at(node: Incarnation) -> Route {
    let address = "there:7000".to_owned();
    Route::At { node, address }
}

#[tokio::test(start_paused = true)]
async fn an_owner_that_has_not_opened_a_session_yet_is_retried() {
    let fake = Fake::default();
    fake.add_ownership(KITE, OTHER, 5);
    fake.add_node(OTHER, "there:7000", None);
    let cluster = fake.cluster();
    let until = cluster.route_deadline();
    let mut not_at = None;
    // It answers that it does not have the session, but the store still names it as the owner.
    for _ in 0..3 {
        assert_eq!(cluster.route(KITE, not_at, until).await, Ok(at(OTHER)));
        not_at = Some(OTHER);
    }
    let waited = cluster.route_deadline() - until;
    assert!(
        (Duration::from_millis(100)..Duration::from_millis(200)).contains(&waited),
        "the first time at once, then after a pause: {waited:?}"
    );
    fake.add_ownership(KITE, ME, 6);
    assert_eq!(cluster.route(KITE, not_at, until).await, Ok(Route::Here));
    let asked_at = Instant::now();
    let again = cluster.route(KITE, Some(ME), until).await;
    assert_eq!(again, Ok(Route::Here), "this node opens it in a moment");
    assert_eq!(asked_at, Instant::now());
}

#[tokio::test(start_paused = true)]
async fn a_request_for_a_session_without_an_owner_times_out() {
    let fake = Fake::default();
    fake.add_ownership(KITE, DEAD, 5);
    let cluster = fake.cluster();
    let until = cluster.route_deadline();
    let route = cluster.route(KITE, None, until).await;
    assert_eq!(route, Err(RouteError::NoOwner), "its owner is not known");
    assert_eq!(Instant::now(), until);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_being_created_is_not_claimed_again() {
    let fake = Fake::default();
    let cluster = fake.cluster();
    cluster.join().await.expect("there is no other node");
    // It was claimed by this node, and does not run yet when a scan begins.
    fake.add_ownership(KITE, ME, 1);
    fake.world().creating.insert(KITE);
    fake.add_ownership(LAMP, ME, 1);
    scan_during(&cluster, fake.wait_until_running(LAMP)).await;
    let claimed: Vec<SessionId> = fake.world().claims.iter().map(|c| c.session).collect();
    assert_eq!(
        claimed,
        [LAMP],
        "only a session that is neither running nor being created is claimed"
    );
}

#[tokio::test(start_paused = true)]
async fn a_session_that_cannot_be_opened_delays_no_other() {
    let fake = Fake::default();
    let cluster = fake.cluster();
    cluster.join().await.expect("there is no other node");
    fake.add_ownership(KITE, DEAD, 1);
    fake.world().stuck.insert(KITE);
    let taking = async {
        fake.wait_until_running(KITE).await;
        fake.add_ownership(LAMP, DEAD, 1);
        fake.wait_until_running(LAMP).await;
    };
    scan_during(&cluster, taking).await;
}

#[tokio::test(start_paused = true)]
async fn a_leaving_node_hands_nothing_off_to_a_late_node() {
    let fake = Fake::default();
    let cluster = fake.cluster();
    cluster.join().await.expect("there is no other node");
    fake.add_node(DEAD, "gone:7000", Some(Instant::now()));
    tokio::time::advance(LATE).await;
    fake.add_ownership(KITE, ME, 1);
    fake.world().running.insert(KITE);
    cluster.leave().await;
    assert_eq!(
        fake.world().rows[&KITE].owner,
        None,
        "a live node claims it"
    );
}

#[tokio::test(start_paused = true)]
async fn a_node_that_leaves_during_a_heartbeat_does_not_rejoin() {
    let fake = Fake::default();
    fake.world().heartbeat_takes = HEARTBEAT_INTERVAL;
    let cluster = fake.cluster();
    cluster.join().await.expect("there is no other node");
    let leaving = async {
        // The first heartbeat is in flight.
        sleep(HEARTBEAT_INTERVAL + HEARTBEAT_INTERVAL / 2).await;
        cluster.leave().await;
    };
    tokio::join!(cluster.run_heartbeats(Watchdog::new()), leaving);
    assert!(!fake.has_member(ME));
    assert!(!cluster.lease().is_held());
}

#[tokio::test(start_paused = true)]
async fn a_node_does_not_join_with_the_address_of_a_live_node() {
    let fake = Fake::default();
    fake.add_node(OTHER, "here:7000", None);
    let joined = fake.cluster().join().await;
    assert!(
        matches!(&joined, Err(JoinError::AddressTaken { node: OTHER, .. })),
        "{joined:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_restarted_node_evicts_its_earlier_incarnation() {
    let fake = Fake::default();
    fake.add_node(DEAD, "here:7000", Some(Instant::now()));
    fake.add_node(OTHER, "there:7000", None);
    let began = Instant::now();
    let joined = fake.cluster().join().await;
    joined.expect("the earlier incarnation sends no heartbeats");
    assert!(began.elapsed() < 2 * LATE);
    let known: Vec<Incarnation> = fake.world().nodes.iter().map(|n| n.0.incarnation).collect();
    assert_eq!(known, [OTHER, ME]);
}

#[tokio::test(start_paused = true)]
async fn a_store_whose_clock_is_behind_does_not_protect_an_earlier_incarnation() {
    let fake = Fake::default();
    fake.world().is_set_back = true;
    fake.add_node(DEAD, "here:7000", Some(Instant::now()));
    let joined = fake.cluster().join().await;
    joined.expect("the earlier incarnation sends no heartbeats");
    assert!(!fake.has_member(DEAD));
}

#[tokio::test(start_paused = true)]
async fn a_store_whose_clock_is_behind_does_not_protect_a_dead_node() {
    let fake = Fake::default();
    let cluster = fake.cluster();
    cluster.join().await.expect("there is no other node");
    fake.world().is_set_back = true;
    fake.add_node(DEAD, "gone:7000", Some(Instant::now()));
    let evicted = async {
        while fake.has_member(DEAD) {
            sleep(Duration::from_millis(10)).await;
        }
    };
    let began = Instant::now();
    tokio::select! {
        () = cluster.run_heartbeats(Watchdog::new()) => panic!("it sends heartbeats until it leaves"),
        () = cluster.run_failure_detector() => panic!("it runs until the node leaves"),
        ended = timeout(WAIT_MAX, evicted) => ended.expect("it is evicted"),
    }
    let lease = record(DEAD, "gone:7000").lease;
    assert!(
        began.elapsed() >= lease,
        "its lease may have been valid until then"
    );
}

#[tokio::test(start_paused = true)]
async fn an_unused_finished_session_is_closed_and_released() {
    let fake = Fake::default();
    let cluster = fake.cluster();
    cluster.join().await.expect("there is no other node");
    fake.add_ownership(KITE, ME, 1);
    fake.world().running.insert(KITE);
    fake.world().retirable.insert(KITE);
    let released = async {
        while fake.world().rows[&KITE].owner.is_some() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    scan_during(&cluster, released).await;
    assert!(!fake.world().running.contains(&KITE));
}
