//! A whole server: journal, sessions, gateway and HTTP put together.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::clock::Clock;
use crate::config::{Config, JournalBackend, JournalConfig};
use crate::delivery::Hub;
use crate::gateway::{Gateway, GatewayParts, KeyError, TlsError, TokenKey, listen};
use crate::http;
use crate::journal::{
    Incarnation, Journal, JournalError, MemoryJournal, PostgresJournal, PostgresOptions,
    SqliteJournal, SqliteOptions,
};
use crate::session::{OpenError, SessionDefaults, Sessions, Sharing};
use crate::telemetry;

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The sessions in it.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The token key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The certificate.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The port.
    #[error("{address}: {reason}; set server.listen to another address")]
    Bind {
        /// The address that was asked for.
        address: SocketAddr,
        /// Why it cannot be had.
        reason: std::io::Error,
    },
}

/// A running server.
pub struct Server {
    address: SocketAddr,
    gateway: Gateway,
    journal: Arc<dyn Journal>,
    accepting: JoinSet<()>,
    upkeep: JoinSet<()>,
}

impl Server {
    /// Starts a server with the journal that its settings name. It is ready when this returns:
    /// every session is recovered and the port is open.
    pub async fn start(config: &Config) -> Result<Self, ServerError> {
        let incarnation = Incarnation(rand::random());
        let journal: Arc<dyn Journal> = match config.journal.backend {
            JournalBackend::Memory => Arc::new(MemoryJournal::new()),
            JournalBackend::Sqlite => {
                let options = SqliteOptions {
                    flush_batches_max: config.journal.flush_batches_max,
                    checkpoint_every: config.journal.checkpoint_every,
                    wal_bytes_max: config.journal.wal_bytes_max,
                    ..SqliteOptions::new(&config.server.data_dir)
                };
                Arc::new(SqliteJournal::open(options).await?)
            }
            JournalBackend::Postgres => {
                let options = postgres_options(&config.journal, incarnation);
                Arc::new(PostgresJournal::open(options).await?)
            }
        };
        Self::start_as(config, journal, incarnation).await
    }

    /// Starts a server on a journal that is open already.
    pub async fn start_on(config: &Config, journal: Arc<dyn Journal>) -> Result<Self, ServerError> {
        Self::start_as(config, journal, Incarnation(rand::random())).await
    }

    async fn start_as(
        config: &Config,
        journal: Arc<dyn Journal>,
        incarnation: Incarnation,
    ) -> Result<Self, ServerError> {
        let tokens = Arc::new(TokenKey::of_folder(&config.server.data_dir)?);
        let sessions = new_sessions(config, journal.clone(), incarnation);
        sessions.open_all().await?;
        let gateway = Gateway::new(GatewayParts {
            sessions,
            tokens,
            config: config.gateway.clone(),
            delivery: config.delivery,
            limits: config.limits,
            tls: config.tls.clone(),
        })?;
        let failed = |reason| ServerError::Bind {
            address: config.server.listen,
            reason,
        };
        let listener = TcpListener::bind(config.server.listen)
            .await
            .map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let router = http::router(gateway.clone());
        let mut accepting = JoinSet::new();
        accepting.spawn(listen(gateway.clone(), listener, router));
        let mut upkeep = JoinSet::new();
        upkeep.spawn(telemetry::upkeep());
        tracing::info!(%address, "ready");
        Ok(Self {
            address,
            gateway,
            journal,
            accepting,
            upkeep,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its gateway.
    pub fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    /// Stops: no more connections, a goodbye to every client, everything flushed, the state of
    /// every session stored.
    pub async fn stop(mut self) -> Result<(), ServerError> {
        self.gateway.stop().await;
        while let Some(ended) = self.accepting.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "the accept loop failed");
            }
        }
        self.gateway.sessions().stop().await;
        self.journal.close().await?;
        self.upkeep.shutdown().await;
        Ok(())
    }
}

/// How a server, or whoever looks after its schema, uses PostgreSQL.
pub(super) fn postgres_options(
    config: &JournalConfig,
    incarnation: Incarnation,
) -> PostgresOptions {
    let postgres = &config.postgres;
    PostgresOptions {
        connect: postgres.url.options(),
        incarnation,
        lanes: postgres.lanes,
        connections_max: postgres.connections_max,
        flush_batches_max: config.flush_batches_max,
        flush_bytes_max: postgres.flush_bytes_max,
        connect_max: postgres.connect_max,
        answer_max: postgres.answer_max,
    }
}

fn new_sessions(config: &Config, journal: Arc<dyn Journal>, owner: Incarnation) -> Sessions<Hub> {
    let clock = Clock::System;
    let defaults = SessionDefaults {
        journal,
        owner,
        clock: clock.clone(),
        config: config.session,
        snapshot_every_events: config.journal.snapshot_every_events,
        tick_every: config.delivery.heads_every,
        sharing: Sharing::Alone,
        sessions_max: usize::try_from(config.server.sessions_max).unwrap_or(usize::MAX),
    };
    let delivery = config.delivery;
    Sessions::new(defaults, move |_record| Hub::new(&delivery, clock.clone()))
}
