//! One connection through the proxy: two directions, each a reader and a writer with a bounded
//! queue between them.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};

use super::swallow::{Seeker, Swallows};
use super::{CHUNK_BYTES_MAX, CHUNKS_MAX, Counted, Direction, Flow, Weather};

/// The state of a connection's task.
pub(super) struct Relay {
    pub(super) target: SocketAddr,
    pub(super) mark: Arc<[u8]>,
    pub(super) weather: watch::Receiver<Weather>,
    /// Number of cuts before this connection.
    pub(super) cuts: u64,
    /// Number of times that the peer had vanished before this connection.
    pub(super) vanishings: u64,
    pub(super) swallows: Arc<Swallows>,
    pub(super) counted: Counted,
}

/// Bytes and the earliest time to forward them.
struct Chunk {
    due: Instant,
    bytes: Vec<u8>,
}

impl Relay {
    /// Forwards bytes until both sides have closed, one fails, or the connection is cut.
    pub(super) async fn run(self, mut client: TcpStream) {
        let _counted = &self.counted;
        let lost_reply = LostReply::default();
        let mut cut = self.weather.clone();
        let is_orderly = tokio::select! {
            biased;
            _ = cut.wait_for(|weather| weather.cuts != self.cuts) => false,
            relayed = self.relay(&mut client, &lost_reply) => relayed.is_ok(),
        };
        if !is_orderly {
            // An error means that the peer has already disconnected.
            let _ = client.set_zero_linger();
        }
        drop(client);
        lost_reply.tell();
    }

    /// Forwards both directions. An error means that the connection must be reset.
    async fn relay(&self, client: &mut TcpStream, lost_reply: &LostReply) -> io::Result<()> {
        let mut target = TcpStream::connect(self.target).await?;
        // Nagle's algorithm would add latency that the proxy was not configured to add.
        client.set_nodelay(true)?;
        target.set_nodelay(true)?;
        let (from_client, to_client) = client.split();
        let (from_target, to_target) = target.split();
        let passed = tokio::try_join!(
            self.pass_requests(from_client, to_target, lost_reply),
            self.pass_replies(from_target, to_client, lost_reply),
        );
        if passed.is_err() {
            target.set_zero_linger()?;
        }
        passed.map(|((), ())| ())
    }

    /// The flow of this connection: held for good once its peer has vanished.
    fn flow(&self, weather: &Weather, direction: Direction) -> Flow {
        if weather.vanishings == self.vanishings {
            weather.flow(direction)
        } else {
            Flow::Hold
        }
    }

    async fn pass_requests(
        &self,
        from: ReadHalf<'_>,
        to: WriteHalf<'_>,
        lost_reply: &LostReply,
    ) -> io::Result<()> {
        let mut seeker = Seeker::new(&self.mark);
        self.pass(Direction::ToTarget, from, to, |bytes| {
            // The chunk with the mark only prepares the request; its own reply is not lost.
            if seeker.is_found() {
                lost_reply.begin(&self.swallows);
            }
            seeker.take(bytes);
            Ok(())
        })
        .await
    }

    async fn pass_replies(
        &self,
        from: ReadHalf<'_>,
        to: WriteHalf<'_>,
        lost_reply: &LostReply,
    ) -> io::Result<()> {
        self.pass(Direction::FromTarget, from, to, |_| {
            if lost_reply.ends() {
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            Ok(())
        })
        .await
    }

    /// Forwards one direction until its end. `look` inspects each chunk first; an error from it ends the
    /// connection.
    async fn pass(
        &self,
        direction: Direction,
        mut from: ReadHalf<'_>,
        mut to: WriteHalf<'_>,
        mut look: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        let (queue, mut queued) = mpsc::channel::<Chunk>(CHUNKS_MAX);
        let read = async move {
            let mut buffer = vec![0; CHUNK_BYTES_MAX];
            loop {
                let count = from.read(&mut buffer).await?;
                if count == 0 {
                    return Ok(());
                }
                let bytes = &buffer[..count];
                look(bytes)?;
                let weather = *self.weather.borrow();
                if self.flow(&weather, direction) == Flow::Discard {
                    continue;
                }
                let chunk = Chunk {
                    due: Instant::now() + weather.delay,
                    bytes: bytes.to_vec(),
                };
                if queue.send(chunk).await.is_err() {
                    return Err(io::ErrorKind::BrokenPipe.into());
                }
            }
        };
        let mut weather = self.weather.clone();
        let write = async move {
            while let Some(chunk) = queued.recv().await {
                sleep_until(chunk.due).await;
                let passes =
                    weather.wait_for(|weather| self.flow(weather, direction) != Flow::Hold);
                let flow = passes.await.map(|weather| self.flow(&weather, direction));
                match flow {
                    Ok(Flow::Discard) => {}
                    Ok(Flow::Pass | Flow::Hold) => to.write_all(&chunk.bytes).await?,
                    // The proxy was dropped.
                    Err(_) => return Err(io::ErrorKind::BrokenPipe.into()),
                }
            }
            to.shutdown().await
        };
        tokio::try_join!(read, write).map(|_: ((), ())| ())
    }
}

/// The state of a lost reply on this connection, with the sender that reports the loss.
#[derive(Default)]
struct LostReply(Mutex<State>);

#[derive(Default)]
enum State {
    #[default]
    None,
    Requested(oneshot::Sender<()>),
    Lost(oneshot::Sender<()>),
}

impl LostReply {
    /// Handles a request: takes the pending loss, if there is one.
    fn begin(&self, swallows: &Swallows) {
        let mut state = self.state();
        if let State::None = *state
            && let Some(tell) = swallows.take()
        {
            *state = State::Requested(tell);
        }
    }

    /// Handles a reply. Returns whether to discard it.
    fn ends(&self) -> bool {
        let mut state = self.state();
        match std::mem::take(&mut *state) {
            State::None => false,
            State::Requested(tell) | State::Lost(tell) => {
                *state = State::Lost(tell);
                true
            }
        }
    }

    /// Reports the loss, if a reply was lost. Called after the connection has ended.
    fn tell(self) {
        let state = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let State::Lost(tell) = state {
            // The receiver may have been dropped.
            let _ = tell.send(());
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // The state is valid even if a holder of the lock panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
