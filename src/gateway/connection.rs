//! One connection: `hello`, then commands in and frames out until either side ends it.

use std::ops::RangeInclusive;
use std::time::Duration;

use futures_util::StreamExt;
use governor::DefaultDirectRateLimiter;
use governor::clock::{Clock as _, DefaultClock};
use governor::{Quota, RateLimiter};
use protocol::{
    ClientMessage, CloseCode, Codec, Command, GoAway, Rejection, RejectionCode, ServerMessage,
};
use serde::Serialize;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use super::Gateway;
use super::closing::{Ending, answer_close, close, ending_of};
use super::frame::read;
use super::listener::Slot;
use super::tokens::Grant;
use super::writing::write;
use crate::delivery::{
    self, Attach, Attaching, Hub, Identity, Outbox, OutboxReader, Outgoing, Peer, outbox,
    rejection_code, rejection_message,
};
use crate::session::{Mail, SessionHandle};
use crate::telemetry::metrics;

/// When clients of a server that stops come back: not before a restart is over, which takes a few
/// hundred milliseconds, and spread over a time that makes their number bearable.
const GOAWAY_MS: RangeInclusive<u64> = 1_000..=3_000;
/// When a command that a busy session did not take should be sent again.
const BUSY_RETRY_MS: u64 = 250;

/// A WebSocket before its `hello`.
pub(super) struct Connection {
    gateway: Gateway,
    socket: WebSocketStream<TcpStream>,
    codec: Codec,
    session_code: String,
    slot: Slot,
}

/// Who a connection authenticated as, and where its requests and frames go.
struct Attached {
    gateway: Gateway,
    session: SessionHandle<Hub>,
    identity: Identity,
    codec: Codec,
    outbox: Outbox,
    limiter: DefaultDirectRateLimiter,
}

impl Connection {
    pub(super) fn new(
        gateway: Gateway,
        socket: WebSocketStream<TcpStream>,
        codec: Codec,
        session_code: String,
        slot: Slot,
    ) -> Self {
        Self {
            gateway,
            socket,
            codec,
            session_code,
            slot,
        }
    }

    /// Runs until the connection has ended.
    pub(super) async fn run(mut self) {
        let ending = match self.greet().await {
            Ok((attached, frames)) => attached.run(&mut self.socket, frames).await,
            Err(ending) => {
                if let Some(code) = ending.code() {
                    metrics().hellos_failed.of(code).increment(1);
                }
                ending
            }
        };
        match ending.code() {
            Some(code) => metrics().connections_closed.of(code).increment(1),
            None => metrics().connections_gone.increment(1),
        }
        match ending {
            Ending::Close(code) => close(&mut self.socket, code, None).await,
            Ending::BadMessage(error) => {
                let why = error.to_string();
                close(&mut self.socket, CloseCode::BadMessage, Some(&why)).await;
            }
            Ending::Gone => answer_close(&mut self.socket).await,
        }
    }

    /// Waits for `hello` and attaches to the session.
    async fn greet(&mut self) -> Result<(Attached, OutboxReader), Ending> {
        let stop = self.gateway.stop.clone();
        let hello = tokio::time::timeout(self.gateway.config.hello_max, self.first_message());
        let hello = match stop.run_until_cancelled(hello).await {
            None => return Err(CloseCode::GoingAway.into()),
            Some(Err(_elapsed)) => return Err(CloseCode::HelloTimeout.into()),
            Some(Ok(Ok(ClientMessage::Hello(hello)))) => hello,
            Some(Ok(first)) => {
                first?;
                return Err(CloseCode::BadMessage.into());
            }
        };
        let (session, identity) = self.authenticate(&hello.token)?;
        self.slot.authenticated();
        let (outbox, frames) = outbox(&self.gateway.delivery);
        let limits = self.gateway.limits;
        let quota =
            Quota::per_second(limits.commands_per_second).allow_burst(limits.commands_burst);
        let attached = Attached {
            gateway: self.gateway.clone(),
            session,
            identity,
            codec: self.codec,
            outbox,
            limiter: RateLimiter::direct(quota),
        };
        attached.attach(hello.cursor)?;
        Ok((attached, frames))
    }

