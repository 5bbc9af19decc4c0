//! One simulated node: a session, a few devices, a process that crashes and whose clock jumps, and a
//! journal with faults.
//!
//! Over 500 lines: what a seed can do to the node is one list of steps over the same fields.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cluecast::clock::{Clock, SimulatedClock};
use cluecast::config::{DeliveryConfig, SessionConfig};
use cluecast::content::{ContentKey, ContentPaths};
use cluecast::delivery::Hub;
use cluecast::ids::{Incarnation, SessionId};
use cluecast::journal::{Catalogue, PrivateKind, PrivateRecord, SessionRecord};
use cluecast::session::{
    Archiving, Change, InjectedFault, JournalAccess, Outcome, Services, SessionHandle, SessionSpec,
    Unavailable, launch,
};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hunt::{DurationMs, GameMasterOrder, Hunt, Issuer, Receipt, Target, limits};
use protocol::Board;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::archive::SimulatedArchive;
use crate::client::{Client, team_mates};
use crate::dice::{CLOCKS_DIFFER_MS, Dice};
use crate::journal::{CommittedTo, FaultRates, NO_FAULTS, SimulatedJournal};
use crate::model::{HUNT_FILE, PUZZLES};
use crate::oracle::{Oracle, Sent, Watched};
use crate::spectator::Spectator;

const STEPS: usize = 120;
const TEAMS: u32 = 2;
pub const DEVICES_A_TEAM: u32 = 2;
/// Most orders whose outcome is awaited; further ones are abandoned.
const ORDERS_AWAITED_MAX: usize = 100;
/// Most by which a clue lasts longer than the least that is allowed.
const CLUE_LASTS_MS_MAX: usize = 2_000;
pub const WAIT_MAX: Duration = Duration::from_secs(5);
const GUESSES: [&str; 5] = ["yes", "No!", "maybe", "perhaps", "…"];

/// The paths of texts, which no simulated client fetches.
pub fn content_paths() -> ContentPaths {
    ContentKey::new(b"simulated").paths_of(SessionId::new(1), "SIMULATED")
}

pub fn delivery_config() -> DeliveryConfig {
    DeliveryConfig {
        // Small, so that some clients reconnect too late for a replay.
        ring_bytes_max: 2_000,
        ring_age_max: Duration::from_secs(2),
        heads_every: Duration::from_millis(100),
        outbound_bytes_max: 1 << 20,
        // Small, so that some clients are too slow.
        outbound_frames_max: 12,
        latest_every: Duration::from_millis(50),
        snapshot_bytes_max: 5_000,
        board_rows_max: 2,
        spectators_max: 1,
    }
}

struct Node {
    session: SessionHandle<Watched>,
    stop: CancellationToken,
    task: JoinSet<()>,
}

pub struct World {
    dice: Dice,
    journal: SimulatedJournal,
    oracle: Oracle,
    record: Arc<SessionRecord>,
    hunt: Arc<Hunt>,
    services: Services,
    clock: SimulatedClock,
    node: Option<Node>,
    clients: Vec<Client>,
    spectator: Option<Spectator>,
    /// Orders whose outcome is awaited.
    ordered: VecDeque<BoxFuture<'static, Result<Outcome, Unavailable>>>,
    sent: Arc<Mutex<Vec<Sent>>>,
    pub log: Vec<String>,
    /// The journal's worker, which ends with the world.
    _worker: JoinSet<()>,
}

