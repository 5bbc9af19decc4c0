//! One team of the log, played by one device: it guesses what the log says and notes what it is
//! told.

use std::sync::Arc;
use std::time::Duration;

use indicatif::ProgressBar;
use protocol::{Order, Phase, Receipt, Rejection, RejectionCode, Verdict};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::Instant;

use super::coordinator::{Arrival, Schedule, Stage};
use super::log::{GuessLog, LoggedGuess, normalize_guess};
use crate::client::{Answer, ClientError, GoawayReconnect, Tally, WireClient};

/// What all players share.
#[derive(Debug, Clone)]
pub(super) struct PlayerContext {
    pub(super) log: Arc<GuessLog>,
    pub(super) puzzle_ids: Arc<[String]>,
    pub(super) stage: watch::Receiver<Stage>,
    pub(super) schedule: watch::Receiver<Schedule>,
    pub(super) arrivals: mpsc::Sender<Arrival>,
    /// Bounds how many connect at the same time before the start.
    pub(super) connecting: Arc<Semaphore>,
    pub(super) progress: ProgressBar,
}

/// A player at the table.
#[derive(Debug)]
pub(super) struct Player {
    pub(super) context: PlayerContext,
    /// The team's place in the log.
    pub(super) team: usize,
    pub(super) client: WireClient,
}

/// What a player was told.
#[derive(Debug, Default)]
pub(super) struct Record {
    /// Every command that was sent, in the order of the log's guesses.
    pub(super) sent: Vec<Sent>,
    pub(super) latencies: Vec<Duration>,
    pub(super) first_sent_at: Option<Instant>,
    pub(super) last_received_at: Option<Instant>,
    pub(super) rate_limited: u64,
    /// Receipts that came before the update that shows their guess.
    pub(super) early_receipts: u64,
    /// Acknowledged guesses that the team's own view lacks at the end.
    pub(super) not_in_view: u64,
    /// Verdicts other than the log's, and refusals for good, each in words.
    pub(super) mismatches: Vec<String>,
}

/// A guess that was sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent {
    /// The command's id.
    pub(super) command: u64,
    /// The verdict of its receipt; none if it has none.
    pub(super) acknowledged: Option<Verdict>,
}

/// How a player ended.
#[derive(Debug)]
pub(super) struct PlayerResult {
    pub(super) team: usize,
    pub(super) record: Record,
    pub(super) tally: Tally,
    /// How the client followed each `goaway` that it came back from.
    pub(super) goaway_reconnects: Vec<GoawayReconnect>,
    /// None if everything was played, or the stage was over before.
    pub(super) failure: Option<ClientError>,
}

impl Player {
    /// Plays to the end, or until the stage is over.
    pub(super) async fn play(mut self) -> PlayerResult {
        let mut record = Record::default();
        let mut stage = self.context.stage.clone();
        let result = tokio::select! {
            result = self.play_all(&mut record) => result,
            _ = stage.wait_for(|stage| *stage == Stage::Over) => Ok(()),
        };
        let tally = *self.client.tally();
        let goaway_reconnects = self.client.goaway_reconnects().to_vec();
        self.client.close().await;
        PlayerResult {
            team: self.team,
            record,
            tally,
            goaway_reconnects,
            failure: result.err(),
        }
    }

    async fn play_all(&mut self, record: &mut Record) -> Result<(), ClientError> {
        let connecting = Arc::clone(&self.context.connecting);
        let permit = connecting.acquire().await;
        self.client.attach().await?;
        drop(permit);
        self.arrive(Arrival::Attached).await;

        let puzzles = self.context.puzzle_ids.len();
        self.client
            .wait_until(|view| {
                view.phase() == Some(Phase::Running) && view.puzzles_visible() == puzzles
            })
            .await?;
        self.arrive(Arrival::Unlocked).await;

        self.listen_until_stage(Stage::Guess).await?;
        let schedule = *self.context.schedule.borrow();
        let log = Arc::clone(&self.context.log);
        for guess in &log.teams[self.team].guesses {
            self.guess(guess, schedule, record).await?;
        }
        self.arrive(Arrival::Guessed).await;

        self.listen_until_stage(Stage::Settle).await?;
        self.client.resync().await?;
        self.check_view(record);
        Ok(())
    }

