//! Retires sessions: closes those that are finished and idle, which otherwise keep memory and count
//! against the limit of open sessions.

use std::time::Duration;

use tokio::time::sleep;

use super::running::RunningSession;
use super::sessions::Sessions;
use crate::ids::SessionId;
use crate::session::delivery::Delivery;
use crate::telemetry::metrics;

/// Longest interval between two searches for sessions to retire.
const SEARCH_INTERVAL_MAX: Duration = Duration::from_secs(10);

impl<D: Delivery> Sessions<D> {
    /// Retires sessions until all sessions are stopped. For exclusive access to the journal; in a cluster
    /// the nodes release retired sessions.
    pub async fn run_retirement(&self) {
        let interval = (self.shared.services.config.idle_max / 4).min(SEARCH_INTERVAL_MAX);
        let stop = &self.shared.stop;
        while stop.run_until_cancelled(sleep(interval)).await.is_some() {
            for id in self.retirable() {
                // Under the entry's lock: no handle is given out between the check and the stop.
                let entry = self.shared.running.get_mut(&id);
                if let Some(session) = entry.filter(|session| self.is_retirable(session)) {
                    session.stop.cancel();
                    metrics().sessions_retired.increment(1);
                }
            }
        }
    }

    /// Sessions that may be retired.
    pub(super) fn retirable(&self) -> Vec<SessionId> {
        let running = self.shared.running.iter();
        let retirable = running.filter(|session| self.is_retirable(session));
        retirable.map(|session| *session.key()).collect()
    }

    /// Removes a session from the map if it may be retired. It runs until it is closed.
    pub(super) fn remove_if_retirable(&self, id: SessionId) -> Option<RunningSession<D>> {
        let running = &self.shared.running;
        let removed = running.remove_if(&id, |_, session| self.is_retirable(session));
        removed.map(|(_, session)| session)
    }

    /// A broken session stays open, so that requests for it report that it is broken.
    fn is_retirable(&self, session: &RunningSession<D>) -> bool {
        let idle_max = self.shared.services.config.idle_max;
        let runs = !session.is_ending() && !session.handle.is_broken();
        runs && session.handle.is_finished_and_idle_for(idle_max)
    }
}