impl World {
    pub async fn new(seed: u64, fault: InjectedFault) -> Self {
        let dice = Dice::new(seed);
        let (journal, worker) = SimulatedJournal::new(dice.clone());
        let files = [("hunt.toml".to_owned(), HUNT_FILE.to_owned())].into();
        let hunt = hunt::parse(&files).expect("the simulation's hunt has no mistakes");
        let record = SessionRecord {
            id: SessionId::new(seed),
            code: "SIMULATED".to_owned(),
            hunt_revision: "simulated".to_owned(),
            created_at_ms: 0,
        };
        let stored = journal
            .put_hunt(record.hunt_revision.clone(), Vec::new())
            .await;
        stored.expect("memory stores");
        journal
            .create_session(record.clone())
            .await
            .expect("memory stores");
        let archive = SimulatedArchive::new(dice.clone());
        let oracle = Oracle::new(CommittedTo {
            journal: journal.committed.clone(),
            archive: archive.clone(),
            session: record.id,
        });
        let clock = SimulatedClock::new(dice.time());
        let services = Services {
            journal: Arc::new(journal.clone()),
            owner: Incarnation(0),
            access: JournalAccess::Exclusive,
            clock: Clock::Simulated(clock.clone()),
            config: SessionConfig {
                mailbox_max: 64,
                turn_requests_max: 1 + dice.throw(4),
                batches_in_flight_max: 1 + dice.throw(4),
                wait_max: WAIT_MAX,
                idle_max: WAIT_MAX,
                reopen_max: Duration::ZERO,
            },
            snapshot_every_events: 10,
            archiving: Some(Archiving::new(Arc::new(archive), 1 + dice.throw(10) as u64)),
            fault,
        };
        Self {
            dice,
            journal,
            oracle,
            record: record.into(),
            hunt: hunt.into(),
            services,
            clock,
            node: None,
            clients: Vec::new(),
            spectator: None,
            ordered: VecDeque::new(),
            sent: Arc::default(),
            log: Vec::new(),
            _worker: spawned(worker),
        }
    }

    /// Runs the whole simulation. Panics when a check fails.
    pub async fn run(&mut self) {
        self.start_node();
        for team in 0..TEAMS {
            self.found_team(team).await;
        }
        self.journal.set_faults(FaultRates {
            appends_failing: *self.dice.pick(&[0, 2, 10]),
            others_failing: *self.dice.pick(&[0, 5, 20]),
        });
        for step in 0..STEPS {
            self.step(step).await;
            self.check();
        }
        self.journal.set_faults(NO_FAULTS);
        self.settle().await;
        self.check_end().await;
    }

    fn start_node(&mut self) {
        self.services.owner = Incarnation(self.services.owner.0 + 1);
        let spec = SessionSpec {
            record: self.record.clone(),
            hunt: self.hunt.clone(),
            claimed: None,
            stop: CancellationToken::new(),
            abandon: CancellationToken::new(),
        };
        let (oracle, sent, clock) = (
            self.oracle.clone(),
            self.sent.clone(),
            self.services.clock.clone(),
        );
        let delivery = move || {
            let hub = Hub::new(&delivery_config(), clock.clone(), content_paths());
            Watched::new(hub, oracle.clone(), sent.clone())
        };
        let stop = spec.stop.clone();
        let (session, running) = launch(self.services.clone().into(), spec, delivery);
        self.node = Some(Node {
            session,
            stop,
            task: spawned(running.map(drop)),
        });
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
        let session = &self.node.as_ref().expect("the node runs").session;
        let outcome = session.submit(change).await;
        match outcome.expect("there are no faults yet") {
            Ok(Receipt::Joined { device, .. }) => self.clients.push(Client::new(device.number())),
            other => panic!("joining gave {other:?}"),
        }
    }

    async fn step(&mut self, step: usize) {
        let what = self.dice.throw(100);
        let client = self.dice.throw(self.clients.len());
        self.log
            .push(format!("{step}: throw {what}, client {client}"));
        match what {
            0..45 => self.client_acts(client),
            45..48 => self.clients[client].cut(),
            48..52 => self.clients[client].sleeps = true,
            52..58 => self.clients[client].sleeps = false,
            58..83 => tokio::time::sleep(self.dice.up_to_ms(30)).await,
            83..85 => self.clock.jump(self.dice.time()),
            85..92 => self.order(),
            92..95 => self.crash().await,
            95..97 => self.stop_cleanly().await,
            _ => {
                let time = self.dice.up_to_ms(3_000);
                self.let_time_pass(time).await;
            }
        }
    }

    /// Lets time pass, while clients that are reading receive messages.
    async fn let_time_pass(&mut self, time: Duration) {
        let until = tokio::time::Instant::now() + time;
        while tokio::time::Instant::now() < until {
            tokio::time::sleep(delivery_config().heads_every).await;
            self.check();
        }
    }

