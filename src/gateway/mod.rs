//! The part of a node that holds connections: accepting, authenticating, reading commands, and writing the
//! frames that sessions release.
//!
//! `net` accepts connections and serves HTTP, `admission` limits them, `connection` is one WebSocket from
//! handshake to close, `ws` its frames, and `peers` the traffic between nodes. Never here: what a message
//! means for a session, or what an audience may see.

mod admission;
mod connection;
mod lookup;
mod net;
mod peers;
mod tokens;
pub mod ws;

use std::ops::Deref;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use admission::addresses::SubscriberKey;
pub use admission::code_attempts::{CodeAttempt, CodeAttempts, TooManyWrongCodes};
pub use admission::new_teams::{NewTeams, TeamCreation, TooManyNewTeams};
pub use admission::origins::Origins;
pub use admission::slots::ConnectionSlot;
pub use connection::handshake::upgrade;
pub use lookup::NoSession;
pub use net::public::{Slot, listen};
pub use net::refusal::status;
pub use net::tls::{TlsError, check_certificate};
pub use peers::listener::{CLIENT, listen_to_nodes};
pub use peers::neighbours::{INCARNATION, NodeError, PROBE_PATH, Peers, SCAN_PATH};
pub use peers::relay::relay;
pub use tokens::{Grant, KeyError, TokenKey, TokenRefusal, bearer};

use net::tls::Tls;

use crate::config::{DeliveryConfig, GatewayConfig, LimitsConfig, TlsConfig, TlsMode};
use crate::content::Content;
use crate::delivery::Hub;
use crate::session::Sessions;

/// The gateway of a node. Clones share its state.
#[derive(Clone)]
pub struct Gateway(Arc<GatewayState>);

/// The state that all clones of a [`Gateway`] share.
pub struct GatewayState {
    pub(crate) sessions: Sessions<Hub>,
    pub(crate) tokens: Arc<TokenKey>,
    config: GatewayConfig,
    delivery: DeliveryConfig,
    limits: LimitsConfig,
    attempts: CodeAttempts,
    new_teams: NewTeams,
    origins: Origins,
    content: Content,
    tls: Option<Arc<Tls>>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// The parts of a [`Gateway`].
pub struct GatewayParts {
    /// The sessions that connections attach to.
    pub sessions: Sessions<Hub>,
    /// The key that tokens are checked with.
    pub tokens: Arc<TokenKey>,
    /// Limits and timeouts of connections.
    pub config: GatewayConfig,
    /// Limits of outboxes.
    pub delivery: DeliveryConfig,
    /// Rate limits.
    pub limits: LimitsConfig,
    /// TLS of the public listener.
    pub tls: TlsConfig,
}

impl Deref for Gateway {
    type Target = GatewayState;

    fn deref(&self) -> &GatewayState {
        &self.0
    }
}

impl Gateway {
    /// A gateway without connections. Reads the certificate if TLS is on.
    pub fn new(parts: GatewayParts) -> Result<Self, TlsError> {
        let tls = match parts.tls.mode {
            TlsMode::Off => None,
            TlsMode::On => Some(Arc::new(Tls::new(&parts.tls)?)),
        };
        Ok(Self(Arc::new(GatewayState {
            origins: Origins::new(&parts.config),
            content: Content::new(parts.tokens.content_key()),
            tls,
            sessions: parts.sessions,
            tokens: parts.tokens,
            config: parts.config,
            delivery: parts.delivery,
            attempts: CodeAttempts::new(&parts.limits),
            new_teams: NewTeams::new(&parts.limits),
            limits: parts.limits,
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        })))
    }

    /// Reads the certificate again, for new connections; returns whether TLS is on. On an error the former
    /// certificate stays in use.
    pub fn reload_certificate(&self) -> Result<bool, TlsError> {
        let Some(tls) = &self.tls else {
            return Ok(false);
        };
        tls.reload().map(|()| true)
    }

    /// Whether TLS is on.
    pub fn is_encrypted(&self) -> bool {
        self.tls.is_some()
    }

    /// The web origins that may connect.
    pub fn origins(&self) -> &Origins {
        &self.origins
    }

    /// The texts of puzzles.
    pub fn content(&self) -> &Content {
        &self.content
    }

    /// The sessions that connections attach to.
    pub fn sessions(&self) -> &Sessions<Hub> {
        &self.sessions
    }

    /// The key that tokens are made and checked with.
    pub fn tokens(&self) -> &TokenKey {
        &self.tokens
    }

    /// The limiter of code attempts.
    pub fn attempts(&self) -> &CodeAttempts {
        &self.attempts
    }

    /// The limiter of new teams.
    pub fn new_teams(&self) -> &NewTeams {
        &self.new_teams
    }

    /// Timeout of a request's body.
    pub fn body_max(&self) -> std::time::Duration {
        self.config.body_max
    }

    /// Spawns a task that [`Gateway::stop`] waits for.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(task);
    }

    /// Whether the gateway is stopping.
    pub fn is_stopping(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Graceful shutdown: stops accepting, sends every client `goaway`, and waits until all connections are
    /// closed.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}
