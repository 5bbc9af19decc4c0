//! One player: submits the planned guesses to whichever node is up, and records everything.

use std::time::Duration;

use protocol::{Command, Order, Receipt, Rejection, RejectionCode};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::ack_tracker::AckTracker;
use super::hunt::{GUESSES_MAX, Planned, TEAM_SIZE, planned};
use super::log::{Acked, LoggedCommand, PlayerLog};
use crate::client::{Answer, ClientError, Outcome, WireClient};

/// A player submits its next guess after this time even without an answer.
const NEXT_GUESS_AFTER: Duration = Duration::from_secs(1);
const PLANNED_MAX: usize = GUESSES_MAX as usize;

/// Stage of a run. It only advances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// Players connect.
    Gather,
    /// They guess.
    Play,
    /// They wait for their outstanding guesses.
    Finish,
    /// They resync to check that they have received everything.
    Settle,
    /// Players disconnect.
    Over,
}

/// What all players share.
#[derive(Debug, Clone)]
pub(super) struct PlayerContext {
    pub(super) stage: watch::Receiver<Stage>,
    pub(super) ack_tracker: AckTracker,
    pub(super) think: Duration,
    pub(super) resend: u32,
    /// Maximum number of outstanding guesses per player.
    pub(super) outstanding_max: usize,
    /// Signalled by each player when it is attached, and when it has finished its last guess.
    pub(super) arrivals: mpsc::Sender<()>,
}

/// A guess without an answer.
#[derive(Debug)]
struct Waiting {
    /// Index in the plan and in the record.
    index: usize,
    command: Command,
    refusals: u32,
    /// When to send it again after a rejection.
    retry_at: Option<Instant>,
}

/// A player.
#[derive(Debug)]
pub(super) struct Player {
    pub(super) context: PlayerContext,
    /// Its number in the run.
    pub(super) number: u32,
    pub(super) client: WireClient,
    pub(super) random: StdRng,
}

impl Player {
    pub(super) fn random(seed: u64, number: u32) -> StdRng {
        StdRng::seed_from_u64(seed ^ (u64::from(number) << 32))
    }

    /// Plays until the last stage.
    pub(super) async fn play(mut self) -> PlayerLog {
        let mut log = PlayerLog::new(self.number);
        let mut stage = self.context.stage.clone();
        let result = tokio::select! {
            result = self.play_all(&mut log) => result,
            _ = stage.wait_for(|stage| *stage == Stage::Over) => Ok(false),
        };
        self.context.ack_tracker.mark_ended(self.number);
        self.record_updates(&mut log);
        log.tally = *self.client.tally();
        match result {
            Ok(true) => log.view = Some(self.client.view().clone()),
            Ok(false) => {}
            Err(error) => log.failure = Some(error),
        }
        self.client.close().await;
        log
    }

    /// Plays all stages; returns whether the player finished.
    async fn play_all(&mut self, log: &mut PlayerLog) -> Result<bool, ClientError> {
        self.client.attach().await?;
        self.arrive().await;
        self.listen_until(Stage::Play).await?;
        self.guess_all(log).await?;
        self.context.ack_tracker.mark_ended(self.number);
        self.listen_until(Stage::Finish).await?;
        self.arrive().await;
        self.listen_until(Stage::Settle).await?;
        self.client.resync().await?;
        Ok(true)
    }

    /// The channel has capacity for every arrival, so that sending never waits.
    async fn arrive(&self) {
        // An error means that the coordinator is gone: the run is over.
        let _ = self.context.arrivals.send(()).await;
    }

    async fn listen_until(&mut self, wanted: Stage) -> Result<(), ClientError> {
        tokio::select! {
            error = self.client.listen() => Err(error),
            _ = self.context.stage.wait_for(|stage| *stage >= wanted) => Ok(()),
        }
    }

    /// Guesses until the stage ends, then waits for outstanding guesses.
    async fn guess_all(&mut self, log: &mut PlayerLog) -> Result<(), ClientError> {
        let mut waiting: Vec<Waiting> = Vec::new();
        let mut stage = self.context.stage.clone();
        let mut next_at = Instant::now() + self.thinking();
        loop {
            let is_playing = *stage.borrow() == Stage::Play && log.commands.len() < PLANNED_MAX;
            if !is_playing && waiting.is_empty() {
                return Ok(());
            }
            let held_until = waiting.iter().filter_map(|waiting| waiting.retry_at).min();
            // No new guess while one is rejected: it could be accepted out of order.
            let has_room = waiting.len() < self.context.outstanding_max && held_until.is_none();
            let wakes_at = held_until.or((is_playing && has_room).then_some(next_at));
            tokio::select! {
                outcome = self.client.next_outcome() => {
                    self.answered(outcome?, &mut waiting, log).await?;
                    if waiting.is_empty() {
                        next_at = Instant::now() + self.thinking();
                    }
                }
                () = reached(wakes_at) => {
                    match waiting.iter_mut().find(|waiting| waiting.retry_at == held_until) {
                        // It is due: the client sends it again.
                        Some(held) if held_until.is_some() => {
                            held.retry_at = None;
                            next_at = Instant::now() + NEXT_GUESS_AFTER;
                        }
                        Some(_) | None => {
                            waiting.push(self.guess(log));
                            next_at = Instant::now() + NEXT_GUESS_AFTER;
                        }
                    }
                }
                () = over(&mut stage), if is_playing => {}
            }
        }
    }