    fn client_acts(&mut self, client: usize) {
        if self.node.is_none() {
            self.start_node();
        }
        let session = &self.node.as_ref().expect("just started").session;
        let client = &mut self.clients[client];
        let sent = if !client.is_connected() {
            client.connect(session, self.dice.chance(10))
        } else if self.dice.chance(15) {
            let own: Vec<Sent> = self.sent.lock().expect("one thread").clone();
            let own: Vec<Sent> = own
                .into_iter()
                .filter(|sent| sent.device == client.device)
                .collect();
            if own.is_empty() {
                None
            } else {
                client.repeat(session, self.dice.pick(&own))
            }
        } else if client.outstanding.is_none() {
            let (puzzle, ..) = self.dice.pick(&PUZZLES);
            client.guess(session, puzzle, GUESSES[self.dice.throw(GUESSES.len())])
        } else {
            None
        };
        self.sent.lock().expect("one thread").extend(sent);
    }

    /// Sends a game master's order, which may be rejected or lost.
    fn order(&mut self) {
        let order = self.some_order();
        if let Some(node) = &self.node {
            let session = node.session.clone();
            let ordered =
                async move { session.submit_order(Issuer::Admin, order, Vec::new()).await };
            let mut ordered = ordered.boxed();
            // The first poll puts it into the mailbox. The caller may leave before it is executed.
            let outcome = (&mut ordered).now_or_never();
            if outcome.is_none() && self.dice.chance(90) {
                self.ordered.push_back(ordered);
                self.ordered.truncate(ORDERS_AWAITED_MAX);
            }
        }
    }

    fn some_order(&self) -> GameMasterOrder {
        match self.dice.throw(100) {
            0..2 => GameMasterOrder::Finish { confirmed: true },
            2..30 => GameMasterOrder::Start,
            30..40 => GameMasterOrder::Pause,
            40..60 => GameMasterOrder::Resume,
            60..75 => {
                let clues = u32::try_from(self.oracle.model().clues.len()).expect("few clues");
                let clue = 1 + self.dice.throw(clues as usize + 1);
                GameMasterOrder::CancelClue {
                    clue: u32::try_from(clue).expect("few clues").into(),
                }
            }
            _ => {
                let first = || 1 + u32::try_from(self.dice.throw(2)).expect("two sides");
                let to = match self.dice.throw(3) {
                    0 => Target::Everyone,
                    1 => Target::Team {
                        team: first().into(),
                    },
                    _ => Target::Player {
                        player: first().into(),
                    },
                };
                let beyond = self.dice.throw(CLUE_LASTS_MS_MAX) as u64;
                let lasts_ms = limits::CLUE_LASTS_MS_MIN + beyond;
                let lasts = self.dice.chance(50).then_some(DurationMs(lasts_ms));
                GameMasterOrder::PushClue {
                    to,
                    text: format!("look at {}", self.dice.throw(9)),
                    lasts,
                }
            }
        }
    }

    /// The process dies and loses its memory and its connections.
    async fn crash(&mut self) {
        if let Some(mut node) = self.node.take() {
            node.task.abort_all();
            join_node(node.task).await;
        }
        for client in &mut self.clients {
            client.cut();
        }
        self.spectator = None;
        self.start_node();
    }

    async fn stop_cleanly(&mut self) {
        if let Some(node) = self.node.take() {
            node.stop.cancel();
            join_node(node.task).await;
        }
        for client in &mut self.clients {
            client.drain();
            client.cut();
        }
        if let Some(spectator) = &mut self.spectator {
            spectator.drain();
        }
    }

    fn check(&mut self) {
        for client in &mut self.clients {
            client.drain();
        }
        self.spectate();
        drop(self.oracle.model());
        assert!(
            !self.oracle.is_violated(),
            "a check inside of the node failed"
        );
        let violations = self.journal.violations();
        assert!(violations.is_empty(), "{violations:?}");
    }

    /// Keeps a spectator connected.
    fn spectate(&mut self) {
        if let Some(spectator) = &mut self.spectator {
            spectator.drain();
        }
        if let Some(node) = &self.node
            && self.spectator.as_ref().is_none_or(Spectator::is_gone)
        {
            self.spectator = Spectator::connect(&node.session);
        }
    }

