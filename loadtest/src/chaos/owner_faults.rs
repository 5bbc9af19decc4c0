//! Faults of a node that owns sessions: killed, or paused past its lease and continued.

use std::collections::HashMap;
use std::time::Duration;

use rand::RngExt;
use tokio::time::{Instant, sleep, timeout};

use super::fleet::Fleet;
use super::injector::{InjectError, InjectedFault, Injector, RECOVERY_WAIT_MAX};
use super::store::{OwnedSession, Store};
use crate::arguments::Fault;

/// Polling interval of ownership.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Range of delays before a killed node is restarted, where other nodes take over.
const RESTART_AFTER_MS: std::ops::Range<u64> = 500..2_000;

/// The node to be killed or paused, and its sessions.
struct Victim {
    node: usize,
    sessions: Vec<usize>,
    /// Epochs by session code; empty with a single node.
    epochs: HashMap<String, i64>,
}

impl Injector {
    pub(super) async fn owner_kill(&mut self) -> Result<InjectedFault, InjectError> {
        let victim = self.victim().await?;
        let is_alone = self.fleet.len() == 1;
        let restart_after = if is_alone {
            Duration::ZERO
        } else {
            Duration::from_millis(self.random.random_range(RESTART_AFTER_MS))
        };
        let mut injected = self.injected(Fault::OwnerKill, Instant::now());
        self.fleet.kill(victim.node).await?;
        let recovered = timeout(
            RECOVERY_WAIT_MAX,
            self.ack_tracker.wait_for_all_since(injected.at),
        );
        let (restarted, claimed_at, recovered) = tokio::join!(
            restart_later(&mut self.fleet, victim.node, restart_after),
            first_claim(&mut self.store, &victim, is_alone),
            recovered,
        );
        restarted?;
        injected.claimed_at = claimed_at;
        injected.is_recovered = recovered.is_ok();
        injected.sessions = victim.sessions;
        Ok(injected)
    }

    pub(super) async fn owner_pause(&mut self) -> Result<InjectedFault, InjectError> {
        let victim = self.victim().await?;
        let authority = self.fleet.authorities().swap_remove(victim.node);
        let witness = self.witnesses.attach(&victim.sessions, &authority).await;
        let mut injected = self.injected(Fault::OwnerPause, Instant::now());
        self.fleet.pause(victim.node)?;
        let recovered = timeout(
            RECOVERY_WAIT_MAX,
            self.ack_tracker.wait_for_all_since(injected.at),
        );
        let (claimed_at, recovered) =
            tokio::join!(first_claim(&mut self.store, &victim, false), recovered);
        injected.claimed_at = claimed_at;
        injected.sessions = victim.sessions;
        if recovered.is_ok() {
            let others = self.fleet.authorities();
            let other = &others[(victim.node + 1) % others.len()];
            let waiting = self.witnesses.change_through_other(witness, other).await;
            self.fleet.resume(victim.node)?;
            self.witnesses.observe(waiting).await;
        } else {
            self.fleet.resume(victim.node)?;
        }
        let resumed_at = Instant::now();
        injected.is_recovered = recovered.is_ok() && self.recovered_since(resumed_at).await;
        Ok(injected)
    }

    /// Selects the node that owns most sessions.
    async fn victim(&mut self) -> Result<Victim, InjectError> {
        if self.fleet.len() == 1 {
            return Ok(Victim {
                node: 0,
                sessions: (0..self.codes.len()).collect(),
                epochs: HashMap::new(),
            });
        }
        let owned = self.store.owned().await?;
        let incarnations = self.store.incarnations().await?;
        let mut victim = Victim {
            node: 0,
            sessions: Vec::new(),
            epochs: HashMap::new(),
        };
        for node in 0..self.fleet.len() {
            let address = self.fleet.server(node).cluster_address();
            let incarnation = address.and_then(|address| incarnations.get(&address.to_string()));
            let Some(incarnation) = incarnation else {
                continue;
            };
            let own = owned
                .iter()
                .filter(|owned| owned.owner == Some(*incarnation));
            let epochs = own.map(|owned| (owned.code.clone(), owned.epoch));
            let epochs: HashMap<String, i64> = epochs.collect();
            let sessions = self.codes.iter().enumerate();
            let sessions = sessions.filter(|(_, code)| epochs.contains_key(*code));
            let sessions: Vec<usize> = sessions.map(|(session, _)| session).collect();
            if sessions.len() > victim.sessions.len() {
                victim = Victim {
                    node,
                    sessions,
                    epochs,
                };
            }
        }
        if victim.sessions.is_empty() {
            return Err(InjectError::NoOwner);
        }
        Ok(victim)
    }
}

async fn restart_later(
    fleet: &mut Fleet,
    node: usize,
    after: Duration,
) -> Result<(), testkit::ServerError> {
    sleep(after).await;
    fleet.restart(node).await
}

/// Waits until a session of the victim has a higher epoch; `None` on timeout or with a single node,
/// where no other node can claim it.
async fn first_claim(store: &mut Store, victim: &Victim, is_alone: bool) -> Option<Instant> {
    if is_alone {
        return None;
    }
    let querying = async {
        loop {
            // A store that cannot be read now is queried again.
            let owned = store.owned().await.unwrap_or_default();
            let is_claimed = |owned: &OwnedSession| {
                let before = victim.epochs.get(&owned.code);
                before.is_some_and(|before| *before < owned.epoch)
            };
            if owned.iter().any(is_claimed) {
                return Instant::now();
            }
            sleep(LOOK_EVERY).await;
        }
    };
    timeout(RECOVERY_WAIT_MAX, querying).await.ok()
}
