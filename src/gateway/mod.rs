//! The part of a node that holds connections: accepting, upgrading, authenticating, reading
//! commands and writing what sessions let out.
//!
//! Never here: what a message means for a session, or what an audience may see.

mod addresses;
mod allowance;
mod attempts;
mod bucket;
mod closing;
mod connection;
mod farewell;
mod forwarded;
mod frame;
mod head;
mod http;
mod internal;
mod listener;
mod lookup;
mod neighbours;
mod new_teams;
mod origin;
mod pulse;
mod relay;
mod reserve;
mod shares;
pub mod socket;
mod stream;
mod tls;
mod tokens;
mod upgrade;

use std::ops::Deref;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use addresses::{Place, Source};
pub use attempts::{Attempt, CodeAttempts, TooManyWrongCodes};
pub use internal::{CLIENT, listen_to_nodes};
pub use listener::{Slot, listen};
pub use lookup::NoSession;
pub use neighbours::{LIFE, LOOK_PATH, NodeError, PROBE_PATH, Peers};
pub use new_teams::{Founding, NewTeams, TooManyNewTeams};
pub use origin::Origins;
pub use relay::relay;
pub use tls::{TlsError, check_certificate};
pub use tokens::{Grant, KeyError, TokenKey, TokenRefusal, bearer};
pub use upgrade::upgrade;

use tls::Tls;

use crate::config::{DeliveryConfig, GatewayConfig, LimitsConfig, TlsConfig, TlsMode};
use crate::delivery::Hub;
use crate::session::Sessions;

/// What every connection needs. Clones share it.
#[derive(Clone)]
pub struct Gateway(Arc<Shared>);

/// What all clones of a [`Gateway`] share.
pub struct Shared {
    pub(crate) sessions: Sessions<Hub>,
    pub(crate) tokens: Arc<TokenKey>,
    config: GatewayConfig,
    delivery: DeliveryConfig,
    limits: LimitsConfig,
    attempts: CodeAttempts,
    new_teams: NewTeams,
    origins: Origins,
    tls: Option<Arc<Tls>>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// What a gateway is made of.
pub struct GatewayParts {
    /// The sessions that connections attach to.
    pub sessions: Sessions<Hub>,
    /// By which tokens are checked.
    pub tokens: Arc<TokenKey>,
    /// The connections' bounds.
    pub config: GatewayConfig,
    /// The outboxes' bounds.
    pub delivery: DeliveryConfig,
    /// What a connection may send.
    pub limits: LimitsConfig,
    /// How they are encrypted.
    pub tls: TlsConfig,
}

impl Deref for Gateway {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl Gateway {
    /// A gateway without connections. Reads the certificate, if there is to be one.
    pub fn new(parts: GatewayParts) -> Result<Self, TlsError> {
        let tls = match parts.tls.mode {
            TlsMode::Off => None,
            TlsMode::On => Some(Arc::new(Tls::new(&parts.tls)?)),
        };
        Ok(Self(Arc::new(Shared {
            origins: Origins::new(&parts.config),
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

    /// Reads the certificate again, for connections from now on; gives whether there is one. If the
    /// files are not good, all stays as it is.
    pub fn reload_certificate(&self) -> Result<bool, TlsError> {
        let Some(tls) = &self.tls else {
            return Ok(false);
        };
        tls.reload().map(|()| true)
    }

    /// Whether connections are encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.tls.is_some()
    }

    /// Which web pages may connect.
    pub fn origins(&self) -> &Origins {
        &self.origins
    }

    /// The sessions that connections attach to.
    pub fn sessions(&self) -> &Sessions<Hub> {
        &self.sessions
    }

    /// By which tokens are made and checked.
    pub fn tokens(&self) -> &TokenKey {
        &self.tokens
    }

    /// The attempts at codes.
    pub fn attempts(&self) -> &CodeAttempts {
        &self.attempts
    }

    /// The teams that were founded lately.
    pub fn new_teams(&self) -> &NewTeams {
        &self.new_teams
    }

    /// How long a request's body may take.
    pub fn body_max(&self) -> std::time::Duration {
        self.config.body_max
    }

    /// Runs a task that the gateway's stop waits for.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(task);
    }

    /// Whether the gateway is stopping.
    pub fn is_stopping(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Stops accepting, tells every client when to come back, and waits until all connections have
    /// ended.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}
