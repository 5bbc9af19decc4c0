//! Assembles a server from journal, sessions, gateway and HTTP, and stops it.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::critical::CriticalTasks;
use super::errors::ServerError;
use super::node::Node;
use crate::clock::Clock;
use crate::cluster::Lease;
use crate::config::{Config, JournalBackend, JournalConfig};
use crate::content::ContentKey;
use crate::delivery::Hub;
use crate::gateway::{Gateway, GatewayParts, KeyError, TokenKey, listen};
use crate::http;
use crate::ids::{Incarnation, SessionId};
use crate::journal::{
    ArchiveFolder, Journal, JournalError, MemoryJournal, PostgresJournal, PostgresOptions,
    SessionRecord, SqliteJournal, SqliteOptions,
};
use crate::session::{Archiving, InjectedFault, JournalAccess, Services, Sessions};
use crate::telemetry;

/// A running server.
pub struct Server {
    address: SocketAddr,
    gateway: Gateway,
    journal: Arc<dyn Journal>,
    /// `None` if no other server shares the journal.
    node: Option<Node>,
    critical: CriticalTasks,
    accepting: JoinSet<()>,
    upkeep: JoinSet<()>,
}

impl Server {
    /// Opens the configured journal and starts a server on it. When this returns, every session is recovered
    /// and clients are served.
    pub async fn start(config: &Config) -> Result<Self, ServerError> {
        Self::start_with_fault(config, InjectedFault::None).await
    }

    /// As [`Server::start`], with an injected fault.
    pub(super) async fn start_with_fault(
        config: &Config,
        fault: InjectedFault,
    ) -> Result<Self, ServerError> {
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
        let access = match config.journal.backend {
            JournalBackend::Memory | JournalBackend::Sqlite => JournalAccess::Exclusive,
            JournalBackend::Postgres => JournalAccess::Shared(Lease::expired()),
        };
        let services = services(config, journal, incarnation, access).await?;
        Self::start_as(config, Services { fault, ..services }).await
    }

    /// Starts a server on an open journal that no other server shares.
    pub async fn start_on(config: &Config, journal: Arc<dyn Journal>) -> Result<Self, ServerError> {
        let incarnation = Incarnation(rand::random());
        let services = services(config, journal, incarnation, JournalAccess::Exclusive).await?;
        Self::start_as(config, services).await
    }

    /// Starts one of several servers that share an open journal.
    pub async fn start_node(
        config: &Config,
        journal: Arc<dyn Journal>,
    ) -> Result<Self, ServerError> {
        Self::start_as(config, node_services(config, journal).await?).await
    }

    /// As [`Server::start_node`], with an injected fault, for tests that must detect it.
    #[cfg(feature = "fault-injection")]
    pub async fn start_node_with_fault(
        config: &Config,
        journal: Arc<dyn Journal>,
        fault: InjectedFault,
    ) -> Result<Self, ServerError> {
        let services = node_services(config, journal).await?;
        Self::start_as(config, Services { fault, ..services }).await
    }

    async fn start_as(config: &Config, services: Services) -> Result<Self, ServerError> {
        let failed = |reason| ServerError::Bind {
            address: config.server.listen,
            reason,
        };
        // Bind before joining the cluster: a node that cannot serve clients must not claim sessions.
        let listener = TcpListener::bind(config.server.listen)
            .await
            .map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let tokens = Arc::new(token_key(config)?);
        let is_alone = matches!(services.access, JournalAccess::Exclusive);
        let journal = services.journal.clone();
        let sessions = new_sessions(config, services, tokens.content_key()).await?;
        if is_alone {
            sessions.open_all().await?;
        }
        let gateway = Gateway::new(GatewayParts {
            sessions,
            tokens,
            config: config.gateway.clone(),
            delivery: config.delivery,
            limits: config.limits,
            tls: config.tls.clone(),
        })?;
        let critical = CriticalTasks::new();
        let (node, routing) = if is_alone {
            (None, None)
        } else {
            let (node, routing) = Node::start(&config.cluster, &gateway, &critical).await?;
            (Some(node), Some(routing))
        };
        let router = http::router(gateway.clone(), routing);
        let mut accepting = JoinSet::new();
        let listening = listen(gateway.clone(), listener, router);
        accepting.spawn(critical.watch("accept loop", listening));
        let mut upkeep = JoinSet::new();
        upkeep.spawn(critical.watch("upkeep of metrics", telemetry::upkeep()));
        if is_alone {
            let sessions = gateway.sessions().clone();
            let closing = async move { sessions.run_retirement().await };
            upkeep.spawn(critical.watch("closing of finished sessions", closing));
        }
        tracing::info!(%address, "ready");
        Ok(Self {
            address,
            gateway,
            journal,
            node,
            critical,
            accepting,
            upkeep,
        })
    }

