//! Creates sessions: stored, claimed, open, and with their first game master.

use dashmap::DashSet;
use hunt::{GameMasterId, GameMasterOrder, Issuer, NameId, Receipt, Scope};

use super::delivery::{Delivery, Refusal};
use super::directory::OpenError;
use super::handle::{SessionHandle, Unavailable};
use super::hunts::HuntError;
use super::registry::{Sessions, Sharing};
use super::supervisor::Tenure;
use crate::journal::{ClaimError, CreateError, Epoch, Name, Ownership, SessionId, SessionRecord};

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
    /// The session was created, and another node or nobody came to own it.
    #[error("the session was created, and could not be claimed: {0}")]
    Claim(#[from] ClaimError),
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

impl<D: Delivery> Sessions<D> {
    /// Creates a session and opens it. It is durable and open when this returns.
    pub async fn create(
        &self,
        id: SessionId,
        code: String,
        hunt_revision: String,
    ) -> Result<SessionHandle<D>, CreateSessionError> {
        let defaults = &self.shared.defaults;
        if self.is_full() {
            return Err(CreateSessionError::Full(defaults.sessions_max));
        }
        let record = SessionRecord {
            id,
            code,
            hunt_revision,
            created_at_ms: defaults.clock.now().0,
        };
        let hunt = self.directory().hunt(&record).await;
        let hunt = hunt.map_err(|error| match error {
            OpenError::Journal(error) => CreateError::Failed(error).into(),
            OpenError::HuntMissing(_) => CreateError::UnknownHunt.into(),
            OpenError::Hunt(_, error) => CreateSessionError::Hunt(error),
        })?;
        defaults.journal.create_session(record.clone()).await?;
        self.directory().learn(&record);
        let mut open = {
            let _newborn = Newborn::hold(&self.shared.newborns, id);
            let era = self.validity().era();
            let tenure = self.tenure_of_newborn(id).await?;
            let open = self.open(record, hunt, tenure, era);
            open.ok_or(ClaimError::Lost)?
        };
        open.opened().await;
        invite_first_game_master(&open.handle).await?;
        Ok(open.handle.in_use())
    }

    async fn tenure_of_newborn(&self, session: SessionId) -> Result<Tenure, ClaimError> {
        let defaults = &self.shared.defaults;
        match defaults.sharing {
            Sharing::Alone => Ok(Tenure::Alone),
            Sharing::Nodes(_) => {
                let newborn = Ownership {
                    session,
                    owner: None,
                    epoch: Epoch(0),
                };
                let claim = newborn.claim_for(defaults.owner);
                Ok(Tenure::Claimed(defaults.journal.claim(claim).await?))
            }
        }
    }
}

/// Names a session among those that are being created, until it is dropped: whoever creates one may go
/// away at any time.
struct Newborn<'a> {
    newborns: &'a DashSet<SessionId>,
    id: SessionId,
}

impl<'a> Newborn<'a> {
    fn hold(newborns: &'a DashSet<SessionId>, id: SessionId) -> Self {
        newborns.insert(id);
        Self { newborns, id }
    }
}

impl Drop for Newborn<'_> {
    fn drop(&mut self) {
        self.newborns.remove(&self.id);
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
    let receipt = session
        .game_master(Issuer::Admin, order, vec![name])
        .await??;
    let game_master = first_game_master();
    assert_eq!(receipt, Receipt::GameMasterInvited { game_master });
    Ok(())
}
