//! Records of the journal's sessions, by id and by code, and their hunts; cached, because neither ever
//! changes once it is stored.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};

use hunt::{Bundle, Hunt, Mistake};
use sha2::{Digest, Sha256};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::{JoinError, spawn_blocking};

use crate::ids::SessionId;
use crate::journal::{self, JournalError, SessionRecord};

/// Queries to the journal at the same time. Further ones wait for a permit.
const QUERIES_MAX: usize = 4;
/// Parsed hunts in the cache. A full cache is cleared; running sessions keep their own reference.
const HUNTS_MAX: usize = 64;
/// Bytes of a hunt that are parsed on an async worker, in under a millisecond.
const PARSE_INLINE_BYTES_MAX: usize = 16 << 10;

/// The sessions and hunts of the journal.
pub(super) struct Catalogue {
    journal: Arc<dyn journal::Catalogue>,
    sessions: RwLock<KnownSessions>,
    /// Parsed hunts by revision.
    hunts: Mutex<HashMap<String, Arc<Hunt>>>,
    queries: Semaphore,
}

/// Grows up to the number of sessions in the journal.
#[derive(Default)]
struct KnownSessions {
    records: HashMap<SessionId, Arc<SessionRecord>>,
    ids: HashMap<String, SessionId>,
}

impl KnownSessions {
    fn insert(&mut self, record: Arc<SessionRecord>) {
        self.ids.insert(record.code.clone(), record.id);
        self.records.insert(record.id, record);
    }
}

/// Why a session of the journal could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The journal failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The session's hunt is not in the journal.
    #[error("the hunt of session {0} is not in the journal")]
    HuntMissing(SessionId),
    /// The session's hunt cannot be read.
    #[error("the hunt of session {0}: {1}")]
    Hunt(SessionId, HuntError),
}

impl Catalogue {
    pub(super) fn new(journal: Arc<dyn journal::Catalogue>) -> Self {
        Self {
            journal,
            sessions: RwLock::default(),
            hunts: Mutex::default(),
            queries: Semaphore::new(QUERIES_MAX),
        }
    }

    /// Caches a session's record. Every session is cached before it is opened.
    pub(super) fn insert(&self, record: Arc<SessionRecord>) {
        self.write_sessions().insert(record);
    }

    /// The id of the cached session with this code.
    pub(super) fn cached_id(&self, code: &str) -> Option<SessionId> {
        self.read_sessions().ids.get(code).copied()
    }

    /// The cached record of the session with this code.
    pub(super) fn cached_by_code(&self, code: &str) -> Option<Arc<SessionRecord>> {
        let sessions = self.read_sessions();
        let id = sessions.ids.get(code)?;
        sessions.records.get(id).cloned()
    }

    /// The record of the session with this code, from the cache or the journal.
    pub(super) async fn by_code(
        &self,
        code: &str,
    ) -> Result<Option<Arc<SessionRecord>>, JournalError> {
        let cached = self.cached_by_code(code);
        if cached.is_some() {
            return Ok(cached);
        }
        let _permit = self.query_permit().await;
        let found = self.journal.session_by_code(code.to_owned()).await?;
        let found = found.map(Arc::new);
        if let Some(record) = &found {
            self.insert(record.clone());
        }
        Ok(found)
    }

    /// The record of a session. If it is not cached, all records are read from the journal.
    pub(super) async fn by_id(
        &self,
        id: SessionId,
    ) -> Result<Option<Arc<SessionRecord>>, JournalError> {
        if let Some(cached) = self.cached(id) {
            return Ok(Some(cached));
        }
        let _permit = self.query_permit().await;
        // Another query may have read them during the wait for the permit.
        if let Some(cached) = self.cached(id) {
            return Ok(Some(cached));
        }
        let all = self.journal.sessions().await?;
        let mut sessions = self.write_sessions();
        for record in all {
            sessions.insert(Arc::new(record));
        }
        Ok(sessions.records.get(&id).cloned())
    }

