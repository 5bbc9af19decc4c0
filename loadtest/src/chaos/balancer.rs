//! Health checks of a load balancer in front of the nodes. Clients select a node by them, so that they
//! stop connecting to a failed node as soon as the checks have detected it.

use std::time::Duration;

use testkit::{Rest, RestError};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// Interval between health checks of a node.
const CHECK_EVERY: Duration = Duration::from_millis(500);

/// Timeout of a health check.
const CHECK_WAIT_MAX: Duration = Duration::from_millis(500);

/// A node is down after this many failed checks in a row, and up after one successful check.
const FAILURES_MAX: u32 = 2;

/// Running health checks. Dropping it ends them.
#[derive(Debug)]
pub(super) struct Balancer {
    nodes: Vec<watch::Receiver<bool>>,
    _checks: JoinSet<()>,
}

impl Balancer {
    /// Starts the checks of these hosts and ports.
    pub(super) fn start(authorities: &[String]) -> Result<Self, RestError> {
        let mut checks = JoinSet::new();
        let nodes = authorities.iter().map(|authority| {
            let rest = Rest::new(&format!("http://{authority}"), CHECK_WAIT_MAX)?;
            let (is_up, seen) = watch::channel(true);
            checks.spawn(check(rest, is_up));
            Ok(seen)
        });
        let nodes = nodes.collect::<Result<_, RestError>>()?;
        Ok(Self {
            nodes,
            _checks: checks,
        })
    }

    /// Whether each node is up, in the order of `authorities`.
    pub(super) fn nodes(&self) -> Vec<watch::Receiver<bool>> {
        self.nodes.clone()
    }
}

async fn check(rest: Rest, is_up: watch::Sender<bool>) {
    let mut failures = 0;
    loop {
        failures = if rest.is_live().await {
            0
        } else {
            failures + 1
        };
        is_up.send_if_modified(|is_up| {
            let was_up = std::mem::replace(is_up, failures < FAILURES_MAX);
            was_up != *is_up
        });
        sleep(CHECK_EVERY).await;
    }
}
