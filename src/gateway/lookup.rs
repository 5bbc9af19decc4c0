//! Finds the session of a code, and limits wrong codes.

use hunt::normalise_code;

use super::Gateway;
use super::admission::addresses::SubscriberKey;
use super::admission::code_attempts::TooManyWrongCodes;
use crate::delivery::Hub;
use crate::ids::SessionId;
use crate::session::{NotHere, SessionHandle};

/// Why a session is not available to a client.
#[derive(Debug)]
pub enum NoSession {
    /// It is moving between nodes, and should be available in a moment.
    Moving,
    /// No session has this code.
    Unknown,
    /// The token belongs to another session. Whether a session has this code is not revealed.
    WrongToken,
    /// It is finished, and cannot be opened because too many sessions are open.
    TooManyOpen,
    /// Too many codes were wrong; this one was not looked at.
    TooManyWrongCodes(TooManyWrongCodes),
}

impl From<TooManyWrongCodes> for NoSession {
    fn from(refusal: TooManyWrongCodes) -> Self {
        Self::TooManyWrongCodes(refusal)
    }
}

impl Gateway {
    /// The session with a code, as people type it. For callers that are allowed every session.
    pub async fn session(&self, code: &str) -> Result<SessionHandle<Hub>, NoSession> {
        let code = normalise_code(code);
        match self.sessions.get_or_reopen(&code).await {
            Ok(session) => Ok(session),
            Err(NotHere::Full) => Err(NoSession::TooManyOpen),
            Err(NotHere::Absent) if self.sessions.known_elsewhere(&code).is_some() => {
                Err(NoSession::Moving)
            }
            Err(NotHere::Absent) => Err(NoSession::Unknown),
        }
    }

    /// The session with a code, for a client without a token. Wrong codes are limited.
    pub async fn public_session(
        &self,
        key: SubscriberKey,
        code: &str,
    ) -> Result<SessionHandle<Hub>, NoSession> {
        let attempt = self.attempts.at_session(key)?;
        let found = self.session(code).await;
        match &found {
            // The code is right, or the outcome is unknown.
            Ok(_) | Err(NoSession::Moving | NoSession::TooManyOpen) => attempt.refund(),
            Err(NoSession::Unknown | NoSession::WrongToken | NoSession::TooManyWrongCodes(_)) => {
                drop(attempt);
            }
        }
        found
    }

    /// Checks whether the store may be queried for a code that this node does not know. A client without a
    /// token that has used up its wrong codes is refused, because each of its codes would cost a query.
    pub fn may_look_up(&self, key: SubscriberKey, token: Option<&str>) -> Result<(), NoSession> {
        let now = self.sessions.clock().now();
        if token.is_some_and(|token| self.tokens().open(token, now).is_ok()) {
            return Ok(());
        }
        self.attempts.at_session(key)?.refund();
        Ok(())
    }

    /// The session with a code, for a client whose token belongs to `granted_session`. Naming another session
    /// gives the same error whether it exists or not, and counts as a wrong code.
    pub async fn session_of_token(
        &self,
        key: SubscriberKey,
        granted_session: SessionId,
        code: &str,
    ) -> Result<SessionHandle<Hub>, NoSession> {
        let code = normalise_code(code);
        let is_elsewhere = || self.sessions.known_elsewhere(&code) == Some(granted_session);
        match self.sessions.get_or_reopen(&code).await {
            Ok(session) if session.id() == granted_session => Ok(session),
            Err(NotHere::Full) if is_elsewhere() => Err(NoSession::TooManyOpen),
            Err(NotHere::Absent) if is_elsewhere() => Err(NoSession::Moving),
            Ok(_) | Err(NotHere::Absent | NotHere::Full) => {
                // A dropped attempt counts as wrong.
                drop(self.attempts.at_session(key)?);
                Err(NoSession::WrongToken)
            }
        }
    }
}
