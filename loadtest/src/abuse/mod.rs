//! Clients that ping and never read, and clients that send a handshake byte by byte, beside players who
//! behave well.

mod abuser;
mod player;
mod report;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use testkit::{Rest, RestError, ServerError};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, interval, sleep};

use crate::arguments::{AbuseArguments, ServerArguments};
use crate::client::Endpoint;
use crate::idle::Memory;
use crate::managed_server::{ManagedServer, ManagedServerError, Target};
use crate::players::{Group, LARGE_TEAM, Players};
use crate::setup;

use abuser::{Abuser, Tally};
use player::{PlayerConfig, PlayerResult};
pub use report::{AbuseReport, PlayersReport};

/// Players who behave well and share a team. Each of them sees the others' guesses.
const TEAM_SIZE: usize = 4;
/// How long the players play before the others come.
const BEFORE_ATTACK: Duration = Duration::from_secs(10);
/// How long it may take until everybody is there.
const RAMP_UP_MAX: Duration = Duration::from_mins(2);
/// How often the server's memory is read.
const SAMPLE_EVERY: Duration = Duration::from_millis(500);
/// Places of the server beyond those that are asked for, for REST and for those who come back before
/// the server has noticed that they had left.
const SPARE_CONNECTIONS: u32 = 2_000;

