//! Closes finished sessions that nobody uses any more: they would cost memory, and a place among those that
//! may be open.

use std::time::Duration;

use tokio::time::sleep;

use super::delivery::Delivery;
use super::open::Open;
use super::registry::Sessions;
use crate::journal::{SessionId, SessionRecord};
use crate::telemetry::metrics;

/// The longest time between two looks for them.
const LOOK_EVERY_MAX: Duration = Duration::from_secs(10);

impl<D: Delivery> Sessions<D> {
    /// Closes finished sessions that nobody needs, whenever there are some, until the sessions are
    /// stopped. For a process that has its journal to itself; the nodes of a cluster give them up.
    pub async fn close_unneeded(&self) {
        let pause = (self.shared.defaults.config.idle_max / 4).min(LOOK_EVERY_MAX);
        let stop = &self.shared.stop;
        while stop.run_until_cancelled(sleep(pause)).await.is_some() {
            for session in self.unneeded() {
                // Under the entry's lock: nobody gets a handle between the look and the end.
                let entry = self.shared.by_code.get_mut(&session.code);
                if let Some(open) = entry.filter(|open| self.is_unneeded(open)) {
                    open.stop.cancel();
                    metrics().sessions_retired.increment(1);
                }
            }
        }
    }

    /// Finished sessions that nobody has used for a while.
    pub(super) fn unneeded(&self) -> Vec<SessionRecord> {
        let sessions = self.shared.by_code.iter();
        let unneeded = sessions.filter(|open| self.is_unneeded(open));
        unneeded.map(|open| open.handle.record().clone()).collect()
    }

    /// Finds a session no more if nobody needs it; it goes on until it is told to end.
    pub(super) fn let_go_if_unneeded(&self, id: SessionId) -> Option<Open<D>> {
        let is_wanted = |record: &SessionRecord| record.id == id;
        let record = self.unneeded().into_iter().find(is_wanted)?;
        let entry = self
            .shared
            .by_code
            .remove_if(&record.code, |_, open| self.is_unneeded(open));
        entry.map(|(_, open)| open)
    }

    /// One that is broken stays, to tell whoever asks that it is.
    fn is_unneeded(&self, open: &Open<D>) -> bool {
        let idle_max = self.shared.defaults.config.idle_max;
        let runs = !open.is_ending() && !open.handle.is_broken();
        runs && open.handle.is_over_for(idle_max)
    }
}
