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
use super::archiving::Archiving;
use super::backlog::Backlog;
use super::delivery::Delivery;
use super::handle::Mail;
use super::planted::Planted;
use super::recovery::{RecoverError, recover};
use super::usage::Usage;
use crate::clock::Clock;
use crate::cluster::Validity;
use crate::config::SessionConfig;
use crate::journal::{Epoch, Incarnation, Journal, SessionRecord};
use crate::telemetry::{RecoveryFailure, metrics};

/// Panics in a row, each soon after the recovery, after which a session stays closed: its journal would bring
/// it down again and again.
const PANICS_MAX: u32 = 3;
/// An actor that has lived for so long does not count with those before it.
const SOUND_AFTER: Duration = Duration::from_mins(1);
/// The waits between attempts to recover: doubled from the first to the last.
const RETRY_FIRST: Duration = Duration::from_millis(20);
const RETRY_LAST: Duration = Duration::from_secs(2);

/// How this process comes to own a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tenure {
    /// No other process has the journal open: whoever owned the session before is dead.
    Alone,
    /// Other nodes share the journal. The session was claimed with this epoch in order to be opened
    /// here, and is given up when another node turns out to own it.
    Claimed(Epoch),
}

impl Tenure {
    fn claimed(self) -> Option<Epoch> {
        match self {
            Self::Alone => None,
            Self::Claimed(epoch) => Some(epoch),
        }
    }
}

/// Whether a session can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Not yet, or not any more: it is being recovered, or has ended.
    Recovering,
    /// It takes requests.
    Open,
    /// Not before somebody acts: its actor panicked again and again, or what is stored of it cannot be
    /// read. The latter is still tried again from time to time.
    Broken,
}

/// How a session's time at this process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Departure {
    /// It was asked to stop; the epoch in which it was owned to the end, unless that is not known.
    Stopped(Option<Epoch>),
    /// Another node owns it, or may own it.
    Lost,
    /// Its actor panicked again and again; the session stays closed.
    Broken,
}

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
    /// How it comes to own the session.
    pub tenure: Tenure,
    /// While this does not hold, nothing is let out but what is in the journal.
    pub validity: Validity,
    /// Ends the session at once: another node may own it.
    pub abandon: CancellationToken,
    /// The clock.
    pub clock: Clock,
    /// The actor's bounds.
    pub config: SessionConfig,
    /// Events after which a snapshot is stored.
    pub snapshot_every_events: u64,
    /// Where old batches go; nowhere without.
    pub archiving: Option<Archiving>,
    /// How long its oldest event waits to become durable.
    pub backlog: Arc<Backlog>,
    /// Whether anybody still needs it.
    pub usage: Arc<Usage>,
    /// A defect on purpose, in tests.
    pub planted: Planted,
}

