//! The sessions that run on this node, by id: look-up, opening and stopping.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use dashmap::mapref::entry::Entry;
use dashmap::{DashMap, DashSet};
use hunt::Hunt;
use tokio::sync::{Notify, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::catalogue::{Catalogue, OpenError, StoredHunt};
use super::running::RunningSession;
use crate::clock::Clock;
use crate::cluster::{Lease, LeaseTerm};
use crate::ids::{Epoch, Incarnation, SessionId};
use crate::journal::{Journal, JournalError, SessionRecord};
use crate::session::actor::{
    JournalAccess, Services, SessionExit, SessionHandle, SessionSpec, launch,
};
use crate::session::delivery::Delivery;

/// Why this node gives no handle of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotHere {
    /// It does not run here and must not be opened here.
    Absent,
    /// It is finished, and `server.sessions_max` sessions are open.
    Full,
}

/// How long a request waits for a session that is being closed, in order to reopen it.
const CLOSING_WAIT: Duration = Duration::from_secs(5);

/// The sessions of this node. Clones share them.
pub struct Sessions<D: Delivery> {
    pub(super) shared: Arc<Shared<D>>,
}

/// State of the registry.
pub(super) struct Shared<D: Delivery> {
    pub(super) services: Arc<Services>,
    pub(super) sessions_max: usize,
    delivery: Box<dyn Fn(&SessionRecord) -> D + Send + Sync>,
    pub(super) catalogue: Catalogue,
    pub(super) running: DashMap<SessionId, RunningSession<D>>,
    /// Sessions that are being created, from before their claim until they run.
    pub(super) creating: DashSet<SessionId>,
    /// Notified when a session starts to run here.
    opened: Notify,
    pub(super) stop: CancellationToken,
    tasks: TaskTracker,
}

impl<D: Delivery> Clone for Sessions<D> {
    fn clone(&self) -> Self {
        Self {
            shared: self.shared.clone(),
        }
    }
}

