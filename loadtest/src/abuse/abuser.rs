//! A client that attacks the server and reconnects whenever its connection ends.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use protocol::{ClientMessage, Codec, Hello};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior, interval, sleep};

use crate::churn::{VisitError, expect_upgrade, request};
use crate::client::Endpoint;
use crate::players::{Receive, connect, source};

/// Number of pings written together.
const PINGS_AT_ONCE: usize = 4;
/// Maximum payload of a control frame (RFC 6455, section 5.5).
const PING_BYTES: usize = 125;
/// Delay before the next connection after one has ended.
const AGAIN_AFTER: Duration = Duration::from_millis(500);
/// Duration over which the clients connect, spread evenly.
const RAMP_UP: Duration = Duration::from_secs(5);
const RAMP_UP_STEPS: usize = 10_000;
/// A zero mask is valid and leaves the payload unchanged.
const MASK: [u8; 4] = [0; 4];

/// Kind of attack.
#[derive(Debug)]
pub(super) enum Abuser {
    /// Authenticates with a token, then pings without reading.
    Pinging(String),
    /// Sends the upgrade request byte by byte.
    Dripping,
}

/// Counters shared by all attackers.
#[derive(Debug, Default)]
pub(super) struct Tally {
    connected: AtomicU32,
    pings: AtomicU64,
    handshake_bytes: AtomicU64,
    connections_closed: AtomicU64,
}

impl Tally {
    /// Number of clients that have connected at least once.
    pub(super) fn connected(&self) -> u32 {
        self.connected.load(Ordering::Relaxed)
    }

    pub(super) fn pings(&self) -> u64 {
        self.pings.load(Ordering::Relaxed)
    }

    pub(super) fn handshake_bytes(&self) -> u64 {
        self.handshake_bytes.load(Ordering::Relaxed)
    }

    /// Number of connections that the server closed or refused.
    pub(super) fn connections_closed(&self) -> u64 {
        self.connections_closed.load(Ordering::Relaxed)
    }
}

impl Abuser {
    /// Attacks until `over` is true; reconnects after each connection.
    pub(super) async fn abuse(
        self,
        endpoint: Endpoint,
        index: usize,
        every: Duration,
        tally: Arc<Tally>,
        mut over: watch::Receiver<bool>,
    ) {
        let part = u32::try_from(index % RAMP_UP_STEPS).expect("it is small");
        let abusing = async {
            sleep(RAMP_UP * part / u32::try_from(RAMP_UP_STEPS).expect("it is small")).await;
            let mut is_new = true;
            loop {
                let connected = connect(&endpoint, source(index), Receive::Nothing).await;
                if let Ok(stream) = connected {
                    if is_new {
                        tally.connected.fetch_add(1, Ordering::Relaxed);
                        is_new = false;
                    }
                    let mut ticks = interval(every);
                    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
                    // Any error is the server's defence and ends this connection only.
                    let _ended = self.run_once(stream, &endpoint, ticks, &tally).await;
                }
                tally.connections_closed.fetch_add(1, Ordering::Relaxed);
                sleep(AGAIN_AFTER).await;
            }
        };
        tokio::select! {
            () = abusing => {}
            _ = over.wait_for(|over| *over) => {}
        }
    }

    async fn run_once(
        &self,
        stream: TcpStream,
        endpoint: &Endpoint,
        ticks: Interval,
        tally: &Tally,
    ) -> Result<(), VisitError> {
        match self {
            Self::Pinging(token) => ping(stream, endpoint, token, ticks, tally).await,
            Self::Dripping => Ok(drip(stream, endpoint, ticks, tally).await?),
        }
    }
}

async fn ping(
    mut stream: TcpStream,
    endpoint: &Endpoint,
    token: &str,
    mut ticks: Interval,
    tally: &Tally,
) -> Result<(), VisitError> {
    stream.write_all(request(endpoint).as_bytes()).await?;
    expect_upgrade(&mut stream).await?;
    let hello = ClientMessage::Hello(Hello {
        token: token.to_owned(),
        cursor: None,
    });
    let hello = frame(0x82, &Codec::MessagePack.encode(&hello));
    stream.write_all(&hello).await?;
    let pings = frame(0x89, &[b'?'; PING_BYTES]).repeat(PINGS_AT_ONCE);
    loop {
        ticks.tick().await;
        stream.write_all(&pings).await?;
        tally
            .pings
            .fetch_add(PINGS_AT_ONCE as u64, Ordering::Relaxed);
    }
}

async fn drip(
    mut stream: TcpStream,
    endpoint: &Endpoint,
    mut ticks: Interval,
    tally: &Tally,
) -> io::Result<()> {
    for byte in request(endpoint).bytes() {
        ticks.tick().await;
        stream.write_u8(byte).await?;
        tally.handshake_bytes.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

/// Encodes a masked client frame.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    if let Ok(length @ 0..126) = u8::try_from(payload.len()) {
        frame.push(0x80 | length);
    } else {
        let length = u16::try_from(payload.len()).expect("nothing longer is sent");
        frame.push(0xfe);
        frame.extend(length.to_be_bytes());
    }
    frame.extend(MASK);
    frame.extend(payload);
    frame
}
