//! One start of the server: everybody joins, connects, follows, comes back, and goes.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use hdrhistogram::Histogram;
use indicatif::ProgressBar;
use testkit::{Rest, RestError};
use tokio::sync::watch;
use tokio::time::{Instant, interval, sleep_until};

use super::FanoutError;
use super::crowd::Crowd;
use super::follower::FollowerResult;
use super::plan::{Draw, Plan};
use super::pusher::{Pusher, Timing};
use super::script::Span;
use super::server_metrics::ServerMetrics;
use super::shared::{Flow, Settings, Shared, Stage};
use super::windows::{self, Window};
use crate::arguments::{FanoutArguments, SecondsRange};
use crate::managed_server::Target;
use crate::setup;

/// How long everybody may take to connect and to be attached.
const GATHER_WAIT_MAX: Duration = Duration::from_mins(3);

/// From the moment that everybody is there to the first clue, so that all know when it begins.
const BEFORE_FLOW: Duration = Duration::from_millis(500);

/// How often is looked how far the clients are.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What happens at one start of the server.
#[derive(Debug, Clone)]
pub(super) struct RunConfig {
    /// Decides the plan, and what happens to the clients.
    pub(super) seed: u64,
    /// The clues that can be pushed at most.
    pub(super) clues_max: usize,
    pub(super) timing: Timing,
    /// How long clues are pushed.
    pub(super) length: Duration,
    /// The first pair of windows and how many there are, if there are any.
    pub(super) pairs: Option<(u32, u32)>,
}

/// What was found at one start.
pub(super) struct RunResult {
    pub(super) followers: Vec<FollowerResult>,
    pub(super) clues: usize,
    pub(super) deliveries: u64,
    /// Of each measured span: of each window, or of the whole.
    pub(super) latencies: Vec<Histogram<u64>>,
    pub(super) flowed: Duration,
    /// With nobody connected, with everybody attached, and at the end.
    pub(super) metrics: [ServerMetrics; 3],
    /// When the last clue was pushed.
    pub(super) flowed_metrics: ServerMetrics,
    /// At the end of each window.
    pub(super) window_metrics: Vec<ServerMetrics>,
}

/// A run under way.
struct Run<'a> {
    arguments: &'a FanoutArguments,
    shared: Arc<Shared>,
    rest: Rest,
    stages: watch::Sender<Stage>,
    progress: ProgressBar,
}

/// Runs a course against a server, which a server of our own is stopped after.
pub(super) async fn run(
    arguments: &FanoutArguments,
    config: &RunConfig,
    mut target: Target,
    progress: ProgressBar,
) -> Result<RunResult, FanoutError> {
    let rest = Rest::new(&target.url, setup::REST_WAIT_MAX)?;
    progress.set_message("joining");
    let crowd = Crowd::join(&rest, &target.admin_token, arguments).await?;
    if let Some(own) = &mut target.own {
        // Its memory is then as after a recovery, without what the joins have left over.
        own.stop_and_restart().await?;
    }
    let (stages, _) = watch::channel(Stage::Gathering);
    let run = Run {
        arguments,
        shared: Arc::new(config.shared(arguments, crowd.teams)),
        rest,
        stages,
        progress,
    };
    let result = run.through(config, &crowd).await?;
    if let Some(own) = &mut target.own {
        own.stop().await?;
    }
    Ok(result)
}

impl RunConfig {
    fn shared(&self, arguments: &FanoutArguments, teams: u32) -> Shared {
        let plan = Plan::draw(Draw {
            clues: self.clues_max,
            everyone: arguments.everyone,
            players: arguments.connections,
            teams,
            text_chars: usize::from(arguments.size),
            seed: self.seed,
        });
        Shared::new(Settings {
            plan,
            stalls: arguments.stall_seconds,
            cuts: arguments.cut_seconds,
            slow_bytes_per_s: arguments.slow_bytes_per_second as usize,
            connecting_max: usize::from(arguments.concurrency),
        })
    }

    fn windows(&self, from: Instant, arguments: &FanoutArguments) -> Option<Vec<Window>> {
        let (first, count) = self.pairs?;
        Some(windows::lay_out(from, first, count, arguments.window))
    }
}

