//! Conducts a replay: sets the stage, counts arrivals, and sends everybody home.

use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use rand::SeedableRng;
use rand::rngs::StdRng;
use testkit::Rest;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::log::GuessLog;
use super::player::{Player, PlayerContext, PlayerResult};
use super::prepare::{self, Prepared};
use super::supervisor::{OutageIntervals, Supervised, Supervisor};
use super::verify::{self, StoredSession};
use super::{ReplayError, Replayed, Unfinished, summary};
use crate::arguments::{ReplayArguments, Speed};
use crate::client::{Endpoint, WireClient};
use crate::managed_server::Target;
use crate::setup;

/// How far a replay is. It only goes forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// The teams connect and wait for the unlock.
    Gather,
    /// They guess.
    Guess,
    /// They make sure that they have seen everything.
    Settle,
    /// Everybody goes home.
    Over,
}

/// What each player reaches once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrival {
    Attached,
    Unlocked,
    Guessed,
}

/// When guesses are to be sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Schedule {
    start: Instant,
    speed: Speed,
}

impl Schedule {
    /// When the guess is to be sent that was made so long after the first one; none for at once.
    pub(super) fn at(self, after: Duration) -> Option<Instant> {
        match self.speed {
            Speed::Times(times) => Some(self.start + after.div_f64(times)),
            Speed::Max => None,
        }
    }
}

/// A replay under way.
pub(super) struct ReplayRun {
    log: Arc<GuessLog>,
    rest: Rest,
    prepared: Prepared,
    stage: watch::Sender<Stage>,
    schedule: watch::Sender<Schedule>,
    arrivals: mpsc::Receiver<Arrival>,
    players: JoinSet<PlayerResult>,
    played: Vec<PlayerResult>,
    /// The task of the server of our own, if there is one.
    supervisor: JoinSet<Supervised>,
    supervised: Option<Supervised>,
    stored: Option<StoredSession>,
    progress: ProgressBar,
}

impl ReplayRun {
    /// Starts a server if none is named, prepares the session and seats the players.
    pub(super) async fn set_up(
        log: GuessLog,
        arguments: &ReplayArguments,
    ) -> Result<Self, ReplayError> {
        let target = Target::resolve(&arguments.server).await?;
        let rest = Rest::new(&target.url, setup::REST_WAIT_MAX)?;
        let concurrency =
            NonZero::new(arguments.connections_concurrency).unwrap_or(NonZero::<u16>::MIN);
        let progress = progress_bar(log.guesses() as u64);
        progress.set_message("joining");
        let prepared = prepare::prepare(&rest, &target.admin_token, &log, concurrency).await?;

        let log = Arc::new(log);
        let (stage, stage_seen) = watch::channel(Stage::Gather);
        let (schedule, schedule_seen) = watch::channel(Schedule {
            start: Instant::now(),
            speed: arguments.speed,
        });
        let (arrive, arrivals) = mpsc::channel(3 * log.teams.len());
        let mut supervisor = JoinSet::new();
        if let Some(managed_server) = target.own {
            let random = StdRng::seed_from_u64(arguments.seed);
            let intervals = OutageIntervals {
                kill_every: arguments.kill_every,
                stop_every: arguments.stop_every,
            };
            let own = Supervisor::new(managed_server, stage_seen.clone(), intervals, random);
            supervisor.spawn(own.supervise());
        }
        let context = PlayerContext {
            log: Arc::clone(&log),
            puzzle_ids: Arc::clone(&prepared.puzzle_ids),
            stage: stage_seen,
            schedule: schedule_seen,
            arrivals: arrive,
            connecting: Arc::new(Semaphore::new(usize::from(concurrency.get()))),
            progress: progress.clone(),
        };
        let players = spawn_players(&context, &prepared, &rest, arguments);
        Ok(Self {
            log,
            rest,
            prepared,
            stage,
            schedule,
            arrivals,
            players,
            played: Vec::new(),
            supervisor,
            supervised: None,
            stored: None,
            progress,
        })
    }

