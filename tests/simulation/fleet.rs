//! A simulated fleet: several nodes compete for one session on one store. Nodes are paused and continued,
//! disconnected, killed, suspected without cause, and hand the session off. Each has its own clock, which
//! jumps while it runs.
//!
//! There is no sensible choice of an owner here: whatever the nodes believe, the fence alone must preserve
//! what was acknowledged.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cluecast::clock::{Clock, SimulatedClock};
use cluecast::cluster::Lease;
use cluecast::config::SessionConfig;
use cluecast::delivery::Hub;
use cluecast::ids::{Epoch, Incarnation, Ownership, SessionId};
use cluecast::journal::{Ledger, PrivateKind, PrivateRecord, SessionRecord};
use cluecast::session::{
    Archiving, Change, InjectedFault, JournalAccess, Outcome, Services, SessionExit, SessionHandle,
    SessionSpec, Unavailable, launch,
};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hunt::{Audience, GameMasterOrder, Hunt, Issuer, Receipt, Target};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::client::Client;
use crate::dice::Dice;
use crate::freezer::Freezer;
use crate::link::Link;
use crate::model::{HUNT_FILE, PUZZLES};
use crate::oracle::{Oracle, Sent, Watched};
use crate::store::{Fence, Store};
use crate::world::{WAIT_MAX, content_paths, delivery_config};

const STEPS: usize = 160;
const NODES: usize = 3;
/// Maximum number of pending orders; one more drops the oldest.
const ORDERS_AWAITED_MAX: usize = 20;
const TEAMS: u32 = 2;
const DEVICES_A_TEAM: u32 = 2;
const GUESSES: [&str; 4] = ["yes", "no", "maybe", "perhaps"];
/// A defect injected into a fleet.
#[derive(Debug, Clone, Copy)]
pub struct Defect {
    pub in_node: InjectedFault,
    pub in_store: Fence,
}

struct Node {
    link: Link,
    freezer: Freezer,
    clock: SimulatedClock,
    running: Option<Running>,
}

/// The session on a node.
struct Running {
    owner: Incarnation,
    session: SessionHandle<Watched>,
    stop: CancellationToken,
    task: JoinSet<SessionExit>,
}

pub struct Fleet {
    dice: Dice,
    store: Store,
    oracle: Oracle,
    record: Arc<SessionRecord>,
    hunt: Arc<Hunt>,
    defect: Defect,
    nodes: Vec<Node>,
    lives: u64,
    clients: Vec<Client>,
    /// Pending orders, oldest first.
    ordered: VecDeque<BoxFuture<'static, Result<Outcome, Unavailable>>>,
    sent: Arc<Mutex<Vec<Sent>>>,
    pub log: Vec<String>,
}

impl Fleet {
    pub fn new(seed: u64, defect: Defect) -> Self {
        let dice = Dice::new(seed);
        let files = [("hunt.toml".to_owned(), HUNT_FILE.to_owned())].into();
        let hunt = hunt::parse(&files).expect("the simulation's hunt has no mistakes");
        let record = SessionRecord {
            id: SessionId::new(seed),
            code: "SIMULATED".to_owned(),
            hunt_revision: "simulated".to_owned(),
            created_at_ms: 0,
        };
        let store = Store::new(record.id, defect.in_store, dice.clone());
        let node = || Node {
            link: Link::new(store.clone(), dice.clone()),
            freezer: Freezer::default(),
            clock: SimulatedClock::new(dice.time()),
            running: None,
        };
        Self {
            nodes: std::iter::repeat_with(node).take(NODES).collect(),
            oracle: Oracle::among_impostors(store.clone()),
            store,
            dice,
            record: record.into(),
            hunt: hunt.into(),
            defect,
            lives: 0,
            clients: Vec::new(),
            ordered: VecDeque::new(),
            sent: Arc::default(),
            log: Vec::new(),
        }
    }