impl Run<'_> {
    async fn through(&self, config: &RunConfig, crowd: &Crowd) -> Result<RunResult, FanoutError> {
        let alone = ServerMetrics::fetch(&self.rest).await?;
        let mut threads = crowd.follow(&self.shared, self.arguments, &self.stages.subscribe());
        self.gather().await?;
        let attached = ServerMetrics::fetch(&self.rest).await?;
        let token = crowd.session.game_master_token.clone();
        let pusher = Pusher::connect(&crowd.endpoint, token, crowd.addresses()).await?;

        let from = Instant::now() + BEFORE_FLOW;
        let span = Span {
            from,
            until: from + config.length,
        };
        let windows = config.windows(from, self.arguments);
        self.begin_flow(span, windows.as_deref());
        let pushing = pusher.push(&self.shared.plan, config.timing, span, self.shared.began_at);
        let watching = self.watch_windows(windows.as_deref().unwrap_or_default());
        let (clues, window_metrics) = tokio::join!(pushing, watching);
        let (clues, window_metrics) = (clues?, window_metrics?);
        let flowed = from.elapsed();
        let flowed_metrics = ServerMetrics::fetch(&self.rest).await?;

        self.settle(clues, span.until).await;
        let at_end = ServerMetrics::fetch(&self.rest).await?;
        self.stages.send_replace(Stage::Over);
        let mut followers = Vec::new();
        while let Some(thread) = threads.join_next().await {
            followers.extend(
                thread
                    .expect("clients do not panic")
                    .map_err(FanoutError::Thread)?,
            );
        }
        self.progress.finish_and_clear();
        Ok(RunResult {
            followers,
            clues,
            deliveries: self.shared.counts.deliveries.load(Relaxed),
            latencies: self.shared.drain_latencies(),
            flowed,
            flowed_metrics,
            metrics: [alone, attached, at_end],
            window_metrics,
        })
    }

    /// Waits until everybody is attached.
    async fn gather(&self) -> Result<(), FanoutError> {
        self.progress.set_message("connecting");
        let deadline = Instant::now() + GATHER_WAIT_MAX;
        self.all(&self.shared.counts.attached, deadline).await;
        let attached = self.shared.counts.attached.load(Relaxed);
        let clients = self.arguments.connections as usize;
        if attached < clients {
            return Err(FanoutError::NotAttached { attached, clients });
        }
        Ok(())
    }

    fn begin_flow(&self, span: Span, windows: Option<&[Window]>) {
        self.progress.set_message("pushing clues");
        self.progress.set_position(0);
        match windows {
            Some(windows) => self
                .shared
                .measure(windows.iter().map(|window| window.measured)),
            None => self.shared.measure([span]),
        }
        let impaired_spans = windows.map(|windows| {
            windows
                .iter()
                .filter_map(|window| window.impaired_span())
                .collect()
        });
        self.stages.send_replace(Stage::Flowing(Flow {
            span,
            impaired_spans,
        }));
    }

    /// What the server tells at the end of each window.
    async fn watch_windows(&self, windows: &[Window]) -> Result<Vec<ServerMetrics>, RestError> {
        let mut all = Vec::with_capacity(windows.len());
        for window in windows {
            sleep_until(window.is_over_at()).await;
            self.progress
                .set_message(format!("window {} of {}", all.len() + 1, windows.len()));
            all.push(ServerMetrics::fetch(&self.rest).await?);
        }
        Ok(all)
    }

    /// Waits until everybody has everything; whoever has not by the deadline lacks it.
    async fn settle(&self, pushed: usize, flow_until: Instant) {
        self.progress.set_message("settling");
        self.stages.send_replace(Stage::Settling { pushed });
        let away = self.arguments.cut_seconds.map(SecondsRange::max);
        let stalled = (self.arguments.stalled > 0.0).then(|| self.arguments.stall_seconds.max());
        let back = away.max(stalled).unwrap_or_default();
        let deadline = flow_until + back + self.arguments.settle_max;
        self.all(&self.shared.counts.complete, deadline).await;
    }

    /// Waits until everybody who can go on has come to a point, but not beyond the deadline.
    async fn all(&self, reached: &AtomicUsize, deadline: Instant) {
        let clients = self.arguments.connections as usize;
        let mut looks = interval(LOOK_EVERY);
        loop {
            looks.tick().await;
            let failed = self.shared.counts.failed.load(Relaxed);
            let reached = reached.load(Relaxed);
            self.progress.set_position(reached as u64);
            if reached + failed >= clients || Instant::now() >= deadline {
                return;
            }
        }
    }
}
