//! Settings of several nodes on one journal.

use std::net::SocketAddr;
use std::time::Duration;

use super::host_port::HostPort;
use super::reader::Reader;
use super::secret::ClusterSecret;

/// Heartbeat intervals that a lease lasts at least.
const LEASE_HEARTBEATS_MIN: u32 = 3;

/// The `[cluster]` section of `config/default.toml`.
#[derive(Debug, Clone)]
pub struct ClusterConfig {
    /// Address of the port for other nodes.
    pub listen: SocketAddr,
    /// Host and port at which other nodes reach this one, if not `listen`.
    pub address: Option<String>,
    /// The secret that all nodes share.
    pub secret: Option<ClusterSecret>,
    /// Relative share of the sessions that this node runs.
    pub weight: u32,
    /// Time between heartbeats.
    pub heartbeat_interval: Duration,
    /// Duration of the lease that a heartbeat extends.
    pub lease: Duration,
    /// Time without an answer of the journal after which the process exits.
    pub exit_after: Duration,
    /// Sessions that are claimed or handed off at the same time.
    pub moves_max: usize,
    /// Sessions that are rebalanced in one second.
    pub rebalance_max: usize,
    /// Time that a request waits for a node to own its session.
    pub route_wait: Duration,
    /// Requests that wait for this at the same time.
    pub waiting_max: usize,
}

impl ClusterConfig {
    pub(super) fn read(reader: &mut Reader) -> Self {
        let weight = reader.read_integer("cluster.weight", 0..=10_000);
        let config = Self {
            listen: reader.read_socket_address("cluster.listen", "10.0.0.5:7000"),
            address: reader.read_with("cluster.address", parse_address),
            secret: reader.read_with("cluster.secret", ClusterSecret::parse),
            weight: u32::try_from(weight).expect("the range fits 32 bits"),
            heartbeat_interval: reader.read_ms("cluster.heartbeat_interval_ms", 50..=5_000),
            lease: reader.read_ms("cluster.lease_ms", 500..=60_000),
            exit_after: reader.read_ms("cluster.exit_after_ms", 1_000..=3_600_000),
            moves_max: reader.read_count("cluster.moves_max", 1..=256),
            rebalance_max: reader.read_count("cluster.rebalance_sessions_max", 0..=1_000),
            route_wait: reader.read_ms("cluster.route_wait_ms_max", 100..=60_000),
            waiting_max: reader.read_count("cluster.waiting_requests_max", 1..=100_000),
        };
        config.check(reader);
        config
    }

    fn check(&self, reader: &mut Reader) {
        if self.lease < self.heartbeat_interval * LEASE_HEARTBEATS_MIN {
            let keys = ["cluster.lease_ms", "cluster.heartbeat_interval_ms"];
            let message = "cluster.lease_ms must be at least three times \
                           cluster.heartbeat_interval_ms; otherwise the lease expires after one late \
                           heartbeat";
            reader.record_conflict(keys, message);
        }
        if self.exit_after <= self.lease {
            let keys = ["cluster.exit_after_ms", "cluster.lease_ms"];
            let message = "cluster.exit_after_ms must exceed cluster.lease_ms, the longest wait for \
                           one answer of the journal";
            reader.record_conflict(keys, message);
        }
        if self.address.is_none() && self.listen.ip().is_unspecified() {
            let keys = ["cluster.listen", "cluster.address"];
            let message = "other nodes cannot connect to the unspecified address 0.0.0.0 or [::]: set \
                           cluster.address to the host and port at which they reach this node, or \
                           cluster.listen to a specific address";
            reader.record_conflict(keys, message);
        }
    }
}

fn parse_address(text: &str) -> Result<Option<String>, String> {
    if text == "auto" {
        return Ok(None);
    }
    match HostPort::parse(text) {
        Some(HostPort { port: Some(_), .. }) => Ok(Some(text.to_owned())),
        Some(HostPort { port: None, .. }) | None => {
            Err("expected \"auto\", or a host and port such as node-1.internal:7000".to_owned())
        }
    }
}
