//! Keeps a session's actor alive: recovers it, runs it, and starts again after a failure.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use hunt::Hunt;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::actor::{Actor, Ended};
use super::delivery::Delivery;
use super::handle::Mail;
use super::planted::Planted;
use super::recovery::recover;
use crate::clock::Clock;
use crate::config::SessionConfig;
use crate::journal::{Incarnation, Journal, SessionRecord};
use crate::telemetry::metrics;

/// Panics in a row, without a request answered in between, after which a session stays closed: its
/// journal would bring it down again and again.
const PANICS_MAX: u32 = 3;
/// The waits between attempts to recover: doubled from the first to the last.
const RETRY_FIRST: Duration = Duration::from_millis(20);
const RETRY_LAST: Duration = Duration::from_secs(2);

/// Everything that a session's actor is started with, each time.
#[derive(Clone)]
pub struct SessionRun {
    /// The session.
    pub record: Arc<SessionRecord>,
    /// Its hunt.
    pub hunt: Arc<Hunt>,
    /// Its journal.
    pub journal: Arc<dyn Journal>,
    /// This process's life.
    pub owner: Incarnation,
    /// The clock.
    pub clock: Clock,
    /// The actor's bounds.
    pub config: SessionConfig,
    /// Events after which a snapshot is stored.
    pub snapshot_every_events: u64,
    /// Time between calls of [`Delivery::tick`].
    pub tick_every: Duration,
    /// A defect on purpose, in tests.
    pub planted: Planted,
}

/// Runs a session until `stop`; `opened` becomes true once it has been recovered for the first time.
///
/// Requests wait in the mailbox while it recovers. When it returns, everything that was let out is
/// durable.
pub async fn supervise<D: Delivery>(
    run: SessionRun,
    mut delivery: impl FnMut() -> D,
    mut mailbox: mpsc::Receiver<Mail<D>>,
    opened: watch::Sender<bool>,
    stop: CancellationToken,
) {
    let session = run.record.id;
    let mut retry = RETRY_FIRST;
    let mut panics = 0;
    while !stop.is_cancelled() {
        let mut delivery = delivery();
        let life = live(&run, &mut delivery, &mut mailbox, &opened, &stop);
        let ended = AssertUnwindSafe(life).catch_unwind().await;
        delivery.detach_all();
        if opened.send_replace(false) {
            metrics().sessions_open.decrement(1);
        }
        match ended {
            Ok(Life::Stopped) => break,
            Ok(Life::Failed { recovered }) => {
                panics = 0;
                if recovered {
                    retry = RETRY_FIRST;
                }
            }
            Err(_panic) => {
                panics += 1;
                metrics().actor_panics.increment(1);
                tracing::error!(session.id = %session, panics, "a session's actor panicked");
                if panics == PANICS_MAX {
                    tracing::error!(session.id = %session, "the session stays closed; report it");
                    break;
                }
            }
        }
        if stop
            .run_until_cancelled(tokio::time::sleep(retry))
            .await
            .is_none()
        {
            break;
        }
        retry = RETRY_LAST.min(retry * 2);
    }
}

enum Life {
    Stopped,
    Failed { recovered: bool },
}

/// One actor's life, from its recovery on.
async fn live<D: Delivery>(
    run: &SessionRun,
    delivery: &mut D,
    mailbox: &mut mpsc::Receiver<Mail<D>>,
    opened: &watch::Sender<bool>,
    stop: &CancellationToken,
) -> Life {
    let session = run.record.id;
    let began = Instant::now();
    let (ownership, recovered) = match recover(run, delivery).await {
        Ok(recovered) => recovered,
        Err(error) => {
            tracing::error!(session.id = %session, %error, "a session could not be recovered");
            metrics().recoveries_failed.increment(1);
            return Life::Failed { recovered: false };
        }
    };
    tracing::info!(session.id = %session, head = recovered.head, epoch = ownership.epoch.0, "session open");
    metrics().recovery_seconds.record(began.elapsed());
    opened.send_replace(true);
    metrics().sessions_open.increment(1);
    let actor = Actor::new(run.clone(), ownership, recovered, delivery);
    match actor.run(mailbox, stop).await {
        Ended::Stopped => Life::Stopped,
        Ended::Failed(error) => {
            tracing::warn!(session.id = %session, %error, "a batch failed; recovering the session");
            Life::Failed { recovered: true }
        }
    }
}
