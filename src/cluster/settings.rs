//! How a node behaves towards the others.

use std::time::Duration;

/// Settings of a node.
#[derive(Debug, Clone, Copy)]
pub struct ClusterSettings {
    /// Time between heartbeats; also the interval of the failure detector.
    pub heartbeat_interval: Duration,
    /// Time without an answer of the store after which the process must exit.
    pub exit_after: Duration,
    /// Sessions that are claimed or handed off at the same time.
    pub moves_max: usize,
    /// Sessions that one scan may move for balance.
    pub rebalance_max: usize,
    /// Time that a request waits until a node owns its session.
    pub route_wait: Duration,
    /// Requests that wait for this at the same time.
    pub waiting_max: usize,
}
