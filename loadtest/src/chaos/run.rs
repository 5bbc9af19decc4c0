//! Coordinates a run: starts the players, injects the faults, stops the players and reads the journal.

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

use super::ack_tracker::AckTracker;
use super::balancer::Balancer;
use super::conclude::{Evidence, summarize};
use super::environment::{
    Environment, OPENING_MAX, SILENCE_MAX, progress_bar, rests, session_of, set_up,
};
use super::export::Export;
use super::injector::Injector;
use super::log::PlayerLog;
use super::player::{Player, PlayerContext, Stage};
use super::rows::RowChecker;
use super::witness::{Observations, Witnesses};
use super::{Chaos, ChaosError};
use crate::arguments::{ChaosArguments, JournalStore};
use crate::client::{Endpoint, Node, WireClient};

/// Players reconnect faster than the protocol's maximum delay, to shorten the run.
const RECONNECT_MAX: Duration = Duration::from_secs(1);

/// Timeout for players to finish after the last fault.
const SETTLE_WAIT_MAX: Duration = Duration::from_mins(2);

/// Number of exports read concurrently.
const EXPORTS_CONCURRENCY: usize = 8;

/// The running players.
struct Crowd {
    stage: watch::Sender<Stage>,
    playing: JoinSet<PlayerLog>,
    arrivals: mpsc::Receiver<()>,
    logs: Vec<PlayerLog>,
}

/// Runs the whole test.
pub(super) async fn run(
    arguments: ChaosArguments,
    store: JournalStore,
) -> Result<Chaos, ChaosError> {
    let faults = u64::from(arguments.count) * arguments.fault.len() as u64;
    let progress = progress_bar(faults);
    progress.set_message("preparing");
    let environment = set_up(&arguments, store).await?;
    let ack_tracker = AckTracker::new(environment.joined.len());
    let balancer =
        Balancer::start(&environment.fleet.authorities()).map_err(ChaosError::Prepare)?;
    let mut crowd = spawn_players(&environment, &balancer, &arguments, &ack_tracker);
    crowd.gather().await?;

    let joined = environment.joined;
    let codes: Vec<String> = environment
        .sessions
        .iter()
        .map(|made| made.session.clone())
        .collect();
    let mut injector = Injector {
        fleet: environment.fleet,
        rig: environment.rig,
        store: environment.store,
        ack_tracker,
        codes,
        witnesses: Witnesses {
            sessions: environment.sessions,
            observed: Observations::default(),
        },
        random: StdRng::seed_from_u64(arguments.seed),
        progress,
        rows: RowChecker::default(),
        injected_faults: Vec::new(),
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
    let (report, problems) = summarize(&Evidence {
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

/// Injects the faults, waits for the requested number of commands, and lets the players finish.
async fn play(injector: &mut Injector, crowd: &mut Crowd) -> Result<(), ChaosError> {
    tokio::select! {
        injected = injector.inject_all() => injected?,
        () = crowd.all_end() => return Err(ChaosError::NoPlayersLeft),
    }
    injector.progress.set_message("settling");
    let wanted = injector.arguments.commands;
    let ack_tracker = injector.ack_tracker.clone();
    tokio::select! {
        () = ack_tracker.wait_for_count(wanted) => {}
        () = crowd.all_end() => return Err(ChaosError::NoPlayersLeft),
        never = injector.fleet.restart_exits() => match never {},
    }
    injector.fleet.all_up().await;
    let settled = tokio::select! {
        settled = timeout(SETTLE_WAIT_MAX, crowd.settle()) => settled,
        never = injector.fleet.restart_exits() => match never {},
    };
    settled.map_err(|_| ChaosError::Unsettled(crowd.playing.len()))
}

/// Reads the rows and the export of every session.
async fn read_journal(injector: &mut Injector) -> Result<Vec<Export>, ChaosError> {
    injector.progress.set_message("checking");
    injector.fleet.all_up().await;
    let (store, rows) = (&mut injector.store, &mut injector.rows);
    let applied = async {
        store.check_claims(rows).await?;
        store.check_rows(rows).await
    };
    applied.await.map_err(super::InjectError::from)?;
    let rests = rests(&injector.fleet).map_err(ChaosError::Export)?;
    let sessions = injector.witnesses.sessions.iter().enumerate();
    let reading =
        sessions.map(|(number, session)| Export::read(&rests[number % rests.len()], session));
    let exports = stream::iter(reading).buffered(EXPORTS_CONCURRENCY);
    let exports: Result<Vec<Export>, RestError> = exports.try_collect().await;
    exports.map_err(ChaosError::Export)
}

/// Starts all players, who connect at once, team mates to different nodes.
fn spawn_players(
    environment: &Environment,
    balancer: &Balancer,
    arguments: &ChaosArguments,
    ack_tracker: &AckTracker,
) -> Crowd {
    let (stage, stage_seen) = watch::channel(Stage::Gather);
    let (arrive, arrivals) = mpsc::channel(2 * environment.joined.len());
    let context = PlayerContext {
        stage: stage_seen,
        ack_tracker: ack_tracker.clone(),
        think: arguments.think,
        resend: arguments.resend,
        outstanding_max: arguments.outstanding_max(),
        arrivals: arrive,
    };
    let nodes: Vec<_> = zip(environment.fleet.authorities(), balancer.nodes()).collect();
    let mut playing = JoinSet::new();
    for (number, joined) in (0_u32..).zip(&environment.joined) {
        let session = session_of(number, environment.sessions.len());
        let client = client(
            &nodes,
            number,
            joined,
            &environment.sessions[session].session,
        );
        let player = Player {
            context: context.clone(),
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
    /// Waits until all players are attached.
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

    /// Waits until all active players have arrived at the end of a stage.
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

    /// Lets players finish outstanding guesses, then check their streams.
    async fn settle(&mut self) {
        self.stage.send_replace(Stage::Finish);
        self.all_arrive().await;
        self.stage.send_replace(Stage::Settle);
        self.all_end().await;
    }

    /// Waits until all players have ended.
    async fn all_end(&mut self) {
        while let Some(ended) = self.playing.join_next().await {
            self.logs.push(ended.expect("players do not panic"));
        }
    }

    /// Ends the last stage and waits for all players.
    async fn over(&mut self) {
        self.stage.send_replace(Stage::Over);
        self.all_end().await;
    }
}
