//! One client: it connects, reads according to its script, is cut, and resumes with its cursor.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use protocol::{ClientMessage, Hello, Resync};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Instant, sleep_until};

use super::light_socket::{LightSocket, Route};
use super::plan::ClientIndex;
use super::script::{Change, Kind, Reading, Script};
use super::shared::{Flow, Shared, Stage};
use super::witness::{StreamFindings, Witness};
use crate::client::{Ended, OpenError, ReconnectBackoff, SILENCE_MAX};

/// Reads per second of a slow reader.
const SLOW_READS_PER_S: u32 = 4;

/// Maximum number of resyncs before a client fails.
const RESYNCS_MAX: u32 = 16;

/// Maximum number of failed attempts in a row before a client fails: minutes, by the protocol's delays.
const FAILURES_MAX: u32 = 30;

/// A client of the run.
pub(super) struct Follower {
    shared: Arc<Shared>,
    route: Route,
    token: String,
    client: ClientIndex,
    kind: Kind,
    random: StdRng,
    script: Script,
    reading: Reading,
    witness: Witness,
    socket: Option<LightSocket>,
    /// Held from the start of a connection attempt until the stream is complete.
    permit: Option<OwnedSemaphorePermit>,
    /// When to connect next, while disconnected.
    attempt_at: Instant,
    /// When something last arrived.
    heard_at: Instant,
    resyncs: u32,
    counts: ConnectionCounts,
}

/// Identity of a client.
pub(super) struct Identity {
    pub(super) client: ClientIndex,
    pub(super) kind: Kind,
    pub(super) token: String,
    pub(super) seed: u64,
}

/// Counters of a client's connections.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ConnectionCounts {
    /// Number of cuts by the script.
    pub(super) cuts: u64,
    /// Number of stalls.
    pub(super) stalls: u64,
    /// Number of connections that the server closed or that broke.
    pub(super) ended: u64,
}

/// Result of a client.
pub(super) struct FollowerResult {
    pub(super) client: ClientIndex,
    pub(super) counts: ConnectionCounts,
    pub(super) findings: StreamFindings,
    /// Error that stopped the client.
    pub(super) failure: Option<FollowError>,
}

/// Permanent error of a client.
#[derive(Debug, thiserror::Error)]
pub(super) enum FollowError {
    /// The close code forbids a reconnect.
    #[error("the server closed the connection permanently: {0}")]
    ForGood(Ended),
    /// Too many attempts failed.
    #[error("cannot connect after {FAILURES_MAX} attempts; last error: {0}")]
    Unreachable(String),
    /// Too many resyncs.
    #[error("the stream is still inconsistent after several resyncs")]
    Broken,
}

impl Follower {
    pub(super) fn new(shared: Arc<Shared>, route: Route, identity: Identity) -> Self {
        let Identity {
            client,
            kind,
            token,
            seed,
        } = identity;
        let now = Instant::now();
        let backoff = ReconnectBackoff::new(StdRng::seed_from_u64(seed.wrapping_mul(2)));
        Self {
            witness: Witness::new(shared.clone(), route.codec, client, kind, backoff),
            shared,
            route,
            token,
            client,
            kind,
            random: StdRng::seed_from_u64(seed.wrapping_mul(2).wrapping_add(1)),
            script: Script::default(),
            reading: Reading::All,
            socket: None,
            permit: None,
            attempt_at: now,
            heard_at: now,
            resyncs: 0,
            counts: ConnectionCounts::default(),
        }
    }

    /// Follows the stream until the run is over.
    pub(super) async fn follow(mut self, mut stages: watch::Receiver<Stage>) -> FollowerResult {
        let failure = loop {
            // A failed client waits for nothing: the others continue without it.
            let changed = tokio::select! {
                biased;
                error = self.live() => break Some(error),
                changed = stages.changed() => changed,
            };
            let stage = stages.borrow_and_update().clone();
            match stage {
                Stage::Gathering => {}
                Stage::Flowing(flow) => self.draw_script(&flow),
                Stage::Settling { pushed } => self.witness.settle(pushed),
                Stage::Over => break None,
            }
            if changed.is_err() {
                break None;
            }
        };
        self.shared
            .counts
            .failed
            .fetch_add(usize::from(failure.is_some()), Relaxed);
        FollowerResult {
            client: self.client,
            counts: self.counts,
            findings: self.witness.conclude(),
            failure,
        }
    }

    fn draw_script(&mut self, flow: &Flow) {
        let random = &mut self.random;
        self.script = match &flow.impaired_spans {
            Some(spans) => Script::reading_within(self.kind, spans),
            None => Script::reading(self.kind, flow.span, self.shared.stalls, random),
        };
        if let Some(away) = self.shared.cuts {
            self.script = std::mem::take(&mut self.script).with_cuts(flow.span, away, random);
        }
    }

    /// Connects and reads until a permanent error. Cancellation-safe.
    async fn live(&mut self) -> FollowError {
        loop {
            let counts = if self.socket.is_some() {
                match self.read_on().await {
                    Ok(()) => Ok(()),
                    Err(ended) => self.handle_end(ended),
                }
            } else {
                self.connect().await
            };
            if let Err(error) = counts {
                return error;
            }
        }
    }

