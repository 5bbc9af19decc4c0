//! Sets up a run before the first fault: PostgreSQL, nodes, sessions and players.

use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZero;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use indicatif::{ProgressBar, ProgressStyle};
use protocol::rest::{Join, Joined, SessionCreated};
use testkit::{Rest, RestError};

use super::fleet::Fleet;
use super::hunt::{TEAM_SIZE, hunt};
use super::rig::Rig;
use super::store::Store;
use super::{ChaosError, claims};
use crate::arguments::{ChaosArguments, JournalStore};
use crate::managed_server::{self, DATABASE_FILE, ManagedServerOptions};
use crate::setup;

/// Maximum number of concurrent requests during setup.
const CONCURRENCY: NonZero<u16> = NonZero::new(16).expect("16 is not 0");

/// Settings of every node: all players come from one address, and a silent node is detected soon.
const SETTINGS: [&str; 2] = [
    r#"gateway.venues=["127.0.0.0/8"]"#,
    "delivery.heads_every_ms=500",
];

/// A connection is closed when more than two `heads` frames are overdue.
pub(super) const SILENCE_MAX: Duration = Duration::from_millis(1_500);

/// Timeout of a connection attempt: longer than a node holds a request for a session's owner (5 s,
/// `cluster.route_wait_ms_max`), so that such waits appear in the report.
pub(super) const OPENING_MAX: Duration = Duration::from_secs(6);

/// Cluster secret of the run's nodes. It protects nothing that outlives the run.
const SECRET: &str = "cluster.secret=chaos-chaos-chaos-chaos-chaos-chaos";

/// Address of a node for other nodes: each has its own loopback address, as if on its own machine.
fn cluster_host(node: u16) -> IpAddr {
    let [high, low] = (node + 1).to_be_bytes();
    Ipv4Addr::new(127, 1, high, low).into()
}

/// Everything that players and injector need.
#[derive(Debug)]
pub(super) struct Environment {
    pub(super) fleet: Fleet,
    pub(super) rig: Option<Rig>,
    pub(super) store: Store,
    pub(super) sessions: Vec<SessionCreated>,
    /// The players, in the order of their numbers.
    pub(super) joined: Vec<Joined>,
}

/// Index of a player's session: teams are distributed over the sessions round-robin.
pub(super) fn session_of(player: u32, sessions: usize) -> usize {
    (player / TEAM_SIZE) as usize % sessions
}

/// Starts everything and creates the sessions.
pub(super) async fn set_up(
    arguments: &ChaosArguments,
    store: JournalStore,
) -> Result<Environment, ChaosError> {
    let rig = match store {
        JournalStore::Sqlite => None,
        JournalStore::Postgres => Some(Rig::start(&arguments.fault).await?),
    };
    let mut settings: Vec<String> = SETTINGS.map(str::to_owned).into();
    if let Some(rig) = &rig {
        settings.push("journal.backend=postgres".to_owned());
        settings.push(format!("journal.postgres_url={}", rig.url()));
        if arguments.nodes > 1 {
            settings.push(SECRET.to_owned());
            // A node that restarts must not rebalance sessions away from the victim during the fault.
            settings.push("cluster.rebalance_sessions_max=0".to_owned());
        }
        managed_server::migrate(arguments.server_binary.as_deref(), &settings).await?;
        let noting = claims::install_claim_log(&rig.server.url()).await;
        noting.map_err(ChaosError::Claims)?;
    }
    settings.extend(arguments.server_settings.iter().cloned());
    let nodes = (0..arguments.nodes).map(|node| ManagedServerOptions {
        binary: arguments.server_binary.clone(),
        data_dir: None,
        settings: settings.clone(),
        cluster_host: (arguments.nodes > 1).then(|| cluster_host(node)),
    });
    let fleet = Fleet::start(nodes.collect()).await?;
    let store = match &rig {
        None => Store::Sqlite {
            database: fleet.server(0).data_dir().join(DATABASE_FILE),
        },
        Some(rig) => Store::Postgres {
            url: rig.server.url(),
            open: None,
        },
    };
    let made = make_sessions(&fleet, arguments).await;
    let (sessions, joined) = made.map_err(ChaosError::Prepare)?;
    Ok(Environment {
        fleet,
        rig,
        store,
        sessions,
        joined,
    })
}

/// Returns a REST client for each node.
pub(super) fn rests(fleet: &Fleet) -> Result<Vec<Rest>, RestError> {
    let authorities = fleet.authorities().into_iter();
    authorities
        .map(|authority| Rest::new(&format!("http://{authority}"), setup::REST_WAIT_MAX))
        .collect()
}

async fn make_sessions(
    fleet: &Fleet,
    arguments: &ChaosArguments,
) -> Result<(Vec<SessionCreated>, Vec<Joined>), RestError> {
    let rests = rests(fleet)?;
    let token = fleet.server(0).admin_token();
    let upload = hunt();
    let creating = (0..arguments.sessions as usize)
        .map(|session| setup::create_session(&rests[session % rests.len()], token, &upload));
    let concurrency = usize::from(CONCURRENCY.get());
    let sessions: Vec<SessionCreated> = stream::iter(creating)
        .buffered(concurrency)
        .try_collect()
        .await?;
    let joined = join(&rests[0], &sessions, arguments.players).await?;
    let starting = sessions.iter().enumerate();
    let starting =
        starting.map(|(number, session)| setup::start(&rests[number % rests.len()], session));
    let starting = stream::iter(starting).buffered(concurrency);
    starting.try_collect::<Vec<()>>().await?;
    Ok((sessions, joined))
}

/// Joins one player of each team first, then the others with the team's code.
async fn join(
    rest: &Rest,
    sessions: &[SessionCreated],
    players: u32,
) -> Result<Vec<Joined>, RestError> {
    let join = |player: u32, captain: Option<&Joined>| {
        let session = &*sessions[session_of(player, sessions.len())].session;
        let join = Join {
            new_team: captain
                .is_none()
                .then(|| format!("Team {}", player / TEAM_SIZE)),
            team_code: captain.map(|captain| captain.team_code.clone()),
            name: format!("Player {player}"),
        };
        (session, join)
    };
    let first: Vec<u32> = (0..players).step_by(TEAM_SIZE as usize).collect();
    let joins = first.iter().map(|player| join(*player, None));
    let captains = setup::join_sessions(rest, joins, CONCURRENCY).await?;
    let others = (0..players).filter(|player| player % TEAM_SIZE != 0);
    let joins = others.map(|player| join(player, Some(&captains[(player / TEAM_SIZE) as usize])));
    let mut mates = setup::join_sessions(rest, joins, CONCURRENCY)
        .await?
        .into_iter();
    let mut captains = captains.into_iter();
    let seated = (0..players).filter_map(|player| {
        if player % TEAM_SIZE == 0 {
            captains.next()
        } else {
            mates.next()
        }
    });
    Ok(seated.collect())
}

/// Draws nothing unless standard error is a terminal.
pub(super) fn progress_bar(faults: u64) -> ProgressBar {
    let template = "{msg:14} [{bar:30}] {pos}/{len} faults  {elapsed}";
    let style = ProgressStyle::with_template(template).expect("the template is valid");
    ProgressBar::new(faults).with_style(style)
}
