//! Handling of one message, and of the end of a connection.

use std::error::Error;
use std::time::Duration;

use protocol::{Advice, ClientMessage, CloseCode, Hello, Resume, Resync, ServerMessage, Welcome};
use tokio::time::{Instant, sleep_until};
use tokio_tungstenite::tungstenite::http::StatusCode;

use super::{Absence, GOAWAY_RECONNECTS_MAX, WireClient};
use crate::client::checker::StreamFault;
use crate::client::connection::{Ended, OpenError};
use crate::client::outcome::{Answer, ClientError, GoawayReconnect, Outcome};

/// Maximum time without a complete stream before the client fails.
const DISCONNECTED_MAX: Duration = Duration::from_mins(3);

/// Maximum number of resyncs because of faults before the client fails.
const RESYNCS_MAX: u32 = 16;

impl WireClient {
    /// One step: a connection attempt or one message.
    pub(super) async fn next(&mut self) -> Result<Option<Outcome>, ClientError> {
        if self.connection.is_none() {
            self.connect().await?;
            return Ok(None);
        }
        match self.exchange().await {
            Ok(message) => self.handle_message(message),
            Err(ended) => self.handle_end(&ended).map(|()| None),
        }
    }

    async fn connect(&mut self) -> Result<(), ClientError> {
        sleep_until(self.attempt_at).await;
        if let Some(absence) = &mut self.absence {
            absence.first_attempt_at.get_or_insert_with(Instant::now);
        }
        let now = Instant::now();
        let opened = self.open().await;
        let mut connection = match opened {
            Ok(connection) => connection.with_silence_max(self.silence_max),
            Err(OpenError::Refused(status)) if is_final(status) => {
                return Err(ClientError::Refused(status));
            }
            Err(error) => {
                if matches!(error, OpenError::Refused(_)) {
                    self.turned_away_at = Some(Instant::now());
                }
                return self.plan_attempt(None, &error);
            }
        };
        let cursor = self.checker.cursor();
        self.is_resuming = cursor.is_some();
        let hello = Hello {
            token: self.token.clone(),
            cursor,
        };
        match connection.send(&ClientMessage::Hello(hello)).await {
            Ok(()) => {
                self.connection = Some(connection);
                self.connected_at = Some(now);
            }
            Err(ended) => self.handle_end(&ended)?,
        }
        Ok(())
    }

    /// Sends due commands, then reads a message.
    async fn exchange(&mut self) -> Result<ServerMessage, Ended> {
        let Some(connection) = &mut self.connection else {
            return Err(Ended::End);
        };
        if self.is_resync_wanted {
            let cursor = self.checker.cursor();
            connection
                .send(&ClientMessage::Resync(Resync { cursor }))
                .await?;
            self.is_resync_wanted = false;
            self.checker.detach();
        }
        if self.checker.is_caught_up() {
            let now = Instant::now();
            let all = self.outstanding.iter_mut().enumerate();
            for (place, outstanding) in all.filter(|(_, outstanding)| !outstanding.is_sent) {
                let is_held = outstanding.not_before.is_some_and(|at| now < at);
                // After a disconnect they are sent one by one, so that none is rejected while a later
                // one is accepted.
                let is_again = outstanding.first_sent_at.is_some();
                if is_held || (is_again && place > 0) {
                    break;
                }
                outstanding.first_sent_at.get_or_insert_with(Instant::now);
                let command = ClientMessage::Command(outstanding.command.clone());
                connection.send(&command).await?;
                outstanding.is_sent = true;
            }
        }
        connection.receive().await
    }

    fn handle_message(&mut self, message: ServerMessage) -> Result<Option<Outcome>, ClientError> {
        let checked = match message {
            ServerMessage::Welcome(welcome) => self.handle_welcome(&welcome),
            ServerMessage::Snapshot(snapshot) => {
                let checked = self.checker.snapshot(snapshot.heads);
                if !matches!(checked, Err(StreamFault::OutOfOrder(_))) {
                    self.view.replace(&snapshot);
                }
                checked
            }
            ServerMessage::Overview(overview) => {
                let checked = self.checker.snapshot(overview.heads);
                if !matches!(checked, Err(StreamFault::OutOfOrder(_))) {
                    self.view.replace_by_overview(&overview);
                }
                checked
            }
            ServerMessage::Update(update) => self.checker.update(&update).map(|is_next| {
                if is_next {
                    self.view.apply(&update.event);
                    self.retain_update(update);
                }
            }),
            ServerMessage::Heads(frame) => {
                self.backoff.advise(frame.reconnect);
                self.clock.update(frame.server_time_ms, Instant::now());
                self.checker.heads(&frame)
            }
            ServerMessage::Goaway(goaway) => {
                self.handle_goaway(goaway.reconnect_in_ms);
                Ok(())
            }
            ServerMessage::Receipt(receipt) => {
                let id = receipt.id;
                return Ok(self.answered(id, Answer::Accepted(receipt)));
            }
            ServerMessage::Rejection(rejection) => {
                let id = rejection.id;
                return Ok(self.answered(id, Answer::Refused(rejection)));
            }
            ServerMessage::Board(board) => self.checker.board(&board),
            ServerMessage::Attendance(attendance) => self.checker.attendance(&attendance),
            ServerMessage::Standing(_) | ServerMessage::Presence(_) | ServerMessage::Unknown => {
                Ok(())
            }
        };
        if self.checker.is_caught_up() {
            self.backoff.succeeded();
            self.disconnected_since = None;
            self.record_reconnect();
        }
        checked
            .or_else(|fault| self.handle_fault(fault))
            .map(|()| None)
    }