impl<D: Delivery> Sessions<D> {
    /// An empty registry that opens at most `sessions_max` sessions by itself. `delivery` makes the
    /// delivery of each actor.
    pub fn new(
        services: Services,
        sessions_max: usize,
        delivery: impl Fn(&SessionRecord) -> D + Send + Sync + 'static,
    ) -> Self {
        let shared = Shared {
            delivery: Box::new(delivery),
            catalogue: Catalogue::new(services.journal.clone()),
            services: Arc::new(services),
            sessions_max,
            running: DashMap::new(),
            creating: DashSet::new(),
            opened: Notify::new(),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Opens every unfinished session of the journal, and waits until each is recovered or broken. A
    /// session that cannot be read does not prevent the others from opening. Requires exclusive access to
    /// the journal.
    pub async fn open_all(&self) -> Result<(), OpenError> {
        let finished = self.journal().finished_sessions().await?;
        let finished: HashSet<SessionId> = finished.into_iter().collect();
        let mut opening = Vec::new();
        for record in self.journal().sessions().await? {
            let record = Arc::new(record);
            self.shared.catalogue.insert(record.clone());
            if finished.contains(&record.id) {
                continue;
            }
            match self.shared.catalogue.hunt(&record).await {
                Ok(hunt) => opening.extend(self.open_exclusive(record, hunt)),
                Err(error @ OpenError::Journal(_)) => return Err(error),
                Err(error) => {
                    tracing::error!(session.id = %record.id, %error, "could not open a session");
                }
            }
        }
        for session in opening {
            session.handle.recovered().await;
        }
        Ok(())
    }

    /// The record of the session with this code, no matter which node runs it.
    pub async fn find_record(
        &self,
        code: &str,
    ) -> Result<Option<Arc<SessionRecord>>, JournalError> {
        self.shared.catalogue.by_code(code).await
    }

    /// The record of the session with this code, if this node has it in its cache.
    pub fn cached_record(&self, code: &str) -> Option<Arc<SessionRecord>> {
        self.shared.catalogue.cached_by_code(code)
    }

    /// The hunt of a session, no matter which node runs it.
    pub async fn hunt(&self, record: &SessionRecord) -> Result<Arc<Hunt>, OpenError> {
        self.shared.catalogue.hunt(record).await
    }

    /// The id of the session with this code, if this node has it in its cache and does not run it.
    pub fn known_elsewhere(&self, code: &str) -> Option<SessionId> {
        let id = self.shared.catalogue.cached_id(code)?;
        (!self.shared.running.contains_key(&id)).then_some(id)
    }

    /// Whether the session with this code runs here.
    pub fn runs_here(&self, code: &str) -> bool {
        let id = self.shared.catalogue.cached_id(code);
        id.is_some_and(|id| self.shared.running.contains_key(&id))
    }

    /// Waits until the session with this code runs here. Cancel-safe.
    pub async fn wait_until_running(&self, code: &str) {
        loop {
            // Created before the check, so that it notices a session that opens in between.
            let opened = self.shared.opened.notified();
            if self.runs_here(code) {
                return;
            }
            opened.await;
        }
    }

    /// The session with this code. With exclusive access to the journal, a finished session that is not
    /// open is reopened first, unless the limit of sessions is reached; its requests wait for the
    /// recovery. With shared access the cluster decides where a session is opened.
    pub async fn get_or_reopen(&self, code: &str) -> Result<SessionHandle<D>, NotHere> {
        while let Some((session, handle)) = self.get_for_user(code) {
            if !session.is_closing() || self.shared.stop.is_cancelled() {
                return Ok(handle);
            }
            // It is being closed because it was idle.
            if timeout(CLOSING_WAIT, session.exited()).await.is_err() {
                return Ok(handle);
            }
        }
        match self.shared.services.access {
            JournalAccess::Exclusive => {}
            JournalAccess::Shared(_) => return Err(NotHere::Absent),
        }
        let record = self.shared.catalogue.cached_by_code(code);
        let record = record.ok_or(NotHere::Absent)?;
        if self.is_full() {
            return Err(NotHere::Full);
        }
        match self.shared.catalogue.hunt(&record).await {
            Ok(_) if self.shared.stop.is_cancelled() => Err(NotHere::Absent),
            Ok(hunt) => {
                let session = self.open_exclusive(record, hunt);
                Ok(session.ok_or(NotHere::Absent)?.handle.for_user())
            }
            Err(error) => {
                tracing::error!(
                    session.id = %record.id, %error,
                    "could not reopen a finished session"
                );
                Err(NotHere::Absent)
            }
        }
    }

    /// Handles of all sessions that run here, in no particular order. They do not count as users.
    pub fn all(&self) -> Vec<SessionHandle<D>> {
        let running = self.shared.running.iter();
        running.map(|session| session.handle.clone()).collect()
    }

    /// How many sessions run here.
    pub fn count(&self) -> usize {
        self.shared.running.len()
    }

    /// How many sessions are being recovered. Broken ones are not counted, so that they do not keep the
    /// node from being ready.
    pub fn recovering_count(&self) -> usize {
        let running = self.shared.running.iter();
        running
            .filter(|session| session.handle.is_recovering())
            .count()
    }

    /// The longest time that an event of any session has been waiting to become durable, or a session for
    /// its recovery; zero if none waits.
    pub fn oldest_wait(&self) -> Duration {
        let running = self.shared.running.iter();
        let waits = running.map(|session| session.handle.oldest_wait());
        waits.max().unwrap_or_default()
    }

    /// The node's lease.
    pub fn lease(&self) -> Lease {
        self.shared.services.lease()
    }

    /// The lease that is checked before anything is sent that the journal does not hold.
    pub fn lease_for_output(&self) -> Lease {
        self.shared.services.lease_for_output()
    }

    /// The incarnation that owns the sessions.
    pub fn owner(&self) -> Incarnation {
        self.shared.services.owner
    }

    /// The journal that holds the sessions.
    pub fn journal(&self) -> &Arc<dyn Journal> {
        &self.shared.services.journal
    }

    /// The clock of the sessions.
    pub fn clock(&self) -> &Clock {
        &self.shared.services.clock
    }

    /// Stores a hunt, so that sessions of it can be created.
    pub async fn put_hunt(&self, hunt: &StoredHunt) -> Result<(), JournalError> {
        self.journal()
            .put_hunt(hunt.revision.clone(), hunt.files.clone())
            .await
    }

    /// Stops every session and waits until each has flushed its events and stored a snapshot.
    pub async fn stop(&self) {
        self.shared.stop.cancel();
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }

    pub(super) fn is_full(&self) -> bool {
        self.count() >= self.shared.sessions_max
    }

    /// Removes a session from the map. It runs until it is closed or abandoned.
    pub(super) fn remove(&self, id: SessionId) -> Option<RunningSession<D>> {
        let removed = self.shared.running.remove(&id);
        removed.map(|(_, session)| session)
    }

    /// Runs a session; if it runs already, returns the running one. Returns none if `term`, in which it
    /// was claimed, has ended.
    pub(super) fn open(
        &self,
        record: Arc<SessionRecord>,
        hunt: Arc<Hunt>,
        claimed: Option<Epoch>,
        term: LeaseTerm,
    ) -> Option<RunningSession<D>> {
        let session = match self.shared.running.entry(record.id) {
            Entry::Occupied(running) => running.get().clone(),
            Entry::Vacant(vacant) => {
                // Under the entry's lock: when a term ends, everything that runs is abandoned. That
                // either includes this session, or the term is already over here.
                if self.lease().term() != term {
                    return None;
                }
                let session = self.start(record, hunt, claimed);
                vacant.insert(session).clone()
            }
        };
        self.shared.opened.notify_waiters();
        Some(session)
    }

    /// Runs a session of a journal to which this process has exclusive access.
    fn open_exclusive(
        &self,
        record: Arc<SessionRecord>,
        hunt: Arc<Hunt>,
    ) -> Option<RunningSession<D>> {
        self.open(record, hunt, None, self.lease().term())
    }

    /// The running session with this code, with a handle that counts as a user.
    fn get_for_user(&self, code: &str) -> Option<(RunningSession<D>, SessionHandle<D>)> {
        let id = self.shared.catalogue.cached_id(code)?;
        let session = self.shared.running.get(&id)?;
        Some((session.clone(), session.handle.for_user()))
    }

    fn start(
        &self,
        record: Arc<SessionRecord>,
        hunt: Arc<Hunt>,
        claimed: Option<Epoch>,
    ) -> RunningSession<D> {
        let spec = SessionSpec {
            record: record.clone(),
            hunt,
            claimed,
            stop: self.shared.stop.child_token(),
            abandon: CancellationToken::new(),
        };
        let (exiting, exit) = watch::channel(None);
        let (stop, abandon) = (spec.stop.clone(), spec.abandon.clone());
        let shared = self.shared.clone();
        let delivery = {
            let (shared, record) = (shared.clone(), record.clone());
            move || (shared.delivery)(&record)
        };
        let (handle, running) = launch(shared.services.clone(), spec, delivery);
        let session = RunningSession {
            handle,
            stop,
            abandon,
            exit,
        };
        self.shared.tasks.spawn(async move {
            let exit = running.await;
            match exit {
                // It stays in the map, so that neither this node nor another one opens it again.
                SessionExit::Broken => {}
                SessionExit::Stopped(_) | SessionExit::Lost => {
                    let running = &shared.running;
                    running.remove_if(&record.id, |_, session| session.exits_through(&exiting));
                }
            }
            exiting.send_replace(Some(exit));
        });
        session
    }
}