    /// Random think time (uniform, 0.5 to 1.5 times the mean).
    fn thinking(&mut self) -> Duration {
        self.context
            .think
            .mul_f64(self.random.random_range(0.5..1.5))
    }

    /// Sends the next guess of the plan.
    fn guess(&mut self, log: &mut PlayerLog) -> Waiting {
        let index = log.commands.len();
        let planned = self.planned(index);
        let command = self.client.next_command(Order::SubmitGuess {
            puzzle: planned.puzzle,
            guess: planned.guess,
        });
        log.commands.push(LoggedCommand {
            id: command.id,
            sent_at: Instant::now(),
            acked: None,
        });
        self.client.submit(command.clone());
        Waiting {
            index,
            command,
            refusals: 0,
            retry_at: None,
        }
    }

    fn planned(&self, index: usize) -> Planned {
        let number = u32::try_from(index).expect("a plan has fewer guesses than that");
        planned(self.number, self.number % TEAM_SIZE, number)
    }

    async fn answered(
        &mut self,
        outcome: Outcome,
        waiting: &mut Vec<Waiting>,
        log: &mut PlayerLog,
    ) -> Result<(), ClientError> {
        self.record_updates(log);
        let id = outcome.answer.id();
        let Some(index) = waiting.iter().position(|waiting| waiting.command.id == id) else {
            return Ok(());
        };
        match outcome.answer {
            Answer::Accepted(receipt) => {
                let Waiting { index, command, .. } = waiting.swap_remove(index);
                self.accepted(index, &receipt, outcome.received_at, log);
                self.resend_acked(&command, &receipt, log).await
            }
            Answer::Refused(rejection) if is_temporary(rejection.code) => {
                let held = &mut waiting[index];
                let retry_at = self.client.retry_at(rejection.retry_at_ms, held.refusals);
                held.refusals += 1;
                held.retry_at = Some(retry_at);
                self.client.submit_again(held.command.clone(), retry_at);
                log.refused(&rejection, outcome.received_at, retry_at);
                Ok(())
            }
            Answer::Refused(rejection) => {
                let refused = waiting.swap_remove(index);
                log.problems
                    .push(self.refused(&refused.command, &rejection));
                Ok(())
            }
        }
    }

    fn accepted(&self, index: usize, receipt: &Receipt, at: Instant, log: &mut PlayerLog) {
        let verdict = receipt.verdict;
        let logged = &mut log.commands[index];
        let asked_at = self.client.connected_at().max(Some(logged.sent_at));
        let asked_at = asked_at.unwrap_or(logged.sent_at);
        logged.acked = Some(Acked {
            at,
            asked_at,
            verdict,
        });
        self.context.ack_tracker.acked(self.number, asked_at);
        let planned = self.planned(index);
        if verdict != Some(planned.verdict) {
            log.problems.push(format!(
                "guess {index} of player {} should be {:?}, but was judged {verdict:?}",
                self.number, planned.verdict
            ));
        }
    }

    /// Resends an acknowledged command as often as requested; no other command is outstanding.
    async fn resend_acked(
        &mut self,
        command: &Command,
        receipt: &Receipt,
        log: &mut PlayerLog,
    ) -> Result<(), ClientError> {
        for _ in 1..self.context.resend {
            self.client.move_on();
            log.resent += 1;
            let again = self.send(command.clone(), log).await?;
            if again.as_ref() != Some(receipt) {
                log.receipts_different += 1;
            }
        }
        Ok(())
    }

    /// Sends a command until it is accepted; returns `None` if it is permanently rejected.
    async fn send(
        &mut self,
        command: Command,
        log: &mut PlayerLog,
    ) -> Result<Option<Receipt>, ClientError> {
        let mut refusals = 0;
        loop {
            let outcome = self.client.send(command.clone()).await?;
            self.record_updates(log);
            match outcome.answer {
                Answer::Accepted(receipt) => return Ok(Some(receipt)),
                Answer::Refused(rejection) if is_temporary(rejection.code) => {
                    let retry_at = self.client.retry_at(rejection.retry_at_ms, refusals);
                    log.refused(&rejection, outcome.received_at, retry_at);
                    self.client.listen_until(retry_at).await?;
                    refusals += 1;
                }
                Answer::Refused(rejection) => {
                    log.problems.push(self.refused(&command, &rejection));
                    return Ok(None);
                }
            }
        }
    }

    fn record_updates(&mut self, log: &mut PlayerLog) {
        let updates = self.client.take_updates();
        log.updates.extend(updates.into_iter().map(Into::into));
        if let Some(at) = self.client.turned_away_at() {
            log.notices(at);
        }
    }

    fn refused(&self, command: &Command, rejection: &Rejection) -> String {
        let (player, id, code) = (self.number, command.id, rejection.code);
        format!("command {id} of player {player} was rejected: {code:?}")
    }
}

/// Whether a rejection is temporary, so that the command can be retried.
fn is_temporary(code: RejectionCode) -> bool {
    matches!(
        code,
        RejectionCode::RateLimited | RejectionCode::Unavailable
    )
}

/// Returns when no new guesses are to be sent.
async fn over(stage: &mut watch::Receiver<Stage>) {
    // An error means that the coordinator is gone: the run is over.
    drop(stage.wait_for(|stage| *stage > Stage::Play).await);
}

/// Waits until `moment`; forever if it is `None`.
async fn reached(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
