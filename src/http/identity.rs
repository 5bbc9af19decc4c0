//! Who sends a request: the token in its `Authorization` header.

use std::convert::Infallible;
use std::str::FromStr;

use axum::extract::FromRequestParts;
use hunt::{By, DeviceId, Rejection, Scope};
use hyper::http::request::Parts;

use super::answers::Failed;
use crate::delivery::Hub;
use crate::gateway::{Gateway, Grant, Slot, SubscriberKey, bearer};
use crate::session::{Refusal, SessionHandle};

/// Whom limits by address count a request for.
pub(super) struct Asker(pub(super) SubscriberKey);

impl FromRequestParts<Gateway> for Asker {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Gateway) -> Result<Self, Infallible> {
        let slot = parts.extensions.get::<Slot>();
        Ok(Self(
            slot.expect("a listener gives each request a place")
                .subscriber_key(),
        ))
    }
}

/// What the bearer of a request's token may do, and whom limits by address count them for.
pub(super) struct Bearer {
    grant: Grant,
    source: SubscriberKey,
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
        slot.mark_authenticated();
        let source = slot.subscriber_key();
        Ok(Self { grant, source })
    }
}

impl Bearer {
    /// The session with this code, as people type it, if the bearer's token is of it; what they may do
    /// there is a question of its own.
    pub(super) async fn session(
        &self,
        gateway: &Gateway,
        code: &str,
    ) -> Result<SessionHandle<Hub>, Failed> {
        let found = match self.grant {
            Grant::Admin => gateway.session(code).await,
            Grant::GameMaster(of_session, _)
            | Grant::Device(of_session, _)
            | Grant::Link(of_session, ..) => {
                let found = gateway.session_of_token(self.source, of_session, code);
                found.await
            }
        };
        Ok(found?)
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
