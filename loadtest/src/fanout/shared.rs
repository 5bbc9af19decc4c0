//! What all clients of a run share: the plan, the stage that the run is in, and what they count
//! together.

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

/// What the run is doing. Clients follow it.
#[derive(Debug, Clone)]
pub(super) enum Stage {
    /// Everybody connects.
    Gathering,
    /// Clues are pushed.
    Flowing(Flow),
    /// All clues were pushed, so many; everybody comes back and gets what it missed.
    Settling { pushed: usize },
    /// Everybody goes.
    Over,
}

/// While clues are pushed.
#[derive(Debug, Clone)]
pub(super) struct Flow {
    pub(super) span: Span,
    /// When stalled and slow readers are so; none means all the time.
    pub(super) impaired_spans: Option<Arc<[Span]>>,
}

/// What a run's clients share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) plan: Plan,
    /// The moment that the labels of clues count from.
    pub(super) began_at: Instant,
    pub(super) stalls: SecondsRange,
    pub(super) cuts: Option<SecondsRange>,
    pub(super) slow_bytes_per_s: usize,
    /// How many may connect at the same time.
    pub(super) gate: Arc<Semaphore>,
    pub(super) counts: Counts,
    windows: Mutex<Vec<Window>>,
}

/// What the clients count together.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// Clients that have been attached at least once.
    pub(super) attached: AtomicUsize,
    /// Clients that have everything.
    pub(super) complete: AtomicUsize,
    /// Clients that cannot go on.
    pub(super) failed: AtomicUsize,
    /// Updates that told a client of a clue.
    pub(super) deliveries: AtomicU64,
}

/// A span of intended moments, and the latencies of what was to be sent in it.
#[derive(Debug)]
struct Window {
    span: Span,
    latencies: Histogram<u64>,
}

/// What was drawn up for a run before it begins.
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

    /// Measures the latencies of what is to be sent within these spans, which are in order.
    pub(super) fn measure(&self, spans: impl IntoIterator<Item = Span>) {
        self.windows().extend(spans.into_iter().map(|span| Window {
            span,
            latencies: LatencyMs::histogram(),
        }));
    }

    /// Takes the latency of a delivery.
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

    /// The latencies of each measured span. From now on nothing is measured.
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