    /// The address for clients.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The gateway.
    pub fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    /// Waits until it is known where a session runs; whether that is another node.
    pub(super) async fn is_elsewhere(&self, session: SessionId) -> bool {
        match &self.node {
            Some(node) => node.is_elsewhere(session).await,
            None => false,
        }
    }

    /// Waits until the process must exit, and returns the reason: a shared journal was unreachable for too
    /// long, or a critical task has ended. Cancel-safe.
    pub async fn lost(&self) -> ServerError {
        let unreachable = async {
            match &self.node {
                Some(node) => node.lost().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = unreachable => ServerError::Lost,
            name = self.critical.first_ended() => ServerError::TaskEnded(name),
        }
    }

    /// Shuts down gracefully: stops accepting, closes every connection, flushes the journal and stores a
    /// snapshot of every session. In a cluster, each session is handed off to its next owner.
    pub async fn stop(mut self) -> Result<(), ServerError> {
        self.gateway.stop().await;
        while let Some(ended) = self.accepting.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "the accept loop failed");
            }
        }
        if let Some(node) = self.node.take() {
            node.leave().await;
        }
        self.gateway.sessions().stop().await;
        self.journal.close().await?;
        self.upkeep.shutdown().await;
        Ok(())
    }
}

/// Options of a PostgreSQL journal for a server or a command.
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

/// The token key: derived from the cluster secret if there is one, otherwise from the data directory.
pub(super) fn token_key(config: &Config) -> Result<TokenKey, KeyError> {
    match &config.cluster.secret {
        Some(secret) => Ok(TokenKey::from_secret(secret.expose())),
        None => TokenKey::from_folder(&config.server.data_dir),
    }
}

/// The services of one of several nodes on a journal.
async fn node_services(
    config: &Config,
    journal: Arc<dyn Journal>,
) -> Result<Services, JournalError> {
    let access = JournalAccess::Shared(Lease::expired());
    services(config, journal, Incarnation(rand::random()), access).await
}

async fn services(
    config: &Config,
    journal: Arc<dyn Journal>,
    owner: Incarnation,
    access: JournalAccess,
) -> Result<Services, JournalError> {
    Ok(Services {
        journal,
        owner,
        access,
        clock: Clock::System,
        config: config.session,
        snapshot_every_events: config.journal.snapshot_every_events,
        archiving: archiving(&config.journal).await?,
        fault: InjectedFault::None,
    })
}

async fn new_sessions(
    config: &Config,
    services: Services,
    content: ContentKey,
) -> Result<Sessions<Hub>, JournalError> {
    let generation = services.journal.generation().await?;
    let (delivery, clock) = (config.delivery, services.clock.clone());
    let hub = move |record: &SessionRecord| {
        let paths = content.paths_of(record.id, &record.code);
        Hub::new(&delivery, clock.clone(), paths).with_generation(generation)
    };
    let sessions_max = usize::try_from(config.server.sessions_max).unwrap_or(usize::MAX);
    Ok(Sessions::new(services, sessions_max, hub))
}

async fn archiving(config: &JournalConfig) -> Result<Option<Archiving>, JournalError> {
    let Some(folder) = &config.archive_dir else {
        return Ok(None);
    };
    // On a blocking thread: the directory may be on a network disk that hangs.
    let folder = folder.clone();
    let opening = tokio::task::spawn_blocking(move || ArchiveFolder::open(&folder));
    let opened = opening.await.map_err(|error| JournalError {
        action: "open the archive",
        reason: error.to_string(),
    })?;
    let archive = Arc::new(opened?);
    let after_events_min = config.archive_after_events_min;
    Ok(Some(Archiving::new(archive, after_events_min)))
}
