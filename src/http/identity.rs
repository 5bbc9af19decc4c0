//! The sender of a request: its address for rate limits, and the token in its `Authorization` header.

use std::convert::Infallible;
use std::str::FromStr;

use axum::extract::FromRequestParts;
use hunt::{DeviceId, Issuer, Rejection, Scope, TeamId};
use hyper::http::request::Parts;

use super::failure::Failed;
use crate::delivery::{Hub, render};
use crate::gateway::{Gateway, Grant, Slot, SubscriberKey, bearer};
use crate::session::{Refusal, SessionHandle};

/// Key of the per-address rate limiters for a request.
pub(super) struct ClientSource(pub(super) SubscriberKey);

impl FromRequestParts<Gateway> for ClientSource {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Gateway) -> Result<Self, Infallible> {
        Ok(Self(slot_of(parts).subscriber_key()))
    }
}

/// The grant of a request's token, and the key of the per-address rate limiters.
pub(super) struct Bearer {
    grant: Grant,
    source: SubscriberKey,
}

impl FromRequestParts<Gateway> for Bearer {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, gateway: &Gateway) -> Result<Self, Failed> {
        let token = bearer(&parts.headers).ok_or_else(|| {
            Failed::unauthorized("The token is missing; send `Authorization: Bearer TOKEN`.")
        })?;
        let now = gateway.sessions().clock().now();
        let grant = gateway.tokens().open(token, now);
        let grant = grant.map_err(|refusal| Failed::unauthorized(refusal.to_string()))?;
        let slot = slot_of(parts);
        slot.mark_authenticated();
        let source = slot.subscriber_key();
        Ok(Self { grant, source })
    }
}

/// The connection slot of a request.
fn slot_of(parts: &Parts) -> &Slot {
    let slot = parts.extensions.get();
    slot.expect("every listener attaches the connection's slot to each request")
}

impl Bearer {
    /// The session with this code, in any spelling, if the token belongs to it. Does not check what the
    /// bearer may do there.
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

    /// Requires an admin's token.
    pub(super) fn must_be_admin(&self) -> Result<(), Failed> {
        match self.grant {
            Grant::Admin => Ok(()),
            Grant::GameMaster(..) | Grant::Device(..) | Grant::Link(..) => {
                Err(Failed::forbidden("This request requires an admin's token."))
            }
        }
    }

    /// The admin or game master behind the token. The rules check the scopes.
    pub(super) fn by(&self, session: &SessionHandle<Hub>) -> Result<Issuer, Failed> {
        match self.grant {
            Grant::Admin => Ok(Issuer::Admin),
            Grant::GameMaster(runs, id) if runs == session.id() => Ok(Issuer::GameMaster(id)),
            Grant::GameMaster(..) | Grant::Device(..) | Grant::Link(..) => Err(Failed::forbidden(
                "This request requires the token of a game master of this session.",
            )),
        }
    }

    /// Requires an admin or a game master with the scope; for reads, which the rules do not check.
    pub(super) async fn must_have(
        &self,
        session: &SessionHandle<Hub>,
        scope: Scope,
    ) -> Result<(), Failed> {
        if self.has(session, scope).await? {
            return Ok(());
        }
        Err(Failed::forbidden(format!(
            "This request requires a game master with the scope `{}`.",
            render::scope_name(scope)
        )))
    }

    /// Whether the token is an admin's, or that of a game master with the scope. Fails if it is neither.
    pub(super) async fn has(
        &self,
        session: &SessionHandle<Hub>,
        scope: Scope,
    ) -> Result<bool, Failed> {
        let Issuer::GameMaster(id) = self.by(session)? else {
            return Ok(true);
        };
        let may = session.read(move |view| {
            let game_master = view.state.game_master(id);
            let game_master = game_master.filter(|known| !known.revoked)?;
            Some(game_master.may(scope))
        });
        let revoked = Refusal::Rejected(Rejection::Revoked);
        Ok(may.await?.ok_or(revoked)?)
    }

    /// The device behind the token. The rules check whether it is revoked.
    pub(super) fn device_of(&self, session: &SessionHandle<Hub>) -> Result<DeviceId, Failed> {
        match self.grant {
            Grant::Device(plays, device) if plays == session.id() => Ok(device),
            Grant::Device(..) | Grant::GameMaster(..) | Grant::Link(..) | Grant::Admin => Err(
                Failed::forbidden("This request requires the token of a device in this session."),
            ),
        }
    }

    /// The device behind the token, if it is not revoked; for requests that the rules do not check.
    pub(super) async fn active_device_of(
        &self,
        session: &SessionHandle<Hub>,
    ) -> Result<DeviceId, Failed> {
        let device = self.device_of(session)?;
        let is_active = session.read(move |view| {
            let device = view.state.device(device);
            device.is_some_and(|device| !device.revoked)
        });
        if is_active.await? {
            return Ok(device);
        }
        Err(Refusal::Rejected(Rejection::Revoked).into())
    }

    /// The device behind the token, if it is not revoked and its player is in the team.
    pub(super) async fn device_in_team(
        &self,
        session: &SessionHandle<Hub>,
        team: TeamId,
    ) -> Result<DeviceId, Failed> {
        let by = self.active_device_of(session).await?;
        let own = session.read(move |view| {
            let player = view.state.device(by)?.player;
            Some(view.state.player(player)?.team)
        });
        if own.await? == Some(team) {
            return Ok(by);
        }
        Err(Refusal::Rejected(Rejection::Forbidden).into())
    }

    /// Names the requester within a session, for the fingerprint of a request.
    pub(super) fn requester(&self) -> String {
        match self.grant {
            Grant::Admin => "admin".to_owned(),
            Grant::GameMaster(_, game_master) => game_master.to_string(),
            Grant::Device(_, device) => device.to_string(),
            Grant::Link(_, device, link) => format!("{device} {link}"),
        }
    }

    /// Whether the token is a device's.
    pub(super) fn is_device(&self) -> bool {
        matches!(self.grant, Grant::Device(..))
    }
}

/// Parses an id in a path, such as `p7`.
pub(super) fn parse_id<T: FromStr>(text: &str) -> Result<T, Failed> {
    let parsed = text.parse();
    parsed.map_err(|_| Failed::not_found("No such id; list what there is and check the spelling."))
}