    /// The parsed hunt of a session.
    pub(super) async fn hunt(&self, record: &SessionRecord) -> Result<Arc<Hunt>, OpenError> {
        let revision = &record.hunt_revision;
        if let Some(parsed) = self.cached_hunt(revision) {
            return Ok(parsed);
        }
        let _permit = self.query_permit().await;
        // Another query may have read it during the wait for the permit.
        if let Some(parsed) = self.cached_hunt(revision) {
            return Ok(parsed);
        }
        let stored = self.journal.hunt(revision.clone()).await?;
        let stored = stored.ok_or(OpenError::HuntMissing(record.id))?;
        let parsed = parse_off_workers(stored)
            .await
            .map_err(|error| OpenError::Hunt(record.id, error))?;
        let parsed = Arc::new(parsed);
        let mut hunts = self.hunts();
        if hunts.len() >= HUNTS_MAX {
            hunts.clear();
        }
        hunts.insert(revision.clone(), parsed.clone());
        Ok(parsed)
    }

    fn cached_hunt(&self, revision: &str) -> Option<Arc<Hunt>> {
        self.hunts().get(revision).cloned()
    }

    fn cached(&self, id: SessionId) -> Option<Arc<SessionRecord>> {
        self.read_sessions().records.get(&id).cloned()
    }

    async fn query_permit(&self) -> SemaphorePermit<'_> {
        let permit = self.queries.acquire().await;
        permit.expect("the semaphore is never closed")
    }

    fn read_sessions(&self) -> RwLockReadGuard<'_, KnownSessions> {
        self.sessions
            .read()
            .expect("nothing panics while it holds the lock")
    }

    fn write_sessions(&self) -> RwLockWriteGuard<'_, KnownSessions> {
        self.sessions
            .write()
            .expect("nothing panics while it holds the lock")
    }

    fn hunts(&self) -> MutexGuard<'_, HashMap<String, Arc<Hunt>>> {
        self.hunts
            .lock()
            .expect("nothing panics while it holds the lock")
    }
}

/// A hunt that was checked and can be stored.
pub struct StoredHunt {
    /// SHA-256 digest of `files`, in hexadecimal.
    pub revision: String,
    /// The hunt's files, encoded as JSON.
    pub files: Vec<u8>,
    /// The parsed hunt.
    pub hunt: Hunt,
}

/// Why a hunt cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HuntError {
    /// The hunt has authoring mistakes.
    #[error("the hunt has {} mistakes", .0.len())]
    Mistakes(Vec<Mistake>),
    /// The stored files cannot be decoded.
    #[error("the stored hunt is damaged: {0}")]
    Damaged(serde_json::Error),
    /// Parsing the stored files panicked.
    #[error("parsing the stored hunt failed: {0}")]
    Panicked(JoinError),
}

impl StoredHunt {
    /// Checks a hunt's files and computes their revision.
    pub fn new(files: &Bundle) -> Result<Self, HuntError> {
        let hunt = hunt::parse(files).map_err(HuntError::Mistakes)?;
        let files = serde_json::to_vec(files).expect("paths and texts are strings");
        Ok(Self {
            revision: hex::encode(Sha256::digest(&files)),
            files,
            hunt,
        })
    }
}

/// Parses stored files, on a blocking thread if that takes longer than an async worker may be blocked.
async fn parse_off_workers(files: Vec<u8>) -> Result<Hunt, HuntError> {
    if files.len() <= PARSE_INLINE_BYTES_MAX {
        return parse_stored(&files);
    }
    let parsing = spawn_blocking(move || parse_stored(&files));
    parsing.await.map_err(HuntError::Panicked)?
}

fn parse_stored(files: &[u8]) -> Result<Hunt, HuntError> {
    let files: Bundle = serde_json::from_slice(files).map_err(HuntError::Damaged)?;
    hunt::parse(&files).map_err(HuntError::Mistakes)
}
