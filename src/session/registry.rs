//! All sessions of this server: found by their code, created, opened and stopped.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use dashmap::mapref::entry::Entry;
use dashmap::{DashMap, DashSet};
use hunt::Hunt;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::archiving::Archiving;
use super::backlog::Backlog;
use super::delivery::Delivery;
use super::directory::{Directory, OpenError};
use super::handle::SessionHandle;
use super::hunts::StoredHunt;
use super::open::Open;
use super::planted::Planted;
use super::supervisor::{Condition, Departure, SessionRun, Tenure, supervise};
use super::usage::Usage;
use crate::clock::Clock;
use crate::cluster::{Era, Validity};
use crate::config::SessionConfig;
use crate::journal::{Incarnation, Journal, JournalError, SessionId, SessionRecord};

/// What every session of this server is started with.
#[derive(Clone)]
pub struct SessionDefaults {
    /// The journal.
    pub journal: Arc<dyn Journal>,
    /// This process's life.
    pub owner: Incarnation,
    /// The clock.
    pub clock: Clock,
    /// The actors' bounds.
    pub config: SessionConfig,
    /// Events after which a snapshot is stored.
    pub snapshot_every_events: u64,
    /// Where old batches go; nowhere without.
    pub archiving: Option<Archiving>,
    /// How many sessions may be open.
    pub sessions_max: usize,
    /// Who else may run sessions of this journal.
    pub sharing: Sharing,
    /// A defect on purpose, in tests.
    pub planted: Planted,
}

/// Why nobody gets a session here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotHere {
    /// It does not run here, and is not to be opened here.
    Absent,
    /// It is finished, and as many sessions are open as may.
    Full,
}

/// Who runs the sessions of a journal.
#[derive(Debug, Clone)]
pub enum Sharing {
    /// This process alone.
    Alone,
    /// Several nodes; this one may speak for its sessions while the validity holds.
    Nodes(Validity),
}

impl Sharing {
    fn validity(&self) -> Validity {
        match self {
            Self::Alone => Validity::for_ever(),
            Self::Nodes(validity) => validity.clone(),
        }
    }
}

/// How long a request waits for a session that is being closed, to open it again.
const CLOSING_WAIT: Duration = Duration::from_secs(5);

/// The sessions of this server. Clones share them.
pub struct Sessions<D: Delivery> {
    pub(super) shared: Arc<Shared<D>>,
}

