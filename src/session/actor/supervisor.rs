//! Keeps a session running: recovers its state, runs its actor, and recovers again after a failure.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::context::{Services, SessionContext, SessionSpec};
use super::handle::{Condition, Mail, SessionHandle};
use super::recovery::{RecoverError, recover};
use super::turns::{Actor, ActorExit};
use crate::ids::Epoch;
use crate::session::delivery::Delivery;
use crate::telemetry::{RecoveryFailure, metrics};

/// Consecutive panics, each soon after a recovery, after which a session is quarantined: the events in its
/// journal would make it panic again.
const PANICS_MAX: u32 = 3;
/// A panic after an actor has run for this long is not counted with the panics before it.
const SOUND_AFTER: Duration = Duration::from_mins(1);
/// Backoff between attempts to recover: doubled from the first to the last.
const RETRY_FIRST: Duration = Duration::from_millis(20);
const RETRY_LAST: Duration = Duration::from_secs(2);

/// How a session's run in this process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionExit {
    /// It was asked to stop. The epoch in which this process owned it until then, if it is known.
    Stopped(Option<Epoch>),
    /// Another node owns it, or may own it.
    Lost,
    /// Its actor panicked repeatedly; the session stays closed.
    Broken,
}

/// Prepares a session: returns a handle, and the future that runs it until it is stopped, abandoned or
/// owned by another node. `delivery` makes the delivery of each actor.
///
/// Requests wait in the mailbox during a recovery and are dropped while the session is broken. When the
/// future returns, everything that was released is durable, and every connection was closed with advice
/// to reconnect. The future is not cancel-safe: dropping it is a crash, after which the session has to be
/// recovered.
pub fn launch<D: Delivery>(
    services: Arc<Services>,
    spec: SessionSpec,
    delivery: impl FnMut() -> D,
) -> (SessionHandle<D>, impl Future<Output = SessionExit>) {
    let (mailbox, mails) = mpsc::channel(services.config.mailbox_max);
    let (condition, watched) = watch::channel(Condition::Recovering);
    let context = Arc::new(SessionContext::new(services, spec));
    let handle = SessionHandle::new(&context, mailbox, watched);
    let supervisor = Supervisor {
        context,
        mailbox: mails,
        condition,
    };
    (handle, supervisor.run(delivery))
}

struct Supervisor<D: Delivery> {
    context: Arc<SessionContext>,
    mailbox: mpsc::Receiver<Mail<D>>,
    condition: watch::Sender<Condition>,
}

/// Result of one recovery and the actor that ran after it.
enum Attempt {
    Stopped(Epoch),
    Lost,
    /// The session was recovered, and then an append failed.
    AppendFailed,
    /// The store did not allow a recovery.
    NotRecovered,
    /// The stored data cannot be read.
    Unreadable,
}

