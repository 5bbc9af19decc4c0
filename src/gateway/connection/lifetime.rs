//! The life of a connection after its handshake: one task reads, writes, and watches the timeouts.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use protocol::{CloseCode, Codec, GoAway, ServerMessage};
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use super::closing::{Ending, close, ending_of};
use super::commands::AttachedClient;
use super::hello::NewClient;
use super::keepalive::{Keepalive, KeepaliveAction};
use crate::delivery::{OutboxReader, Outgoing};
use crate::gateway::Gateway;
use crate::gateway::admission::slots::ConnectionSlot;
use crate::gateway::net::stream::Stream;
use crate::gateway::ws::Socket;
use crate::telemetry::{LossReason, metrics};

/// Reconnect delay, drawn per client, that a stopping server sends: after a restart, which takes a few
/// hundred milliseconds, and spread to flatten the mass reconnect.
const GOAWAY_MS: RangeInclusive<u64> = 1_000..=3_000;

/// A WebSocket before its `hello`.
pub(super) struct Connection {
    socket: Socket<Stream>,
    client: NewClient,
}

impl Connection {
    pub(super) fn new(
        gateway: Gateway,
        socket: Socket<Stream>,
        codec: Codec,
        session_code: &str,
        slot: Arc<ConnectionSlot>,
    ) -> Self {
        let client = NewClient {
            gateway,
            codec,
            session_code: session_code.to_owned(),
            slot,
        };
        Self { socket, client }
    }

    /// Runs until the connection is closed. Borrows the connection, because a future that owned it would
    /// reserve memory for it twice.
    pub(super) async fn run(&mut self) {
        let ending = match self.client.attach(&mut self.socket).await {
            Ok((attached, mut frames)) => attached.serve(&mut self.socket, &mut frames).await,
            Err(ending) => {
                if let Some(code) = ending.code() {
                    metrics().hellos_failed.with_label(code).increment(1);
                }
                ending
            }
        };
        match ending.code() {
            Some(code) => metrics().connections_closed.with_label(code).increment(1),
            None => metrics().connections_gone.increment(1),
        }
        close(&mut self.socket, &ending).await;
    }
}

impl AttachedClient {
    async fn serve(&self, socket: &mut Socket<Stream>, frames: &mut OutboxReader) -> Ending {
        let stop = self.gateway.stop.clone();
        let mut keepalive = Keepalive::new(&self.gateway.config, Instant::now());
        let mut timer = std::pin::pin!(sleep_until(Instant::now()));
        loop {
            let ended = tokio::select! {
                biased;
                () = stop.cancelled() => Err(self.send_goaway(socket).await),
                () = timer.as_mut() => self.check_timeouts(&mut keepalive, socket, timer.as_mut()),
                outgoing = frames.next(), if socket.has_room() => match outgoing {
                    Outgoing::Close(code) => Err(code.into()),
                    Outgoing::Frames(batch) => self.write(socket, batch, timer.as_mut()).await,
                },
                received = socket.next() => {
                    keepalive.record_input(Instant::now());
                    self.receive(received)
                }
            };
            if let Err(ending) = ended {
                return ending;
            }
        }
    }

    /// Starts to write frames. If the socket stalls, the timer is set to the write timeout.
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
        if let Some(since) = socket.stalled_since() {
            let timeout_at = since + self.gateway.config.write_max;
            if timeout_at < timer.deadline() {
                timer.as_mut().reset(timeout_at);
            }
        }
        Ok(())
    }

    fn offer(&self, socket: &mut Socket<Stream>, batch: VecDeque<Bytes>) -> Result<(), Ending> {
        let offered = socket.offer(self.codec.frame_kind(), batch);
        // The socket had room, so it refuses only because the connection is closing.
        offered.map_err(|_closing| Ending::Gone)
    }

    /// Checks the write timeout and the keepalive, and sets the timer for the next check.
    fn check_timeouts(
        &self,
        keepalive: &mut Keepalive,
        socket: &mut Socket<Stream>,
        timer: Pin<&mut Sleep>,
    ) -> Result<(), Ending> {
        let now = Instant::now();
        let write_timeout_at = socket
            .stalled_since()
            .map(|at| at + self.gateway.config.write_max);
        if write_timeout_at.is_some_and(|at| at <= now) {
            metrics()
                .connections_lost
                .with_label(LossReason::WriteTimeout)
                .increment(1);
            return Err(Ending::Gone);
        }
        let next = match keepalive.next_action(now) {
            KeepaliveAction::Wait(until) => until,
            KeepaliveAction::Ping(until) => {
                socket.ping();
                until
            }
            KeepaliveAction::TimedOut => {
                metrics()
                    .connections_lost
                    .with_label(LossReason::PongTimeout)
                    .increment(1);
                return Err(Ending::Gone);
            }
        };
        timer.reset(write_timeout_at.map_or(next, |at| at.min(next)));
        Ok(())
    }

    /// Sends `goaway` with a random reconnect delay, which spreads the reconnects of all clients evenly.
    async fn send_goaway(&self, socket: &mut Socket<Stream>) -> Ending {
        let goaway = ServerMessage::Goaway(GoAway {
            reconnect_in_ms: rand::random_range(GOAWAY_MS),
        });
        let goaway = VecDeque::from([self.codec.encode(&goaway).into()]);
        let sending = async {
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
        match timeout(self.gateway.config.write_max, sending).await {
            Ok(Ok(())) => CloseCode::GoingAway.into(),
            Ok(Err(ending)) => ending,
            Err(_elapsed) => Ending::Gone,
        }
    }
}