    /// Reconnects every client and waits until every command has an outcome.
    async fn settle(&mut self) {
        for client in &mut self.clients {
            client.sleeps = false;
        }
        if self.node.is_none() {
            self.start_node();
        }
        for _ in 0..200 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            self.check();
            let session = &self.node.as_ref().expect("just started").session;
            let mut settled = true;
            for client in &mut self.clients {
                if !client.is_connected() {
                    let sent = client.connect(session, false);
                    self.sent.lock().expect("one thread").extend(sent);
                    settled = false;
                }
                settled &= client.outstanding.is_none();
            }
            if settled {
                return;
            }
        }
        panic!("the world does not settle");
    }

    async fn check_end(&mut self) {
        // Wait for the end of the session, for the last clue's expiry by a clock that jumped back, and for
        // the next heads, which reveal a missing last update. Afterwards nothing happens without a request.
        let session = &self.node.as_ref().expect("the node runs").session;
        let finish = session.submit_order(
            Issuer::Admin,
            GameMasterOrder::Finish { confirmed: true },
            Vec::new(),
        );
        // The session may have finished before.
        _ = finish.await.expect("the session answers");
        let ms = CLUE_LASTS_MS_MAX + CLOCKS_DIFFER_MS + 1_500;
        self.let_time_pass(Duration::from_millis(ms as u64)).await;
        self.check_latest();
        let session = &self.node.as_ref().expect("the node runs").session;
        let live = session.read(|view| {
            view.state.assert_invariants();
            view.state.hash()
        });
        let live = live.await.expect("the session answers");
        assert_eq!(
            live,
            self.oracle.folded(self.hunt.clone()).hash(),
            "replaying the journal gives another state"
        );
        let model = self.oracle.model();
        for client in &self.clients {
            assert_eq!(
                client.view(),
                model.team_of(client.device),
                "device {}",
                client.device
            );
            assert_eq!(client.clues(), &model.clues_of(client.device));
            let cursor = client.cursor().expect("every client is attached");
            assert_eq!(cursor.everyone, model.head(hunt::Audience::Everyone));
            client.check_acknowledged(&model);
        }
    }

    /// Checks that every client has the same board, and that it shows what is committed.
    fn check_latest(&self) {
        let spectator = self.spectator.as_ref().expect("a spectator is connected");
        let board = spectator.board().expect("a board has arrived");
        assert_eq!(board.phase, protocol::Phase::Finished);
        let model = self.oracle.model();
        for client in &self.clients {
            let latest = client.latest().expect("every client is attached");
            assert_eq!(latest.board.as_ref().map(shown), Some(shown(board)));
            let team = model.players[model.devices[client.device as usize - 1]];
            let row = board.rows.iter();
            let row = row.clone().find(|row| row.team == format!("t{}", team + 1));
            let row = row.expect("all teams have a row");
            let known = &model.teams[team];
            assert_eq!(
                (row.score, row.solves as usize),
                (known.score, known.solved.len())
            );
            let own = latest.standing.expect("it has arrived");
            assert_eq!(
                (own.rank, own.score, own.solves),
                (row.rank, row.score, row.solves)
            );
            let present = latest.presence.as_ref().expect("it has arrived");
            let present: Vec<_> = present
                .players
                .iter()
                .map(|player| (player.player.clone(), player.devices))
                .collect();
            let all: Vec<_> = team_mates(client.device).map(|mate| (mate, 1)).collect();
            assert_eq!(present, all, "every player is present");
        }
    }
}

/// The content of a board, without its version.
fn shown(board: &Board) -> (protocol::Phase, u32, &[protocol::BoardRow]) {
    (board.phase, board.teams, &board.rows)
}

fn spawned(task: impl Future<Output = ()> + Send + 'static) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    tasks.spawn(task);
    tasks
}

async fn join_node(mut task: JoinSet<()>) {
    while let Some(ended) = task.join_next().await {
        if let Err(error) = ended {
            assert!(error.is_cancelled(), "the node panicked");
        }
    }
}
