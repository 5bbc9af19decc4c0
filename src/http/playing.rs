//! A running session: its public state, its standings, and the orders that change its phase.

use axum::Json;
use axum::extract::State;
use hunt::GameMasterOrder;
use protocol::rest::{SessionState, Standings};

use super::body::InPath;
use super::failure::Failed;
use super::identity::{Bearer, ClientSource};
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

async fn state_of(session: &SessionHandle<Hub>) -> Result<Json<SessionState>, Failed> {
    let code = session.record().code.clone();
    let state = session.read(move |view| render::session_state(view, code));
    Ok(Json(state.await?))
}

pub(super) async fn start(
    State(gateway): State<Gateway>,
    InPath(code): InPath<String>,
    bearer: Bearer,
) -> Result<Json<SessionState>, Failed> {
    order(&gateway, &code, &bearer, GameMasterOrder::Start).await
}

pub(super) async fn pause(
    State(gateway): State<Gateway>,
    InPath(code): InPath<String>,
    bearer: Bearer,
) -> Result<Json<SessionState>, Failed> {
    order(&gateway, &code, &bearer, GameMasterOrder::Pause).await
}

pub(super) async fn resume(
    State(gateway): State<Gateway>,
    InPath(code): InPath<String>,
    bearer: Bearer,
) -> Result<Json<SessionState>, Failed> {
    order(&gateway, &code, &bearer, GameMasterOrder::Resume).await
}

pub(super) async fn finish(
    State(gateway): State<Gateway>,
    InPath(code): InPath<String>,
    bearer: Bearer,
) -> Result<Json<SessionState>, Failed> {
    order(&gateway, &code, &bearer, GameMasterOrder::Finish).await
}

async fn order(
    gateway: &Gateway,
    code: &str,
    bearer: &Bearer,
    order: GameMasterOrder,
) -> Result<Json<SessionState>, Failed> {
    let session = bearer.session(gateway, code).await?;
    let by = bearer.by(&session)?;
    session.submit_order(by, order, Vec::new()).await??;
    state_of(&session).await
}

pub(super) async fn standings(
    State(gateway): State<Gateway>,
    ClientSource(source): ClientSource,
    InPath(code): InPath<String>,
) -> Result<Json<Standings>, Failed> {
    let session = gateway.public_session(source, &code).await?;
    Ok(Json(session.read(render::standings).await?))
}
