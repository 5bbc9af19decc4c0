//! Creates sessions: stores, claims and opens them, and invites the first game master.

use std::sync::Arc;

use dashmap::DashSet;
use hunt::{GameMasterId, GameMasterOrder, Issuer, NameId, Receipt, Scope};

use super::catalogue::{HuntError, OpenError};
use super::sessions::Sessions;
use crate::ids::{Epoch, Ownership, SessionId};
use crate::journal::{ClaimError, CreateError, PrivateKind, PrivateRecord, SessionRecord};
use crate::session::actor::{JournalAccess, SessionHandle, Unavailable};
use crate::session::delivery::{Delivery, Refusal};

/// Why a session was not created, or was created and is not ready.
#[derive(Debug, thiserror::Error)]
pub enum CreateSessionError {
    /// The code is in use, the hunt is unknown, or the journal failed.
    #[error(transparent)]
    Create(#[from] CreateError),
    /// This version cannot read the stored hunt.
    #[error(transparent)]
    Hunt(#[from] HuntError),
    /// The server has reached its limit of open sessions.
    #[error("the server has {0} sessions, which is its limit (server.sessions_max)")]
    Full(usize),
    /// The session was created, and this node could not claim it.
    #[error("the session was created, but could not be claimed: {0}")]
    Claim(#[from] ClaimError),
    /// The session was created, and could not invite its first game master now.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// The session was created, and rejected the invitation of its first game master.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// Name of the first game master of every session.
const FIRST_GAME_MASTER_NAME: &str = "Organiser";

/// The first game master of every session, who has every scope.
pub fn first_game_master() -> GameMasterId {
    GameMasterId::from(1)
}

impl<D: Delivery> Sessions<D> {
    /// Creates a session and opens it. When this returns, the session is durable and open, and has its
    /// first game master.
    pub async fn create(
        &self,
        id: SessionId,
        code: String,
        hunt_revision: String,
    ) -> Result<SessionHandle<D>, CreateSessionError> {
        if self.is_full() {
            return Err(CreateSessionError::Full(self.shared.sessions_max));
        }
        let record = SessionRecord {
            id,
            code,
            hunt_revision,
            created_at_ms: self.clock().now().0,
        };
        let hunt = self.shared.catalogue.hunt(&record).await;
        let hunt = hunt.map_err(|error| match error {
            OpenError::Journal(error) => CreateError::Failed(error).into(),
            OpenError::HuntMissing(_) => CreateError::UnknownHunt.into(),
            OpenError::Hunt(_, error) => CreateSessionError::Hunt(error),
        })?;
        self.journal().create_session(record.clone()).await?;
        let record = Arc::new(record);
        self.shared.catalogue.insert(record.clone());
        let session = {
            let _guard = CreatingGuard::new(&self.shared.creating, id);
            let term = self.lease().term();
            let claimed = self.claim_created(id).await?;
            let session = self.open(record, hunt, claimed, term);
            session.ok_or(ClaimError::Lost)?
        };
        session.handle.recovered().await;
        invite_first_game_master(&session.handle).await?;
        Ok(session.handle.for_user())
    }

    /// Claims a session that was just created, unless access to the journal is exclusive.
    async fn claim_created(&self, session: SessionId) -> Result<Option<Epoch>, ClaimError> {
        match self.shared.services.access {
            JournalAccess::Exclusive => Ok(None),
            JournalAccess::Shared(_) => {
                let created = Ownership {
                    session,
                    owner: None,
                    epoch: Epoch(0),
                };
                let claim = created.claim_for(self.owner());
                Ok(Some(self.journal().claim(claim).await?))
            }
        }
    }
}

/// Lists a session as being created until it is dropped, also when the request is cancelled.
struct CreatingGuard<'a> {
    creating: &'a DashSet<SessionId>,
    id: SessionId,
}

impl<'a> CreatingGuard<'a> {
    fn new(creating: &'a DashSet<SessionId>, id: SessionId) -> Self {
        creating.insert(id);
        Self { creating, id }
    }
}

impl Drop for CreatingGuard<'_> {
    fn drop(&mut self) {
        self.creating.remove(&self.id);
    }
}

async fn invite_first_game_master<D: Delivery>(
    session: &SessionHandle<D>,
) -> Result<(), CreateSessionError> {
    let name = PrivateRecord {
        kind: PrivateKind::Name,
        id: rand::random(),
        text: FIRST_GAME_MASTER_NAME.to_owned(),
    };
    let order = GameMasterOrder::InviteGameMaster {
        name: NameId(name.id),
        scopes: Scope::ALL.into(),
    };
    let receipt = session
        .submit_order(Issuer::Admin, order, vec![name])
        .await??;
    let game_master = first_game_master();
    assert_eq!(receipt, Receipt::GameMasterInvited { game_master });
    Ok(())
}