    async fn connect(&mut self) -> Result<(), FollowError> {
        sleep_until(self.attempt_at).await;
        if self.permit.is_none() {
            let permit = self.shared.gate.clone().acquire_owned().await;
            self.permit = Some(permit.expect("the gate is never closed"));
        }
        let socket = match LightSocket::open(&self.route).await {
            Ok(socket) => socket,
            Err(error) => return self.not_opened(&error),
        };
        self.heard_at = Instant::now();
        let socket = self.socket.insert(socket);
        let hello = Hello {
            token: self.token.clone(),
            cursor: self.witness.cursor(),
        };
        self.witness.connected();
        match socket.send(&ClientMessage::Hello(hello)).await {
            Ok(()) => Ok(()),
            Err(ended) => self.handle_end(ended),
        }
    }

    /// Applies one change of the script, or reads until the next one is due.
    async fn read_on(&mut self) -> Result<(), Ended> {
        let now = Instant::now();
        if let Some(change) = self.script.due(now) {
            self.change(change, now);
            return Ok(());
        }
        if self.witness.takes_resync() {
            self.resyncs += 1;
            let cursor = self.witness.cursor();
            let resync = ClientMessage::Resync(Resync { cursor });
            let socket = self.socket.as_mut().ok_or(Ended::End)?;
            return socket.send(&resync).await;
        }
        // Until the stream is complete, every client reads at full speed: a slow one would never
        // complete it.
        let reading = if self.witness.is_attached() {
            self.permit = None;
            self.reading
        } else {
            Reading::All
        };
        match reading {
            Reading::All => self.read_all().await,
            Reading::Slowly => self.read_a_little(now).await,
            Reading::Nothing => {
                let next_at = self.script.next_at();
                sleep_until(next_at.unwrap_or(now + SILENCE_MAX)).await;
                Ok(())
            }
        }
    }

    async fn read_all(&mut self) -> Result<(), Ended> {
        let silent_at = self.heard_at + SILENCE_MAX;
        let wake_at = self
            .script
            .next_at()
            .map_or(silent_at, |at| at.min(silent_at));
        let alarm = sleep_until(wake_at);
        tokio::pin!(alarm);
        let socket = self.socket.as_mut().ok_or(Ended::End)?;
        let witness = &mut self.witness;
        let was_attached = witness.is_attached();
        loop {
            let mut each = |bytes: &[u8]| witness.handle_message(bytes);
            tokio::select! {
                biased;
                read = socket.read(usize::MAX, &mut each) => read?,
                () = &mut alarm => break,
            }
            self.heard_at = Instant::now();
            if !was_attached || witness.wants_resync() {
                return Ok(());
            }
        }
        if self.heard_at + SILENCE_MAX <= Instant::now() {
            return Err(Ended::Silent);
        }
        Ok(())
    }

    async fn read_a_little(&mut self, now: Instant) -> Result<(), Ended> {
        let tick_at = now + Duration::from_secs(1) / SLOW_READS_PER_S;
        let next_at = self.script.next_at();
        sleep_until(next_at.map_or(tick_at, |at| at.min(tick_at))).await;
        let socket = self.socket.as_mut().ok_or(Ended::End)?;
        let bytes_max = self.shared.slow_bytes_per_s / SLOW_READS_PER_S as usize;
        let witness = &mut self.witness;
        if socket.read_now(bytes_max, &mut |bytes: &[u8]| witness.handle_message(bytes))? {
            self.heard_at = Instant::now();
        }
        socket.answer().await
    }

    fn change(&mut self, change: Change, now: Instant) {
        match change {
            Change::Read(reading) => {
                self.counts.stalls += u64::from(reading == Reading::Nothing);
                self.reading = reading;
                // The idle timeout restarts, as nothing was read meanwhile.
                self.heard_at = now;
            }
            Change::Cut { away } => {
                if let Some(socket) = self.socket.take() {
                    socket.cut(self.random.random());
                    self.counts.cuts += 1;
                }
                self.disconnected();
                self.attempt_at = now + away;
            }
        }
    }

    fn handle_end(&mut self, ended: Ended) -> Result<(), FollowError> {
        self.socket = None;
        self.disconnected();
        self.counts.ended += 1;
        if self.resyncs > RESYNCS_MAX {
            return Err(FollowError::Broken);
        }
        match self
            .witness
            .backoff
            .next_attempt(ended.close_code(), Instant::now())
        {
            Some(at) => self.attempt_at = at,
            None => return Err(FollowError::ForGood(ended)),
        }
        Ok(())
    }

    fn not_opened(&mut self, error: &OpenError) -> Result<(), FollowError> {
        self.disconnected();
        let next = self.witness.backoff.next_attempt(None, Instant::now());
        match next {
            Some(at) if self.witness.backoff.failures() <= FAILURES_MAX => self.attempt_at = at,
            Some(_) | None => return Err(FollowError::Unreachable(error.to_string())),
        }
        Ok(())
    }

    fn disconnected(&mut self) {
        self.permit = None;
        self.witness.disconnected();
    }
}
