//! Every session of the journal by its code, wherever it runs, and the hunts that they are of.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use hunt::Hunt;
use tokio::sync::Semaphore;

use super::hunts::{HuntError, parse_stored};
use crate::journal::{Catalogue, JournalError, SessionId, SessionRecord};

/// Codes that are looked up in the journal at the same time; further ones wait their turn.
const LOOK_UPS_MAX: usize = 4;
/// Hunts that are kept parsed. Past that all are let go of: sessions keep their own.
const HUNTS_MAX: usize = 64;

/// Remembers what the journal said; a session's record and a hunt's files never change.
pub(super) struct Directory {
    journal: Arc<dyn Catalogue>,
    /// As many as there are sessions.
    records: Mutex<HashMap<String, SessionRecord>>,
    hunts: Mutex<HashMap<String, Arc<Hunt>>>,
    look_ups: Semaphore,
}

/// Why a session of the journal could not be opened.
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

impl Directory {
    pub(super) fn new(journal: Arc<dyn Catalogue>) -> Self {
        Self {
            journal,
            records: Mutex::default(),
            hunts: Mutex::default(),
            look_ups: Semaphore::new(LOOK_UPS_MAX),
        }
    }

    /// The session with this code, if it has been found before.
    pub(super) fn known_as(&self, code: &str) -> Option<SessionId> {
        self.records().get(code).map(|record| record.id)
    }

    /// Remembers a session's record.
    pub(super) fn learn(&self, record: &SessionRecord) {
        let code = record.code.clone();
        self.records().insert(code, record.clone());
    }

    pub(super) fn known_by_code(&self, code: &str) -> Option<SessionRecord> {
        self.records().get(code).cloned()
    }

    pub(super) async fn by_code(&self, code: &str) -> Result<Option<SessionRecord>, JournalError> {
        let known = self.known_by_code(code);
        if known.is_some() {
            return Ok(known);
        }
        let place = self.look_ups.acquire().await;
        let _place = place.expect("the semaphore is never closed");
        let found = self.journal.session_by_code(code.to_owned()).await?;
        if let Some(record) = &found {
            self.records().insert(code.to_owned(), record.clone());
        }
        Ok(found)
    }

    /// The record of a session that exists; on the first question for an unknown one, all are read.
    pub(super) async fn by_id(&self, id: SessionId) -> Result<Option<SessionRecord>, JournalError> {
        if let Some(known) = self.known(id) {
            return Ok(Some(known));
        }
        let place = self.look_ups.acquire().await;
        let _place = place.expect("the semaphore is never closed");
        // Another one may have read them while this waited.
        if let Some(known) = self.known(id) {
            return Ok(Some(known));
        }
        let all = self.journal.sessions().await?;
        let all = all.into_iter().map(|record| (record.code.clone(), record));
        self.records().extend(all);
        Ok(self.known(id))
    }

    /// The hunt of a session.
    pub(super) async fn hunt(&self, record: &SessionRecord) -> Result<Arc<Hunt>, OpenError> {
        let revision = &record.hunt_revision;
        if let Some(parsed) = self.hunts().get(revision) {
            return Ok(parsed.clone());
        }
        let stored = self.journal.hunt(revision.clone()).await?;
        let stored = stored.ok_or(OpenError::HuntMissing(record.id))?;
        let parsed = parse_stored(&stored).map_err(|error| OpenError::Hunt(record.id, error))?;
        let parsed = Arc::new(parsed);
        let mut hunts = self.hunts();
        if hunts.len() >= HUNTS_MAX {
            hunts.clear();
        }
        hunts.insert(revision.clone(), parsed.clone());
        Ok(parsed)
    }

    fn known(&self, id: SessionId) -> Option<SessionRecord> {
        let records = self.records();
        records.values().find(|record| record.id == id).cloned()
    }

    fn records(&self) -> MutexGuard<'_, HashMap<String, SessionRecord>> {
        self.records
            .lock()
            .expect("nothing panics while it holds the lock")
    }

    fn hunts(&self) -> MutexGuard<'_, HashMap<String, Arc<Hunt>>> {
        self.hunts
            .lock()
            .expect("nothing panics while it holds the lock")
    }
}