    /// The channel holds every arrival of every player, so that this does not wait.
    async fn arrive(&self, arrival: Arrival) {
        // Without a conductor nobody counts arrivals, and the stage is over.
        let _ = self.context.arrivals.send(arrival).await;
    }

    async fn listen_until_stage(&mut self, wanted: Stage) -> Result<(), ClientError> {
        tokio::select! {
            error = self.client.listen() => Err(error),
            _ = self.context.stage.wait_for(|stage| *stage >= wanted) => Ok(()),
        }
    }

    async fn guess(
        &mut self,
        logged: &LoggedGuess,
        schedule: Schedule,
        record: &mut Record,
    ) -> Result<(), ClientError> {
        let intended_at = schedule.at(logged.after);
        if let Some(intended_at) = intended_at {
            self.client.listen_until(intended_at).await?;
        }
        let command = self.client.next_command(Order::SubmitGuess {
            puzzle: self.context.puzzle_ids[logged.puzzle].clone(),
            guess: logged.guess.clone(),
        });
        record.sent.push(Sent {
            command: command.id,
            acknowledged: None,
        });
        let mut refusals = 0;
        loop {
            let outcome = self.client.send(command.clone()).await?;
            record.first_sent_at.get_or_insert(outcome.sent_at);
            record.last_received_at = Some(outcome.received_at);
            match &outcome.answer {
                Answer::Accepted(receipt) => {
                    let since = intended_at.unwrap_or(outcome.sent_at);
                    record.latencies.push(outcome.received_at - since);
                    self.record_receipt(logged, receipt, record);
                    break;
                }
                Answer::Refused(rejection) if is_temporary(rejection.code) => {
                    self.wait_before_retry(rejection, refusals, record).await?;
                    refusals += 1;
                }
                Answer::Refused(rejection) => {
                    let code = rejection.code;
                    record
                        .mismatches
                        .push(self.mismatch(logged, &format!("rejected: {code:?}")));
                    break;
                }
            }
        }
        self.context.progress.inc(1);
        Ok(())
    }

    fn record_receipt(&self, logged: &LoggedGuess, receipt: &Receipt, record: &mut Record) {
        if let Some(sent) = record.sent.last_mut() {
            sent.acknowledged = receipt.verdict;
        }
        if receipt.verdict != Some(logged.verdict) {
            let actual = receipt.verdict.map_or_else(
                || "accepted without a verdict".to_owned(),
                |verdict| format!("judged {verdict:?}"),
            );
            record.mismatches.push(self.mismatch(logged, &actual));
        }
        if self.shown(logged) != receipt.verdict {
            record.early_receipts += 1;
        }
    }

    async fn wait_before_retry(
        &mut self,
        rejection: &Rejection,
        refusals: u32,
        record: &mut Record,
    ) -> Result<(), ClientError> {
        if rejection.code == RejectionCode::RateLimited {
            record.rate_limited += 1;
        }
        let retry_at = self.client.retry_at(rejection.retry_at_ms, refusals);
        self.client.listen_until(retry_at).await
    }

    fn check_view(&self, record: &mut Record) {
        let guesses = &self.context.log.teams[self.team].guesses;
        let lacks = |(sent, logged): &(&Sent, &LoggedGuess)| {
            sent.acknowledged.is_some() && self.shown(logged) != sent.acknowledged
        };
        let lacking = record.sent.iter().zip(guesses).filter(lacks).count();
        record.not_in_view = lacking as u64;
    }

    /// The verdict that the team's own view shows.
    fn shown(&self, logged: &LoggedGuess) -> Option<Verdict> {
        let puzzle = &self.context.puzzle_ids[logged.puzzle];
        self.client
            .view()
            .verdict(puzzle, &normalize_guess(&logged.guess))
    }

    fn mismatch(&self, logged: &LoggedGuess, actual: &str) -> String {
        let team = &self.context.log.teams[self.team].name;
        let puzzle = &self.context.log.puzzles[logged.puzzle].title;
        let LoggedGuess { guess, verdict, .. } = logged;
        format!("{team}: {guess:?} on {puzzle:?} was judged {verdict:?}, now {actual}")
    }
}

/// Whether a refusal says only that the moment was wrong.
fn is_temporary(code: RejectionCode) -> bool {
    matches!(
        code,
        RejectionCode::RateLimited | RejectionCode::Unavailable
    )
}
