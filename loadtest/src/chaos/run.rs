//! Conducts a run: seats the players, has the faults injected, sends everybody home, and reads what
//! the journal holds.

use std::iter::zip;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use protocol::rest::Joined;
use rand::SeedableRng;
use rand::rngs::StdRng;
use testkit::RestError;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::balancer::Balancer;
use super::conclude::{Evidence, add_up};
use super::export::Export;
use super::injector::Injector;
use super::log::PlayerLog;
use super::player::{Player, Stage, Table};
use super::pulse::Pulse;
use super::rows::RowChecker;
use super::stage::{OPENING_MAX, SILENCE_MAX, Set, progress_bar, rests, session_of, set};
use super::witness::{Heard, Witnesses};
use super::{Chaos, ChaosError};
use crate::arguments::{ChaosArguments, JournalStore};
use crate::client::{Endpoint, Node, WireClient};

/// Players come back sooner than the protocol's longest delay, so that a run is not spent waiting.
const RECONNECT_MAX: Duration = Duration::from_secs(1);

/// How long players may take to come to their end after the last fault.
const SETTLE_WAIT_MAX: Duration = Duration::from_mins(2);

/// Exports that are read at the same time.
const EXPORTS_AT_A_TIME: usize = 8;

/// The players at work.
struct Crowd {
    stage: watch::Sender<Stage>,
    playing: JoinSet<PlayerLog>,
    arrivals: mpsc::Receiver<()>,
    logs: Vec<PlayerLog>,
}

/// Runs everything.
pub(super) async fn run(
    arguments: ChaosArguments,
    store: JournalStore,
) -> Result<Chaos, ChaosError> {
    let faults = u64::from(arguments.count) * arguments.fault.len() as u64;
    let progress = progress_bar(faults);
    progress.set_message("preparing");
    let set = set(&arguments, store).await?;
    let pulse = Pulse::new(set.joined.len());
    let balancer = Balancer::start(&set.fleet.authorities()).map_err(ChaosError::Prepare)?;
    let mut crowd = seat(&set, &balancer, &arguments, &pulse);
    crowd.gather().await?;

    let joined = set.joined;
    let codes: Vec<String> = set
        .sessions
        .iter()
        .map(|made| made.session.clone())
        .collect();
    let mut injector = Injector {
        fleet: set.fleet,
        rig: set.rig,
        store: set.store,
        pulse,
        codes,
        witnesses: Witnesses {
            sessions: set.sessions,
            heard: Heard::default(),
        },
        random: StdRng::seed_from_u64(arguments.seed),
        progress,
        rows: RowChecker::default(),
        blows: Vec::new(),
        arguments,
    };
    let began_at = Instant::now();
    crowd.stage.send_replace(Stage::Play);
    let played = play(&mut injector, &mut crowd).await;
    let ended_at = Instant::now();
    crowd.over().await;
    let read = read_journal(&mut injector).await;
    injector.progress.finish_and_clear();
    let (exports, read) = match read {
        Ok(exports) => (exports, Ok(())),
        Err(error) => (Vec::new(), Err(error)),
    };
    let stopped = injector.fleet.stop().await.map_err(ChaosError::from);
    let sessions = injector.codes.len();
    let players = 0..u32::try_from(joined.len()).unwrap_or(u32::MAX);
    let session_of: Vec<usize> = players.map(|player| session_of(player, sessions)).collect();
    let (report, problems) = add_up(&Evidence {
        injector: &injector,
        store,
        logs: &crowd.logs,
        joined: &joined,
        session_of: &session_of,
        exports: &exports,
        began_at,
        ended_at,
    });
    Ok(Chaos {
        report,
        problems,
        unfinished: played.and(read).and(stopped).err(),
    })
}

/// Injects the faults, waits for as many commands as are wanted, and lets the players settle.
async fn play(injector: &mut Injector, crowd: &mut Crowd) -> Result<(), ChaosError> {
    tokio::select! {
        injected = injector.inject_all() => injected?,
        () = crowd.all_end() => return Err(ChaosError::Deserted),
    }
    injector.progress.set_message("settling");
    let wanted = injector.arguments.commands;
    let pulse = injector.pulse.clone();
    tokio::select! {
        () = pulse.reaches(wanted) => {}
        () = crowd.all_end() => return Err(ChaosError::Deserted),
        never = injector.fleet.tend() => match never {},
    }
    injector.fleet.all_up().await;
    let settled = tokio::select! {
        settled = timeout(SETTLE_WAIT_MAX, crowd.settle()) => settled,
        never = injector.fleet.tend() => match never {},
    };
    settled.map_err(|_| ChaosError::Unsettled(crowd.playing.len()))
}

