//! A game master that stays connected to an owner while the owner is paused and replaced, and records
//! what it sends when it continues.
//!
//! Meanwhile a clue is pushed through the new owner, and a command that cancels it is written to the
//! paused owner, which does not know the clue. An owner that ignores the expiry of its lease would
//! reject that command or send heads that are behind: both are unnumbered messages, which the journal's
//! fence does not stop. Any other reaction is correct: the end of the connection, or the new owner's
//! answer.

use std::time::Duration;

use protocol::rest::{CluePushed, PushClue, SessionCreated};
use protocol::{ClientMessage, Command, Hello, Order, RejectionCode, ServerMessage, Target};
use testkit::Rest;
use tokio::time::timeout;

use super::log::AppliedUpdate;
use crate::client::{Connection, Ended, Endpoint};

/// Timeout of each step.
const STEP_WAIT_MAX: Duration = Duration::from_secs(10);

/// Time to drain messages that the paused owner had already sent.
const DRAIN_WAIT: Duration = Duration::from_millis(200);

/// Why a witness failed; it then proves nothing.
type WitnessFailure = String;

/// Observations of all witnesses.
#[derive(Debug, Clone, Default)]
pub(super) struct Observations {
    /// Number of witnesses that observed the paused owner until it closed.
    pub(super) witnesses: u64,
    /// Rejections and heads of a replaced owner.
    pub(super) stale: u64,
    /// Guesses in updates that arrived after the owner continued; each must be in the journal.
    pub(super) guesses: Vec<(usize, String)>,
    /// Problems, and failures of witnesses.
    pub(super) problems: Vec<String>,
}

/// Judgement of a message from the former owner.
#[derive(Debug, PartialEq, Eq)]
enum Judgement {
    /// Correct.
    Right,
    /// An update with a guess, which must be in the journal.
    Guess(String),
    /// An answer to the command as the new owner would give it; observation ends.
    Answer,
    /// It shows a state that had been replaced.
    Stale(String),
}

/// Game masters of the sessions.
#[derive(Debug)]
pub(super) struct Witnesses {
    pub(super) sessions: Vec<SessionCreated>,
    pub(super) observed: Observations,
}

/// An attached game master.
#[derive(Debug)]
pub(super) struct Witness {
    session: usize,
    connection: Connection,
    /// The highest id of a command that was accepted from the game master.
    last_command: u64,
}

/// A game master whose command is waiting in the paused owner's socket.
#[derive(Debug)]
pub(super) struct Waiting {
    session: usize,
    connection: Connection,
    command: u64,
    /// Minimum of any head from now on.
    head_min: u64,
}

impl Witnesses {
    /// Attaches a game master of one of these sessions to their owner.
    pub(super) async fn attach(&mut self, sessions: &[usize], node: &str) -> Option<Witness> {
        let session = *sessions.first()?;
        let attached = timeout(STEP_WAIT_MAX, self.connect(session, node)).await;
        let attached =
            attached.unwrap_or_else(|_| Err("timed out waiting for the welcome".to_owned()));
        let (connection, last_command, _) = self.record_failure(attached)?;
        Some(Witness {
            session,
            connection,
            last_command,
        })
    }

    /// Drains the paused owner's messages, changes the session through another node, and leaves a
    /// command in the paused owner's socket that only the new owner can accept.
    pub(super) async fn change_through_other(
        &mut self,
        witness: Option<Witness>,
        node: &str,
    ) -> Option<Waiting> {
        let changing = self.change(witness?, node);
        let changed = timeout(STEP_WAIT_MAX, changing).await;
        let changed = changed.unwrap_or_else(|_| {
            Err("timed out while pushing a clue through the new owner".to_owned())
        });
        self.record_failure(changed)
    }

    /// Reads the former owner's messages until it has answered the command or closed the connection.
    pub(super) async fn observe(&mut self, waiting: Option<Waiting>) {
        let Some(mut waiting) = waiting else { return };
        let hearing = timeout(STEP_WAIT_MAX, self.observe_until_end(&mut waiting)).await;
        match hearing {
            Ok(()) => self.observed.witnesses += 1,
            Err(_) => self.observed.problems.push(format!(
                "session {}: the replaced owner neither answered nor closed within {STEP_WAIT_MAX:?}",
                waiting.session
            )),
        }
    }

