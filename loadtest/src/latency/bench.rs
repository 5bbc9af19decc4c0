//! A server and a bare database side by side on one disk, and the windows of both.

use std::fs;
use std::path::Path;
use std::time::Duration;

use testkit::Rest;
use tokio::task::spawn_blocking;

use super::bare::BareSqlite;
use super::cores::Cores;
use super::crowd::Crowd;
use super::generator::{Guesses, Load, Outcome};
use super::postgres::PostgresBaseline;
use super::recording::{Recorder, Recording, Watch};
use super::report::{CommitMs, Pair, Start};
use super::{LatencyError, rate};
use crate::arguments::{JournalKind, LatencyArguments};
use crate::managed_server::{ManagedServer, ManagedServerOptions};
use crate::report::LatencyMs;
use crate::setup;

/// The beginning of each window, which is not measured.
const WARM_UP: Duration = Duration::from_millis(500);

/// Puzzles that a team guesses on in turn. With the rules' 1,000 guesses on each, a team can make
/// more guesses than a window is long.
const PUZZLES: u64 = 40;

/// The most that a hunt may have.
const PUZZLES_MAX: u32 = 1_000;

/// How long an answer may take in a window that is measured.
const UNANSWERED_FOR_MAX: Duration = Duration::from_secs(10);

/// More than any connection sends, and more than comes while the disk stands still for seconds: that is to show
/// in the latencies.
const NO_LIMITS: [&str; 3] = [
    "limits.commands_per_second=1000000",
    "limits.commands_burst=1000000",
    "session.mailbox_max=100000",
];

/// What bare commits go to.
enum Baseline {
    /// A file beside the server's. None only while it is with the blocking thread.
    Sqlite(Option<BareSqlite>),
    /// The PostgreSQL that the server uses, too.
    Postgres(PostgresBaseline),
}

/// A started server and a bare database, side by side on one disk.
pub(super) struct Bench {
    server: ManagedServer,
    rest: Rest,
    baseline: Baseline,
    window: Duration,
    connections: u16,
}

impl Bench {
    pub(super) async fn set_up(
        folder: &Path,
        window: Duration,
        arguments: &LatencyArguments,
        cores: Option<&Cores>,
    ) -> Result<Self, LatencyError> {
        if let Some(cores) = cores {
            cores.unpin()?;
        }
        let server_folder = folder.join("server");
        fs::create_dir_all(&server_folder)?;
        let baseline = match arguments.journal {
            JournalKind::Sqlite => Baseline::Sqlite(Some(BareSqlite::create(folder)?)),
            JournalKind::Postgres => Baseline::Postgres(
                PostgresBaseline::start(arguments.server_binary.as_deref()).await?,
            ),
        };
        let of_journal = match &baseline {
            Baseline::Sqlite(_) => Vec::new(),
            Baseline::Postgres(store) => store.settings(),
        };
        let settings = NO_LIMITS.into_iter().map(str::to_owned);
        let settings = settings
            .chain(of_journal)
            .chain(arguments.server_settings.iter().cloned());
        let server = ManagedServer::start(ManagedServerOptions {
            binary: arguments.server_binary.clone(),
            data_dir: Some(server_folder),
            settings: settings.collect(),
            cluster_host: None,
        })
        .await?;
        if let (Some(cores), Some(server)) = (cores, server.id()) {
            cores.pin(server)?;
        }
        Ok(Self {
            rest: Rest::new(&server.url(), setup::REST_WAIT_MAX)?,
            server,
            baseline,
            window,
            connections: arguments.connections,
        })
    }

    /// Finds the rate, records what the journal gets at it, and measures the pairs in ABBA order.
    pub(super) async fn run(
        mut self,
        arguments: &LatencyArguments,
        pairs: u32,
    ) -> Result<(Start, Vec<Pair>), LatencyError> {
        let (rate, rates) = if let Some(rate) = arguments.rate {
            (f64::from(rate), None)
        } else {
            let rates = self.highest_rates().await?;
            (rates.even / 2.0, Some(rates))
        };
        let recording = self.record(rate).await?;
        let start = Start {
            guesses_per_s_max: rates.map(|rates| rates.even),
            solves_per_s_max: rates.map(|rates| rates.solves),
            guesses_per_s_closed: rates.map(|rates| rates.closed),
            guesses_per_s: rate,
            commits_per_s: recording.commits_per_s,
            rows_per_commit: recording.rows_per_commit(),
            bytes_per_row: recording.bytes_per_row(),
        };
        // A file that still grows is slower than one that is written anew, on either side.
        self.receipts(rate).await?;
        self.commits(&recording).await?;
        let mut measured = Vec::new();
        for pair in 0..pairs {
            let (receipt_ms, commit_ms, sent_late_ms);
            if pair % 2 == 0 {
                (receipt_ms, sent_late_ms) = self.receipts(rate).await?;
                commit_ms = self.commits(&recording).await?;
            } else {
                commit_ms = self.commits(&recording).await?;
                (receipt_ms, sent_late_ms) = self.receipts(rate).await?;
            }
            measured.push(Pair {
                receipt_ms,
                commit_ms,
                sent_late_ms,
            });
        }
        self.server.stop().await?;
        Ok((start, measured))
    }