    /// Who the bearer of a token is in the session that was asked for. The token comes first, so that
    /// nobody finds sessions by trying codes.
    fn authenticate(&self, token: &str) -> Result<(SessionHandle<Hub>, Identity), Ending> {
        let sessions = &self.gateway.sessions;
        let granted = self.gateway.tokens.open(token, sessions.clock().now());
        let (of_session, identity) = match granted {
            Ok(Grant::Device(of_session, device)) => (of_session, Identity::Device(device)),
            Ok(Grant::GameMaster(of_session, game_master)) => {
                (of_session, Identity::GameMaster(game_master))
            }
            Ok(Grant::Link(..) | Grant::Admin) | Err(_) => {
                return Err(CloseCode::Unauthorized.into());
            }
        };
        let session = sessions.by_code(&self.session_code.to_ascii_uppercase());
        let session = session.ok_or(CloseCode::UnknownSession)?;
        if session.id() != of_session {
            return Err(CloseCode::Unauthorized.into());
        }
        Ok((session, identity))
    }

    /// The first frame that carries a message; pings may come before it.
    async fn first_message(&mut self) -> Result<ClientMessage, Ending> {
        loop {
            let received = self.socket.next().await.ok_or(Ending::Gone)?;
            let frame = received.map_err(|error| ending_of(&error))?;
            if let Some(message) = read(self.codec, &frame)? {
                return Ok(message);
            }
        }
    }
}

impl Attached {
    async fn run(
        self,
        socket: &mut WebSocketStream<TcpStream>,
        mut frames: OutboxReader,
    ) -> Ending {
        let stop = self.gateway.stop.clone();
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return self.say_goodbye(socket).await,
                outgoing = frames.next() => match outgoing {
                    Outgoing::Close(code) => return code.into(),
                    Outgoing::Frames(batch) => {
                        metrics().frames_written.increment(batch.len() as u64);
                        let batch = Vec::from(batch);
                        let writing = write(socket, self.codec, &batch);
                        let write_max = self.gateway.config.write_max;
                        match tokio::time::timeout(write_max, writing).await {
                            Ok(Ok(())) => {}
                            Ok(Err(_)) | Err(_) => return Ending::Gone,
                        }
                    }
                },
                received = socket.next() => {
                    let Some(received) = received else {
                        return Ending::Gone;
                    };
                    let received = received.map_err(|error| ending_of(&error));
                    if let Err(ending) = received.and_then(|message| self.receive(&message)) {
                        return ending;
                    }
                }
            }
        }
    }

    fn receive(&self, message: &Message) -> Result<(), Ending> {
        match read(self.codec, message)? {
            None => Ok(()),
            Some(ClientMessage::Command(command)) => {
                self.command(command);
                Ok(())
            }
            // A snapshot costs more than a guess: asking for one again and again is limited too.
            Some(ClientMessage::Resync(_)) if self.limiter.check().is_err() => {
                Err(CloseCode::Overloaded.into())
            }
            Some(ClientMessage::Resync(resync)) => self.attach(resync.cursor),
            Some(ClientMessage::Hello(_) | ClientMessage::Watch(_)) => {
                Err(CloseCode::BadMessage.into())
            }
        }
    }

    fn attach(&self, cursor: Option<protocol::Cursor>) -> Result<(), Ending> {
        let attach = Mail::Attach(Attach {
            identity: self.identity,
            cursor,
            outbox: Attaching::new(self.outbox.clone()),
            codec: self.codec,
        });
        let sent = self.session.send(attach);
        sent.map_err(|_unavailable| CloseCode::SessionRestarting.into())
    }

    fn command(&self, command: Command) {
        metrics().commands_received.increment(1);
        if let Err(not_until) = self.limiter.check() {
            let wait = not_until.wait_time_from(DefaultClock::default().now());
            let message = "slow down; the limit of this connection is reached".to_owned();
            self.reject(command.id, RejectionCode::RateLimited, message, Some(wait));
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
            let wait = Duration::from_millis(BUSY_RETRY_MS);
            let message = unavailable.to_string();
            self.reject(id, RejectionCode::Unavailable, message, Some(wait));
        }
    }

    fn reject(&self, id: u64, code: RejectionCode, message: String, wait: Option<Duration>) {
        metrics().commands_rejected.of(code).increment(1);
        let now = self.gateway.sessions.clock().now();
        // A whole millisecond more: sent again at the time that is told, it must be let through.
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

    /// Tells the client when to come back; the delays of all clients are spread evenly.
    async fn say_goodbye(&self, socket: &mut WebSocketStream<TcpStream>) -> Ending {
        let goaway = ServerMessage::Goaway(GoAway {
            reconnect_in_ms: rand::random_range(GOAWAY_MS),
        });
        let goaway = [self.codec.encode(&goaway).into()];
        let write_max = self.gateway.config.write_max;
        match tokio::time::timeout(write_max, write(socket, self.codec, &goaway)).await {
            Ok(Ok(())) => CloseCode::GoingAway.into(),
            Ok(Err(_)) | Err(_) => Ending::Gone,
        }
    }
}
