//! The orders that change a session's phase, and those that move its start and end.

use axum::Json;
use axum::extract::State;
use hunt::{GameMasterOrder, Rejection};
use protocol::rest::{Finish, MoveEnd, SessionState, Start};

use super::body::{Body, InPath, OptionalBody};
use super::failure::Failed;
use super::identity::Bearer;
use super::names::parse_reason;
use super::playing::state_of;
use super::reasons::change;
use crate::delivery::{move_end as move_end_order, start as start_order};
use crate::gateway::Gateway;
use crate::session::Refusal;

pub(super) async fn start(
    State(gateway): State<Gateway>,
    InPath(code): InPath<String>,
    bearer: Bearer,
    OptionalBody(request): OptionalBody<Start>,
) -> Result<Json<SessionState>, Failed> {
    submit(&gateway, &code, &bearer, start_order(request.at_ms), None).await
}

pub(super) async fn cancel_start(
    State(gateway): State<Gateway>,
    InPath(code): InPath<String>,
    bearer: Bearer,
) -> Result<Json<SessionState>, Failed> {
    let order = GameMasterOrder::CancelStart;
    submit(&gateway, &code, &bearer, order, None).await
}

pub(super) async fn pause(
    State(gateway): State<Gateway>,
    InPath(code): InPath<String>,
    bearer: Bearer,
) -> Result<Json<SessionState>, Failed> {
    submit(&gateway, &code, &bearer, GameMasterOrder::Pause, None).await
}

pub(super) async fn resume(
    State(gateway): State<Gateway>,
    InPath(code): InPath<String>,
    bearer: Bearer,
) -> Result<Json<SessionState>, Failed> {
    submit(&gateway, &code, &bearer, GameMasterOrder::Resume, None).await
}

pub(super) async fn move_end(
    State(gateway): State<Gateway>,
    InPath(code): InPath<String>,
    bearer: Bearer,
    Body(request): Body<MoveEnd>,
) -> Result<Json<SessionState>, Failed> {
    let order = move_end_order(request.ends_at_ms, request.left_ms);
    let order = order.map_err(|rejection: Rejection| Refusal::from(rejection))?;
    submit(&gateway, &code, &bearer, order, None).await
}

pub(super) async fn finish(
    State(gateway): State<Gateway>,
    InPath(code): InPath<String>,
    bearer: Bearer,
    OptionalBody(request): OptionalBody<Finish>,
) -> Result<Json<SessionState>, Failed> {
    let order = GameMasterOrder::Finish {
        confirmed: request.confirm,
    };
    submit(&gateway, &code, &bearer, order, request.reason.as_deref()).await
}

pub(super) async fn reopen(
    State(gateway): State<Gateway>,
    InPath(code): InPath<String>,
    bearer: Bearer,
) -> Result<Json<SessionState>, Failed> {
    submit(&gateway, &code, &bearer, GameMasterOrder::Reopen, None).await
}

async fn submit(
    gateway: &Gateway,
    code: &str,
    bearer: &Bearer,
    order: GameMasterOrder,
    reason: Option<&str>,
) -> Result<Json<SessionState>, Failed> {
    let session = bearer.session(gateway, code).await?;
    let by = bearer.by(&session)?;
    let reason = parse_reason(reason)?;
    session.submit(change(by, order, None, reason)).await??;
    state_of(&session).await
}
