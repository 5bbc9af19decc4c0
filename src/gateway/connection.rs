//! One connection: `hello`, then commands in and frames out until either side ends it.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use protocol::{
    ClientMessage, CloseCode, Codec, Command, GoAway, Rejection, RejectionCode, ServerMessage,
    Watch,
};
use serde::Serialize;
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use super::Gateway;
use super::allowance::Allowance;
use super::closing::{Ending, close, ending_of};
use super::frame::read;
use super::listener::Slot;
use super::pulse::{Beat, Pulse};
use super::socket::{Received, Socket, SocketError};
use super::stream::Stream;
use super::tokens::Grant;
use crate::delivery::{
    self, Attach, Hub, Identity, Outbox, OutboxReader, Outgoing, Peer, PendingOutbox, outbox,
    rejection_code, rejection_message,
};
use crate::session::{Mail, SessionHandle};
use crate::telemetry::{Lost, metrics};

/// When clients of a server that stops come back: not before a restart is over, which takes a few
/// hundred milliseconds, and spread over a time that makes their number bearable.
const GOAWAY_MS: RangeInclusive<u64> = 1_000..=3_000;

/// A WebSocket before its `hello`.
pub(super) struct Connection {
    gateway: Gateway,
    socket: Socket<Stream>,
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
    allowance: Allowance,
}

impl Connection {
    pub(super) fn new(
        gateway: Gateway,
        socket: Socket<Stream>,
        codec: Codec,
        session_code: &str,
        slot: Slot,
    ) -> Self {
        Self {
            gateway,
            socket,
            codec,
            session_code: session_code.to_owned(),
            slot,
        }
    }

    /// Runs until the connection has ended. It borrows what it runs on: a future that owns it keeps room
    /// for it twice.
    pub(super) async fn run(&mut self) {
        let ending = match self.greet().await {
            Ok((attached, mut frames)) => attached.run(&mut self.socket, &mut frames).await,
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
        close(&mut self.socket, &ending).await;
    }

    /// Waits for `hello` and attaches to the session.
    async fn greet(&mut self) -> Result<(Attached, OutboxReader), Ending> {
        let stop = self.gateway.stop.clone();
        let hello = timeout(self.gateway.config.hello_max, self.first_message());
        let first = match stop.run_until_cancelled(hello).await {
            None => return Err(CloseCode::GoingAway.into()),
            Some(Err(_elapsed)) => return Err(CloseCode::HelloTimeout.into()),
            Some(Ok(first)) => first?,
        };
        let (session, identity, cursor) = match first {
            ClientMessage::Hello(hello) => {
                let (session, identity) = self.authenticate(&hello.token).await?;
                self.slot.authenticated();
                (session, identity, hello.cursor)
            }
            // Without a token the connection goes on counting against its address.
            ClientMessage::Watch(Watch {}) => {
                let (source, code) = (self.slot.source(), &self.session_code);
                let session = self.gateway.public_session(source, code).await?;
                (session, Identity::Spectator, None)
            }
            ClientMessage::Command(_) | ClientMessage::Resync(_) => {
                return Err(Ending::bad_message(
                    "the first message is `hello`, or `watch`",
                ));
            }
        };
        let validity = self.gateway.sessions.validity_to_speak();
        // What waits then may not be true any more; what of it is journaled is sent again.
        self.socket.speak_while(move || validity.holds());
        let (outbox, frames) = outbox(&self.gateway.delivery, self.codec);
        let attached = Attached {
            gateway: self.gateway.clone(),
            session,
            identity,
            codec: self.codec,
            outbox,
            allowance: Allowance::new(&self.gateway.limits),
        };
        attached.attach(cursor)?;
        Ok((attached, frames))
    }

    /// Who the bearer of a token is in the session that was asked for.
    async fn authenticate(&self, token: &str) -> Result<(SessionHandle<Hub>, Identity), Ending> {
        let now = self.gateway.sessions.clock().now();
        let (of_session, identity) = match self.gateway.tokens().open(token, now) {
            Ok(Grant::Device(of_session, device)) => (of_session, Identity::Device(device)),
            Ok(Grant::GameMaster(of_session, game_master)) => {
                (of_session, Identity::GameMaster(game_master))
            }
            Ok(Grant::Link(..) | Grant::Admin) | Err(_) => {
                return Err(CloseCode::Unauthorized.into());
            }
        };
        let (source, code) = (self.slot.source(), &self.session_code);
        let session = self.gateway.session_of_token(source, of_session, code);
        Ok((session.await?, identity))
    }

    /// The first frame that carries a message; pings may come before it.
    async fn first_message(&mut self) -> Result<ClientMessage, Ending> {
        loop {
            let received = self.socket.next().await;
            let received = received.map_err(|error| ending_of(self.codec, &error))?;
            if let Some(message) = read(self.codec, &received)? {
                return Ok(message);
            }
        }
    }
}

impl Attached {
    async fn run(&self, socket: &mut Socket<Stream>, frames: &mut OutboxReader) -> Ending {
        let stop = self.gateway.stop.clone();
        let mut pulse = Pulse::new(&self.gateway.config, Instant::now());
        let mut timer = std::pin::pin!(sleep_until(Instant::now()));
        loop {
            let ended = tokio::select! {
                biased;
                () = stop.cancelled() => Err(self.say_goodbye(socket).await),
                () = timer.as_mut() => self.beat(&mut pulse, socket, timer.as_mut()),
                outgoing = frames.next(), if socket.has_room() => match outgoing {
                    Outgoing::Close(code) => Err(code.into()),
                    Outgoing::Frames(batch) => self.write(socket, batch, timer.as_mut()).await,
                },
                received = socket.next() => {
                    pulse.heard(Instant::now());
                    self.receive(received)
                }
            };
            if let Err(ending) = ended {
                return ending;
            }
        }
    }

