//! Clients that ping without reading and clients that send their handshake byte by byte, next to
//! well-behaved players.

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

/// Well-behaved players per team. Each of them receives the others' guesses.
const TEAM_SIZE: usize = 4;
/// Duration of play before the attack begins.
const BEFORE_ATTACK: Duration = Duration::from_secs(10);
/// Timeout for all attackers to connect.
const RAMP_UP_MAX: Duration = Duration::from_mins(2);
/// Interval between measurements of the server's memory.
const SAMPLE_EVERY: Duration = Duration::from_millis(500);
/// Connection slots beyond the requested clients: for REST, and for clients that reconnect before the
/// server has noticed the end of their old connection.
const SPARE_CONNECTIONS: u32 = 2_000;

/// Error that ends the test without a report.
#[derive(Debug, thiserror::Error)]
pub enum AbuseError {
    /// The server could not be started.
    #[error(transparent)]
    ManagedServer(#[from] ManagedServerError),
    /// The server failed.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The session or its players could not be created.
    #[error("cannot prepare the session: {0}")]
    Prepare(#[from] RestError),
    /// The server's memory cannot be read.
    #[error("cannot read the server's memory: {0}")]
    Memory(#[from] io::Error),
    /// A client task panicked.
    #[error("a client task panicked: {0}")]
    Client(#[from] JoinError),
    /// `--server` names a running server, whose memory cannot be measured.
    #[error("this test measures the memory of a server that it starts itself: leave --server out")]
    RunningServer,
    /// Not all attackers could connect in time.
    #[error(
        "only {connected} of {wanted} clients connected within {RAMP_UP_MAX:?}; check `ulimit -n` or use fewer"
    )]
    Missing {
        /// Number of attackers.
        wanted: u32,
        /// Number of them that connected.
        connected: u32,
    },
}

/// All clients of the test.
struct Crowd {
    endpoint: Endpoint,
    every: Duration,
    guess_every: Duration,
    tally: Arc<Tally>,
    over: watch::Sender<bool>,
    players: JoinSet<PlayerResult>,
    abusers: JoinSet<()>,
}

/// Runs the test and stops the server at its end.
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

    /// Starts the players. Receipts before the end of [`BEFORE_ATTACK`] count as before the attack.
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

    /// Stops all clients and collects the players' results.
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

/// Server arguments with a connection limit that admits all clients.
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
