//! State shared by all clients of a run: plan, stage and counters.

use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use hdrhistogram::Histogram;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::plan::Plan;
use super::script::Span;
use crate::arguments::SecondsRange;
use crate::report::LatencyMs;

/// Stage of a run, followed by the clients.
#[derive(Debug, Clone)]
pub(super) enum Stage {
    /// Clients connect.
    Gathering,
    /// Clues are pushed.
    Flowing(Flow),
    /// All clues were pushed; clients reconnect and catch up.
    Settling { pushed: usize },
    /// Clients disconnect.
    Over,
}

/// Parameters of the push.
#[derive(Debug, Clone)]
pub(super) struct Flow {
    pub(super) span: Span,
    /// When stalled and slow readers are impaired; always if `None`.
    pub(super) impaired_spans: Option<Arc<[Span]>>,
}

/// State shared by a run's clients.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) plan: Plan,
    /// Origin of the labels' times.
    pub(super) began_at: Instant,
    pub(super) stalls: SecondsRange,
    pub(super) cuts: Option<SecondsRange>,
    pub(super) slow_bytes_per_s: usize,
    /// Bounds concurrent connection attempts.
    pub(super) gate: Arc<Semaphore>,
    pub(super) counts: Counts,
    windows: Mutex<Vec<Window>>,
}

/// Counters shared by the clients.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// Clients that have been attached at least once.
    pub(super) attached: AtomicUsize,
    /// Clients that have all of their clues.
    pub(super) complete: AtomicUsize,
    /// Clients that failed.
    pub(super) failed: AtomicUsize,
    /// Updates with a clue that arrived at a client.
    pub(super) deliveries: AtomicU64,
}

/// A span of scheduled times, and the latencies of its deliveries.
#[derive(Debug)]
struct Window {
    span: Span,
    latencies: Histogram<u64>,
}

/// Parameters of a run.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) plan: Plan,
    pub(super) stalls: SecondsRange,
    pub(super) cuts: Option<SecondsRange>,
    pub(super) slow_bytes_per_s: usize,
    pub(super) connecting_max: usize,
}

impl Shared {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            plan: settings.plan,
            began_at: Instant::now(),
            stalls: settings.stalls,
            cuts: settings.cuts,
            slow_bytes_per_s: settings.slow_bytes_per_s,
            gate: Arc::new(Semaphore::new(settings.connecting_max)),
            counts: Counts::default(),
            windows: Mutex::default(),
        }
    }

    /// Starts measuring the latencies of clues scheduled within these spans, which are in order.
    pub(super) fn measure(&self, spans: impl IntoIterator<Item = Span>) {
        self.windows().extend(spans.into_iter().map(|span| Window {
            span,
            latencies: LatencyMs::histogram(),
        }));
    }

    /// Records the latency of a delivery.
    pub(super) fn record_latency(&self, intended_at: Instant, latency: Duration) {
        let mut windows = self.windows();
        let index = windows.partition_point(|window| window.span.until <= intended_at);
        if let Some(window) = windows.get_mut(index)
            && window.span.contains(intended_at)
        {
            let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
            window.latencies.saturating_record(micros);
        }
    }

    /// Returns the latencies of each span and ends the measurement.
    pub(super) fn drain_latencies(&self) -> Vec<Histogram<u64>> {
        let windows = std::mem::take(&mut *self.windows());
        windows.into_iter().map(|window| window.latencies).collect()
    }

    fn windows(&self) -> MutexGuard<'_, Vec<Window>> {
        self.windows
            .lock()
            .expect("nothing panics while it holds the lock")
    }
}
