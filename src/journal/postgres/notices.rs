//! Notices warnings that the server sends while a statement runs.
//!
//! A wait for synchronous replication that is cancelled gives a warning and then success: the
//! commit is on this server alone. sqlx tells of warnings only as tracing events, so they are caught
//! there, around each poll of the statement.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::instrument::WithSubscriber;
use tracing::{Dispatch, Event, Level, Metadata, Subscriber, span};

/// Where sqlx tells of what a server says besides its answers.
const TARGET: &str = "sqlx::postgres::notice";

/// Keeps the last warning that came while a future was polled.
pub(super) struct Notices {
    last: Arc<Mutex<Option<String>>>,
    /// Made once: each new one makes tracing look at all of its call sites again.
    dispatch: Dispatch,
}

impl Notices {
    pub(super) fn new() -> Self {
        let last = Arc::new(Mutex::new(None));
        let dispatch = Dispatch::new(Catcher { last: last.clone() });
        Self { last, dispatch }
    }

    /// Runs a future to its end; gives its output and the last warning that came meanwhile.
    pub(super) async fn watch<F: Future>(&self, future: F) -> (F::Output, Option<String>) {
        drop(self.take());
        let output = future.with_subscriber(self.dispatch.clone()).await;
        (output, self.take())
    }

    fn take(&self) -> Option<String> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.take()
    }
}

struct Catcher {
    last: Arc<Mutex<Option<String>>>,
}

impl Subscriber for Catcher {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == TARGET && *metadata.level() <= Level::WARN
    }

    fn max_level_hint(&self) -> Option<tracing::level_filters::LevelFilter> {
        Some(tracing::level_filters::LevelFilter::WARN)
    }

    fn event(&self, event: &Event<'_>) {
        if !self.enabled(event.metadata()) {
            return;
        }
        let mut message = Message(String::new());
        event.record(&mut message);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some(message.0);
    }

    // Spans are of no interest; every one may have the same id.
    fn new_span(&self, _span: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _span: &span::Id, _values: &span::Record<'_>) {}
    fn record_follows_from(&self, _span: &span::Id, _follows: &span::Id) {}
    fn enter(&self, _span: &span::Id) {}
    fn exit(&self, _span: &span::Id) {}
}

struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}