/// Runs a session until `stop`, or until another node owns it; `condition` tells how it is.
///
/// Requests wait in the mailbox while it recovers, and are dropped while it is broken. When it returns,
/// everything that was let out is durable, and every connection has been told to come back.
pub async fn supervise<D: Delivery>(
    run: SessionRun,
    mut delivery: impl FnMut() -> D,
    mut mailbox: mpsc::Receiver<Mail<D>>,
    condition: watch::Sender<Condition>,
    stop: CancellationToken,
) -> Departure {
    let session = run.record.id;
    let mut claimed = run.tenure.claimed();
    let mut retry = RETRY_FIRST;
    let mut panics = 0;
    while !stop.is_cancelled() {
        let mut delivery = delivery();
        let start = (&run, claimed.take());
        let began = Instant::now();
        let life = live(start, &mut delivery, &mut mailbox, &condition, &stop);
        let life = AssertUnwindSafe(life).catch_unwind();
        let ended = run.abandon.run_until_cancelled(life).await;
        delivery.detach_all();
        let is_readable = !matches!(ended, Some(Ok(Life::Unreadable)));
        let now = if is_readable {
            Condition::Recovering
        } else {
            Condition::Broken
        };
        pass_into(&condition, now);
        run.backlog.closed();
        let Some(ended) = ended else {
            return Departure::Lost;
        };
        match ended {
            Ok(Life::Stopped(epoch)) => return Departure::Stopped(Some(epoch)),
            Ok(Life::Lost) => return Departure::Lost,
            Ok(Life::Failed) => {
                panics = 0;
                retry = RETRY_FIRST;
            }
            Ok(Life::NotBegun) => panics = 0,
            Ok(Life::Unreadable) => {
                panics = 0;
                // Whoever asked is told when it is dropped.
                while mailbox.try_recv().is_ok() {}
            }
            Err(_panic) => {
                // One that ran well for a while was not brought down by its journal.
                panics = if began.elapsed() < SOUND_AFTER {
                    panics + 1
                } else {
                    1
                };
                metrics().actor_panics.increment(1);
                tracing::error!(session.id = %session, panics, "a session's actor panicked");
                if panics == PANICS_MAX {
                    tracing::error!(session.id = %session, "the session stays closed; report it");
                    pass_into(&condition, Condition::Broken);
                    return Departure::Broken;
                }
            }
        }
        tokio::select! {
            () = stop.cancelled() => break,
            () = run.abandon.cancelled() => {
                pass_into(&condition, Condition::Recovering);
                return Departure::Lost;
            }
            () = tokio::time::sleep(retry) => {}
        }
        retry = RETRY_LAST.min(retry * 2);
    }
    pass_into(&condition, Condition::Recovering);
    Departure::Stopped(None)
}

/// Tells a session's new condition, and counts those that are open and those that are broken.
fn pass_into(condition: &watch::Sender<Condition>, new: Condition) {
    let of = |condition| match condition {
        Condition::Recovering => None,
        Condition::Open => Some(&metrics().sessions_open),
        Condition::Broken => Some(&metrics().sessions_broken),
    };
    if let Some(before) = of(condition.send_replace(new)) {
        before.decrement(1);
    }
    if let Some(now) = of(new) {
        now.increment(1);
    }
}

enum Life {
    Stopped(Epoch),
    Lost,
    /// It was recovered, and then a batch failed.
    Failed,
    /// The store did not let it begin.
    NotBegun,
    /// What is stored cannot be read.
    Unreadable,
}

/// One actor's life, from its recovery on.
async fn live<D: Delivery>(
    (run, claimed): (&SessionRun, Option<Epoch>),
    delivery: &mut D,
    mailbox: &mut mpsc::Receiver<Mail<D>>,
    condition: &watch::Sender<Condition>,
    stop: &CancellationToken,
) -> Life {
    let session = run.record.id;
    let began = Instant::now();
    let (ownership, recovered) = match recover(run, claimed, delivery).await {
        Ok(recovered) => recovered,
        Err(RecoverError::Lost) => {
            tracing::info!(session.id = %session, "another node owns the session now");
            return Life::Lost;
        }
        Err(error) => {
            let failure = error.failure();
            metrics().recoveries_failed.with_label(failure).increment(1);
            return match failure {
                RecoveryFailure::Unavailable => {
                    tracing::warn!(session.id = %session, %error, "a session is not recovered yet");
                    Life::NotBegun
                }
                RecoveryFailure::Unusable => {
                    tracing::error!(session.id = %session, %error, "a session could not be recovered");
                    Life::Unreadable
                }
            };
        }
    };
    tracing::info!(session.id = %session, head = recovered.head, epoch = ownership.epoch.0, "session open");
    metrics().recovery_seconds.record(began.elapsed());
    run.backlog.opened();
    pass_into(condition, Condition::Open);
    let epoch = ownership.epoch;
    let actor = Actor::new(run.clone(), ownership, recovered, delivery);
    match actor.run(mailbox, stop).await {
        Ended::Stopped => Life::Stopped(epoch),
        Ended::Failed(error) => {
            tracing::warn!(session.id = %session, %error, "a batch failed; recovering the session");
            Life::Failed
        }
    }
}