impl<D: Delivery> Supervisor<D> {
    async fn run(mut self, mut delivery: impl FnMut() -> D) -> SessionExit {
        let context = self.context.clone();
        let (stop, abandon) = (&context.spec.stop, &context.spec.abandon);
        let mut claimed = context.spec.claimed;
        let mut retry = RETRY_FIRST;
        let mut panics = 0;
        while !stop.is_cancelled() {
            let mut delivery = delivery();
            let began = Instant::now();
            let attempt = self.attempt(claimed.take(), &mut delivery);
            let attempt = AssertUnwindSafe(attempt).catch_unwind();
            let ended = abandon.run_until_cancelled(attempt).await;
            delivery.detach_all();
            let is_readable = !matches!(ended, Some(Ok(Attempt::Unreadable)));
            self.set_condition(if is_readable {
                Condition::Recovering
            } else {
                Condition::Broken
            });
            context.backlog.actor_ended();
            let Some(ended) = ended else {
                return SessionExit::Lost;
            };
            match ended {
                Ok(Attempt::Stopped(epoch)) => return SessionExit::Stopped(Some(epoch)),
                Ok(Attempt::Lost) => return SessionExit::Lost,
                Ok(Attempt::AppendFailed) => {
                    panics = 0;
                    retry = RETRY_FIRST;
                }
                Ok(Attempt::NotRecovered) => panics = 0,
                Ok(Attempt::Unreadable) => {
                    panics = 0;
                    // Dropping a request reports to its sender that the session is unavailable.
                    while self.mailbox.try_recv().is_ok() {}
                }
                Err(_panic) => {
                    let is_consecutive = began.elapsed() < SOUND_AFTER;
                    panics = if is_consecutive { panics + 1 } else { 1 };
                    self.report_panic(panics);
                    if panics == PANICS_MAX {
                        self.set_condition(Condition::Broken);
                        return SessionExit::Broken;
                    }
                }
            }
            tokio::select! {
                () = stop.cancelled() => break,
                () = abandon.cancelled() => {
                    self.set_condition(Condition::Recovering);
                    return SessionExit::Lost;
                }
                () = tokio::time::sleep(retry) => {}
            }
            retry = RETRY_LAST.min(retry * 2);
        }
        self.set_condition(Condition::Recovering);
        SessionExit::Stopped(None)
    }

    /// Recovers the session once and runs its actor.
    async fn attempt(&mut self, claimed: Option<Epoch>, delivery: &mut D) -> Attempt {
        let session = self.context.session();
        let began = Instant::now();
        let (owned, recovered) = match recover(&self.context, claimed, delivery).await {
            Ok(recovered) => recovered,
            Err(RecoverError::Lost) => {
                tracing::info!(session.id = %session, "another node owns the session now");
                return Attempt::Lost;
            }
            Err(error) => return self.report_failed_recovery(&error),
        };
        let epoch = owned.epoch;
        tracing::info!(session.id = %session, head = recovered.head, epoch = epoch.0, "session open");
        metrics().recovery_seconds.record(began.elapsed());
        self.context.backlog.recovered();
        self.set_condition(Condition::Open);
        let actor = Actor::new(self.context.clone(), owned, recovered, delivery);
        match actor.run(&mut self.mailbox).await {
            ActorExit::Stopped => Attempt::Stopped(epoch),
            ActorExit::AppendFailed(error) => {
                tracing::warn!(
                    session.id = %session, %error,
                    "an append failed; recovering the session"
                );
                Attempt::AppendFailed
            }
        }
    }

    fn report_failed_recovery(&self, error: &RecoverError) -> Attempt {
        let session = self.context.session();
        let failure = error.failure();
        metrics().recoveries_failed.with_label(failure).increment(1);
        match failure {
            RecoveryFailure::Unavailable => {
                tracing::warn!(session.id = %session, %error, "recovery failed; trying again");
                Attempt::NotRecovered
            }
            RecoveryFailure::Unusable => {
                tracing::error!(
                    session.id = %session, %error,
                    "recovery failed: the stored session cannot be read"
                );
                Attempt::Unreadable
            }
        }
    }

    fn report_panic(&self, panics: u32) {
        let session = self.context.session();
        metrics().actor_panics.increment(1);
        tracing::error!(session.id = %session, panics, "a session's actor panicked");
        if panics == PANICS_MAX {
            tracing::error!(
                session.id = %session,
                "the session stays closed after repeated panics; report a bug"
            );
        }
    }

    /// Publishes a session's condition, and updates the counts of open and of broken sessions.
    fn set_condition(&self, new: Condition) {
        let gauge = |condition| match condition {
            Condition::Recovering => None,
            Condition::Open => Some(&metrics().sessions_open),
            Condition::Broken => Some(&metrics().sessions_broken),
        };
        if let Some(before) = gauge(self.condition.send_replace(new)) {
            before.decrement(1);
        }
        if let Some(now) = gauge(new) {
            now.increment(1);
        }
    }
}
