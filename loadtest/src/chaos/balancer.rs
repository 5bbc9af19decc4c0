//! What a load balancer before the nodes knows: which of them answer its checks. Clients ask it where to
//! connect, so that nobody dials a stopped node for longer than a check takes to notice.

use std::time::Duration;

use testkit::{Rest, RestError};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// Time between the checks of a node.
const CHECK_EVERY: Duration = Duration::from_millis(500);

/// A check that has no answer by then has failed.
const CHECK_WAIT_MAX: Duration = Duration::from_millis(500);

/// A node is out after so many failed checks in a row, and in again after one that succeeded.
const FAILURES_MAX: u32 = 2;

/// The checks. They end when this is dropped.
#[derive(Debug)]
pub(super) struct Balancer {
    nodes: Vec<watch::Receiver<bool>>,
    _checks: JoinSet<()>,
}

impl Balancer {
    /// Checks the nodes at these hosts and ports.
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

    /// Whether each node is up, in the order in which they were given.
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
