//! Replays the log of a past hunt and checks that the server keeps what it has acknowledged.
//!
//! One task coordinates the stages. Each team is a task that owns its client and its record. A started
//! server is owned by a task that also kills it. All tasks end with the last stage, so that an
//! interrupted replay still reports its findings.

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

/// Result of a replay.
#[derive(Debug)]
pub struct Replayed {
    /// The report, as far as the replay got.
    pub report: Report,
    /// The first problems in words.
    pub problems: Vec<String>,
    /// Error that ended the replay early; the report then proves nothing.
    pub unfinished: Option<Unfinished>,
}

/// Conclusion of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conclusion {
    /// Every check passed.
    Good,
    /// Something was lost, duplicated, reordered, missing or judged differently.
    Bad,
    /// The run did not complete.
    Unfinished,
}

impl Replayed {
    /// Conclusion of the replay. A violation that was found before a server or client failed counts; one
    /// that was found before an interruption does not.
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
    /// Conclusion of a completed run.
    pub fn from_passed(passed: bool) -> Self {
        if passed { Self::Good } else { Self::Bad }
    }

    /// Exit status of the command.
    pub fn exit_status(self) -> u8 {
        match self {
            Self::Good => 0,
            Self::Bad => 1,
            Self::Unfinished => 2,
        }
    }
}

/// Error that prevents a replay.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The log is invalid.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The schedule exceeds the timeout.
    #[error(
        "at this speed the log takes {} s, but --timeout is {} s: choose a higher --speed or --timeout",
        length.as_secs(),
        timeout.as_secs()
    )]
    TooLong {
        /// Duration of the schedule.
        length: Duration,
        /// The timeout.
        timeout: Duration,
    },
    /// The server could not be started.
    #[error(transparent)]
    ManagedServer(#[from] ManagedServerError),
    /// The hunt, the session or the teams could not be created.
    #[error("cannot prepare the session: {0}")]
    Prepare(#[from] RestError),
    /// Signal handlers could not be installed.
    #[error("cannot install signal handlers: {0}")]
    Signals(#[from] io::Error),
    /// The replay was interrupted before the first guess.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// Cause of an interruption.
#[derive(Debug, Clone, Copy, thiserror::Error)]
pub enum Stopped {
    /// A signal.
    #[error("interrupted")]
    Signal,
    /// The timeout.
    #[error("timed out after {0:?}: raise --timeout if the server was still making progress")]
    TimeUp(Duration),
}

/// Error that ended a replay early.
#[derive(Debug, thiserror::Error)]
pub enum Unfinished {
    /// The replay was interrupted.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// A client failed.
    #[error("the client of team {team} failed: {source}")]
    Client {
        /// Name of its team.
        team: String,
        /// Its error.
        source: ClientError,
    },
    /// The started server failed.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The started server exited before the replay ended.
    #[error("the server stopped before the replay did")]
    ServerStopped,
    /// A REST request failed: starting or checking the session.
    #[error(transparent)]
    Rest(#[from] RestError),
}

/// Replays a log to its end, or until a signal or the timeout.
pub async fn replay(arguments: ReplayArguments) -> Result<Replayed, ReplayError> {
    let log = GuessLog::open(&arguments.guesses, &arguments.puzzles, &arguments.verdicts)?;
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

/// Completes with the first termination signal, or at the timeout.
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
            not_judged: 0,
            missing_outages: Vec::new(),
            remarks: Vec::new(),
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