    async fn change(&self, mut witness: Witness, node: &str) -> Result<Waiting, WitnessFailure> {
        while let Ok(said) = timeout(DRAIN_WAIT, witness.connection.receive()).await {
            said.map_err(|ended| ended.to_string())?;
        }
        let created = &self.sessions[witness.session];
        let rest = Rest::new(&format!("http://{node}"), STEP_WAIT_MAX);
        let rest = rest.map_err(|error| error.to_string())?;
        let path = format!("/sessions/{}/clues", created.session);
        let clue = PushClue {
            to: Target::Everyone,
            text: "A light on the other shore.".to_owned(),
            lasts_ms: None,
        };
        let pushed = rest.post(&path, Some(&created.game_master_token), &clue);
        let pushed: CluePushed = pushed.await.map_err(|error| error.to_string())?;
        let (other, last_command, head_min) = self.connect(witness.session, node).await?;
        other.close().await;
        let command = witness.last_command.max(last_command) + 1;
        let order = ClientMessage::Command(Command {
            id: command,
            order: Order::CancelClue { clue: pushed.clue },
        });
        let sent = witness.connection.send(&order).await;
        sent.map_err(|ended| ended.to_string())?;
        Ok(Waiting {
            session: witness.session,
            connection: witness.connection,
            command,
            head_min,
        })
    }

    async fn observe_until_end(&mut self, waiting: &mut Waiting) {
        loop {
            let judgement = match waiting.connection.receive().await {
                Ok(message) => judge(message, waiting.command, waiting.head_min),
                Err(Ended::Closed { .. } | Ended::Cut(_) | Ended::End | Ended::Silent) => return,
                Err(ended @ (Ended::Text | Ended::Invalid(_))) => {
                    Judgement::Stale(ended.to_string())
                }
            };
            let session = waiting.session;
            match judgement {
                Judgement::Right => {}
                Judgement::Guess(guess) => self.observed.guesses.push((session, guess)),
                Judgement::Answer => return,
                Judgement::Stale(what) => {
                    self.observed.stale += 1;
                    let problem = format!("session {session}, replaced owner: {what}");
                    self.observed.problems.push(problem);
                }
            }
        }
    }

    /// Connects a game master and reads welcome and overview; returns also the highest accepted command
    /// id and the head of the game masters' stream.
    async fn connect(
        &self,
        session: usize,
        node: &str,
    ) -> Result<(Connection, u64, u64), WitnessFailure> {
        let created = &self.sessions[session];
        let endpoint = Endpoint {
            authority: node.to_owned(),
            session: created.session.clone(),
        };
        let opened = Connection::open(&endpoint).await;
        let mut connection = opened.map_err(|error| error.to_string())?;
        let hello = Hello {
            token: created.game_master_token.clone(),
            cursor: None,
            instance: None,
        };
        let ended = |ended: Ended| ended.to_string();
        let hello = ClientMessage::Hello(hello);
        connection.send(&hello).await.map_err(ended)?;
        let mut last_command = 0;
        loop {
            match connection.receive().await.map_err(ended)? {
                ServerMessage::Welcome(welcome) => last_command = welcome.last_command,
                ServerMessage::Overview(overview) => {
                    return Ok((connection, last_command, overview.heads.view));
                }
                ServerMessage::Snapshot(_)
                | ServerMessage::Update(_)
                | ServerMessage::Receipt(_)
                | ServerMessage::Rejection(_)
                | ServerMessage::Heads(_)
                | ServerMessage::Board(_)
                | ServerMessage::Standing(_)
                | ServerMessage::Presence(_)
                | ServerMessage::Attendance(_)
                | ServerMessage::Goaway(_)
                | ServerMessage::Unknown => {}
            }
        }
    }

    fn record_failure<T>(&mut self, step: Result<T, WitnessFailure>) -> Option<T> {
        step.map_err(|why| {
            let problem = format!("a witness failed: {why}");
            self.observed.problems.push(problem);
        })
        .ok()
    }
}

