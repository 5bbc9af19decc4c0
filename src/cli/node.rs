//! A server's part in a cluster: its tasks, its heart on a thread of its own, and its internal port.

use std::sync::Arc;
use std::thread::{self, JoinHandle};

use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::server::ServerError;
use super::vital::VitalLoops;
use crate::cluster::{Cluster, ClusterParts, ClusterSettings, Watchdog};
use crate::config::ClusterConfig;
use crate::gateway::{Gateway, Peers, listen_to_nodes};
use crate::http::{self, Routing};
use crate::ids::{NodeRecord, SessionId};
use crate::session::JournalStore;

/// A node that has joined.
pub(super) struct Node {
    cluster: Cluster,
    tasks: JoinSet<()>,
    heart: JoinHandle<()>,
}

impl Node {
    /// Joins the cluster and waits until what this node should take at once is open.
    pub(super) async fn start(
        config: &ClusterConfig,
        gateway: &Gateway,
        loops: &VitalLoops,
    ) -> Result<(Self, Routing), ServerError> {
        let failed = |reason| ServerError::BindNodes {
            address: config.listen,
            reason,
        };
        let listener = TcpListener::bind(config.listen).await.map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        let address = config.address.clone();
        let peers = Peers::new(gateway.clone());
        let sessions = gateway.sessions().clone();
        let cluster = Cluster::new(ClusterParts {
            card: NodeRecord {
                incarnation: sessions.owner(),
                address: address.unwrap_or_else(|| bound.to_string()),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                weight: config.weight,
                lease: config.valid,
                is_leaving: false,
            },
            settings: settings(config),
            store: Arc::new(JournalStore(sessions.journal().clone())),
            validity: sessions.lease(),
            host: Arc::new(sessions),
            neighbours: Arc::new(peers.clone()),
        });
        let routing = Routing::new(cluster.clone(), gateway.clone(), peers);
        let mut tasks = JoinSet::new();
        let router = http::router_for_nodes(gateway.clone(), &routing);
        let listening = listen_to_nodes(gateway.clone(), listener, router);
        tasks.spawn(loops.run("port for other nodes", listening));
        let joined = cluster.join().await;
        joined.map_err(|error| ServerError::Join(error.to_string()))?;
        let heart = start_loops(&cluster, loops, &mut tasks)?;
        tokio::select! {
            () = cluster.looked() => {}
            () = cluster.lost() => return Err(ServerError::Lost),
            name = loops.ended() => return Err(ServerError::LoopEnded(name)),
        }
        tracing::info!(node = %cluster.incarnation(), address = %bound, "joined");
        let node = Self {
            cluster,
            tasks,
            heart,
        };
        Ok((node, routing))
    }

    /// Waits until the journal was out of reach for so long that the process should end.
    pub(super) async fn lost(&self) {
        self.cluster.lost().await;
    }

    /// Whether a session runs at another node, as soon as that is clear.
    pub(super) async fn is_elsewhere(&self, session: SessionId) -> bool {
        self.cluster.is_elsewhere(session).await
    }

    /// Gives all sessions away, leaves, and ends what was started.
    pub(super) async fn leave(mut self) {
        self.cluster.leave().await;
        self.tasks.shutdown().await;
        let heart = tokio::task::spawn_blocking(|| self.heart.join());
        if !matches!(heart.await, Ok(Ok(()))) {
            tracing::error!("the heart's thread failed");
        }
    }
}

fn settings(config: &ClusterConfig) -> ClusterSettings {
    ClusterSettings {
        beat_every: config.beat_every,
        exit_after: config.exit_after,
        moves_max: config.moves_max,
        rebalance_max: config.rebalance_max,
        route_wait: config.route_wait,
        waiting_max: config.waiting_max,
    }
}

/// The heart has a thread of its own, so that no burst of work on the others makes it late; what it
/// asks the watchdog keeps it from beating beside a runtime that hangs.
fn start_loops(
    cluster: &Cluster,
    loops: &VitalLoops,
    tasks: &mut JoinSet<()>,
) -> Result<JoinHandle<()>, ServerError> {
    let watchdog = Watchdog::new();
    tasks.spawn(loops.run("watchdog", watchdog.clone().show_signs()));
    let watching = cluster.clone();
    let watching = async move { watching.run_watch().await };
    tasks.spawn(loops.run("watch over other nodes", watching));
    let scanning = cluster.clone();
    let scanning = async move { scanning.run_scan().await };
    tasks.spawn(loops.run("scan of the sessions", scanning));
    let beating = cluster.clone();
    let beating = async move { beating.run_heart(watchdog).await };
    let beating = loops.run("heart", beating);
    let failed = |error: std::io::Error| ServerError::Join(error.to_string());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(failed)?;
    let heart = thread::Builder::new().name("heart".to_owned());
    let heart = heart.spawn(move || runtime.block_on(beating));
    heart.map_err(failed)
}
