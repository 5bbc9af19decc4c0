//! Pushes clues to many connections, some of them slow, stalled or cut, and checks what each is told.
//!
//! The plan of all clues is drawn before the first one is pushed, so that every client knows exactly
//! which ones it must get; each checks its own stream as it reads. Clients live on one thread of
//! their own and share what they decode, so that ten thousand of them leave the machine to the server.
//!
//! Never here: an opinion on how the server does it. What is measured inside of the server is what it
//! tells at `/metrics`.

mod crowd;
mod decode_cache;
mod follower;
mod kernel;
mod ledger;
mod light_socket;
mod plan;
mod pusher;
mod report;
mod run;
mod script;
mod server_metrics;
mod shared;
mod summary;
mod windows;
mod witness;

use std::io;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use testkit::{RestError, ServerError};

use crate::arguments::{FanoutArguments, ServerArguments};
use crate::managed_server::{ManagedServerError, Target};
use crowd::ImpairedReaders;
use pusher::Timing;
use run::RunConfig;

pub use pusher::PushError;
pub use report::{FanoutReport, Pair, Paired, ServerCost};

/// The rules take no more clues in one session.
const CLUES_PER_SESSION_MAX: usize = 1_000;

/// Places beyond the clients' own: the game master, REST, and connections that are being replaced.
const EXTRA_CONNECTIONS: u32 = 2_000;

/// Why there are no figures.
#[derive(Debug, thiserror::Error)]
pub enum FanoutError {
    /// Too many clues for the rules.
    #[error(
        "{clues} clues exceed the limit of {CLUES_PER_SESSION_MAX} per session: lower \
         --clues-per-second or --seconds, or spread the pairs over more --starts"
    )]
    TooManyClues {
        /// How many it would be.
        clues: usize,
    },
    /// Nobody would be left to measure.
    #[error("no normal readers are left to measure: lower --stalled or --slow")]
    NoNormalReaders,
    /// Nobody would be stalled or slow.
    #[error("--pairs compares windows with and without impaired readers: set --stalled or --slow")]
    NoImpairedReaders,
    /// There is no server of our own.
    #[error(transparent)]
    ManagedServer(#[from] ManagedServerError),
    /// It failed.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The session or its players could not be created, or the metrics not be read.
    #[error("a request to the server failed: {0}")]
    Rest(#[from] RestError),
    /// Not everybody could connect.
    #[error(
        "only {attached} of {clients} clients connected in time; check `ulimit -n` or use fewer"
    )]
    NotAttached {
        /// How many could.
        attached: usize,
        /// How many should.
        clients: usize,
    },
    /// The clues could not be pushed.
    #[error(transparent)]
    Push(#[from] PushError),
    /// The clients' thread could not start.
    #[error("cannot start the clients: {0}")]
    Thread(io::Error),
}

/// Runs the whole measurement. A server of our own is stopped at the end.
pub async fn fanout(arguments: FanoutArguments) -> Result<FanoutReport, FanoutError> {
    let run_configs = run_configs(&arguments)?;
    let mut all = Vec::with_capacity(run_configs.len());
    for config in &run_configs {
        let target = Target::resolve(&with_connection_limit(&arguments)).await?;
        let progress = progress_bar(arguments.connections);
        all.push(Box::pin(run::run(&arguments, config, target, progress)).await?);
    }
    Ok(summary::summarize(&arguments, &all))
}

/// What happens at each start of the server.
fn run_configs(arguments: &FanoutArguments) -> Result<Vec<RunConfig>, FanoutError> {
    let impaired = ImpairedReaders::from_arguments(arguments);
    if impaired.stalled + impaired.slow >= arguments.connections as usize {
        return Err(FanoutError::NoNormalReaders);
    }
    let interval = Duration::from_secs_f64(1.0 / arguments.clues_per_second);
    let timing = match arguments.backlog {
        Some(waiting_max) => Timing::Backlog(usize::from(waiting_max)),
        None => Timing::Every(interval),
    };
    let config = |start: u32, length: Duration, pairs| {
        let clues_max = match timing {
            Timing::Backlog(_) => CLUES_PER_SESSION_MAX,
            Timing::Every(interval) => {
                let clues = length.as_nanos().div_ceil(interval.as_nanos().max(1));
                usize::try_from(clues).unwrap_or(usize::MAX)
            }
        };
        if clues_max > CLUES_PER_SESSION_MAX {
            return Err(FanoutError::TooManyClues { clues: clues_max });
        }
        Ok(RunConfig {
            seed: arguments.seed.wrapping_add(u64::from(start)),
            clues_max,
            timing,
            length,
            pairs,
        })
    };
    let Some(pairs) = arguments.pairs else {
        return Ok(vec![config(0, arguments.seconds, None)?]);
    };
    if impaired.stalled + impaired.slow == 0 {
        return Err(FanoutError::NoImpairedReaders);
    }
    let starts = arguments.starts.min(pairs);
    let begin = |start: u32| pairs * start / starts;
    let config = |start: u32| {
        let (first, count) = (begin(start), begin(start + 1) - begin(start));
        let length = windows::length(count, arguments.window);
        config(start, length, Some((first, count)))
    };
    (0..starts).map(config).collect()
}

/// The arguments of a server that has a place for everybody, takes the game master's clues as fast as
/// they come, and lets everybody in from the loopback addresses.
fn with_connection_limit(arguments: &FanoutArguments) -> ServerArguments {
    let mut server = arguments.server.clone();
    let limit = arguments.connections + EXTRA_CONNECTIONS;
    let settings = [
        format!("gateway.connections_max={limit}"),
        "gateway.venues=[\"127.0.0.0/8\"]".to_owned(),
        "limits.commands_per_second=1000000".to_owned(),
        "limits.commands_burst=1000000".to_owned(),
    ];
    server.server_settings.splice(0..0, settings);
    server
}

/// It draws nothing unless standard error is a terminal.
fn progress_bar(clients: u32) -> ProgressBar {
    let template = "{msg:16} [{bar:30}] {pos}/{len} clients  {elapsed}";
    let style = ProgressStyle::with_template(template).expect("the template is valid");
    ProgressBar::new(u64::from(clients)).with_style(style)
}
