//! Turns the log of a past hunt into a live one, and proves that a server keeps what it has
//! acknowledged.
//!
//! One task conducts: it sets the stage and counts arrivals. Each team is a task of its own that
//! owns its client and its record. A server of our own is owned by a task that also kills it. All of
//! them end when the stage is over, so that an interrupted replay still tells what it knows.

mod coordinator;
mod goaway_compliance;
pub mod hunt_file;
pub mod log;
mod player;
mod prepare;
mod summary;
mod supervisor;
mod verify;

use std::io;
use std::pin::pin;
use std::time::Duration;

use testkit::{RestError, ServerError};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep;

use crate::arguments::{ReplayArguments, Speed};
use crate::client::ClientError;
use crate::managed_server::ManagedServerError;
use crate::report::Report;
use coordinator::ReplayRun;
use log::{GuessLog, LogError};

/// What a replay came to.
#[derive(Debug)]
pub struct Replayed {
    /// The figures, as far as the replay went.
    pub report: Report,
    /// The first things that were not as they must be, in words.
    pub problems: Vec<String>,
    /// Why the replay did not reach its end; then the figures prove nothing.
    pub unfinished: Option<Unfinished>,
}

/// What a replay proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conclusion {
    /// Everything is as it must be.
    Good,
    /// Something was lost, doubled, out of order, missing or judged differently.
    Bad,
    /// Nothing: it did not reach its end.
    Unfinished,
}

impl Replayed {
    /// What it proves. A fault that was found before a server or a client failed counts; what was
    /// found before a replay was stopped from outside does not.
    pub fn conclusion(&self) -> Conclusion {
        match &self.unfinished {
            Some(Unfinished::Stopped(_)) => Conclusion::Unfinished,
            Some(_) | None if !self.report.is_good() => Conclusion::Bad,
            Some(_) => Conclusion::Unfinished,
            None => Conclusion::Good,
        }
    }
}

impl Conclusion {
    /// Of something that reached its end.
    pub fn from_passed(passed: bool) -> Self {
        if passed { Self::Good } else { Self::Bad }
    }

    /// The exit status of the command.
    pub fn exit_status(self) -> u8 {
        match self {
            Self::Good => 0,
            Self::Bad => 1,
            Self::Unfinished => 2,
        }
    }
}

/// Why a replay could not begin.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The log cannot be used.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The schedule does not fit.
    #[error(
        "at this speed the log takes {} s, but --timeout is {} s: choose a higher --speed or --timeout",
        length.as_secs(),
        timeout.as_secs()
    )]
    TooLong {
        /// How long the schedule lasts.
        length: Duration,
        /// When the replay would give up.
        timeout: Duration,
    },
    /// There is no server of our own.
    #[error(transparent)]
    ManagedServer(#[from] ManagedServerError),
    /// The hunt, the session or the teams could not be created.
    #[error("cannot prepare the session: {0}")]
    Prepare(#[from] RestError),
    /// Signals cannot be watched.
    #[error("cannot install signal handlers: {0}")]
    Signals(#[from] io::Error),
    /// It was stopped before the first guess.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// What stopped a replay from outside.
#[derive(Debug, Clone, Copy, thiserror::Error)]
pub enum Stopped {
    /// A signal.
    #[error("interrupted")]
    Signal,
    /// The time is up.
    #[error("timed out after {0:?}: raise --timeout if the server was still making progress")]
    TimeUp(Duration),
}

/// Why a replay did not reach its end.
#[derive(Debug, thiserror::Error)]
pub enum Unfinished {
    /// It was stopped.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// A client could not go on.
    #[error("the client of team {team} failed: {source}")]
    Client {
        /// Its team's name.
        team: String,
        /// Why not.
        source: ClientError,
    },
    /// The server of our own failed.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The server of our own ended before the replay did.
    #[error("the server stopped before the replay did")]
    ServerStopped,
    /// The session could not be started, or not be checked at the end.
    #[error(transparent)]
    Rest(#[from] RestError),
}

/// Replays a log to its end, or until a signal or the time-out stops it.
pub async fn replay(arguments: ReplayArguments) -> Result<Replayed, ReplayError> {
    let log = GuessLog::open(&arguments.guesses, &arguments.puzzles)?;
    check_length(&log, &arguments)?;
    let mut stopped = pin!(stopped(arguments.timeout)?);
    let mut play = tokio::select! {
        play = ReplayRun::set_up(log, &arguments) => play?,
        stopped = &mut stopped => return Err(stopped.into()),
    };
    let unfinished = tokio::select! {
        conducted = play.run(arguments.speed) => conducted.err(),
        stopped = &mut stopped => Some(stopped.into()),
    };
    Ok(play.finish(arguments.speed, unfinished).await)
}

fn check_length(log: &GuessLog, arguments: &ReplayArguments) -> Result<(), ReplayError> {
    let Speed::Times(times) = arguments.speed else {
        return Ok(());
    };
    let timeout = arguments.timeout;
    let seconds = log.length().as_secs_f64() / times;
    let length = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
    if length >= timeout {
        return Err(ReplayError::TooLong { length, timeout });
    }
    Ok(())
}

/// Ends with the first signal to stop, or when the time is up.
pub(crate) fn stopped(timeout: Duration) -> io::Result<impl Future<Output = Stopped>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => Stopped::Signal,
            _ = terminate.recv() => Stopped::Signal,
            () = sleep(timeout) => Stopped::TimeUp(timeout),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::{Conclusion, Replayed, Stopped, Unfinished};
    use crate::report::{GoawayCompliance, LatencyMs, Report};

    fn concluded(lost: u64, unfinished: Option<Unfinished>) -> Conclusion {
        let report = Report {
            guesses: 1,
            verdict_mismatches: 0,
            lost,
            duplicated: 0,
            stream_gaps: 0,
            kills: 0,
            kills_between_first_and_last_guess: 0,
            stops: 0,
            stops_between_first_and_last_guess: 0,
            goaway_compliance: GoawayCompliance::default(),
            reconnects: 0,
            snapshots: 0,
            replays: 0,
            rate_limited: 0,
            ack_ms: LatencyMs::default(),
            ack_measured_from: "send",
            guesses_per_s: 1.0,
            seconds: 1.0,
        };
        let replayed = Replayed {
            report,
            problems: Vec::new(),
            unfinished,
        };
        replayed.conclusion()
    }

    #[test]
    fn only_a_whole_replay_without_a_fault_is_good() {
        assert_eq!(concluded(0, None), Conclusion::Good);
        assert_eq!(concluded(1, None), Conclusion::Bad);
        let server = || Some(Unfinished::ServerStopped);
        assert_eq!(concluded(0, server()), Conclusion::Unfinished);
        assert_eq!(concluded(1, server()), Conclusion::Bad);
        let stopped = || Some(Unfinished::Stopped(Stopped::Signal));
        assert_eq!(concluded(0, stopped()), Conclusion::Unfinished);
        assert_eq!(concluded(1, stopped()), Conclusion::Unfinished);
    }
}
