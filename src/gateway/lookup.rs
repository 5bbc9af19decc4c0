//! Which session somebody means, and what they are told if they may not know.

use hunt::plain_code;

use super::addresses::Source;
use super::{Gateway, TooManyWrongCodes};
use crate::delivery::Hub;
use crate::journal::SessionId;
use crate::session::{NotHere, SessionHandle};

/// Why somebody gets no session.
#[derive(Debug)]
pub enum NoSession {
    /// It was not found in time, and may be in a moment: it is changing hands.
    ForNow,
    /// No session has this code.
    Unknown,
    /// The token is another session's. There may be one with this code, or not.
    Foreign,
    /// It is finished, and cannot be opened because the server has as many sessions open as it may.
    Full,
    /// Too many codes were wrong; this one was not looked at.
    TooMany(TooManyWrongCodes),
}

impl From<TooManyWrongCodes> for NoSession {
    fn from(refusal: TooManyWrongCodes) -> Self {
        Self::TooMany(refusal)
    }
}

impl Gateway {
    /// The session with a code, as people type it, for those who may know all.
    pub async fn session(&self, code: &str) -> Result<SessionHandle<Hub>, NoSession> {
        let code = plain_code(code);
        match self.sessions.get_or_reopen(&code).await {
            Ok(session) => Ok(session),
            Err(NotHere::Full) => Err(NoSession::Full),
            Err(NotHere::Absent) if self.sessions.known_elsewhere(&code).is_some() => {
                Err(NoSession::ForNow)
            }
            Err(NotHere::Absent) => Err(NoSession::Unknown),
        }
    }

    /// The same for those who have shown no token: wrong codes are limited.
    pub async fn public_session(
        &self,
        source: Source,
        code: &str,
    ) -> Result<SessionHandle<Hub>, NoSession> {
        let attempt = self.attempts.at_session(source)?;
        let found = self.session(code).await;
        match &found {
            // Whether it is right is not known, or it is.
            Ok(_) | Err(NoSession::ForNow | NoSession::Full) => attempt.was_not_wrong(),
            Err(NoSession::Unknown | NoSession::Foreign | NoSession::TooMany(_)) => drop(attempt),
        }
        found
    }

    /// Whether the store may be asked for a code that this node does not know: not by those who show no
    /// token and have used up what may be wrong, since each of their codes would cost it a query.
    pub fn may_look_up(&self, source: Source, token: Option<&str>) -> Result<(), NoSession> {
        let now = self.sessions.clock().now();
        if token.is_some_and(|token| self.tokens().open(token, now).is_ok()) {
            return Ok(());
        }
        self.attempts.at_session(source)?.was_not_wrong();
        Ok(())
    }

    /// The same for those whose token is of a session. Whoever names another one is told the same whether
    /// there is such a session or not, and counts as guessing codes.
    pub async fn session_of_token(
        &self,
        source: Source,
        of_session: SessionId,
        code: &str,
    ) -> Result<SessionHandle<Hub>, NoSession> {
        let code = plain_code(code);
        let is_elsewhere = || self.sessions.known_elsewhere(&code) == Some(of_session);
        match self.sessions.get_or_reopen(&code).await {
            Ok(session) if session.id() == of_session => Ok(session),
            Err(NotHere::Full) if is_elsewhere() => Err(NoSession::Full),
            Err(NotHere::Absent) if is_elsewhere() => Err(NoSession::ForNow),
            Ok(_) | Err(NotHere::Absent | NotHere::Full) => {
                // Dropped, the attempt counts as wrong.
                drop(self.attempts.at_session(source)?);
                Err(NoSession::Foreign)
            }
        }
    }
}
