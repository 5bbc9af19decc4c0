//! Messages of an attached client: rate limits, and the way to the session.

use std::time::Duration;

use protocol::{ClientMessage, Codec, Command, Cursor, Rejection, RejectionCode, ServerMessage};
use serde::Serialize;

use super::closing::{Ending, ending_of};
use crate::delivery::{
    self, Attach, Hub, Identity, Outbox, Peer, PendingOutbox, rejection_code, rejection_message,
};
use crate::gateway::Gateway;
use crate::gateway::admission::message_rate::MessageRateLimiter;
use crate::gateway::ws::{Received, SocketError};
use crate::session::{Mail, SessionHandle};
use crate::telemetry::metrics;

/// The identity of an authenticated client or spectator, its session and its outbox.
pub(super) struct AttachedClient {
    pub(super) gateway: Gateway,
    pub(super) session: SessionHandle<Hub>,
    pub(super) identity: Identity,
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
    match codec.decode_of_client(payload) {
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
            Some(ClientMessage::Command(command)) => {
                self.submit(command);
                Ok(())
            }
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
            outbox: PendingOutbox::new(self.outbox.clone()),
            codec: self.codec,
        });
        let sent = self.session.send(attach);
        sent.map_err(Ending::from)
    }

    /// Sends a command to the session, or rejects it.
    fn submit(&self, command: Command) {
        metrics().commands_received.increment(1);
        if let Err(limited) = self.limiter.command(&command) {
            let message = "the rate limit of this connection is reached".to_owned();
            let wait = Some(limited.retry_after);
            self.reject(command.id, RejectionCode::RateLimited, message, wait);
            return;
        }
        let id = command.id;
        let command = match delivery::command(self.identity, command) {
            Ok(command) => command,
            Err(refusal) => {
                let code = rejection_code(refusal);
                self.reject(id, code, rejection_message(refusal), None);
                return;
            }
        };
        let peer = Peer {
            outbox: self.outbox.clone(),
            codec: self.codec,
        };
        if let Err(unavailable) = self.session.send(Mail::Command { command, peer }) {
            let wait = Some(unavailable.retry_after());
            let message = unavailable.to_string();
            self.reject(id, RejectionCode::Unavailable, message, wait);
        }
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
        }));
    }

    fn push(&self, message: &impl Serialize) {
        self.outbox.push(self.codec.encode(message).into());
    }
}
