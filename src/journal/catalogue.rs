//! The catalogue: which hunts and sessions exist.

use futures_util::future::FutureExt;

use super::answer::{Answer, JournalError};
use crate::ids::SessionId;

/// Hunts and sessions, without their events.
pub trait Catalogue: Send + Sync + 'static {
    /// Stores a hunt's files under their revision. Idempotent: an existing revision stays as it is.
    fn put_hunt(&self, revision: String, files: Vec<u8>) -> Answer<()>;

    /// The files of a hunt.
    fn hunt(&self, revision: String) -> Answer<Option<Vec<u8>>>;

    /// Creates a session without an owner. Durable when it returns `Ok`.
    fn create_session(&self, session: SessionRecord) -> Answer<(), CreateError>;

    /// Every session, in the order of creation.
    fn sessions(&self) -> Answer<Vec<SessionRecord>>;

    /// The session with this code. Stores with an index on the code override the linear search.
    fn session_by_code(&self, code: String) -> Answer<Option<SessionRecord>> {
        let sessions = self.sessions();
        async move {
            let mut sessions = sessions.await?.into_iter();
            Ok(sessions.find(|session| session.code == code))
        }
        .boxed()
    }

    /// Records that a session is finished. The event that finished it is already durable, and the finish can no
    /// longer be undone.
    fn mark_finished(&self, session: SessionId) -> Answer<()>;

    /// Every session recorded as finished, in no particular order.
    fn finished_sessions(&self) -> Answer<Vec<SessionId>>;
}

/// A session as it was created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRecord {
    /// Its id.
    pub id: SessionId,
    /// The code by which players find it; unique.
    pub code: String,
    /// The hunt's revision.
    pub hunt_revision: String,
    /// Creation time, in milliseconds of Unix time.
    pub created_at_ms: u64,
}

/// Why a session was not created.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CreateError {
    /// Another session has the code.
    #[error("another session has this code")]
    CodeTaken,
    /// The hunt is not stored.
    #[error("no hunt with this revision is stored")]
    UnknownHunt,
    /// The store failed; whether the session exists is unknown.
    #[error(transparent)]
    Failed(#[from] JournalError),
}
