//! Messages of an attached client: rate limits, and the way to the session.

use std::time::Duration;

use protocol::{ClientMessage, Codec, Command, Cursor, Rejection, RejectionCode, ServerMessage};
use serde::Serialize;

use super::closing::{Ending, ending_of};
use crate::delivery::{
    self, Attach, Hub, Identity, Outbox, Peer, PendingOutbox, rejection_code, rejection_message,
};
use crate::gateway::Gateway;
use crate::gateway::admission::message_rate::{MessageRateLimiter, Refused};
use crate::gateway::ws::{Received, SocketError};
use crate::session::{InstanceSlot, Mail, SessionHandle};
use crate::telemetry::metrics;

/// The identity of an authenticated client or spectator, its session and its outbox.
pub(super) struct AttachedClient {
    pub(super) gateway: Gateway,
    pub(super) session: SessionHandle<Hub>,
    pub(super) identity: Identity,
    /// The client instance of a game master.
    pub(super) instance: InstanceSlot,
    pub(super) codec: Codec,
    pub(super) outbox: Outbox,
    pub(super) limiter: MessageRateLimiter,
}

/// Decodes the message in what was received; none for a control frame.
pub(super) fn decode(codec: Codec, received: &Received) -> Result<Option<ClientMessage>, Ending> {
    let (kind, payload) = match received {
        Received::Message(kind, payload) => (*kind, payload),
        Received::Control => return Ok(None),
        Received::Close => return Err(Ending::Gone),
    };
    if kind != codec.frame_kind() {
        return Err(Ending::wrong_frame_kind(codec));
    }
    match codec.decode_client_message(payload) {
        Ok(message) => Ok(Some(message)),
        Err(error) => Err(Ending::bad_message(error)),
    }
}

impl AttachedClient {
    /// Handles what the socket received.
    pub(super) fn receive(&self, received: Result<Received, SocketError>) -> Result<(), Ending> {
        let received = received.map_err(|error| ending_of(self.codec, &error))?;
        match decode(self.codec, &received)? {
            None => self.limiter.control_frame().map_err(Ending::RateLimited),
            Some(ClientMessage::Command(command)) => self.submit(command),
            Some(ClientMessage::Resync(resync)) => {
                self.limiter.resync().map_err(Ending::RateLimited)?;
                self.attach(resync.cursor)
            }
            Some(ClientMessage::Hello(_) | ClientMessage::Watch(_)) => Err(Ending::bad_message(
                "`hello` and `watch` may only be sent once, as the first message",
            )),
        }
    }

    /// Asks the session to send everything after the cursor.
    pub(super) fn attach(&self, cursor: Option<Cursor>) -> Result<(), Ending> {
        let attach = Mail::Attach(Attach {
            identity: self.identity,
            cursor,
            instance: self.instance.clone(),
            outbox: PendingOutbox::new(self.outbox.clone()),
            codec: self.codec,
        });
        let sent = self.session.send(attach);
        sent.map_err(Ending::from)
    }

    /// Sends a command to the session, or rejects it.
    fn submit(&self, command: Command) -> Result<(), Ending> {
        metrics().commands_received.increment(1);
        match self.limiter.command(&command) {
            Ok(()) => {}
            Err(Refused::Once(limited)) => {
                let message = "the rate limit of this connection is reached; send it again at \
                               retry_at_ms, when it passes";
                let wait = Some(limited.retry_after);
                let code = RejectionCode::RateLimited;
                self.reject(command.id, code, message.to_owned(), wait);
                return Ok(());
            }
            Err(Refused::TooOften(limited)) => return Err(Ending::RateLimited(limited)),
        }
        let (id, order) = (command.id, command.order.kind());
        let command = match delivery::command(self.identity, &self.instance, command) {
            Ok(command) => command,
            Err(refusal) => {
                let code = rejection_code(refusal);
                self.reject(id, code, rejection_message(refusal), None);
                return Ok(());
            }
        };
        let peer = Peer {
            order,
            outbox: self.outbox.clone(),
            codec: self.codec,
        };
        if let Err(unavailable) = self.session.send(Mail::Command { command, peer }) {
            let wait = Some(unavailable.retry_after());
            let message = unavailable.to_string();
            self.reject(id, RejectionCode::Unavailable, message, wait);
        }
        Ok(())
    }

    fn reject(&self, id: u64, code: RejectionCode, message: String, wait: Option<Duration>) {
        metrics().commands_rejected.with_label(code).increment(1);
        let now = self.gateway.sessions.clock().now();
        // Rounded up by a millisecond, so that a retry at exactly this time is accepted.
        let wait_ms = |wait: Duration| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        let retry_at = wait.map(|wait| now.plus_ms(wait_ms(wait).saturating_add(1)));
        self.push(&ServerMessage::Rejection(Rejection {
            id,
            code,
            message,
            retry_at_ms: retry_at.map(|at| at.0),
            last_command: None,
        }));
    }

    fn push(&self, message: &impl Serialize) {
        self.outbox.push(self.codec.encode(message).into());
    }
}
