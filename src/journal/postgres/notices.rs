//! Captures warnings that the server sends while a statement runs.
//!
//! A cancelled wait for synchronous replication gives a warning and then success, with the commit on this
//! server alone. sqlx reports warnings only as tracing events, so they are captured by a subscriber around
//! each poll of the statement.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::instrument::WithSubscriber;
use tracing::{Dispatch, Event, Level, Metadata, Subscriber, span};

/// The tracing target of sqlx for server notices.
const TARGET: &str = "sqlx::postgres::notice";

/// Keeps the last warning that arrived while a future was polled.
pub(super) struct Notices {
    last: Arc<Mutex<Option<String>>>,
    /// Created once: each new dispatcher makes tracing re-evaluate all call sites.
    dispatch: Dispatch,
}

impl Notices {
    pub(super) fn new() -> Self {
        let last = Arc::new(Mutex::new(None));
        let dispatch = Dispatch::new(Catcher { last: last.clone() });
        Self { last, dispatch }
    }

    /// Runs a future to completion; returns its output and the last warning that arrived meanwhile.
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

    // Spans are ignored; all of them may share an id.
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
