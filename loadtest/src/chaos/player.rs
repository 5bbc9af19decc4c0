//! One player: guesses what the plan says, on whichever node answers, and notes everything.

use std::time::Duration;

use protocol::{Order, Receipt, Rejection, RejectionCode};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::hunt::{GUESSES_MAX, TEAM_SIZE, planned};
use super::log::{Acked, LoggedCommand, PlayerLog};
use super::pulse::Pulse;
use crate::client::{Answer, ClientError, WireClient};

/// How far a run is. It only goes forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// Players connect.
    Gather,
    /// They guess.
    Play,
    /// They finish the guess that they are at.
    Finish,
    /// They make sure that they have seen everything, of which nothing more comes.
    Settle,
    /// Everybody goes home.
    Over,
}

/// What all players share.
#[derive(Debug, Clone)]
pub(super) struct Table {
    pub(super) stage: watch::Receiver<Stage>,
    pub(super) pulse: Pulse,
    pub(super) think: Duration,
    pub(super) resend: u32,
    /// Told by each player when it is attached, and when it has finished its last guess.
    pub(super) arrivals: mpsc::Sender<()>,
}

/// A player.
#[derive(Debug)]
pub(super) struct Player {
    pub(super) table: Table,
    /// Its number in the run.
    pub(super) number: u32,
    /// The number of its session in the run.
    pub(super) session: usize,
    pub(super) client: WireClient,
    pub(super) random: StdRng,
}

impl Player {
    pub(super) fn random(seed: u64, number: u32) -> StdRng {
        StdRng::seed_from_u64(seed ^ (u64::from(number) << 32))
    }

    /// Plays until the stage says that it is over.
    pub(super) async fn play(mut self) -> PlayerLog {
        let mut log = PlayerLog::new(self.number);
        let mut stage = self.table.stage.clone();
        let result = tokio::select! {
            result = self.play_all(&mut log) => result,
            _ = stage.wait_for(|stage| *stage == Stage::Over) => Ok(false),
        };
        self.note_updates(&mut log);
        log.tally = *self.client.tally();
        match result {
            Ok(true) => log.view = Some(self.client.view().clone()),
            Ok(false) => {}
            Err(error) => log.failure = Some(error),
        }
        self.client.close().await;
        log
    }

    /// Whether it came to its end.
    async fn play_all(&mut self, log: &mut PlayerLog) -> Result<bool, ClientError> {
        self.client.attach().await?;
        self.arrive().await;
        self.listen_until(Stage::Play).await?;
        for number in 0..GUESSES_MAX {
            self.think().await?;
            if *self.table.stage.borrow() > Stage::Play {
                break;
            }
            self.guess(number, log).await?;
        }
        self.listen_until(Stage::Finish).await?;
        self.arrive().await;
        self.listen_until(Stage::Settle).await?;
        self.client.resync().await?;
        Ok(true)
    }

    /// The channel holds every arrival, so that this does not wait.
    async fn arrive(&self) {
        // Without a conductor nobody counts, and the stage is over.
        let _ = self.table.arrivals.send(()).await;
    }

    async fn listen_until(&mut self, wanted: Stage) -> Result<(), ClientError> {
        tokio::select! {
            error = self.client.listen() => Err(error),
            _ = self.table.stage.wait_for(|stage| *stage >= wanted) => Ok(()),
        }
    }

    /// Half to one and a half times the usual time, or until the stage ends it.
    async fn think(&mut self) -> Result<(), ClientError> {
        let pause = self.table.think.mul_f64(self.random.random_range(0.5..1.5));
        tokio::select! {
            listened = self.client.listen_until(Instant::now() + pause) => listened,
            _ = self.table.stage.wait_for(|stage| *stage > Stage::Play) => Ok(()),
        }
    }

    async fn guess(&mut self, number: u32, log: &mut PlayerLog) -> Result<(), ClientError> {
        let planned = planned(self.number, self.number % TEAM_SIZE, number);
        let command = self.client.number(Order::SubmitGuess {
            puzzle: planned.puzzle,
            guess: planned.guess,
        });
        let sent_at = Instant::now();
        log.commands.push(LoggedCommand {
            id: command.id,
            sent_at,
            acked: None,
        });
        let first = self.send(command.clone(), log).await?;
        let Some((receipt, at)) = first else {
            return Ok(());
        };
        self.table.pulse.acked(self.session, sent_at);
        if let Some(logged) = log.commands.last_mut() {
            logged.acked = Some(Acked {
                at,
                verdict: receipt.verdict,
            });
        }
        if receipt.verdict != Some(planned.verdict) {
            let told = receipt.verdict;
            log.problems.push(format!(
                "guess {number} of player {} is {:?} by its plan, and was judged {told:?}",
                self.number, planned.verdict
            ));
        }
        for _ in 1..self.table.resend {
            self.client.move_on();
            log.resent += 1;
            let again = self.send(command.clone(), log).await?;
            if again.map(|(receipt, _)| receipt) != Some(receipt.clone()) {
                log.receipts_different += 1;
            }
        }
        Ok(())
    }

    /// Sends a command until it has a receipt, or none because it was refused for good.
    async fn send(
        &mut self,
        command: protocol::Command,
        log: &mut PlayerLog,
    ) -> Result<Option<(Receipt, Instant)>, ClientError> {
        let mut refusals = 0;
        loop {
            let outcome = self.client.send(command.clone()).await?;
            self.note_updates(log);
            match outcome.answer {
                Answer::Accepted(receipt) => return Ok(Some((receipt, outcome.received_at))),
                Answer::Refused(rejection) => {
                    if !is_passing(rejection.code) {
                        log.problems.push(self.refused(&command, &rejection));
                        return Ok(None);
                    }
                    if rejection.code != RejectionCode::RateLimited {
                        log.told(outcome.received_at);
                        log.refused += 1;
                    }
                    let retry_at = self.client.retry_at(rejection.retry_at_ms, refusals);
                    self.client.listen_until(retry_at).await?;
                    refusals += 1;
                }
            }
        }
    }

    fn note_updates(&mut self, log: &mut PlayerLog) {
        let updates = self.client.take_updates();
        log.updates.extend(updates.into_iter().map(Into::into));
        if let Some(at) = self.client.interrupted_at() {
            log.told(at);
        }
    }

    fn refused(&self, command: &protocol::Command, rejection: &Rejection) -> String {
        let (player, id, code) = (self.number, command.id, rejection.code);
        format!("command {id} of player {player} was refused for good: {code:?}")
    }
}

/// Whether a refusal says only that the moment was wrong.
fn is_passing(code: RejectionCode) -> bool {
    matches!(
        code,
        RejectionCode::RateLimited | RejectionCode::Unavailable
    )
}