pub(super) struct Shared<D: Delivery> {
    pub(super) defaults: SessionDefaults,
    delivery: Box<dyn Fn(&SessionRecord) -> D + Send + Sync>,
    directory: Directory,
    pub(super) by_code: DashMap<String, Open<D>>,
    /// Sessions that are being created, from before their claim until they run.
    pub(super) newborns: DashSet<SessionId>,
    /// Wakes those who wait for a session to run here.
    arrivals: Notify,
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
    /// No sessions yet. `delivery` makes the delivery of a session, each time that its actor starts.
    pub fn new(
        defaults: SessionDefaults,
        delivery: impl Fn(&SessionRecord) -> D + Send + Sync + 'static,
    ) -> Self {
        let shared = Shared {
            delivery: Box::new(delivery),
            directory: Directory::new(defaults.journal.clone()),
            defaults,
            by_code: DashMap::new(),
            newborns: DashSet::new(),
            arrivals: Notify::new(),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Opens every session of the journal that is not finished, and waits until each has been
    /// recovered or is known to be broken: one that cannot be read keeps nobody from the others. For a
    /// process that has its journal to itself.
    pub async fn open_all(&self) -> Result<(), OpenError> {
        let journal = &self.shared.defaults.journal;
        let finished: HashSet<SessionId> = journal.finished_sessions().await?.into_iter().collect();
        let mut opening = Vec::new();
        for record in journal.sessions().await? {
            self.shared.directory.learn(&record);
            if finished.contains(&record.id) {
                continue;
            }
            match self.shared.directory.hunt(&record).await {
                Ok(hunt) => opening.extend(self.open_alone(record, hunt)),
                Err(error @ OpenError::Journal(_)) => return Err(error),
                Err(error) => {
                    tracing::error!(session.id = %record.id, %error, "a session is not open");
                }
            }
        }
        for mut open in opening {
            open.opened().await;
        }
        Ok(())
    }

    /// The record of the session with this code, wherever it runs.
    pub async fn find(&self, code: &str) -> Result<Option<SessionRecord>, JournalError> {
        self.shared.directory.by_code(code).await
    }

    /// The session with this code, if one is known that does not run here.
    pub fn elsewhere(&self, code: &str) -> Option<SessionId> {
        if self.shared.by_code.contains_key(code) {
            return None;
        }
        self.shared.directory.known_as(code)
    }

    /// The node's validity.
    pub fn validity(&self) -> Validity {
        self.shared.defaults.sharing.validity()
    }

    /// The validity that is looked at before anything is said: the node's.
    pub fn validity_to_speak(&self) -> Validity {
        if self.shared.defaults.planted.speaks_without_validity() {
            return Validity::for_ever();
        }
        self.validity()
    }

    /// The life in whose name sessions are owned.
    pub fn owner(&self) -> Incarnation {
        self.shared.defaults.owner
    }

    /// Whether the session that players know by this code runs here.
    pub fn runs_here(&self, code: &str) -> bool {
        self.shared.by_code.contains_key(code)
    }

    /// The session with this code, and a handle for whoever uses it.
    fn used(&self, code: &str) -> Option<(Open<D>, SessionHandle<D>)> {
        let open = self.shared.by_code.get(code)?;
        Some((open.clone(), open.handle.in_use()))
    }

    /// Waits until a session with this code runs here. Cancel-safe.
    pub async fn arrival(&self, code: &str) {
        loop {
            // One that arrives between the look and the wait is not missed.
            let arrives = self.shared.arrivals.notified();
            if self.shared.by_code.contains_key(code) {
                return;
            }
            arrives.await;
        }
    }

    /// The session that players know by this code. One that is finished and not open is opened first,
    /// if no other process has the journal and there is room: its requests wait until it is recovered.
    pub async fn wake(&self, code: &str) -> Result<SessionHandle<D>, NotHere> {
        while let Some((open, handle)) = self.used(code) {
            if !open.is_closing() || self.shared.stop.is_cancelled() {
                return Ok(handle);
            }
            // It is being closed because nobody needed it.
            if timeout(CLOSING_WAIT, open.ended()).await.is_err() {
                return Ok(handle);
            }
        }
        match self.shared.defaults.sharing {
            Sharing::Alone => {}
            // The cluster opens what is asked for, before a request is let in here.
            Sharing::Nodes(_) => return Err(NotHere::Absent),
        }
        let record = self.shared.directory.known_by_code(code);
        let record = record.ok_or(NotHere::Absent)?;
        if self.is_full() {
            return Err(NotHere::Full);
        }
        match self.shared.directory.hunt(&record).await {
            Ok(_) if self.shared.stop.is_cancelled() => Err(NotHere::Absent),
            Ok(hunt) => {
                let open = self.open_alone(record, hunt);
                Ok(open.ok_or(NotHere::Absent)?.handle.in_use())
            }
            Err(error) => {
                tracing::error!(session.id = %record.id, %error, "a finished session is not open");
                Err(NotHere::Absent)
            }
        }
    }

    /// Every session that runs here, in no particular order.
    pub fn all(&self) -> Vec<SessionHandle<D>> {
        let sessions = self.shared.by_code.iter();
        sessions.map(|open| open.handle.clone()).collect()
    }

    /// How many sessions are being recovered. A broken one is not among them: it must not keep players
    /// from the others.
    pub fn recovering_count(&self) -> usize {
        let sessions = self.shared.by_code.iter();
        let recovering = sessions.filter(|open| {
            // An error means that the session's task has ended.
            let lives = open.condition.has_changed().is_ok();
            lives && *open.condition.borrow() == Condition::Recovering
        });
        recovering.count()
    }

    /// The longest that an event of any session has been waiting to become durable, or a session for
    /// its recovery; zero if nothing does.
    pub fn oldest_wait(&self) -> Duration {
        let sessions = self.shared.by_code.iter();
        let waits = sessions.map(|open| open.handle.oldest_wait());
        waits.max().unwrap_or_default()
    }

    /// The journal that the sessions are in.
    pub fn journal(&self) -> &Arc<dyn Journal> {
        &self.shared.defaults.journal
    }

    /// The clock of the sessions.
    pub fn clock(&self) -> &Clock {
        &self.shared.defaults.clock
    }

    /// Stores a hunt, so that sessions can be created of it.
    pub async fn put_hunt(&self, hunt: &StoredHunt) -> Result<(), JournalError> {
        let journal = &self.shared.defaults.journal;
        journal
            .put_hunt(hunt.revision.clone(), hunt.files.clone())
            .await
    }

    pub(super) fn is_full(&self) -> bool {
        self.shared.by_code.len() >= self.shared.defaults.sessions_max
    }

    /// Stops every session and waits until each has flushed and stored its state.
    pub async fn stop(&self) {
        self.shared.stop.cancel();
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }

    pub(super) fn is_being_created(&self, id: SessionId) -> bool {
        self.shared.newborns.contains(&id)
    }

    /// Every session that runs here, with what ends it.
    pub(super) fn running(&self) -> Vec<Open<D>> {
        let sessions = self.shared.by_code.iter();
        sessions.map(|open| open.value().clone()).collect()
    }

    /// Finds a session no more; it goes on until it is told to end.
    pub(super) fn let_go(&self, open: &Open<D>) {
        let code = &open.handle.record().code;
        let is_same = |other: &Open<D>| other.departed.same_channel(&open.departed);
        self.shared
            .by_code
            .remove_if(code, |_, other| is_same(other));
    }

    pub(super) fn directory(&self) -> &Directory {
        &self.shared.directory
    }

    /// Runs a session; one that runs already goes on. None if the era in which it was claimed is over.
    pub(super) fn open(
        &self,
        record: SessionRecord,
        hunt: Arc<Hunt>,
        tenure: Tenure,
        era: Era,
    ) -> Option<Open<D>> {
        let open = match self.shared.by_code.entry(record.code.clone()) {
            Entry::Occupied(open) => open.get().clone(),
            Entry::Vacant(vacant) => {
                // Under the entry's lock: whoever ends an era throws away everything that runs, and
                // meets this session or ended the era before.
                if self.validity().era() != era {
                    return None;
                }
                let open = self.start(record, hunt, tenure);
                vacant.insert(open).clone()
            }
        };
        self.shared.arrivals.notify_waiters();
        Some(open)
    }

    /// Runs a session of a process that has its journal to itself.
    fn open_alone(&self, record: SessionRecord, hunt: Arc<Hunt>) -> Option<Open<D>> {
        self.open(record, hunt, Tenure::Alone, self.validity().era())
    }

    fn start(&self, record: SessionRecord, hunt: Arc<Hunt>, tenure: Tenure) -> Open<D> {
        let shared = self.shared.clone();
        let defaults = shared.defaults.clone();
        let (mailbox, mails) = mpsc::channel(defaults.config.mailbox_max);
        let (condition, told) = watch::channel(Condition::Recovering);
        let (departing, departed) = watch::channel(None);
        let backlog = Arc::new(Backlog::new(defaults.config.wait_max));
        let usage = Arc::new(Usage::default());
        let open = Open {
            handle: SessionHandle::new(
                record.clone(),
                &hunt.title,
                mailbox,
                backlog.clone(),
                usage.clone(),
                told.clone(),
            ),
            condition: told,
            stop: self.shared.stop.child_token(),
            abandon: CancellationToken::new(),
            departed,
        };
        let record = Arc::new(record);
        let run = SessionRun {
            record: record.clone(),
            hunt,
            journal: defaults.journal,
            owner: defaults.owner,
            tenure,
            validity: self.validity_to_speak(),
            abandon: open.abandon.clone(),
            clock: defaults.clock,
            config: defaults.config,
            snapshot_every_events: defaults.snapshot_every_events,
            archiving: defaults.archiving,
            backlog,
            usage,
            planted: defaults.planted,
        };
        let stop = open.stop.clone();
        self.shared.tasks.spawn(async move {
            let code = record.code.clone();
            let delivery = || (shared.delivery)(&record);
            let departure = supervise(run, delivery, mails, condition, stop).await;
            match departure {
                // It is not to be opened again, neither here nor anywhere.
                Departure::Broken => {}
                Departure::Stopped(_) | Departure::Lost => {
                    let is_same = |open: &Open<D>| open.is_of(&departing);
                    shared.by_code.remove_if(&code, |_, open| is_same(open));
                }
            }
            departing.send_replace(Some(departure));
        });
        open
    }
}
