//! Pushes clues to many connections, some of them slow, stalled or cut, and checks what each is told.
//!
//! The plan of all clues is drawn before the first one is pushed, so that every client knows exactly
//! which ones it must get; each checks its own stream as it reads. Clients live on one thread of
//! their own and share what they decode, so that ten thousand of them leave the machine to the server.
//!
//! Never here: an opinion on how the server does it. What is measured inside of the server is what it
//! tells at `/metrics`.

mod crowd;
mod desk;
mod follower;
mod kernel;
mod ledger;
mod pipe;
mod plan;
mod pusher;
mod report;
mod run;
mod script;
mod shared;
mod vitals;
mod windows;
mod witness;

use std::io;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use testkit::{RestError, ServerError};

use crate::arguments::{FanoutArguments, ServerArguments};
use crate::own_server::{OwnServerError, Target};
use crate::report::AckMs;
use crate::statistics::{Effort, Goal, median};
use crowd::Bad;
use pusher::Timing;
use run::{Course, Ran};
use vitals::Vitals;

pub use pusher::PushError;
pub use report::{FanoutReport, Pair, Paired, ServerCost};

/// The rules take no more clues in one session.
const CLUES_PER_SESSION_MAX: usize = 1_000;

/// Places beyond the clients' own: the game master, REST, and connections that are being replaced.
const PLACES_BESIDES: u32 = 2_000;

