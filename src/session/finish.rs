//! The note in the store that a session is finished, so that nobody opens it again unasked.
//!
//! It is made once the finish is durable, and by each later owner once, since the first one may have
//! died before. That a session is finished is never untrue again: the note needs no fence.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use hunt::Phase;

use super::snapshots::under_way;
use super::usage::Usage;
use crate::journal::{Catalogue, JournalError, SessionId};
use crate::telemetry::metrics;

/// What an actor has to do with its session's finish.
pub(super) struct Finish {
    usage: Arc<Usage>,
    /// The note waits in the gate, is on its way, or was made.
    is_taken_care_of: bool,
    noting: Option<BoxFuture<'static, Result<(), JournalError>>>,
}

impl Finish {
    /// Nothing yet; `usage` is told of the note.
    pub(super) fn new(usage: Arc<Usage>) -> Self {
        Self {
            usage,
            is_taken_care_of: false,
            noting: None,
        }
    }

    /// Whether the note is to be made now, as soon as the state is durable: true once.
    pub(super) fn is_due(&mut self, phase: Phase) -> bool {
        let is_due = phase == Phase::Finished && !self.is_taken_care_of;
        self.is_taken_care_of |= is_due;
        is_due
    }

    /// Begins to make it; [`Finish::noted`] goes on.
    pub(super) fn note(&mut self, catalogue: &dyn Catalogue, session: SessionId) {
        self.noting = Some(catalogue.mark_finished(session));
    }

    /// Waits until it is made or has failed; with none on its way it never returns. Cancel-safe.
    pub(super) async fn noted(&mut self, session: SessionId) {
        match under_way(&mut self.noting).await {
            Ok(()) => {
                self.usage.note_finished();
                metrics().sessions_finished.increment(1);
            }
            // The turn after the next request, or the next owner, tries again.
            Err(error) => {
                tracing::info!(session.id = %session, %error, "a session is not noted as finished");
                self.is_taken_care_of = false;
            }
        }
        self.noting = None;
    }
}
