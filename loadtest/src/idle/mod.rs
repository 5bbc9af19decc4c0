//! Opens connections that do nothing, and finds out what each of them costs the server.

mod crowd;
mod idle_client;
mod memory;
mod report;

use std::io;
use std::time::Duration;

use testkit::{Rest, RestError, ServerError};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::arguments::{IdleArguments, ServerArguments};
use crate::managed_server::{ManagedServer, ManagedServerError, Target};
use crate::setup;
use crowd::Crowd;

use idle_client::IdleClient;
pub use idle_client::IdleClientError;
pub use memory::Memory;
pub use report::IdleReport;

/// Connections that a server takes without a word about it in its settings, less what REST needs.
const CONNECTIONS_WITHOUT_SETTING_MAX: u32 = 14_000;

/// Why there are no figures.
#[derive(Debug, thiserror::Error)]
pub enum IdleError {
    /// There is no server of our own.
    #[error(transparent)]
    ManagedServer(#[from] ManagedServerError),
    /// It failed.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The session or its players could not be created.
    #[error("cannot prepare the session: {0}")]
    Prepare(#[from] RestError),
    /// A player could not connect, or did not stay.
    #[error("a client cannot connect: {0}")]
    Client(#[from] IdleClientError),
    /// The server's memory cannot be read.
    #[error(
        "cannot read the server's memory from /proc: {0}; is --server-pid a process of this machine and user?"
    )]
    Memory(#[from] io::Error),
    /// Nobody said which process a foreign server is.
    #[error(
        "the memory of a running server is read from its process: give its id with --server-pid"
    )]
    NoProcess,
}

/// Runs the whole measurement. A server of our own is stopped at the end.
pub async fn idle(arguments: IdleArguments) -> Result<IdleReport, IdleError> {
    let mut target = Target::resolve(&with_connection_limit(&arguments)).await?;
    let bytes_at_start = memory(&target, &arguments)?;
    let rest = Rest::new(&target.url, setup::REST_WAIT_MAX)?;
    let crowd = Crowd::join(&rest, &target.admin_token, &arguments).await?;
    if let Some(own) = &mut target.own {
        own.stop_and_restart().await?;
    }
    let bytes_before = memory(&target, &arguments)?;

    let connected = crowd.connect().await?;
    let (over, sitting) = settle(connected.clients);
    sleep(arguments.seconds).await;
    let bytes_after = memory(&target, &arguments)?;
    over.send_replace(true);
    let mut early_ends = sitting.join_all().await.into_iter().filter_map(Result::err);
    let first_early_end = early_ends.next().map(|error| error.to_string());
    let ended_early = u64::from(first_early_end.is_some()) + early_ends.count() as u64;
    if let Some(own) = &mut target.own {
        own.stop().await?;
    }

    let connections = u64::from(arguments.connections);
    let grown = |since: Memory| bytes_after.resident.saturating_sub(since.resident) / connections;
    let a_second = |spent: Duration| f64::from(arguments.connections) / spent.as_secs_f64();
    Ok(IdleReport {
        connections: arguments.connections,
        teams: arguments.connections.div_ceil(arguments.team_size),
        ended_early,
        first_early_end,
        settled_s: arguments.seconds.as_secs_f64(),
        connects_per_s: a_second(connected.connecting),
        hellos_per_s: a_second(connected.greeting),
        bytes_at_start,
        bytes_before,
        bytes_after,
        resident_bytes_per_connection: grown(bytes_before),
        resident_bytes_per_player: grown(bytes_at_start),
        resident_bytes_max: arguments.bytes_max,
    })
}

/// Everybody listens until the watch says that it is over.
fn settle(clients: Vec<IdleClient>) -> (watch::Sender<bool>, JoinSet<Result<(), IdleClientError>>) {
    let (over, over_seen) = watch::channel(false);
    let mut sitting = JoinSet::new();
    for client in clients {
        sitting.spawn(client.stay(over_seen.clone()));
    }
    (over, sitting)
}

/// The arguments of a server that has a place for everybody.
fn with_connection_limit(arguments: &IdleArguments) -> ServerArguments {
    let mut server = arguments.server.clone();
    if arguments.connections > CONNECTIONS_WITHOUT_SETTING_MAX {
        let places = arguments.connections + 1_000;
        let setting = format!("gateway.connections_max={places}");
        server.server_settings.insert(0, setting);
    }
    server
}

fn memory(target: &Target, arguments: &IdleArguments) -> Result<Memory, IdleError> {
    let own = target.own.as_ref().and_then(ManagedServer::id);
    let process = own.or(arguments.server_pid).ok_or(IdleError::NoProcess)?;
    Ok(Memory::read(process)?)
}
