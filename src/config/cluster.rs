//! Several nodes on one journal.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use super::host_port::HostPort;
use super::reader::Reader;

/// Shorter ones can be guessed.
const SECRET_CHARS_MIN: usize = 32;

/// See `[cluster]` in `config/default.toml`.
#[derive(Debug, Clone)]
pub struct ClusterConfig {
    /// Where other nodes are listened to.
    pub listen: SocketAddr,
    /// Where other nodes reach this one, if that is not where it listens.
    pub address: Option<String>,
    /// What all nodes know and nobody else.
    pub secret: Option<ClusterSecret>,
    /// This node's share of the sessions.
    pub weight: u32,
    /// Time between two beats.
    pub beat_every: Duration,
    /// How long after a beat the node may speak for its sessions.
    pub valid: Duration,
    /// How long an unreachable journal is borne.
    pub exit_after: Duration,
    /// Sessions that are taken or given at the same time.
    pub moves_max: usize,
    /// Sessions that are moved for balance in a second.
    pub rebalance_max: usize,
    /// How long a request waits for somebody to own its session.
    pub route_wait: Duration,
    /// Requests that wait so at the same time.
    pub waiting_max: usize,
}

/// A secret, which is shown to nobody.
#[derive(Clone)]
pub struct ClusterSecret(String);

impl ClusterSecret {
    /// The secret itself. Whatever prints this gives the cluster away.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ClusterSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl ClusterConfig {
    pub(super) fn read(reader: &mut Reader) -> Self {
        let weight = reader.take_within("cluster.weight", 0..=10_000);
        let listen_wanted = "an IP address and a port are expected, such as 10.0.0.5:7000";
        let config = Self {
            listen: reader.take_text("cluster.listen", listen_wanted),
            address: reader.take_checked("cluster.address", address),
            secret: reader.take_checked("cluster.secret", secret),
            weight: u32::try_from(weight).expect("the range fits"),
            beat_every: reader.take_ms("cluster.heartbeat_interval_ms", 50..=5_000),
            valid: reader.take_ms("cluster.lease_ms", 500..=60_000),
            exit_after: reader.take_ms("cluster.exit_after_ms", 1_000..=3_600_000),
            moves_max: reader.take_count("cluster.moves_max", 1..=256),
            rebalance_max: reader.take_count("cluster.rebalance_sessions_max", 0..=1_000),
            route_wait: reader.take_ms("cluster.route_wait_ms_max", 100..=60_000),
            waiting_max: reader.take_count("cluster.waiting_requests_max", 1..=100_000),
        };
        if config.valid < config.beat_every * 3 {
            let keys = ["cluster.lease_ms", "cluster.heartbeat_interval_ms"];
            let message = "cluster.lease_ms must be at least three times cluster.heartbeat_interval_ms, or \
                           one late beat silences the node";
            reader.contradiction(keys, message);
        }
        if config.exit_after <= config.valid {
            let keys = ["cluster.exit_after_ms", "cluster.lease_ms"];
            let message = "cluster.exit_after_ms must be longer than cluster.lease_ms, for which one \
                           answer of the journal is waited for";
            reader.contradiction(keys, message);
        }
        if config.address.is_none() && config.listen.ip().is_unspecified() {
            let keys = ["cluster.listen", "cluster.address"];
            let message = "no node is reached at the address on which all of a machine's are listened \
                           to: set cluster.address to where the others reach this node, or \
                           cluster.listen to one address";
            reader.contradiction(keys, message);
        }
        config
    }
}

fn address(text: &str) -> Result<Option<String>, String> {
    if text == "auto" {
        return Ok(None);
    }
    match HostPort::parse(text) {
        Some(HostPort { port: Some(_), .. }) => Ok(Some(text.to_owned())),
        Some(HostPort { port: None, .. }) | None => {
            Err("\"auto\", or host and port are expected, as in node-1.internal:7000".to_owned())
        }
    }
}

/// Stands for no secret; it is none.
pub(super) const NO_SECRET: &str = "none";

/// The refusal says nothing of what was written.
fn secret(text: &str) -> Result<Option<ClusterSecret>, String> {
    if text == NO_SECRET {
        return Ok(None);
    }
    if text.chars().count() < SECRET_CHARS_MIN {
        return Err(format!(
            "must have at least {SECRET_CHARS_MIN} characters; `openssl rand -hex 32` makes one"
        ));
    }
    Ok(Some(ClusterSecret(text.to_owned())))
}
