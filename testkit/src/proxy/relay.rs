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

/// What a connection's task owns.
pub(super) struct Relay {
    pub(super) target: SocketAddr,
    pub(super) mark: Arc<[u8]>,
    pub(super) weather: watch::Receiver<Weather>,
    /// The cuts before this connection.
    pub(super) cuts: u64,
    /// How often the peer had vanished before this connection.
    pub(super) vanishings: u64,
    pub(super) swallows: Arc<Swallows>,
    pub(super) counted: Counted,
}

/// Bytes and when they may arrive.
struct Chunk {
    due: Instant,
    bytes: Vec<u8>,
}

impl Relay {
    /// Passes bytes until both sides have closed, one breaks, or it is cut.
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
            // The peer may be gone already, which is what is wanted.
            let _ = client.set_zero_linger();
        }
        drop(client);
        lost_reply.tell();
    }

    /// An error means that the connection is to be reset.
    async fn relay(&self, client: &mut TcpStream, lost_reply: &LostReply) -> io::Result<()> {
        let mut target = TcpStream::connect(self.target).await?;
        // A delay that nobody asked for would be one of the proxy's own.
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

    /// What happens to this connection's bytes: after its peer has vanished they wait for ever.
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
            // The chunk that bears the mark is still its sender's preparation.
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

    /// Passes one direction to its end. `look` sees each chunk first, and ends all with an error.
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
                    // The proxy is gone.
                    Err(_) => return Err(io::ErrorKind::BrokenPipe.into()),
                }
            }
            to.shutdown().await
        };
        tokio::try_join!(read, write).map(|_: ((), ())| ())
    }
}

/// The loss of a reply on this connection, from its request on: whom to tell when it has happened.
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
    /// A request passes, after which a reply may be lost.
    fn begin(&self, swallows: &Swallows) {
        let mut state = self.state();
        if let State::None = *state
            && let Some(tell) = swallows.take()
        {
            *state = State::Requested(tell);
        }
    }

    /// A reply has come. Says whether it is lost.
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

    /// After the connection has ended: tells that the reply was lost, if it was.
    fn tell(self) {
        let state = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let State::Lost(tell) = state {
            // Whoever waited may have gone.
            let _ = tell.send(());
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // The state is whole also after a panic of whoever held it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