    /// From the first connection to what the server kept. May be dropped at any point.
    pub(super) async fn run(&mut self, speed: Speed) -> Result<(), Unfinished> {
        self.progress.set_message("connecting");
        self.gather(Arrival::Attached).await?;
        setup::start(&self.rest, &self.prepared.session).await?;
        self.gather(Arrival::Unlocked).await?;
        self.progress.set_message("guessing");
        self.progress.reset();
        self.schedule.send_replace(Schedule {
            start: Instant::now(),
            speed,
        });
        self.stage.send_replace(Stage::Guess);
        self.gather(Arrival::Guessed).await?;
        self.progress.set_message("checking");
        self.stage.send_replace(Stage::Settle);
        while !self.players.is_empty() {
            self.one_event().await?;
        }
        self.stored = Some(verify::fetch(&self.rest, &self.prepared.session).await?);
        Ok(())
    }

    /// Sends everybody home and adds up what they know.
    pub(super) async fn finish(mut self, speed: Speed, unfinished: Option<Unfinished>) -> Replayed {
        self.stage.send_replace(Stage::Over);
        while let Some(played) = self.players.join_next().await {
            self.played.push(played.expect("players do not panic"));
        }
        if let Some(supervised) = self.supervisor.join_next().await {
            self.supervised = Some(supervised.expect("the supervisor does not panic"));
        }
        self.progress.finish_and_clear();
        let (outages, failure) = match self.supervised {
            Some(supervised) => (supervised.outages, supervised.failure),
            None => (Vec::new(), None),
        };
        let (report, problems) = summary::summarize(&summary::Evidence {
            log: &self.log,
            prepared: &self.prepared,
            played: &self.played,
            outages: &outages,
            stored: self.stored.as_ref(),
            speed,
        });
        Replayed {
            report,
            problems,
            unfinished: failure.map(Unfinished::Server).or(unfinished),
        }
    }

    /// Waits until every player has arrived.
    async fn gather(&mut self, wanted: Arrival) -> Result<(), Unfinished> {
        let mut arrived = 0;
        while arrived < self.log.teams.len() {
            if let Some(arrival) = self.one_event().await? {
                assert_eq!(arrival, wanted, "players arrive in the order of the stages");
                arrived += 1;
            }
        }
        Ok(())
    }

    /// An arrival, or the end of a player or of the server.
    async fn one_event(&mut self) -> Result<Option<Arrival>, Unfinished> {
        tokio::select! {
            Some(arrival) = self.arrivals.recv() => Ok(Some(arrival)),
            Some(played) = self.players.join_next() => {
                let mut played = played.expect("players do not panic");
                let team = self.log.teams[played.team].name.clone();
                let failure = played.failure.take();
                self.played.push(played);
                failure.map_or(Ok(None), |source| Err(Unfinished::Client { team, source }))
            }
            Some(supervised) = self.supervisor.join_next() => {
                self.supervised = Some(supervised.expect("the supervisor does not panic"));
                Err(Unfinished::ServerStopped)
            }
        }
    }
}

/// Gives every team a player, who connects at once.
fn spawn_players(
    context: &PlayerContext,
    prepared: &Prepared,
    rest: &Rest,
    arguments: &ReplayArguments,
) -> JoinSet<PlayerResult> {
    let mut players = JoinSet::new();
    for (team, joined) in prepared.players.iter().enumerate() {
        let endpoint = Endpoint {
            authority: rest.authority().to_owned(),
            session: prepared.session.session.clone(),
        };
        let seed = arguments.seed.wrapping_add(1 + team as u64);
        let client = WireClient::new(endpoint, joined.token.clone(), seed);
        let player = Player {
            context: context.clone(),
            team,
            client: client.with_reconnect_max(arguments.reconnect_max),
        };
        players.spawn(player.play());
    }
    players
}

/// It draws nothing unless standard error is a terminal.
fn progress_bar(guesses: u64) -> ProgressBar {
    let template = "{msg:14} [{bar:30}] {pos}/{len} guesses  {elapsed}";
    let style = ProgressStyle::with_template(template).expect("the template is valid");
    ProgressBar::new(guesses).with_style(style)
}
