//! Who sends a request: the token in its `Authorization` header.

use axum::extract::FromRequestParts;
use hyper::header::AUTHORIZATION;
use hyper::http::request::Parts;

use super::answers::Failed;
use crate::delivery::Hub;
use crate::gateway::{Gateway, Grant};
use crate::session::SessionHandle;

/// What the bearer of a request's token may do.
pub(super) struct Bearer(Grant);

impl FromRequestParts<Gateway> for Bearer {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, gateway: &Gateway) -> Result<Self, Failed> {
        let header = parts.headers.get(AUTHORIZATION);
        let token = header
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "));
        let token =
            token.ok_or_else(|| Failed::unauthorized("Send `Authorization: Bearer TOKEN`."))?;
        let now = gateway.sessions().clock().now();
        let grant = gateway.tokens().open(token.trim(), now);
        grant
            .map(Self)
            .map_err(|refusal| Failed::unauthorized(refusal.to_string()))
    }
}

impl Bearer {
    /// The bearer owns the server.
    pub(super) fn must_be_admin(&self) -> Result<(), Failed> {
        match self.0 {
            Grant::Admin => Ok(()),
            Grant::GameMaster(_) | Grant::Device(..) => {
                Err(Failed::forbidden("This takes an admin's token."))
            }
        }
    }

    /// The bearer runs the session.
    pub(super) fn must_run(&self, session: &SessionHandle<Hub>) -> Result<(), Failed> {
        match self.0 {
            Grant::Admin => Ok(()),
            Grant::GameMaster(runs) if runs == session.id() => Ok(()),
            Grant::GameMaster(_) | Grant::Device(..) => Err(Failed::forbidden(
                "This takes a token of this session's game master.",
            )),
        }
    }

    /// The device of the session that the bearer plays on.
    pub(super) fn device_of(&self, session: &SessionHandle<Hub>) -> Result<hunt::DeviceId, Failed> {
        match self.0 {
            Grant::Device(plays, device) if plays == session.id() => Ok(device),
            Grant::Device(..) | Grant::GameMaster(_) | Grant::Admin => Err(Failed::forbidden(
                "This takes a token of a device in this session.",
            )),
        }
    }
}

/// The session with this code, typed in any case.
pub(super) fn find_session(gateway: &Gateway, code: &str) -> Result<SessionHandle<Hub>, Failed> {
    let session = gateway.sessions().by_code(&code.to_ascii_uppercase());
    session.ok_or_else(|| Failed::not_found("No session has this code; check the spelling."))
}
