//! Pushes clues to many connections, some of them slow, stalled or cut, and checks every delivery.
//!
//! The plan of all clues is drawn before the first one is pushed, so that every client knows which ones
//! it must receive; each checks its own stream as it reads. All clients share one thread and a decode
//! cache, so that ten thousand of them leave the machine to the server.
//!
//! Does not depend on how the server works. Its internal figures come from `/metrics`.

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

/// Limit of the rules on clues per session.
const CLUES_PER_SESSION_MAX: usize = 1_000;

/// Connection slots beyond the clients: for the game master, REST, and connections that are being
/// replaced.
const EXTRA_CONNECTIONS: u32 = 2_000;

/// Error that ends the test without a report.
#[derive(Debug, thiserror::Error)]
pub enum FanoutError {
    /// More clues than the rules allow.
    #[error(
        "{clues} clues exceed the limit of {CLUES_PER_SESSION_MAX} per session: lower \
         --clues-per-second or --seconds, or spread the pairs over more --starts"
    )]
    TooManyClues {
        /// Number of clues.
        clues: usize,
    },
    /// No normal reader would be left to measure.
    #[error("no normal readers are left to measure: lower --stalled or --slow")]
    NoNormalReaders,
    /// No reader would be stalled or slow.
    #[error("--pairs compares windows with and without impaired readers: set --stalled or --slow")]
    NoImpairedReaders,
    /// The server could not be started.
    #[error(transparent)]
    ManagedServer(#[from] ManagedServerError),
    /// The server failed.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// A REST request failed: creating the session or its players, or reading metrics.
    #[error("a request to the server failed: {0}")]
    Rest(#[from] RestError),
    /// Not all clients could connect in time.
    #[error(
        "only {attached} of {clients} clients connected in time; check `ulimit -n` or use fewer"
    )]
    NotAttached {
        /// Number of attached clients.
        attached: usize,
        /// Number of clients.
        clients: usize,
    },
    /// The clues could not be pushed.
    #[error(transparent)]
    Push(#[from] PushError),
    /// The clients' runtime could not be created.
    #[error("cannot start the clients: {0}")]
    Thread(io::Error),
}

/// Runs the test. A started server is stopped at its end.
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

/// Configurations of the runs, one for each start of the server.
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

/// Server arguments with a connection limit that admits all clients, command limits that admit the game
/// master's clues, and no address limits for loopback addresses.
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

/// Draws nothing unless standard error is a terminal.
fn progress_bar(clients: u32) -> ProgressBar {
    let template = "{msg:16} [{bar:30}] {pos}/{len} clients  {elapsed}";
    let style = ProgressStyle::with_template(template).expect("the template is valid");
    ProgressBar::new(u64::from(clients)).with_style(style)
}
