//! A running session: its public state and its standings.

use axum::Json;
use axum::extract::State;
use protocol::rest::{SessionState, Standings};

use super::body::InPath;
use super::failure::Failed;
use super::identity::ClientSource;
use crate::delivery::{Hub, render};
use crate::gateway::Gateway;
use crate::session::SessionHandle;

pub(super) async fn session_state(
    State(gateway): State<Gateway>,
    ClientSource(source): ClientSource,
    InPath(code): InPath<String>,
) -> Result<Json<SessionState>, Failed> {
    let session = gateway.public_session(source, &code).await?;
    state_of(&session).await
}

/// The public state, as the response to a request that has changed it.
pub(super) async fn state_of(session: &SessionHandle<Hub>) -> Result<Json<SessionState>, Failed> {
    let code = session.record().code.clone();
    let state = session.read(move |view| render::session_state(view, code));
    Ok(Json(state.await?))
}

pub(super) async fn standings(
    State(gateway): State<Gateway>,
    ClientSource(source): ClientSource,
    InPath(code): InPath<String>,
) -> Result<Json<Standings>, Failed> {
    let session = gateway.public_session(source, &code).await?;
    Ok(Json(session.read(render::standings).await?))
}