    /// Runs the whole simulation; panics if an invariant is violated.
    pub async fn run(&mut self) {
        self.take_over(0).await;
        for team in 0..TEAMS {
            self.found_team(team).await;
        }
        let percent = *self.dice.pick(&[0, 5, 20]);
        for node in &self.nodes {
            node.link.set_lost_percent(percent);
        }
        for step in 0..STEPS {
            self.step(step).await;
            self.check();
        }
        self.calm_down().await;
        self.settle().await;
        self.check_end().await;
    }

    async fn found_team(&mut self, team: u32) {
        let name = |text: String| PrivateRecord {
            kind: PrivateKind::Name,
            id: u64::from(team) * 100 + 1,
            text,
        };
        let code = format!("TEAM{team}");
        self.join(Change::CreateTeam {
            code: code.clone(),
            team_name: name(format!("Team {team}")),
            player_name: name(format!("Player {team}")),
        })
        .await;
        for player in 1..DEVICES_A_TEAM {
            self.join(Change::JoinTeam {
                code: code.clone(),
                player_name: PrivateRecord {
                    id: u64::from(team) * 100 + 1 + u64::from(player),
                    ..name(format!("Player {team}.{player}"))
                },
            })
            .await;
        }
    }

    async fn join(&mut self, change: Change) {
        let running = self.nodes[0].running.as_ref().expect("it took the session");
        let outcome = running.session.submit(change).await;
        match outcome.expect("nothing is wrong yet") {
            Ok(Receipt::Joined { device, .. }) => self.clients.push(Client::new(device.number())),
            other => panic!("joining gave {other:?}"),
        }
    }

    async fn step(&mut self, step: usize) {
        let what = self.dice.throw(100);
        let node = self.dice.throw(NODES);
        let client = self.dice.throw(self.clients.len());
        self.log.push(format!(
            "{step}: throw {what}, node {node}, client {client}"
        ));
        match what {
            0..38 => self.client_acts(client),
            38..40 => self.nodes[node].clock.jump(self.dice.time()),
            40..45 => self.clients[client].cut(),
            45..70 => tokio::time::sleep(self.dice.up_to_ms(30)).await,
            70..76 => self.order(node),
            76..82 => self.take_over(node).await,
            82..85 => self.hand_over(node).await,
            85..89 => self.nodes[node].freezer.set(true),
            89..93 => self.nodes[node].freezer.set(false),
            93..95 => {
                let link = &self.nodes[node].link;
                link.set_cut(self.dice.chance(50));
            }
            95..96 => self.nodes[node].link.terminate_backends(),
            96..98 => self.kill(node).await,
            _ => tokio::time::sleep(self.dice.up_to_ms(1_500)).await,
        }
    }

    /// The nodes that run the session or believe that they do.
    fn running(&self) -> Vec<usize> {
        let runs = |node: &usize| self.nodes[*node].running.is_some();
        (0..NODES).filter(runs).collect()
    }

    fn client_acts(&mut self, client: usize) {
        let running = self.running();
        if running.is_empty() {
            return;
        }
        let node = *self.dice.pick(&running);
        let client = &mut self.clients[client];
        let connected = client.node;
        let node = if client.is_connected() {
            connected
        } else {
            node
        };
        let Some(running) = &self.nodes[node].running else {
            client.cut();
            return;
        };
        let session = &running.session;
        client.node = node;
        let sent = if !client.is_connected() {
            client.connect(session, self.dice.chance(10))
        } else if client.outstanding.is_none() {
            let (puzzle, ..) = self.dice.pick(&PUZZLES);
            client.guess(session, puzzle, GUESSES[self.dice.throw(GUESSES.len())])
        } else {
            None
        };
        self.sent.lock().expect("one thread").extend(sent);
    }

