//! Runs the started server, and kills or shuts it down at random intervals while guesses are sent.

use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;
use testkit::ServerError;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::coordinator::Stage;
use crate::managed_server::ManagedServer;

/// Kind of an outage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OutageKind {
    /// SIGKILL.
    Kill,
    /// SIGTERM and a graceful shutdown.
    Stop,
}

/// An injected outage.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outage {
    pub(super) kind: OutageKind,
    /// When the signal was sent.
    pub(super) began_at: Instant,
    /// When the restarted server was ready.
    pub(super) ready_at: Instant,
}

/// Mean intervals of outages.
#[derive(Debug, Clone, Copy)]
pub(super) struct OutageIntervals {
    pub(super) kill_every: Option<Duration>,
    pub(super) stop_every: Option<Duration>,
}

/// Result of the supervisor.
#[derive(Debug)]
pub(super) struct Supervised {
    pub(super) outages: Vec<Outage>,
    /// Error: it exited by itself, did not restart, or did not shut down.
    pub(super) failure: Option<ServerError>,
}

/// The task that owns the server.
#[derive(Debug)]
pub(super) struct Supervisor {
    server: ManagedServer,
    stage: watch::Receiver<Stage>,
    intervals: OutageIntervals,
    random: StdRng,
    outages: Vec<Outage>,
}

impl Supervisor {
    pub(super) fn new(
        server: ManagedServer,
        stage: watch::Receiver<Stage>,
        intervals: OutageIntervals,
        random: StdRng,
    ) -> Self {
        Self {
            server,
            stage,
            intervals,
            random,
            outages: Vec::new(),
        }
    }

    /// Runs the server until the last stage, then shuts it down. While guesses are sent it is
    /// interrupted at the configured intervals and restarted at once.
    pub(super) async fn supervise(mut self) -> Supervised {
        let failure = match self.run().await {
            Ok(()) => self.server.stop().await.err(),
            Err(error) => Some(error),
        };
        Supervised {
            outages: self.outages,
            failure,
        }
    }

    async fn run(&mut self) -> Result<(), ServerError> {
        self.wait_for_stage(Stage::Guess).await?;
        let mut kill_at = self.next(self.intervals.kill_every);
        let mut stop_at = self.next(self.intervals.stop_every);
        while *self.stage.borrow_and_update() == Stage::Guess {
            tokio::select! {
                biased;
                guessed = self.wait_for_stage(Stage::Settle) => guessed?,
                () = sleep_until_some(kill_at) => {
                    self.interrupt(OutageKind::Kill).await?;
                    kill_at = self.next(self.intervals.kill_every);
                }
                () = sleep_until_some(stop_at) => {
                    self.interrupt(OutageKind::Stop).await?;
                    stop_at = self.next(self.intervals.stop_every);
                }
            }
        }
        self.wait_for_stage(Stage::Over).await
    }

    /// Time of the next outage with this mean interval.
    fn next(&mut self, every: Option<Duration>) -> Option<Instant> {
        let every = every?;
        let pause = every.mul_f64(self.random.random_range(0.5..1.5));
        Some(Instant::now() + pause)
    }

    /// Waits for a stage, or for the server to exit.
    async fn wait_for_stage(&mut self, wanted: Stage) -> Result<(), ServerError> {
        tokio::select! {
            biased;
            // An error means that the coordinator is gone: the run is over.
            _ = self.stage.wait_for(|stage| *stage >= wanted) => Ok(()),
            error = self.server.exited() => Err(error),
        }
    }

    async fn interrupt(&mut self, kind: OutageKind) -> Result<(), ServerError> {
        let began_at = Instant::now();
        match kind {
            OutageKind::Kill => self.server.kill_and_restart().await?,
            OutageKind::Stop => self.server.stop_and_restart().await?,
        }
        self.outages.push(Outage {
            kind,
            began_at,
            ready_at: Instant::now(),
        });
        Ok(())
    }
}

/// Waits until `moment`; forever if it is `None`.
async fn sleep_until_some(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
