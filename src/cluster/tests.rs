//! A node of which everything around it is played: what it does when the store is ahead of the hosts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::time::{Instant, sleep, timeout};

use super::{
    Answer, ClaimError, Cluster, ClusterParts, ClusterSettings, Era, Host, JoinError, Neighbours,
    Probe, Route, Store, Unrouted, Validity, Watchdog,
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
const BEAT: Duration = Duration::from_millis(200);
/// As [`Cluster::new`] makes it of [`BEAT`].
const LATE: Duration = Duration::from_millis(500);

/// The store, the sessions that run here, and the network.
#[derive(Default)]
struct World {
    rows: BTreeMap<SessionId, Ownership>,
    /// Each node and when it was heard of last; nothing: at this very moment, always.
    nodes: Vec<(NodeRecord, Option<Instant>)>,
    /// How often somebody asked for them.
    lists: i64,
    /// The store's clock says that all signs of life are still to come.
    is_set_back: bool,
    claims: Vec<Ownership>,
    running: BTreeSet<SessionId>,
    newborns: BTreeSet<SessionId>,
    unneeded: BTreeSet<SessionId>,
    /// Sessions whose recovery never ends.
    stuck: BTreeSet<SessionId>,
    /// How long a beat takes to reach the store.
    beat_takes: Duration,
}

#[derive(Clone, Default)]
struct Played(Arc<Mutex<World>>);

impl Played {
    fn world(&self) -> MutexGuard<'_, World> {
        self.0
            .lock()
            .expect("nothing panics while it holds the lock")
    }

    fn owned(&self, session: SessionId, owner: Incarnation, epoch: u64) {
        let row = Ownership {
            session,
            owner: Some(owner),
            epoch: Epoch(epoch),
        };
        self.world().rows.insert(session, row);
    }

    fn heard_of(&self, node: Incarnation, address: &str, at: Option<Instant>) {
        let card = card(node, address);
        self.world().nodes.push((card, at));
    }

    fn knows(&self, node: Incarnation) -> bool {
        let world = self.world();
        let mut nodes = world.nodes.iter();
        nodes.any(|(card, _)| card.incarnation == node)
    }

    fn cluster(&self) -> Cluster {
        let settings = ClusterSettings {
            heartbeat_interval: BEAT,
            exit_after: Duration::from_secs(30),
            moves_max: 2,
            rebalance_max: 0,
            route_wait: Duration::from_secs(5),
            waiting_max: 8,
        };
        Cluster::new(ClusterParts {
            card: card(ME, "here:7000"),
            settings,
            store: Arc::new(self.clone()),
            host: Arc::new(self.clone()),
            neighbours: Arc::new(self.clone()),
            validity: Validity::over(),
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

fn card(node: Incarnation, address: &str) -> NodeRecord {
    NodeRecord {
        incarnation: node,
        address: address.to_owned(),
        version: "1".to_owned(),
        weight: 100,
        lease: Duration::from_millis(1_500),
        is_leaving: false,
    }
}

impl Store for Played {
    fn ownerships(&self) -> Answer<Vec<Ownership>> {
        self.answer(|world| Ok(world.rows.values().copied().collect()))
    }

    fn finished(&self) -> Answer<Vec<SessionId>> {
        async { Ok(Vec::new()) }.boxed()
    }

    fn ownership(&self, session: SessionId) -> Answer<Option<Ownership>> {
        self.answer(|world| Ok(world.rows.get(&session).copied()))
    }

    fn claim(&self, ground: Ownership, to: Incarnation) -> Answer<Epoch, ClaimError> {
        self.answer(|world| {
            world.claims.push(ground);
            let row = world.rows.get_mut(&ground.session);
            let row = row.filter(|row| **row == ground).ok_or(ClaimError::Lost)?;
            row.owner = Some(to);
            row.epoch.0 += 1;
            Ok(row.epoch)
        })
    }

    fn release(&self, held: Ownership) -> Answer<(), ClaimError> {
        self.answer(|world| {
            let row = world.rows.get_mut(&held.session);
            let row = row.filter(|row| **row == held).ok_or(ClaimError::Lost)?;
            row.owner = None;
            Ok(())
        })
    }

    fn evict(&self, _node: Incarnation) -> Answer<()> {
        self.answer(|_| Ok(()))
    }

    fn join(&self, card: NodeRecord) -> Answer<()> {
        self.answer(|world| {
            world.nodes.push((card, None));
            Ok(())
        })
    }

    fn beat(&self, card: NodeRecord) -> Answer<HeartbeatOutcome> {
        let this = self.clone();
        async move {
            let beat_takes = this.world().beat_takes;
            sleep(beat_takes).await;
            let is_known = this.knows(card.incarnation);
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
            let nodes = world.nodes.iter().map(|(card, at)| NodeStatus {
                record: card.clone(),
                last_heartbeat: world.last_sign(*at),
                age: match at {
                    Some(at) if !world.is_set_back => at.elapsed(),
                    Some(_) | None => Duration::ZERO,
                },
            });
            Ok(nodes.collect())
        })
    }

    fn forget(&self, node: Incarnation, last_sign: Option<HeartbeatSeq>) -> Answer<bool> {
        self.answer(|world| {
            let is_last = |at| last_sign.is_none_or(|sign| sign == world.last_sign(at));
            let nodes = world.nodes.iter();
            let stay = nodes.filter(|(card, at)| card.incarnation != node || !is_last(*at));
            world.nodes = stay.cloned().collect();
            let remains = |(card, _): &(NodeRecord, _)| card.incarnation == node;
            Ok(!world.nodes.iter().any(remains))
        })
    }
}

impl World {
    fn last_sign(&self, at: Option<Instant>) -> HeartbeatSeq {
        HeartbeatSeq(if at.is_some() { 0 } else { self.lists })
    }
}

impl Host for Played {
    fn held(&self) -> Vec<SessionId> {
        self.world().running.iter().copied().collect()
    }

    fn broken(&self) -> Vec<SessionId> {
        Vec::new()
    }

    fn unneeded(&self) -> Vec<SessionId> {
        self.world().unneeded.iter().copied().collect()
    }

    fn holds(&self, session: SessionId) -> bool {
        let world = self.world();
        world.running.contains(&session) || world.newborns.contains(&session)
    }

    fn open(&self, session: SessionId, _epoch: Epoch, _era: Era) -> BoxFuture<'static, ()> {
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
        if self.world().unneeded.remove(&session) {
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

impl Neighbours for Played {
    fn probe(&self, _address: String) -> BoxFuture<'static, Probe> {
        async { Probe::Silent }.boxed()
    }

    fn hint(&self, _address: String) -> BoxFuture<'static, ()> {
        async {}.boxed()
    }
}

/// Runs the scan while something else goes on.
async fn scan_during(cluster: &Cluster, other: impl Future<Output = ()>) {
    tokio::select! {
        () = cluster.run_scan() => panic!("it ends only when the node leaves"),
        ended = timeout(WAIT_MAX, other) => ended.expect("it comes to its end"),
    }
}

impl Played {
    async fn until_running(&self, session: SessionId) {
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
async fn an_owner_that_has_not_opened_a_session_yet_is_tried_again() {
    let played = Played::default();
    played.owned(KITE, OTHER, 5);
    played.heard_of(OTHER, "there:7000", None);
    let cluster = played.cluster();
    let until = cluster.route_deadline();
    let mut not_at = None;
    // It answers that it does not have the session, and is still the one that the store names.
    for _ in 0..3 {
        assert_eq!(cluster.route(KITE, not_at, until).await, Ok(at(OTHER)));
        not_at = Some(OTHER);
    }
    let waited = cluster.route_deadline() - until;
    assert!(
        (Duration::from_millis(100)..Duration::from_millis(200)).contains(&waited),
        "the first time at once, then after a pause: {waited:?}"
    );
    played.owned(KITE, ME, 6);
    assert_eq!(cluster.route(KITE, not_at, until).await, Ok(Route::Here));
    let asked_at = Instant::now();
    let again = cluster.route(KITE, Some(ME), until).await;
    assert_eq!(again, Ok(Route::Here), "this node opens it in a moment");
    assert_eq!(asked_at, Instant::now());
}

#[tokio::test(start_paused = true)]
async fn a_request_waits_for_an_owner_no_longer_than_it_may() {
    let played = Played::default();
    played.owned(KITE, DEAD, 5);
    let cluster = played.cluster();
    let until = cluster.route_deadline();
    let route = cluster.route(KITE, None, until).await;
    assert_eq!(route, Err(Unrouted::Nobody), "its owner is not known");
    assert_eq!(Instant::now(), until);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_being_created_is_not_claimed_again() {
    let played = Played::default();
    let cluster = played.cluster();
    cluster.join().await.expect("nobody else is there");
    // It was claimed for this node, and is not among those that run when a look begins.
    played.owned(KITE, ME, 1);
    played.world().newborns.insert(KITE);
    played.owned(LAMP, ME, 1);
    scan_during(&cluster, played.until_running(LAMP)).await;
    let claimed: Vec<SessionId> = played.world().claims.iter().map(|c| c.session).collect();
    assert_eq!(claimed, [LAMP], "what nobody creates or runs is claimed");
}

#[tokio::test(start_paused = true)]
async fn a_session_that_cannot_be_opened_holds_no_other_up() {
    let played = Played::default();
    let cluster = played.cluster();
    cluster.join().await.expect("nobody else is there");
    played.owned(KITE, DEAD, 1);
    played.world().stuck.insert(KITE);
    let taking = async {
        played.until_running(KITE).await;
        played.owned(LAMP, DEAD, 1);
        played.until_running(LAMP).await;
    };
    scan_during(&cluster, taking).await;
}

#[tokio::test(start_paused = true)]
async fn a_node_that_leaves_gives_nothing_to_one_that_is_late() {
    let played = Played::default();
    let cluster = played.cluster();
    cluster.join().await.expect("nobody else is there");
    played.heard_of(DEAD, "gone:7000", Some(Instant::now()));
    tokio::time::advance(LATE).await;
    played.owned(KITE, ME, 1);
    played.world().running.insert(KITE);
    cluster.leave().await;
    assert_eq!(
        played.world().rows[&KITE].owner,
        None,
        "whoever lives takes it"
    );
}

#[tokio::test(start_paused = true)]
async fn a_node_that_leaves_during_a_beat_does_not_come_back() {
    let played = Played::default();
    played.world().beat_takes = BEAT;
    let cluster = played.cluster();
    cluster.join().await.expect("nobody else is there");
    let leaving = async {
        // The first beat is under way.
        sleep(BEAT + BEAT / 2).await;
        cluster.leave().await;
    };
    tokio::join!(cluster.run_heartbeats(Watchdog::new()), leaving);
    assert!(!played.knows(ME));
    assert!(!cluster.validity().holds());
}

#[tokio::test(start_paused = true)]
async fn a_node_does_not_join_beside_another_at_its_address() {
    let played = Played::default();
    played.heard_of(OTHER, "here:7000", None);
    let joined = played.cluster().join().await;
    assert!(
        matches!(&joined, Err(JoinError::AddressTaken { node: OTHER, .. })),
        "{joined:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_started_again_outlives_its_earlier_life() {
    let played = Played::default();
    played.heard_of(DEAD, "here:7000", Some(Instant::now()));
    played.heard_of(OTHER, "there:7000", None);
    let began = Instant::now();
    let joined = played.cluster().join().await;
    joined.expect("the earlier life does not beat any more");
    assert!(began.elapsed() < 2 * LATE);
    let known: Vec<Incarnation> = played
        .world()
        .nodes
        .iter()
        .map(|n| n.0.incarnation)
        .collect();
    assert_eq!(known, [OTHER, ME]);
}

#[tokio::test(start_paused = true)]
async fn a_store_whose_clock_is_behind_keeps_no_earlier_life_alive() {
    let played = Played::default();
    played.world().is_set_back = true;
    played.heard_of(DEAD, "here:7000", Some(Instant::now()));
    let joined = played.cluster().join().await;
    joined.expect("the earlier life does not beat any more");
    assert!(!played.knows(DEAD));
}

#[tokio::test(start_paused = true)]
async fn a_store_whose_clock_is_behind_keeps_no_dead_node_alive() {
    let played = Played::default();
    let cluster = played.cluster();
    cluster.join().await.expect("nobody else is there");
    played.world().is_set_back = true;
    played.heard_of(DEAD, "gone:7000", Some(Instant::now()));
    let buried = async {
        while played.knows(DEAD) {
            sleep(Duration::from_millis(10)).await;
        }
    };
    let began = Instant::now();
    tokio::select! {
        () = cluster.run_heartbeats(Watchdog::new()) => panic!("it beats until it leaves"),
        () = cluster.run_failure_detector() => panic!("it watches until it leaves"),
        ended = timeout(WAIT_MAX, buried) => ended.expect("it is forgotten"),
    }
    let valid = card(DEAD, "gone:7000").lease;
    assert!(began.elapsed() >= valid, "it may have spoken until then");
}

#[tokio::test(start_paused = true)]
async fn a_session_that_nobody_needs_is_closed_and_left_to_nobody() {
    let played = Played::default();
    let cluster = played.cluster();
    cluster.join().await.expect("nobody else is there");
    played.owned(KITE, ME, 1);
    played.world().running.insert(KITE);
    played.world().unneeded.insert(KITE);
    let left_to_nobody = async {
        while played.world().rows[&KITE].owner.is_some() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    scan_during(&cluster, left_to_nobody).await;
    assert!(!played.world().running.contains(&KITE));
}