    async fn highest_rates(&self) -> Result<MaxRates, LatencyError> {
        let length = rate::WINDOW;
        let closed = self.guess_wrong(Load::Closed { length }, UNANSWERED_FOR_MAX);
        let closed = rate::answered_per_s(&closed.await?);
        let even = rate::highest(closed * rate::FIRST_SHARE, async |per_second| {
            let load = Load::Even { per_second, length };
            self.guess_wrong(load, rate::UNANSWERED_FOR_MAX).await
        });
        let even = even.await?;
        let solves = rate::highest(even * rate::FIRST_SHARE, async |per_second| {
            self.solve(per_second, length).await
        });
        Ok(MaxRates {
            closed,
            even,
            solves: solves.await?,
        })
    }

    /// A window in which every guess is a solve: a team solves each puzzle once.
    async fn solve(&self, per_second: f64, length: Duration) -> Result<Outcome, LatencyError> {
        let each = per_second * length.as_secs_f64() / f64::from(self.connections);
        if each >= f64::from(PUZZLES_MAX) {
            return Err(LatencyError::TooFewTeams);
        }
        let puzzles = (1..=PUZZLES_MAX).find(|puzzles| f64::from(*puzzles) >= each);
        let puzzles = puzzles.unwrap_or(PUZZLES_MAX);
        let load = Load::Even { per_second, length };
        let crowd = self.gather(u64::from(puzzles), Guesses::Solves).await?;
        crowd.guess(rate::UNANSWERED_FOR_MAX, load).await
    }

    /// A window of wrong guesses in a session of their own.
    async fn guess_wrong(
        &self,
        load: Load,
        unanswered_for_max: Duration,
    ) -> Result<Outcome, LatencyError> {
        let crowd = self.gather_wrong().await?;
        crowd.guess(unanswered_for_max, load).await
    }

    async fn record(&self, per_second: f64) -> Result<Recording, LatencyError> {
        let crowd = self.gather_wrong().await?;
        let session = crowd.session.clone();
        let length = self.window;
        let guessing = crowd.guess(UNANSWERED_FOR_MAX, Load::Even { per_second, length });
        let all_answered = |outcome: Outcome| match outcome.unanswered {
            0 => Ok(()),
            _ => Err(LatencyError::NotSustained),
        };
        match &self.baseline {
            Baseline::Sqlite(_) => {
                let recorder = Recorder::start(self.server.data_dir())?;
                all_answered(guessing.await?)?;
                recorder.finish(&session).await
            }
            Baseline::Postgres(store) => {
                let watch = Watch::start();
                all_answered(guessing.await?)?;
                store.recorded(&session, &watch.end()).await
            }
        }
    }

    /// A window of the server: its receipts, and how late the guesses were sent.
    async fn receipts(&self, per_second: f64) -> Result<(LatencyMs, LatencyMs), LatencyError> {
        let length = WARM_UP + self.window;
        let load = Load::Even { per_second, length };
        let outcome = self.guess_wrong(load, UNANSWERED_FOR_MAX).await?;
        if outcome.unanswered > 0 {
            return Err(LatencyError::NotSustained);
        }
        let from = outcome.began_at + WARM_UP;
        let measured = || {
            let answered = outcome.answered.iter();
            answered.filter(|answered| answered.intended_at >= from)
        };
        let receipts = LatencyMs::from_durations(measured().map(|answered| answered.latency));
        Ok((
            receipts,
            LatencyMs::from_durations(measured().map(|answered| answered.late)),
        ))
    }

    /// A window of bare commits.
    async fn commits(&mut self, recording: &Recording) -> Result<CommitMs, LatencyError> {
        let (recording, window) = (recording.clone(), self.window);
        let timings = match &mut self.baseline {
            Baseline::Sqlite(bare) => {
                // The database goes to the blocking thread and comes back.
                let mut lent = bare.take().expect("it came back");
                let timings = spawn_blocking(move || {
                    let timings = lent.replay(&recording, WARM_UP, window);
                    (lent, timings)
                });
                let (lent, timings) = timings.await.expect("the bare loop does not panic");
                *bare = Some(lent);
                timings?
            }
            Baseline::Postgres(store) => {
                let bare = store.bare();
                let timings = spawn_blocking(move || bare.replay(&recording, WARM_UP, window));
                timings.await.expect("the bare loop does not panic")?
            }
        };
        Ok(timings.figures())
    }

    async fn gather_wrong(&self) -> Result<Crowd, LatencyError> {
        let puzzles = PUZZLES;
        self.gather(puzzles, Guesses::Wrong { puzzles }).await
    }

    async fn gather(&self, puzzles: u64, guesses: Guesses) -> Result<Crowd, LatencyError> {
        let token = self.server.admin_token();
        Crowd::gather(&self.rest, token, self.connections, puzzles, guesses).await
    }
}

/// The highest rates of a start, in guesses a second.
#[derive(Debug, Clone, Copy)]
struct MaxRates {
    /// When everybody guesses as fast as the receipts allow.
    closed: f64,
    /// Of an even schedule.
    even: f64,
    /// Of an even schedule of solves.
    solves: f64,
}