    /// A game master's order, which may come at the wrong time or get lost.
    fn order(&mut self, node: usize) {
        let order = match self.dice.throw(10) {
            0..4 => GameMasterOrder::Start,
            4 => GameMasterOrder::Pause,
            5..7 => GameMasterOrder::Resume,
            _ => GameMasterOrder::PushClue {
                to: Target::Everyone,
                text: format!("look at {}", self.dice.throw(9)),
                lasts: None,
            },
        };
        if let Some(running) = &self.nodes[node].running {
            let session = running.session.clone();
            let ordered =
                async move { session.submit_order(Issuer::Admin, order, Vec::new()).await };
            let mut ordered = ordered.boxed();
            // The first poll puts it into the mailbox; an order whose future is dropped is discarded.
            if (&mut ordered).now_or_never().is_none() {
                self.ordered.push_back(ordered);
                if self.ordered.len() > ORDERS_AWAITED_MAX {
                    self.ordered.pop_front();
                }
            }
        }
    }

    /// A node suspects the owner, rightly or not, and claims the session.
    async fn take_over(&mut self, node: usize) {
        self.forget_departed();
        if self.nodes[node].running.is_some() || self.nodes[node].freezer.is_frozen() {
            return;
        }
        self.lives += 1;
        let owner = Incarnation(self.lives);
        let link = self.nodes[node].link.clone();
        let Ok(Some(found)) = link.ownership(self.record.id).await else {
            return;
        };
        if self.defect.in_node == InjectedFault::TailBeforeClaim {
            // The recovery claims, later than it should.
            self.start(node, owner, found.epoch);
        } else if let Ok(epoch) = link.claim(found.claim_for(owner)).await {
            self.start(node, owner, epoch);
        }
    }

    /// The owner stops and hands the session off to another node.
    async fn hand_over(&mut self, node: usize) {
        self.forget_departed();
        let next = (node + 1 + self.dice.throw(NODES - 1)) % NODES;
        let is_possible =
            self.nodes[next].running.is_none() && !self.nodes[node].freezer.is_frozen();
        if !is_possible {
            return;
        }
        let Some(mut running) = self.nodes[node].running.take() else {
            return;
        };
        running.stop.cancel();
        let departed = running.task.join_next().await.expect("it runs");
        let SessionExit::Stopped(Some(epoch)) = departed.expect("it does not panic") else {
            return;
        };
        self.lives += 1;
        let to = Incarnation(self.lives);
        let held = Ownership {
            session: self.record.id,
            owner: Some(running.owner),
            epoch,
        };
        let claimed = self.nodes[node].link.claim(held.claim_for(to)).await;
        if let Ok(epoch) = claimed {
            self.start(next, to, epoch);
        }
    }

    fn start(&mut self, node: usize, owner: Incarnation, epoch: Epoch) {
        let (oracle, sent) = (self.oracle.clone(), self.sent.clone());
        let place = &mut self.nodes[node];
        if self.dice.chance(30) {
            place.clock.jump(self.dice.time());
        }
        let services = Services {
            journal: Arc::new(place.link.clone()),
            owner,
            access: JournalAccess::Shared(Lease::unlimited()),
            clock: Clock::Simulated(place.clock.clone()),
            config: SessionConfig {
                mailbox_max: 64,
                turn_requests_max: 1 + self.dice.throw(4),
                batches_in_flight_max: 1 + self.dice.throw(4),
                wait_max: WAIT_MAX,
                idle_max: WAIT_MAX,
                reopen_max: Duration::ZERO,
            },
            snapshot_every_events: 10,
            archiving: Some(Archiving::new(
                Arc::new(self.store.archive.clone()),
                1 + self.dice.throw(10) as u64,
            )),
            fault: self.defect.in_node,
        };
        let spec = SessionSpec {
            record: self.record.clone(),
            hunt: self.hunt.clone(),
            claimed: Some(epoch),
            stop: CancellationToken::new(),
            abandon: CancellationToken::new(),
        };
        let stop = spec.stop.clone();
        let clock = services.clock.clone();
        let delivery = move || {
            let hub = Hub::new(&delivery_config(), clock.clone(), content_paths());
            Watched::new(hub, oracle.clone(), sent.clone())
        };
        let (session, running) = launch(services.into(), spec, delivery);
        let mut task = JoinSet::new();
        task.spawn(place.freezer.clone().under(running));
        place.running = Some(Running {
            owner,
            session,
            stop,
            task,
        });
    }