    /// Begins to write frames. Should they get stuck, the timer is set to look at that.
    async fn write(
        &self,
        socket: &mut Socket<Stream>,
        batch: VecDeque<Bytes>,
        mut timer: Pin<&mut Sleep>,
    ) -> Result<(), Ending> {
        let count = batch.len();
        self.offer(socket, batch)?;
        let written = socket.write_now().await;
        written.map_err(|error| ending_of(self.codec, &error))?;
        metrics().frames_written.increment(count as u64);
        if let Some(since) = socket.stuck_since() {
            let give_up_at = since + self.gateway.config.write_max;
            if give_up_at < timer.deadline() {
                timer.as_mut().reset(give_up_at);
            }
        }
        Ok(())
    }

    fn offer(&self, socket: &mut Socket<Stream>, batch: VecDeque<Bytes>) -> Result<(), Ending> {
        let offered = socket.offer(self.codec.frame_kind(), batch);
        // There was room; so the connection is closing, and there is nobody left to write to.
        offered.map_err(|_closing| Ending::Gone)
    }

    /// Whether the other side still takes what is written and still gives a sign of life.
    fn beat(
        &self,
        pulse: &mut Pulse,
        socket: &mut Socket<Stream>,
        timer: Pin<&mut Sleep>,
    ) -> Result<(), Ending> {
        let now = Instant::now();
        let stuck_until = socket
            .stuck_since()
            .map(|at| at + self.gateway.config.write_max);
        if stuck_until.is_some_and(|until| until <= now) {
            metrics().connections_lost.of(Lost::Stuck).increment(1);
            return Err(Ending::Gone);
        }
        let next = match pulse.beat(now) {
            Beat::Wait(until) => until,
            Beat::Ask(until) => {
                socket.ping();
                until
            }
            Beat::Dead => {
                metrics().connections_lost.of(Lost::Silent).increment(1);
                return Err(Ending::Gone);
            }
        };
        timer.reset(stuck_until.map_or(next, |until| until.min(next)));
        Ok(())
    }

    fn receive(&self, received: Result<Received, SocketError>) -> Result<(), Ending> {
        let received = received.map_err(|error| ending_of(self.codec, &error))?;
        match read(self.codec, &received)? {
            None => self.allowance.control_frame().map_err(Ending::UsedUp),
            Some(ClientMessage::Command(command)) => {
                self.command(command);
                Ok(())
            }
            Some(ClientMessage::Resync(resync)) => {
                self.allowance.resync().map_err(Ending::UsedUp)?;
                self.attach(resync.cursor)
            }
            Some(ClientMessage::Hello(_) | ClientMessage::Watch(_)) => Err(Ending::bad_message(
                "`hello` and `watch` are sent once, as the first message",
            )),
        }
    }

    fn attach(&self, cursor: Option<protocol::Cursor>) -> Result<(), Ending> {
        let attach = Mail::Attach(Attach {
            identity: self.identity,
            cursor,
            outbox: PendingOutbox::new(self.outbox.clone()),
            codec: self.codec,
        });
        let sent = self.session.send(attach);
        sent.map_err(Ending::from)
    }

    fn command(&self, command: Command) {
        metrics().commands_received.increment(1);
        if let Err(used_up) = self.allowance.command(&command) {
            let message = "slow down; the limit of this connection is reached".to_owned();
            let wait = Some(used_up.retry_after);
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
    async fn say_goodbye(&self, socket: &mut Socket<Stream>) -> Ending {
        let goaway = ServerMessage::Goaway(GoAway {
            reconnect_in_ms: rand::random_range(GOAWAY_MS),
        });
        let goaway = VecDeque::from([self.codec.encode(&goaway).into()]);
        let telling = async {
            socket
                .write_out()
                .await
                .map_err(|error| ending_of(self.codec, &error))?;
            self.offer(socket, goaway)?;
            socket
                .write_out()
                .await
                .map_err(|error| ending_of(self.codec, &error))
        };
        match timeout(self.gateway.config.write_max, telling).await {
            Ok(Ok(())) => CloseCode::GoingAway.into(),
            Ok(Err(ending)) => ending,
            Err(_elapsed) => Ending::Gone,
        }
    }
}