/// Why there are no figures.
#[derive(Debug, thiserror::Error)]
pub enum FanoutError {
    /// Too many clues for the rules.
    #[error(
        "that would be {clues} clues in a session, which takes {CLUES_PER_SESSION_MAX}; lower \
         --clues-per-second or --seconds, or spread the pairs over more --starts"
    )]
    TooManyClues {
        /// How many it would be.
        clues: usize,
    },
    /// Nobody would be left to measure.
    #[error("--stalled and --slow together must leave some clients that read well")]
    NobodyReadsWell,
    /// Nobody would be stalled or slow.
    #[error("--pairs compares windows with and without --stalled or --slow readers; give a share")]
    NobodyReadsBadly,
    /// There is no server of our own.
    #[error(transparent)]
    OwnServer(#[from] OwnServerError),
    /// It failed.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The session or its players could not be created, or the metrics not be read.
    #[error("cannot ask the server: {0}")]
    Rest(#[from] RestError),
    /// Not everybody could connect.
    #[error("only {attached} of {clients} clients could connect and attach")]
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
    let courses = courses(&arguments)?;
    let mut all = Vec::with_capacity(courses.len());
    for course in &courses {
        let target = Target::of(&with_room(&arguments)).await?;
        let progress = progress_bar(arguments.connections);
        all.push(Box::pin(run::run(&arguments, course, target, progress)).await?);
    }
    Ok(add_up(&arguments, &all))
}

/// What happens at each start of the server.
fn courses(arguments: &FanoutArguments) -> Result<Vec<Course>, FanoutError> {
    let bad = Bad::of(arguments);
    if bad.stalled + bad.slow >= arguments.connections as usize {
        return Err(FanoutError::NobodyReadsWell);
    }
    let interval = Duration::from_secs_f64(1.0 / arguments.clues_per_second);
    let timing = match arguments.backlog {
        Some(waiting_max) => Timing::Backlog(usize::from(waiting_max)),
        None => Timing::Every(interval),
    };
    let course = |start: u32, length: Duration, pairs| {
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
        Ok(Course {
            seed: arguments.seed.wrapping_add(u64::from(start)),
            clues_max,
            timing,
            length,
            pairs,
        })
    };
    let Some(pairs) = arguments.pairs else {
        return Ok(vec![course(0, arguments.seconds, None)?]);
    };
    if bad.stalled + bad.slow == 0 {
        return Err(FanoutError::NobodyReadsBadly);
    }
    let starts = arguments.starts.min(pairs);
    let begin = |start: u32| pairs * start / starts;
    let course = |start: u32| {
        let (first, count) = (begin(start), begin(start + 1) - begin(start));
        let length = windows::length(count, arguments.window);
        course(start, length, Some((first, count)))
    };
    (0..starts).map(course).collect()
}

fn add_up(arguments: &FanoutArguments, all: &[Ran]) -> FanoutReport {
    let bad = Bad::of(arguments);
    let mut report = FanoutReport {
        clients: u64::from(arguments.connections),
        clients_stalled: bad.stalled as u64,
        clients_slow: bad.slow as u64,
        clues: all.iter().map(|ran| ran.clues as u64).sum(),
        deliveries: all.iter().map(|ran| ran.deliveries).sum(),
        ..FanoutReport::default()
    };
    let mut latencies = AckMs::histogram();
    for ran in all {
        ran.followed
            .iter()
            .for_each(|followed| report.add(followed));
        for window in &ran.latencies {
            latencies += window;
        }
    }
    report.delivery_ms = AckMs::of_histogram(&latencies);
    let flowed_s: f64 = all.iter().map(|ran| ran.flowed.as_secs_f64()).sum();
    report.clues_per_s = count(report.clues) / flowed_s;
    report.server = server_cost(arguments, all, report.deliveries);
    report.paired = arguments.pairs.map(|_| paired(arguments, all));
    report
}

fn server_cost(arguments: &FanoutArguments, all: &[Ran], deliveries: u64) -> ServerCost {
    let ends = || all.iter().map(|ran| ran.vitals);
    let cpu_s = ends().map(|[_, attached, end]| Some(end.cpu_s? - attached.cpu_s?));
    let cpu_s: Option<f64> = cpu_s.sum();
    let grown =
        ends().map(|[alone, attached, _]| Some(attached.resident_bytes? - alone.resident_bytes?));
    let grown: Option<Vec<f64>> = grown.collect();
    let highest = |figure: fn(Vitals) -> Option<f64>| {
        let figures = ends().filter_map(|[_, _, end]| figure(end));
        figures.reduce(f64::max)
    };
    ServerCost {
        cpu_s,
        cpu_s_per_million_deliveries: cpu_s.map(|cpu_s| cpu_s * 1e6 / count(deliveries.max(1))),
        resident_bytes_per_connection: grown
            .map(|grown| median(grown) / f64::from(arguments.connections)),
        slow_readers_closed: ends().map(|[_, _, end]| end.outboxes_overflowed).sum(),
        queue_bytes_peak: highest(|vitals| vitals.outbox_bytes_peak),
        socket_bytes_peak: all.iter().filter_map(Ran::socket_bytes_peak).max(),
        stalled_write_attempts_per_second: highest(|vitals| vitals.refused_writes_peak),
    }
}

fn paired(arguments: &FanoutArguments, all: &[Ran]) -> Paired {
    let mut pairs = Vec::new();
    let mut grown = Vec::new();
    for windows in all.iter().flat_map(Ran::pairs) {
        let (without, beside) = if pairs.len() % 2 == 0 {
            (windows[0], windows[1])
        } else {
            (windows[1], windows[0])
        };
        let memory = |(_, vitals): (AckMs, Vitals)| vitals.resident_bytes;
        grown.extend(
            memory(beside)
                .zip(memory(without))
                .map(|(beside, without)| beside - without),
        );
        pairs.push(Pair {
            without_ms: without.0,
            beside_ms: beside.0,
        });
    }
    let bad = Bad::of(arguments);
    let effort = Effort {
        pairs: pairs.len(),
        starts: all.len(),
        window_s: arguments.window.as_secs_f64(),
    };
    let ratios = pairs
        .iter()
        .map(|pair| pair.beside_ms.p99 / pair.without_ms.p99);
    let ratios: Vec<f64> = ratios.collect();
    Paired {
        window_s: effort.window_s,
        starts: arguments.starts,
        p99: Goal::judge(&ratios, arguments.p99_max, effort, arguments.seed),
        stalled_bytes_each: (!grown.is_empty())
            .then(|| median(grown) / count((bad.stalled + bad.slow) as u64)),
        pairs,
    }
}

impl Ran {
    /// The most bytes in one socket of the server whenever it was looked at.
    fn socket_bytes_peak(&self) -> Option<u64> {
        let looks = self.vitals.iter().chain(&self.window_vitals);
        let looks = looks.chain([&self.flowed_vitals]);
        looks.filter_map(|vitals| vitals.socket_bytes_max).max()
    }

    /// Each two windows, with what the server told at their ends.
    fn pairs(&self) -> impl Iterator<Item = [(AckMs, Vitals); 2]> {
        let windows = self.latencies.iter().map(AckMs::of_histogram);
        let windows: Vec<_> = windows.zip(self.window_vitals.iter().copied()).collect();
        let pairs = windows.chunks_exact(2);
        pairs
            .map(|pair| [pair[0], pair[1]])
            .collect::<Vec<_>>()
            .into_iter()
    }
}

/// The arguments of a server that has a place for everybody, takes the game master's clues as fast as
/// they come, and lets everybody in from the loopback addresses.
fn with_room(arguments: &FanoutArguments) -> ServerArguments {
    let mut server = arguments.server.clone();
    let places = arguments.connections + PLACES_BESIDES;
    let settings = [
        format!("gateway.connections_max={places}"),
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

/// Exact up to 2^53, far above any run.
#[expect(clippy::cast_precision_loss, reason = "no run has 2^53 deliveries")]
fn count(number: u64) -> f64 {
    number as f64
}
