//! All sessions of this server: found by their code, created, opened and stopped.

use std::sync::Arc;
use std::time::Duration;

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use hunt::{By, GameMasterId, GameMasterOrder, Hunt, NameId, Receipt, Scope};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::delivery::{Delivery, Refusal};
use super::handle::{SessionHandle, Unavailable};
use super::hunts::{HuntError, StoredHunt, parse_stored};
use super::planted::Planted;
use super::supervisor::{SessionRun, Tenure, supervise};
use crate::clock::Clock;
use crate::config::SessionConfig;
use crate::journal::{
    CreateError, Incarnation, Journal, JournalError, Name, SessionId, SessionRecord,
};

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
    /// Time between calls of [`Delivery::tick`].
    pub tick_every: Duration,
    /// How many sessions may exist.
    pub sessions_max: usize,
}

/// Why a session was not created.
#[derive(Debug, thiserror::Error)]
pub enum CreateSessionError {
    /// The code is in use, the hunt is unknown, or the journal failed.
    #[error(transparent)]
    Create(#[from] CreateError),
    /// The stored hunt cannot be read by this version.
    #[error(transparent)]
    Hunt(#[from] HuntError),
    /// The server has as many sessions as it may have.
    #[error("the server has {0} sessions, which is its limit (server.sessions_max)")]
    Full(usize),
    /// The session was created, and cannot take its first game master now.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// The session was created, and refuses its first game master.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// What the game master is called whom every session begins with.
const FIRST_GAME_MASTER_NAME: &str = "Organiser";

/// The game master, with every scope, whom every session begins with.
pub fn first_game_master() -> GameMasterId {
    GameMasterId::from(1)
}

/// The sessions of this server. Clones share them.
pub struct Sessions<D: Delivery> {
    shared: Arc<Shared<D>>,
}

struct Shared<D: Delivery> {
    defaults: SessionDefaults,
    delivery: Box<dyn Fn(&SessionRecord) -> D + Send + Sync>,
    by_code: DashMap<String, Open<D>>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

struct Open<D: Delivery> {
    handle: SessionHandle<D>,
    opened: watch::Receiver<bool>,
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
            defaults,
            delivery: Box::new(delivery),
            by_code: DashMap::new(),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Opens every session of the journal and waits until each has been recovered.
    pub async fn open_all(&self) -> Result<(), OpenError> {
        let journal = &self.shared.defaults.journal;
        let mut opening = Vec::new();
        for record in journal.sessions().await? {
            let stored = journal.hunt(record.hunt_revision.clone()).await?;
            let stored = stored.ok_or(CreateError::UnknownHunt);
            let hunt = stored.map_err(|_| OpenError::HuntMissing(record.id))?;
            let hunt = parse_stored(&hunt).map_err(|error| OpenError::Hunt(record.id, error))?;
            opening.push(self.open(record, hunt.into()).opened);
        }
        for mut opened in opening {
            // An error means that the session's task ended: it has logged why.
            drop(opened.wait_for(|opened| *opened).await);
        }
        Ok(())
    }

    /// The session that players know by this code.
    pub fn by_code(&self, code: &str) -> Option<SessionHandle<D>> {
        self.shared
            .by_code
            .get(code)
            .map(|open| open.handle.clone())
    }

    /// Every session, in no particular order.
    pub fn all(&self) -> Vec<SessionHandle<D>> {
        let sessions = self.shared.by_code.iter();
        sessions.map(|open| open.handle.clone()).collect()
    }

    /// How many sessions are being recovered. One that stays closed after failures is not among
    /// them: it must not keep players from the others.
    pub fn recovering_count(&self) -> usize {
        let sessions = self.shared.by_code.iter();
        let recovering = sessions.filter(|open| {
            // An error means that the session's task has ended.
            let lives = open.opened.has_changed().is_ok();
            lives && !*open.opened.borrow()
        });
        recovering.count()
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

    /// Creates a session and opens it. It is durable and open when this returns.
    pub async fn create(
        &self,
        id: SessionId,
        code: String,
        hunt_revision: String,
    ) -> Result<SessionHandle<D>, CreateSessionError> {
        let defaults = &self.shared.defaults;
        if self.shared.by_code.len() >= defaults.sessions_max {
            return Err(CreateSessionError::Full(defaults.sessions_max));
        }
        let stored = defaults.journal.hunt(hunt_revision.clone()).await;
        let stored = stored.map_err(CreateError::Failed)?;
        let hunt = parse_stored(&stored.ok_or(CreateError::UnknownHunt)?)?;
        let record = SessionRecord {
            id,
            code,
            hunt_revision,
            created_at_ms: defaults.clock.now().0,
        };
        defaults.journal.create_session(record.clone()).await?;
        let Open { handle, mut opened } = self.open(record, hunt.into());
        // As in `open_all`: an error has been logged by the session.
        drop(opened.wait_for(|opened| *opened).await);
        invite_first_game_master(&handle).await?;
        Ok(handle)
    }

    /// Stops every session and waits until each has flushed and stored its state.
    pub async fn stop(&self) {
        self.shared.stop.cancel();
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }

    fn open(&self, record: SessionRecord, hunt: Arc<Hunt>) -> Open<D> {
        let shared = self.shared.clone();
        let defaults = shared.defaults.clone();
        match self.shared.by_code.entry(record.code.clone()) {
            Entry::Occupied(open) => open.get().clone(),
            Entry::Vacant(vacant) => {
                let (mailbox, mails) = mpsc::channel(defaults.config.mailbox_max);
                let (opened, is_open) = watch::channel(false);
                let open = Open {
                    handle: SessionHandle::new(record.clone(), &hunt.title, mailbox),
                    opened: is_open,
                };
                let record = Arc::new(record);
                let run = SessionRun {
                    record: record.clone(),
                    hunt,
                    journal: defaults.journal,
                    owner: defaults.owner,
                    tenure: Tenure::Alone,
                    clock: defaults.clock,
                    config: defaults.config,
                    snapshot_every_events: defaults.snapshot_every_events,
                    tick_every: defaults.tick_every,
                    planted: Planted::Nothing,
                };
                let stop = self.shared.stop.clone();
                let delivery = move || (shared.delivery)(&record);
                self.shared
                    .tasks
                    .spawn(supervise(run, delivery, mails, opened, stop));
                vacant.insert(open).clone()
            }
        }
    }
}

async fn invite_first_game_master<D: Delivery>(
    session: &SessionHandle<D>,
) -> Result<(), CreateSessionError> {
    let name = Name {
        id: rand::random(),
        text: FIRST_GAME_MASTER_NAME.to_owned(),
    };
    let order = GameMasterOrder::InviteGameMaster {
        name: NameId(name.id),
        scopes: Scope::ALL.into(),
    };
    let receipt = session.game_master(By::Admin, order, vec![name]).await??;
    let game_master = first_game_master();
    assert_eq!(receipt, Receipt::GameMasterInvited { game_master });
    Ok(())
}

impl<D: Delivery> Clone for Open<D> {
    fn clone(&self) -> Self {
        Self {
            handle: self.handle.clone(),
            opened: self.opened.clone(),
        }
    }
}

/// Why the sessions of a journal could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The journal failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A session's hunt is not in the journal.
    #[error("the hunt of session {0} is not in the journal")]
    HuntMissing(SessionId),
    /// A session's hunt cannot be read.
    #[error("the hunt of session {0}: {1}")]
    Hunt(SessionId, HuntError),
}
