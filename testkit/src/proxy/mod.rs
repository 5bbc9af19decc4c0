//! A TCP proxy that injects network faults: it resets, delays, holds and discards.
//!
//! It relays between a client and a target and knows no protocol, only bytes, two directions, and a byte
//! pattern that marks connections. It keeps at most [`CONNECTIONS_MAX`] connections and, for each of their
//! directions, [`CHUNKS_MAX`] chunks of [`CHUNK_BYTES_MAX`] bytes. Further connections are reset; when a
//! queue is full, the proxy stops reading from the sender.
//!
//! Never here: when a fault happens. The owner of the proxy decides.

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

/// Maximum number of concurrent connections.
pub const CONNECTIONS_MAX: usize = 1_024;

/// Maximum number of chunks queued in one direction of a connection.
pub const CHUNKS_MAX: usize = 64;

/// Maximum size of a chunk.
pub const CHUNK_BYTES_MAX: usize = 16 * 1024;

/// Direction of a byte stream through the proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the target.
    ToTarget,
    /// From the target to the client.
    FromTarget,
}

/// What happens to the bytes of one direction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Flow {
    /// They are forwarded.
    #[default]
    Pass,
    /// They stay queued until this changes; none are lost.
    Hold,
    /// They are read and discarded; the connection stays open.
    Discard,
}

/// The faults that apply to all connections at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Weather {
    to_target: Flow,
    from_target: Flow,
    /// Extra latency of each chunk.
    delay: Duration,
    /// Whether new connections are accepted.
    is_open: bool,
    /// Number of cuts. A cut resets the connections made before it.
    cuts: u64,
    /// Number of times that the peer vanished. Connections made before the last time pass nothing more.
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

    /// The flow of connections whose peer has not vanished.
    fn flow(&self, direction: Direction) -> Flow {
        match direction {
            Direction::ToTarget => self.to_target,
            Direction::FromTarget => self.from_target,
        }
    }
}

/// A proxy for one target address. Dropping it ends every connection through it.
#[derive(Debug)]
pub struct TcpProxy {
    address: SocketAddr,
    weather: watch::Sender<Weather>,
    swallows: Arc<Swallows>,
    connections: Arc<AtomicUsize>,
    /// The accepting task, which owns the tasks of all connections.
    _accepting: JoinSet<()>,
}

impl TcpProxy {
    /// Starts a proxy on a port of the loopback interface that the system chooses. A connection is marked
    /// once its client has sent the bytes of `mark`; [`swallow_reply`](Self::swallow_reply) applies only
    /// to marked connections.
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

    /// The address on which it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The number of open connections.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Resets every connection. New ones are not affected.
    pub fn cut(&self) {
        self.weather.send_modify(|weather| weather.cuts += 1);
    }

    /// Holds both directions of the existing connections for good, as if the machine at their other end
    /// had disappeared and another one had taken over its address. New connections work.
    pub fn vanish(&self) {
        self.weather.send_modify(|weather| weather.vanishings += 1);
    }

    /// Accepts new connections, or resets them at once.
    pub fn set_open(&self, is_open: bool) {
        self.weather
            .send_modify(|weather| weather.is_open = is_open);
    }

    /// Sets the flow of one direction of all connections. Discarded bytes are lost, so cut a connection
    /// before using it again.
    pub fn set_flow(&self, direction: Direction, flow: Flow) {
        self.weather.send_modify(|weather| match direction {
            Direction::ToTarget => weather.to_target = flow,
            Direction::FromTarget => weather.from_target = flow,
        });
    }

    /// Holds both directions of every connection, including new ones.
    pub fn freeze(&self) {
        self.set_flow(Direction::ToTarget, Flow::Hold);
        self.set_flow(Direction::FromTarget, Flow::Hold);
    }

    /// Lets both directions pass.
    pub fn thaw(&self) {
        self.set_flow(Direction::ToTarget, Flow::Pass);
        self.set_flow(Direction::FromTarget, Flow::Pass);
    }

    /// Sets the extra latency of each chunk, in both directions. The order of chunks is preserved.
    pub fn set_delay(&self, delay: Duration) {
        self.weather.send_modify(|weather| weather.delay = delay);
    }

    /// Loses one reply: the next request on a marked connection is forwarded, its reply is discarded, and
    /// the connection is reset. The outcome of the request is then unknown to the client. Only one loss
    /// can be pending at a time; a newer one replaces it.
    pub fn swallow_reply(&self) -> Swallowing {
        self.swallows.arm()
    }
}

/// The task that accepts connections.
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
                    // Too many open files, or the peer has already disconnected: try the next one.
                    Err(_) => tokio::task::yield_now().await,
                },
                Some(_) = relays.join_next() => {}
            }
        }
    }

    fn take(&self, client: TcpStream, relays: &mut JoinSet<()>) {
        let weather = *self.weather.borrow();
        if !weather.is_open || relays.len() >= CONNECTIONS_MAX {
            // Without it the peer would see an orderly end (FIN) instead of a reset. An error does not
            // matter: the connection ends in any case.
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