    fn handle_goaway(&mut self, reconnect_in_ms: u64) {
        let now = Instant::now();
        self.backoff.goaway(reconnect_in_ms, now);
        if self.absence.is_none() {
            self.tally.goaways += 1;
        }
        self.absence = Some(Absence {
            goaway_at: now,
            advised: Duration::from_millis(reconnect_in_ms),
            first_attempt_at: None,
        });
    }

    /// Completes a reconnect after a `goaway`, once the stream is complete on a new connection.
    fn record_reconnect(&mut self) {
        let is_back = |absence: &mut Absence| absence.first_attempt_at.is_some();
        let Some(absence) = self.absence.take_if(is_back) else {
            return;
        };
        let now = Instant::now();
        if self.goaway_reconnects.len() < GOAWAY_RECONNECTS_MAX {
            self.goaway_reconnects.push(GoawayReconnect {
                goaway_at: absence.goaway_at,
                advised: absence.advised,
                first_attempt_at: absence.first_attempt_at.unwrap_or(now),
                attached_at: now,
            });
        }
    }

    fn handle_welcome(&mut self, welcome: &Welcome) -> Result<(), StreamFault> {
        self.backoff.advise(welcome.reconnect);
        self.clock.update(welcome.server_time_ms, Instant::now());
        if welcome.last_command < self.acknowledged_id {
            self.tally.forgotten_commands += 1;
        }
        self.last_id = self.last_id.max(welcome.last_command);
        if self.is_resuming {
            self.is_resuming = false;
            self.tally.reconnects += 1;
            match welcome.resume {
                Resume::Snapshot => self.tally.snapshots += 1,
                Resume::Replay => self.tally.replays += 1,
                // Invalid after a `hello`; the checker reports it.
                Resume::Board => {}
            }
        }
        self.checker.welcome(welcome)
    }

    /// An answer to a command that is not outstanding is ignored: its caller is gone.
    fn answered(&mut self, id: u64, answer: Answer) -> Option<Outcome> {
        if matches!(answer, Answer::Accepted(_)) {
            self.acknowledged_id = self.acknowledged_id.max(id);
        }
        let mut waiting = self.outstanding.iter();
        let place = waiting.position(|waiting| waiting.command.id == id)?;
        let outstanding = self.outstanding.remove(place)?;
        let received_at = Instant::now();
        Some(Outcome {
            answer,
            sent_at: outstanding.first_sent_at.unwrap_or(received_at),
            received_at,
        })
    }

    fn handle_fault(&mut self, fault: StreamFault) -> Result<(), ClientError> {
        self.tally.count_fault(fault);
        if !fault.asks_for_resync() {
            return Ok(());
        }
        self.resyncs += 1;
        if self.resyncs > RESYNCS_MAX {
            return Err(ClientError::Broken(fault));
        }
        self.is_resync_wanted = true;
        Ok(())
    }

    fn handle_end(&mut self, ended: &Ended) -> Result<(), ClientError> {
        self.connection = None;
        match ended {
            Ended::Invalid(_) => self
                .tally
                .count_fault(StreamFault::OutOfOrder("a malformed message")),
            Ended::Text => self
                .tally
                .count_fault(StreamFault::OutOfOrder("a text frame")),
            Ended::Closed { .. } => self.turned_away_at = Some(Instant::now()),
            Ended::Cut(_) | Ended::End | Ended::Silent => {}
        }
        let close = ended.close_code();
        // A server that has lost a session rejects its tokens as unauthorized.
        if close == Some(CloseCode::Unauthorized) && self.acknowledged_id > 0 {
            self.tally.forgotten_commands += 1;
        }
        self.plan_attempt(close, ended)
    }

    fn plan_attempt(
        &mut self,
        close: Option<CloseCode>,
        last: &dyn Error,
    ) -> Result<(), ClientError> {
        let now = Instant::now();
        let disconnected_for = now - self.disconnected(now);
        if disconnected_for > DISCONNECTED_MAX {
            return Err(ClientError::Unreachable {
                disconnected_for,
                failures: self.backoff.failures(),
                last: last.to_string(),
            });
        }
        let stays = close.is_some_and(|code| code.advice() == Advice::RetryNow)
            && self.backoff.failures() == 0;
        match (self.backoff.next_attempt(close, now), close) {
            (Some(at), _) => {
                self.attempt_at = at;
                if !stays {
                    self.next_node();
                }
            }
            (None, Some(code)) => {
                let reason = last.to_string();
                return Err(ClientError::Closed { code, reason });
            }
            (None, None) => unreachable!("only a close code says never"),
        }
        Ok(())
    }

    /// Marks the stream as disconnected; returns since when.
    pub(super) fn disconnected(&mut self, now: Instant) -> Instant {
        if self.checker.is_caught_up() {
            self.interrupted_at = Some(now);
        }
        self.checker.detach();
        self.is_resync_wanted = false;
        for outstanding in &mut self.outstanding {
            outstanding.is_sent = false;
        }
        *self.disconnected_since.get_or_insert(now)
    }
}

/// Whether a rejected upgrade would be rejected again.
fn is_final(status: StatusCode) -> bool {
    let may_pass = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS];
    status.is_client_error() && !may_pass.contains(&status)
}
