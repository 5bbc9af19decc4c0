//! A TCP proxy that does to connections what networks do: it cuts, delays, holds and loses.
//!
//! It stands between a program and what it talks to, and knows no protocol: only bytes, two
//! directions, and one pattern by which connections can be told apart. It keeps at most
//! [`CONNECTIONS_MAX`] connections and, for each of their directions, [`CHUNKS_MAX`] chunks of
//! [`CHUNK_BYTES_MAX`] bytes; a further connection is reset, a further chunk waits at its sender.
//!
//! Never here: a decision about when something happens. Whoever holds the proxy decides.

mod relay;
mod swallow;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use relay::Relay;
use swallow::Swallows;
pub use swallow::{NotSwallowed, Swallowing};

/// Connections at the same time.
pub const CONNECTIONS_MAX: usize = 1_024;

/// Chunks that wait in one direction of a connection.
pub const CHUNKS_MAX: usize = 64;

/// The largest chunk.
pub const CHUNK_BYTES_MAX: usize = 16 * 1024;

/// Whereto bytes travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From whoever connected to the proxy.
    ToTarget,
    /// From the address that the proxy stands before.
    FromTarget,
}

/// What happens to the bytes of one direction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Flow {
    /// They arrive.
    #[default]
    Pass,
    /// They wait: none are lost, and none arrive until this changes.
    Hold,
    /// They are read and lost for good; the connection stays open.
    Discard,
}

/// What happens to every connection at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Weather {
    to_target: Flow,
    from_target: Flow,
    /// Added to the way of each chunk.
    delay: Duration,
    /// Whether new connections are taken.
    is_open: bool,
    /// Connections that were made before the newest cut are over.
    cuts: u64,
    /// Connections that were made before the peer vanished last pass nothing any more.
    vanishings: u64,
}

impl Weather {
    const FAIR: Self = Self {
        to_target: Flow::Pass,
        from_target: Flow::Pass,
        delay: Duration::ZERO,
        is_open: true,
        cuts: 0,
        vanishings: 0,
    };

    /// For connections whose peer is there.
    fn flow(&self, direction: Direction) -> Flow {
        match direction {
            Direction::ToTarget => self.to_target,
            Direction::FromTarget => self.from_target,
        }
    }
}

/// A proxy before one address. Dropping it ends every connection through it.
#[derive(Debug)]
pub struct TcpProxy {
    address: SocketAddr,
    weather: watch::Sender<Weather>,
    swallows: Arc<Swallows>,
    connections: Arc<AtomicUsize>,
    /// The task that accepts, which owns the tasks of all connections.
    _accepting: JoinSet<()>,
}

impl TcpProxy {
    /// A proxy on a port of the loopback interface that the system chooses. Connections that have
    /// sent `mark` at some time are those that [`swallow_reply`](Self::swallow_reply) means.
    ///
    /// # Panics
    ///
    /// If the mark is empty.
    pub async fn start(target: SocketAddr, mark: &[u8]) -> io::Result<Self> {
        assert!(!mark.is_empty(), "an empty mark is on no connection");
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let (weather, weather_seen) = watch::channel(Weather::FAIR);
        let swallows = Arc::new(Swallows::default());
        let connections = Arc::new(AtomicUsize::new(0));
        let acceptor = Acceptor {
            listener,
            target,
            mark: mark.into(),
            weather: weather_seen,
            swallows: Arc::clone(&swallows),
            connections: Arc::clone(&connections),
        };
        let mut accepting = JoinSet::new();
        accepting.spawn(acceptor.accept());
        Ok(Self {
            address,
            weather,
            swallows,
            connections,
            _accepting: accepting,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections are open.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Resets every connection. New ones are taken as before.
    pub fn cut(&self) {
        self.weather.send_modify(|weather| weather.cuts += 1);
    }

    /// Passes nothing any more on the connections that there are, as if the machine at their other end
    /// had gone without a word and another had its address now: new ones work.
    pub fn vanish(&self) {
        self.weather.send_modify(|weather| weather.vanishings += 1);
    }

    /// Takes new connections, or resets them at once.
    pub fn set_open(&self, is_open: bool) {
        self.weather
            .send_modify(|weather| weather.is_open = is_open);
    }

    /// What happens to the bytes of one direction from now on. What was discarded is lost: a
    /// connection that is to be used afterwards should be cut.
    pub fn set_flow(&self, direction: Direction, flow: Flow) {
        self.weather.send_modify(|weather| match direction {
            Direction::ToTarget => weather.to_target = flow,
            Direction::FromTarget => weather.from_target = flow,
        });
    }

    /// Holds both directions of every connection, also of those to come.
    pub fn freeze(&self) {
        self.set_flow(Direction::ToTarget, Flow::Hold);
        self.set_flow(Direction::FromTarget, Flow::Hold);
    }

    /// Lets both directions pass.
    pub fn thaw(&self) {
        self.set_flow(Direction::ToTarget, Flow::Pass);
        self.set_flow(Direction::FromTarget, Flow::Pass);
    }

    /// How much later each chunk arrives, in both directions; order is kept.
    pub fn set_delay(&self, delay: Duration) {
        self.weather.send_modify(|weather| weather.delay = delay);
    }

    /// Loses one reply: the next request on a marked connection still arrives, what comes back is
    /// thrown away, and then the connection is reset. Whoever sent the request cannot know what
    /// became of it. Only one such loss can be awaited at a time; a newer one replaces it.
    pub fn swallow_reply(&self) -> Swallowing {
        self.swallows.arm()
    }
}

/// The task that takes connections.
struct Acceptor {
    listener: TcpListener,
    target: SocketAddr,
    mark: Arc<[u8]>,
    weather: watch::Receiver<Weather>,
    swallows: Arc<Swallows>,
    connections: Arc<AtomicUsize>,
}

impl Acceptor {
    async fn accept(self) {
        let mut relays = JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((client, _)) => self.take(client, &mut relays),
                    // Too many open files, or the peer is gone again: the next one may do better.
                    Err(_) => tokio::task::yield_now().await,
                },
                Some(_) = relays.join_next() => {}
            }
        }
    }

    fn take(&self, client: TcpStream, relays: &mut JoinSet<()>) {
        let weather = *self.weather.borrow();
        if !weather.is_open || relays.len() >= CONNECTIONS_MAX {
            // Without it the peer would see an orderly end. It is lost in any case.
            let _ = client.set_zero_linger();
            return;
        }
        let relay = Relay {
            target: self.target,
            mark: Arc::clone(&self.mark),
            weather: self.weather.clone(),
            cuts: weather.cuts,
            vanishings: weather.vanishings,
            swallows: Arc::clone(&self.swallows),
            counted: Counted::new(&self.connections),
        };
        relays.spawn(relay.run(client));
    }
}

/// Counts a connection for as long as it lives.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(connections: &Arc<AtomicUsize>) -> Self {
        connections.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(connections))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