/// Reads the rows, and the export of every session.
async fn read_journal(injector: &mut Injector) -> Result<Vec<Export>, ChaosError> {
    injector.progress.set_message("checking");
    injector.fleet.all_up().await;
    let (store, rows) = (&mut injector.store, &mut injector.rows);
    let shown = async {
        store.show_claims(rows).await?;
        store.show_rows(rows).await
    };
    shown.await.map_err(super::InjectError::from)?;
    let rests = rests(&injector.fleet).map_err(ChaosError::Export)?;
    let sessions = injector.witnesses.sessions.iter().enumerate();
    let reading =
        sessions.map(|(number, session)| Export::read(&rests[number % rests.len()], session));
    let exports = stream::iter(reading).buffered(EXPORTS_AT_A_TIME);
    let exports: Result<Vec<Export>, RestError> = exports.try_collect().await;
    exports.map_err(ChaosError::Export)
}

/// Gives everybody a client, who connects at once: team mates to different nodes.
fn seat(set: &Set, balancer: &Balancer, arguments: &ChaosArguments, pulse: &Pulse) -> Crowd {
    let (stage, stage_seen) = watch::channel(Stage::Gather);
    let (arrive, arrivals) = mpsc::channel(2 * set.joined.len());
    let table = Table {
        stage: stage_seen,
        pulse: pulse.clone(),
        think: arguments.think,
        resend: arguments.resend,
        outstanding_max: arguments.outstanding_max(),
        arrivals: arrive,
    };
    let nodes: Vec<_> = zip(set.fleet.authorities(), balancer.nodes()).collect();
    let mut playing = JoinSet::new();
    for (number, joined) in (0_u32..).zip(&set.joined) {
        let session = session_of(number, set.sessions.len());
        let client = client(&nodes, number, joined, &set.sessions[session].session);
        let player = Player {
            table: table.clone(),
            number,
            client: client(arguments.seed),
            random: Player::random(arguments.seed, number),
        };
        playing.spawn(player.play());
    }
    Crowd {
        stage,
        playing,
        arrivals,
        logs: Vec::new(),
    }
}

fn client(
    nodes: &[(String, watch::Receiver<bool>)],
    number: u32,
    joined: &Joined,
    session: &str,
) -> impl FnOnce(u64) -> WireClient {
    let mut nodes: Vec<Node> = nodes
        .iter()
        .map(|(authority, is_up)| {
            let endpoint = Endpoint {
                authority: authority.clone(),
                session: session.to_owned(),
            };
            Node::checked(endpoint, is_up.clone())
        })
        .collect();
    let first = number as usize % nodes.len();
    nodes.rotate_left(first);
    let first = nodes.remove(0);
    let token = joined.token.clone();
    move |seed| {
        WireClient::new(first, token, seed.wrapping_add(1 + u64::from(number)))
            .with_other_nodes(nodes)
            .with_reconnect_max(RECONNECT_MAX)
            .with_silence_max(SILENCE_MAX)
            .with_opening_max(OPENING_MAX)
            .with_updates_kept()
    }
}

impl Crowd {
    /// Waits until everybody is attached.
    async fn gather(&mut self) -> Result<(), ChaosError> {
        self.all_arrive().await;
        let Some(log) = self.logs.pop() else {
            return Ok(());
        };
        let why = log.failure.map(|failure| failure.to_string());
        Err(ChaosError::Player {
            player: log.player,
            why: why.unwrap_or_default(),
        })
    }

    /// Waits until everybody who still plays has arrived at the end of a stage.
    async fn all_arrive(&mut self) {
        let mut arrived = 0;
        while arrived < self.playing.len() {
            tokio::select! {
                _ = self.arrivals.recv() => arrived += 1,
                Some(ended) = self.playing.join_next() => {
                    self.logs.push(ended.expect("players do not panic"));
                }
            }
        }
    }

    /// Lets everybody finish, and then see what is left to see.
    async fn settle(&mut self) {
        self.stage.send_replace(Stage::Finish);
        self.all_arrive().await;
        self.stage.send_replace(Stage::Settle);
        self.all_end().await;
    }

    /// Waits until everybody has come to an end.
    async fn all_end(&mut self) {
        while let Some(ended) = self.playing.join_next().await {
            self.logs.push(ended.expect("players do not panic"));
        }
    }

    /// Sends everybody home.
    async fn over(&mut self) {
        self.stage.send_replace(Stage::Over);
        self.all_end().await;
    }
}
