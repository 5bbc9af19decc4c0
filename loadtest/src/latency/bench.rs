//! A server and a bare database side by side on one disk, and the windows of both.

use std::fs;
use std::path::Path;
use std::time::Duration;

use testkit::Rest;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use super::LatencyError;
use super::bare::Bare;
use super::crowd::{Answered, Crowd};
use super::pacer::Schedule;
use super::recording::{Recorder, Recording};
use super::report::{Pair, Start};
use crate::arguments::LatencyArguments;
use crate::own_server::{OwnServer, OwnServerOptions};
use crate::report::AckMs;
use crate::setup;

/// The beginning of each window, which is not measured.
const WARM_UP: Duration = Duration::from_millis(500);

/// The highest rate is measured for as long as so many windows.
const WINDOWS_AT_MAX_RATE: u32 = 2;

/// More than any connection sends.
const NO_LIMITS: [&str; 2] = [
    "limits.commands_per_second=1000000",
    "limits.commands_burst=1000000",
];

/// A started server and a bare database, side by side on one disk.
pub(super) struct Bench {
    server: OwnServer,
    rest: Rest,
    /// None only while it is with the blocking thread.
    bare: Option<Bare>,
    window: Duration,
    connections: u16,
}

impl Bench {
    pub(super) async fn set_up(
        place: &Path,
        window: Duration,
        arguments: &LatencyArguments,
    ) -> Result<Self, LatencyError> {
        let of_server = place.join("server");
        fs::create_dir_all(&of_server)?;
        let settings = NO_LIMITS.into_iter().map(str::to_owned);
        let settings = settings.chain(arguments.server_settings.iter().cloned());
        let server = OwnServer::start(OwnServerOptions {
            binary: arguments.server_binary.clone(),
            data_dir: Some(of_server),
            settings: settings.collect(),
        })
        .await?;
        Ok(Self {
            rest: Rest::new(&server.url(), setup::REST_WAIT_MAX)?,
            server,
            bare: Some(Bare::create(place)?),
            window,
            connections: arguments.connections,
        })
    }

    /// Finds the rate, records what the journal gets at it, and measures the pairs in ABBA order.
    pub(super) async fn run(
        mut self,
        rate: Option<u32>,
        pairs: u32,
    ) -> Result<(Start, Vec<Pair>), LatencyError> {
        let (rate, rate_max) = if let Some(rate) = rate {
            (f64::from(rate), None)
        } else {
            let max = self.rate_max().await?;
            (max / 2.0, Some(max))
        };
        let recording = self.record(rate).await?;
        let start = Start {
            guesses_per_s_max: rate_max,
            guesses_per_s: rate,
            commits_per_s: recording.commits_per_s,
            rows_per_commit: recording.rows_per_commit(),
            bytes_per_row: recording.bytes_per_row(),
        };
        let mut measured = Vec::new();
        for pair in 0..pairs {
            measured.push(if pair % 2 == 0 {
                let receipt_ms = self.receipts(rate).await?;
                let commit_ms = self.commits(&recording).await?;
                Pair {
                    receipt_ms,
                    commit_ms,
                }
            } else {
                let commit_ms = self.commits(&recording).await?;
                let receipt_ms = self.receipts(rate).await?;
                Pair {
                    receipt_ms,
                    commit_ms,
                }
            });
        }
        self.server.stop().await?;
        Ok((start, measured))
    }

    /// Guesses a second when nobody waits for anything but receipts.
    async fn rate_max(&self) -> Result<f64, LatencyError> {
        let crowd = self.gather().await?;
        let length = self.window * WINDOWS_AT_MAX_RATE;
        let begin = Instant::now() + WARM_UP;
        let answered = crowd.guess_until(begin + length).await?;
        let within = answered
            .iter()
            .filter(|answered| (begin..begin + length).contains(&answered.received_at()));
        let count = u32::try_from(within.count()).unwrap_or(u32::MAX);
        Ok(f64::from(count) / length.as_secs_f64())
    }

    async fn record(&self, rate: f64) -> Result<Recording, LatencyError> {
        let crowd = self.gather().await?;
        let session = crowd.session.clone();
        let recorder = Recorder::start(self.server.data_dir())?;
        let schedule = Schedule::of_rate(Instant::now(), rate, self.window);
        crowd.guess_by(schedule).await?;
        recorder.finish(&session).await
    }

    /// A window of the server.
    async fn receipts(&self, rate: f64) -> Result<AckMs, LatencyError> {
        let crowd = self.gather().await?;
        let start = Instant::now();
        let schedule = Schedule::of_rate(start, rate, WARM_UP + self.window);
        let answered = crowd.guess_by(schedule).await?;
        let measured = answered
            .iter()
            .filter(|answered| answered.intended_at >= start + WARM_UP);
        Ok(AckMs::of(measured.map(|answered| answered.latency)))
    }

    /// A window of bare commits.
    async fn commits(&mut self, recording: &Recording) -> Result<AckMs, LatencyError> {
        let (recording, window) = (recording.clone(), self.window);
        // The database goes to the blocking thread and comes back.
        let mut bare = self.bare.take().expect("it came back");
        let played = spawn_blocking(move || {
            let durations = bare.play(&recording, WARM_UP, window);
            (bare, durations)
        });
        let (bare, durations) = played.await.expect("the bare loop does not panic");
        self.bare = Some(bare);
        Ok(AckMs::of(durations?))
    }

    async fn gather(&self) -> Result<Crowd, LatencyError> {
        Crowd::gather(&self.rest, self.server.admin_token(), self.connections).await
    }
}

impl Answered {
    fn received_at(&self) -> Instant {
        self.intended_at + self.latency
    }
}
