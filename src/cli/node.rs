//! A server's membership in a cluster: its tasks, the heartbeat thread, and the port for other nodes.

use std::sync::Arc;
use std::thread::{self, JoinHandle};

use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::critical::CriticalTasks;
use super::errors::ServerError;
use crate::cluster::{Cluster, ClusterParts, ClusterSettings, Watchdog};
use crate::config::ClusterConfig;
use crate::gateway::{Gateway, Peers, listen_to_nodes};
use crate::http::{self, Forwarding};
use crate::ids::{NodeRecord, SessionId};
use crate::session::JournalStore;

/// A node that has joined.
pub(super) struct Node {
    cluster: Cluster,
    tasks: JoinSet<()>,
    heartbeat: JoinHandle<()>,
}

impl Node {
    /// Joins the cluster and waits until the sessions that this node claims at once are open.
    pub(super) async fn start(
        config: &ClusterConfig,
        gateway: &Gateway,
        critical: &CriticalTasks,
    ) -> Result<(Self, Forwarding), ServerError> {
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
            record: NodeRecord {
                incarnation: sessions.owner(),
                address: address.unwrap_or_else(|| bound.to_string()),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                weight: config.weight,
                lease: config.lease,
                is_leaving: false,
            },
            settings: settings(config),
            store: Arc::new(JournalStore(sessions.journal().clone())),
            lease: sessions.lease(),
            host: Arc::new(sessions),
            peers: Arc::new(peers.clone()),
        });
        let routing = Forwarding::new(cluster.clone(), gateway.clone(), peers);
        let mut tasks = JoinSet::new();
        let router = http::router_for_nodes(gateway.clone(), &routing);
        let listening = listen_to_nodes(gateway.clone(), listener, router);
        tasks.spawn(critical.watch("port for other nodes", listening));
        let joined = cluster.join().await;
        joined.map_err(|error| ServerError::Join(error.to_string()))?;
        let heartbeat = start_tasks(&cluster, critical, &mut tasks)?;
        tokio::select! {
            () = cluster.first_scan_done() => {}
            () = cluster.lost() => return Err(ServerError::Lost),
            name = critical.first_ended() => return Err(ServerError::TaskEnded(name)),
        }
        tracing::info!(node = %cluster.incarnation(), address = %bound, "joined the cluster");
        let node = Self {
            cluster,
            tasks,
            heartbeat,
        };
        Ok((node, routing))
    }

    /// Waits until the journal was unreachable for so long that the process must exit.
    pub(super) async fn lost(&self) {
        self.cluster.lost().await;
    }

    /// Waits until it is known where a session runs; whether that is another node.
    pub(super) async fn is_elsewhere(&self, session: SessionId) -> bool {
        self.cluster.is_elsewhere(session).await
    }

    /// Hands off all sessions, leaves the cluster, and ends the tasks and the heartbeat thread.
    pub(super) async fn leave(mut self) {
        self.cluster.leave().await;
        self.tasks.shutdown().await;
        let heartbeat = tokio::task::spawn_blocking(|| self.heartbeat.join());
        if !matches!(heartbeat.await, Ok(Ok(()))) {
            tracing::error!("the heartbeat thread panicked");
        }
    }
}

fn settings(config: &ClusterConfig) -> ClusterSettings {
    ClusterSettings {
        heartbeat_interval: config.heartbeat_interval,
        exit_after: config.exit_after,
        moves_max: config.moves_max,
        rebalance_max: config.rebalance_max,
        route_wait: config.route_wait,
        waiting_max: config.waiting_max,
    }
}

/// Starts the node's tasks. Heartbeats have a thread of their own, so that load on the runtime does not
/// delay them; the watchdog withholds them when the runtime hangs.
fn start_tasks(
    cluster: &Cluster,
    critical: &CriticalTasks,
    tasks: &mut JoinSet<()>,
) -> Result<JoinHandle<()>, ServerError> {
    let watchdog = Watchdog::new();
    tasks.spawn(critical.watch("watchdog", watchdog.clone().keep_fresh()));
    let detecting = cluster.clone();
    let detecting = async move { detecting.run_failure_detector().await };
    tasks.spawn(critical.watch("failure detector", detecting));
    let scanning = cluster.clone();
    let scanning = async move { scanning.run_scan().await };
    tasks.spawn(critical.watch("scan of sessions", scanning));
    let heartbeats = cluster.clone();
    let heartbeats = async move { heartbeats.run_heartbeats(watchdog).await };
    let heartbeats = critical.watch("heartbeat", heartbeats);
    let failed = |error: std::io::Error| ServerError::Join(error.to_string());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(failed)?;
    let thread = thread::Builder::new().name("heartbeat".to_owned());
    let thread = thread.spawn(move || runtime.block_on(heartbeats));
    thread.map_err(failed)
}