    /// Removes sessions that ended by themselves because another node owns them.
    fn forget_departed(&mut self) {
        for node in &mut self.nodes {
            let departed = node
                .running
                .as_mut()
                .and_then(|running| running.task.try_join_next());
            if let Some(departed) = departed {
                departed.expect("the node does not panic");
                node.running = None;
            }
        }
    }

    /// Kills a node's process. Its work in flight at the store may still complete.
    async fn kill(&mut self, node: usize) {
        let place = &mut self.nodes[node];
        if let Some(mut running) = place.running.take() {
            running.task.abort_all();
            while running.task.join_next().await.is_some() {}
        }
        place.link.lose_connection();
        place.freezer.set(false);
        for client in &mut self.clients {
            if client.node == node {
                client.cut();
            }
        }
    }

    fn check(&mut self) {
        for client in &mut self.clients {
            client.drain();
        }
        self.forget_departed();
        drop(self.oracle.model());
        assert!(
            !self.oracle.is_violated(),
            "a check inside of a node failed"
        );
        let violations = self.store.violations();
        assert!(violations.is_empty(), "{violations:?}");
    }

    /// Everything works again, and one node runs the session.
    async fn calm_down(&mut self) {
        for node in &self.nodes {
            node.link.set_lost_percent(0);
            node.link.set_cut(false);
            node.freezer.set(false);
        }
        for node in 1..NODES {
            self.kill(node).await;
        }
        // By then, all work in flight of the killed nodes has ended.
        tokio::time::sleep(Duration::from_secs(5)).await;
        self.check();
        for client in &mut self.clients {
            client.cut();
        }
        self.kill(0).await;
        self.take_over(0).await;
        assert!(self.nodes[0].running.is_some(), "no other node claims it");
    }

    /// All clients reconnect, and every outstanding command is answered.
    async fn settle(&mut self) {
        for _ in 0..200 {
            self.check();
            let running = self.nodes[0]
                .running
                .as_ref()
                .expect("it keeps the session");
            let mut settled = true;
            for client in &mut self.clients {
                if !client.is_connected() {
                    client.node = 0;
                    let sent = client.connect(&running.session, false);
                    self.sent.lock().expect("one thread").extend(sent);
                    settled = false;
                }
                settled &= client.outstanding.is_none();
            }
            if settled {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the fleet does not settle");
    }

    async fn check_end(&mut self) {
        let running = self.nodes[0]
            .running
            .as_ref()
            .expect("it keeps the session");
        let session = running.session.clone();
        // It may have finished before.
        let finish = session.submit_order(
            Issuer::Admin,
            GameMasterOrder::Finish { confirmed: true },
            Vec::new(),
        );
        _ = finish.await.expect("the session answers");
        // After the next heads, every client knows of every update.
        for _ in 0..5 {
            tokio::time::sleep(delivery_config().heads_every).await;
            self.settle().await;
        }
        let live = session.read(|view| {
            view.state.assert_invariants();
            view.state.hash()
        });
        let live = live.await.expect("the session answers");
        let folded = self.oracle.folded(self.hunt.clone()).hash();
        assert_eq!(live, folded, "replaying the journal gives another state");
        let model = self.oracle.model();
        for client in &self.clients {
            let device = client.device;
            assert_eq!(client.view(), model.team_of(device), "device {device}");
            let cursor = client.cursor().expect("every client is attached");
            assert_eq!(cursor.everyone, model.head(Audience::Everyone));
            client.check_acknowledged(&model);
        }
    }
}