/// Why there are no figures.
#[derive(Debug, thiserror::Error)]
pub enum AbuseError {
    /// There is no server of our own.
    #[error(transparent)]
    ManagedServer(#[from] ManagedServerError),
    /// It failed.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The session or its players could not be created.
    #[error("cannot prepare the session: {0}")]
    Prepare(#[from] RestError),
    /// The server's memory cannot be read.
    #[error("cannot read the server's memory: {0}")]
    Memory(#[from] io::Error),
    /// A client of ours panicked.
    #[error("a client task panicked: {0}")]
    Client(#[from] JoinError),
    /// Somebody named a server.
    #[error("this test measures the memory of a server that it starts itself: leave --server out")]
    RunningServer,
    /// Not everybody could connect.
    #[error(
        "only {connected} of {wanted} clients connected within {RAMP_UP_MAX:?}; check `ulimit -n` or use fewer"
    )]
    Missing {
        /// How many there should be.
        wanted: u32,
        /// How many there were.
        connected: u32,
    },
}

/// Everybody who takes part.
struct Crowd {
    endpoint: Endpoint,
    every: Duration,
    guess_every: Duration,
    tally: Arc<Tally>,
    over: watch::Sender<bool>,
    players: JoinSet<PlayerResult>,
    abusers: JoinSet<()>,
}

/// Runs the whole measurement. The server is stopped at the end.
pub async fn abuse(arguments: AbuseArguments) -> Result<AbuseReport, AbuseError> {
    let target = Target::resolve(&with_connection_limit(&arguments)).await?;
    let rest = Rest::new(&target.url, setup::REST_WAIT_MAX)?;
    let groups = [
        Group {
            players: arguments.playing as usize,
            team_size: TEAM_SIZE,
        },
        Group {
            players: arguments.pinging as usize,
            team_size: LARGE_TEAM,
        },
    ];
    let joined = Players::join(&rest, &target.admin_token, &groups).await?;
    let mut own = target.own.ok_or(AbuseError::RunningServer)?;
    let bytes_before = memory(&own)?.resident;

    let mut crowd = Crowd::new(joined.endpoint, &arguments);
    let (playing, pinging) = joined.tokens.split_at(arguments.playing as usize);
    crowd.play(playing);
    sleep(BEFORE_ATTACK).await;
    crowd.abuse(pinging, arguments.dripping);
    let wanted = arguments.pinging + arguments.dripping;
    wait_for_all(&crowd.tally, wanted).await?;
    let samples = watch_memory(&own, arguments.seconds).await?;
    let tally = crowd.tally.clone();
    let players = crowd.end(arguments.playing).await?;
    own.stop().await?;

    let third = samples.len() / 3;
    let most = |part: &[u64]| part.iter().copied().max().unwrap_or_default();
    let (first, last) = (most(&samples[..third]), most(&samples[2 * third..]));
    Ok(AbuseReport {
        pinging: arguments.pinging,
        dripping: arguments.dripping,
        seconds: arguments.seconds.as_secs_f64(),
        pings: tally.pings(),
        handshake_bytes: tally.handshake_bytes(),
        connections_closed: tally.connections_closed(),
        bytes_before,
        bytes_first_third: first,
        bytes_last_third: last,
        growth_bytes: last.saturating_sub(first),
        growth_bytes_max: arguments.growth_bytes_max,
        players,
        ack_ms_max: arguments.ack_ms_max,
    })
}

impl Crowd {
    fn new(endpoint: Endpoint, arguments: &AbuseArguments) -> Self {
        let (over, _nobody_yet) = watch::channel(false);
        Self {
            endpoint,
            every: arguments.every,
            guess_every: arguments.guess_every,
            tally: Arc::default(),
            over,
            players: JoinSet::new(),
            abusers: JoinSet::new(),
        }
    }

    /// Players come; what they meet with before [`BEFORE_ATTACK`] is over counts as alone.
    fn play(&mut self, tokens: &[String]) {
        let attack_at = Instant::now() + BEFORE_ATTACK;
        for (number, token) in tokens.iter().enumerate() {
            let config = PlayerConfig {
                endpoint: self.endpoint.clone(),
                token: token.clone(),
                number,
                every: self.guess_every,
                attack_at,
            };
            self.players.spawn(config.play(self.over.subscribe()));
        }
    }

    fn abuse(&mut self, pinging: &[String], dripping: u32) {
        let pinging = pinging.iter().cloned().map(Abuser::Pinging);
        let dripping = (0..dripping).map(|_| Abuser::Dripping);
        for (index, abuser) in pinging.chain(dripping).enumerate() {
            let endpoint = self.endpoint.clone();
            let abusing = abuser.abuse(
                endpoint,
                index,
                self.every,
                self.tally.clone(),
                self.over.subscribe(),
            );
            self.abusers.spawn(abusing);
        }
    }

    /// Everybody leaves; the players tell how they fared.
    async fn end(mut self, players: u32) -> Result<PlayersReport, JoinError> {
        self.over.send_replace(true);
        let mut all = Vec::new();
        while let Some(result) = self.players.join_next().await {
            all.push(result?);
        }
        while let Some(ended) = self.abusers.join_next().await {
            ended?;
        }
        Ok(PlayersReport::from_results(players, all))
    }
}

async fn wait_for_all(tally: &Tally, wanted: u32) -> Result<(), AbuseError> {
    let give_up_at = Instant::now() + RAMP_UP_MAX;
    while tally.connected() < wanted {
        if Instant::now() > give_up_at {
            let connected = tally.connected();
            return Err(AbuseError::Missing { wanted, connected });
        }
        sleep(SAMPLE_EVERY).await;
    }
    Ok(())
}

async fn watch_memory(own: &ManagedServer, lasting: Duration) -> Result<Vec<u64>, AbuseError> {
    let over_at = Instant::now() + lasting;
    let mut samples = Vec::new();
    let mut ticks = interval(SAMPLE_EVERY);
    while Instant::now() < over_at {
        ticks.tick().await;
        samples.push(memory(own)?.resident);
    }
    Ok(samples)
}

/// The arguments of a server that has a place for everybody.
fn with_connection_limit(arguments: &AbuseArguments) -> ServerArguments {
    let mut server = arguments.server.clone();
    let limit = arguments.pinging + arguments.dripping + arguments.playing + SPARE_CONNECTIONS;
    let setting = format!("gateway.connections_max={limit}");
    server.server_settings.insert(0, setting);
    server
}

fn memory(own: &ManagedServer) -> Result<Memory, AbuseError> {
    let process = own
        .id()
        .ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
    Ok(Memory::read(process)?)
}