/// Judges a message by the outstanding command and the minimum of heads.
fn judge(message: ServerMessage, command: u64, head_min: u64) -> Judgement {
    let (what, head) = match message {
        ServerMessage::Rejection(rejection) if rejection.id != command => return Judgement::Right,
        ServerMessage::Rejection(rejection) if rejection.code == RejectionCode::UnknownClue => {
            return Judgement::Stale("it rejected the cancellation of a pushed clue".to_owned());
        }
        ServerMessage::Rejection(_) => return Judgement::Answer,
        ServerMessage::Receipt(receipt) if receipt.id == command => return Judgement::Answer,
        ServerMessage::Update(update) => {
            let applied = AppliedUpdate::from(update);
            return applied
                .guess
                .map_or(Judgement::Right, |applied| Judgement::Guess(applied.guess));
        }
        ServerMessage::Heads(heads) => ("heads", heads.heads.view),
        ServerMessage::Welcome(welcome) => ("a welcome", welcome.heads.view),
        ServerMessage::Overview(overview) => ("an overview", overview.heads.view),
        ServerMessage::Snapshot(snapshot) => ("a snapshot", snapshot.heads.view),
        // Boards are best-effort and carry nothing that proves an old state.
        ServerMessage::Receipt(_)
        | ServerMessage::Board(_)
        | ServerMessage::Standing(_)
        | ServerMessage::Presence(_)
        | ServerMessage::Attendance(_)
        | ServerMessage::Goaway(_)
        | ServerMessage::Unknown => return Judgement::Right,
    };
    if head < head_min {
        return Judgement::Stale(format!("it sent {what} with head {head}, below {head_min}"));
    }
    Judgement::Right
}

#[cfg(test)]
mod tests {
    use protocol::{
        Audience, Event, Heads, HeadsFrame, Receipt, Reconnect, Rejection, RejectionCode,
        ServerMessage, Update, Verdict,
    };

    use super::{Judgement, judge};

    const COMMAND: u64 = 7;
    const HEAD_MIN: u64 = 40;

    fn judged(message: ServerMessage) -> Judgement {
        judge(message, COMMAND, HEAD_MIN)
    }

    fn refused(id: u64, code: RejectionCode) -> ServerMessage {
        ServerMessage::Rejection(Rejection {
            id,
            code,
            message: String::new(),
            retry_at_ms: None,
            last_command: None,
        })
    }

    fn heads(game_masters: u64) -> ServerMessage {
        ServerMessage::Heads(HeadsFrame {
            generation: 1,
            heads: Heads {
                view: game_masters,
                ..Heads::default()
            },
            server_time_ms: 0,
            reconnect: Reconnect {
                min_in_ms: 0,
                max_in_ms: 0,
            },
        })
    }

    #[test]
    fn an_owner_that_still_believes_in_itself_is_noticed() {
        let refused_for_good = refused(COMMAND, RejectionCode::UnknownClue);
        assert!(matches!(judged(refused_for_good), Judgement::Stale(_)));
        assert!(matches!(judged(heads(HEAD_MIN - 1)), Judgement::Stale(_)));
    }

    #[test]
    fn what_the_new_owner_says_is_right() {
        let receipt = Receipt {
            id: COMMAND,
            order: protocol::OrderKind::CancelClue,
            verdict: None,
            points: None,
            clue: None,
            announcement: None,
        };
        assert_eq!(judged(ServerMessage::Receipt(receipt)), Judgement::Answer);
        assert_eq!(
            judged(refused(COMMAND, RejectionCode::Unavailable)),
            Judgement::Answer
        );
        assert_eq!(
            judged(refused(COMMAND - 1, RejectionCode::UnknownClue)),
            Judgement::Right
        );
        assert_eq!(judged(heads(HEAD_MIN)), Judgement::Right);
        let update = Update {
            audience: Audience::View,
            number: 41,
            at_ms: 0,
            event: Event::GuessJudged {
                team: None,
                puzzle: "well-0".to_owned(),
                player: "p1".to_owned(),
                guess: Some("P0N1".to_owned()),
                verdict: Verdict::Wrong,
                points: 0,
                score: 0,
            },
        };
        let guess = Judgement::Guess("P0N1".to_owned());
        assert_eq!(judged(ServerMessage::Update(update)), guess);
    }
}
