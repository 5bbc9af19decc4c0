//! Who sends a request: the token in its `Authorization` header.

use std::convert::Infallible;
use std::str::FromStr;

use axum::extract::FromRequestParts;
use hunt::{By, DeviceId, Rejection, Scope, plain_code};
use hyper::http::request::Parts;

use super::answers::Failed;
use crate::delivery::Hub;
use crate::gateway::{Gateway, Grant, Slot, Source, bearer};
use crate::session::{Refusal, SessionHandle};

/// Whom limits by address count a request for.
pub(super) struct Asker(pub(super) Source);

impl FromRequestParts<Gateway> for Asker {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Gateway) -> Result<Self, Infallible> {
        let slot = parts.extensions.get::<Slot>();
        Ok(Self(
            slot.expect("a listener gives each request a place")
                .source(),
        ))
    }
}

/// What the bearer of a request's token may do, and whom limits by address count them for.
pub(super) struct Bearer {
    grant: Grant,
    source: Source,
}

impl FromRequestParts<Gateway> for Bearer {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, gateway: &Gateway) -> Result<Self, Failed> {
        let token = bearer(&parts.headers)
            .ok_or_else(|| Failed::unauthorized("Send `Authorization: Bearer TOKEN`."))?;
        let now = gateway.sessions().clock().now();
        let grant = gateway.tokens().open(token, now);
        let grant = grant.map_err(|refusal| Failed::unauthorized(refusal.to_string()))?;
        let slot = parts.extensions.get::<Slot>();
        let slot = slot.expect("a listener gives each request a place");
        slot.authenticated();
        let source = slot.source();
        Ok(Self { grant, source })
    }
}

impl Bearer {
    /// The session with this code, as people type it, if the bearer's token is of it; what they may do
    /// there is a question of its own. Whoever has another session's token is told the same whether
    /// there is such a session or not, and counts as guessing codes.
    pub(super) async fn session(
        &self,
        gateway: &Gateway,
        code: &str,
    ) -> Result<SessionHandle<Hub>, Failed> {
        let found = find_session(gateway, code).await;
        let of_session = match self.grant {
            Grant::Admin => return found,
            Grant::GameMaster(of_session, _)
            | Grant::Device(of_session, _)
            | Grant::Link(of_session, ..) => of_session,
        };
        let asked_for = found.as_ref().map(SessionHandle::id).ok();
        let asked_for = asked_for.or_else(|| {
            let sessions = gateway.sessions();
            sessions.elsewhere(&plain_code(code))
        });
        if asked_for == Some(of_session) {
            return found;
        }
        // Dropped, the attempt counts as wrong.
        drop(gateway.attempts().at_session(self.source)?);
        Err(Failed::forbidden("This takes a token of this session."))
    }

    /// The bearer owns the server.
    pub(super) fn must_be_admin(&self) -> Result<(), Failed> {
        match self.grant {
            Grant::Admin => Ok(()),
            Grant::GameMaster(..) | Grant::Device(..) | Grant::Link(..) => {
                Err(Failed::forbidden("This takes an admin's token."))
            }
        }
    }

    /// Who runs the session; what exactly they may do is for the rules to say.
    pub(super) fn by(&self, session: &SessionHandle<Hub>) -> Result<By, Failed> {
        match self.grant {
            Grant::Admin => Ok(By::Admin),
            Grant::GameMaster(runs, id) if runs == session.id() => Ok(By::GameMaster(id)),
            Grant::GameMaster(..) | Grant::Device(..) | Grant::Link(..) => Err(Failed::forbidden(
                "This takes a token of this session's game master.",
            )),
        }
    }

    /// The bearer runs the session and has a scope; for questions, which the rules do not judge.
    pub(super) async fn must_have(
        &self,
        session: &SessionHandle<Hub>,
        scope: Scope,
    ) -> Result<(), Failed> {
        let By::GameMaster(id) = self.by(session)? else {
            return Ok(());
        };
        let may = session.read(move |view| {
            let game_master = view.state.game_master(id);
            let game_master = game_master.filter(|known| !known.revoked)?;
            Some(game_master.may(scope))
        });
        let revoked = Refusal::Rejected(Rejection::Revoked);
        if may.await?.ok_or(revoked)? {
            return Ok(());
        }
        Err(Failed::forbidden(format!(
            "This takes a game master with the scope {}.",
            scope_name(scope)
        )))
    }

    /// The device of the session that the bearer plays on.
    pub(super) fn device_of(&self, session: &SessionHandle<Hub>) -> Result<DeviceId, Failed> {
        match self.grant {
            Grant::Device(plays, device) if plays == session.id() => Ok(device),
            Grant::Device(..) | Grant::GameMaster(..) | Grant::Link(..) | Grant::Admin => Err(
                Failed::forbidden("This takes a token of a device in this session."),
            ),
        }
    }

    /// Whether the bearer's token is a device's.
    pub(super) fn is_device(&self) -> bool {
        matches!(self.grant, Grant::Device(..))
    }
}

/// A scope as the wire writes it.
pub(super) fn scope_name(scope: Scope) -> &'static str {
    match scope {
        Scope::View => "view",
        Scope::Hints => "hints",
        Scope::Run => "run",
        Scope::Answers => "answers",
    }
}

/// An id in a path, such as `p7`.
pub(super) fn parse_id<T: FromStr>(text: &str) -> Result<T, Failed> {
    let parsed = text.parse();
    parsed.map_err(|_| Failed::not_found("There is nothing with this id."))
}

/// As [`find_session`], for those who have shown no token: wrong codes are limited.
pub(super) async fn find_public_session(
    gateway: &Gateway,
    source: Source,
    code: &str,
) -> Result<SessionHandle<Hub>, Failed> {
    let attempt = gateway.attempts().at_session(source)?;
    let session = find_session(gateway, code).await?;
    attempt.was_not_wrong();
    Ok(session)
}

/// The session with this code, as people type it.
async fn find_session(gateway: &Gateway, code: &str) -> Result<SessionHandle<Hub>, Failed> {
    let code = plain_code(code);
    let session = gateway.sessions().wake(&code).await;
    session.ok_or_else(|| {
        if gateway.sessions().elsewhere(&code).is_some() {
            return Failed::unavailable("The session is changing hands; try again in a moment.");
        }
        Failed::not_found("No session has this code; check the spelling.")
    })
}
