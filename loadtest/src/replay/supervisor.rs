//! Keeps a server of our own running, and kills or stops it on purpose while guesses are made.

use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;
use testkit::ServerError;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::coordinator::Stage;
use crate::managed_server::ManagedServer;

/// How a server goes down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OutageKind {
    /// SIGKILL.
    Kill,
    /// SIGTERM, and a clean end.
    Stop,
}

/// A time without a server, made on purpose.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outage {
    pub(super) kind: OutageKind,
    /// When the signal was sent.
    pub(super) began_at: Instant,
    /// When the next server was ready.
    pub(super) ready_at: Instant,
}

/// About how often the server goes down.
#[derive(Debug, Clone, Copy)]
pub(super) struct OutageIntervals {
    pub(super) kill_every: Option<Duration>,
    pub(super) stop_every: Option<Duration>,
}

/// What became of the server.
#[derive(Debug)]
pub(super) struct Supervised {
    pub(super) outages: Vec<Outage>,
    /// That it ended by itself, did not come up again, or did not stop.
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

    /// Runs the server until the stage is over, then stops it. While guesses are made it goes down
    /// by the rhythm and is restarted at once.
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

    /// The next time of something that happens about `every` so often.
    fn next(&mut self, every: Option<Duration>) -> Option<Instant> {
        let every = every?;
        let pause = every.mul_f64(self.random.random_range(0.5..1.5));
        Some(Instant::now() + pause)
    }

    /// Waits for a stage while watching that the server lives.
    async fn wait_for_stage(&mut self, wanted: Stage) -> Result<(), ServerError> {
        tokio::select! {
            biased;
            // An error means that the conductor is gone: the stage is over.
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

/// Waits for a moment, or for ever.
async fn sleep_until_some(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
