//! Game masters: inviting, listing and revoking them, and their clues and announcements.

use axum::Json;
use axum::extract::State;
use hunt::{GameMasterOrder, NameId, Receipt, Scope};
use hyper::StatusCode;
use protocol::rest::{
    Announce, Announced, CluePushed, GameMasterInvited, GameMasters, InviteGameMaster, PushClue,
    Revoke,
};

use super::body::{Body, InPath, OptionalBody};
use super::failure::Failed;
use super::idempotency::RequestKey;
use super::identity::{Bearer, parse_id};
use super::names::{parse_name, parse_reason};
use super::reasons::change;
use crate::delivery::{push_clue as push_clue_order, render};
use crate::gateway::{Gateway, Grant};

pub(super) async fn create(
    State(gateway): State<Gateway>,
    InPath(code): InPath<String>,
    bearer: Bearer,
    key: RequestKey,
    Body(request): Body<InviteGameMaster>,
) -> Result<(StatusCode, Json<GameMasterInvited>), Failed> {
    let session = bearer.session(&gateway, &code).await?;
    let by = bearer.by(&session)?;
    let key = key.bind(&bearer.requester(), &request);
    let name = parse_name(&request.name, "name")?;
    let order = GameMasterOrder::InviteGameMaster {
        name: NameId(name.id),
        scopes: render::scopes_from_wire(&request.scopes),
    };
    let invitation = change(by, order, Some(name), None);
    let Receipt::GameMasterInvited { game_master: id } =
        session.submit_with_key(invitation, key).await??
    else {
        return Err(Failed::internal(
            "unexpected receipt for inviting a game master",
        ));
    };
    let now = gateway.sessions().clock().now();
    let token = gateway
        .tokens()
        .seal(Grant::GameMaster(session.id(), id), now);
    let invited = GameMasterInvited {
        game_master: id.to_string(),
        token,
    };
    Ok((StatusCode::CREATED, Json(invited)))
}

pub(super) async fn list(
    State(gateway): State<Gateway>,
    InPath(code): InPath<String>,
    bearer: Bearer,
) -> Result<Json<GameMasters>, Failed> {
    let session = bearer.session(&gateway, &code).await?;
    bearer.must_have(&session, Scope::View).await?;
    let game_masters = session.read(render::game_masters).await?;
    Ok(Json(GameMasters { game_masters }))
}

pub(super) async fn revoke(
    State(gateway): State<Gateway>,
    InPath((code, game_master)): InPath<(String, String)>,
    bearer: Bearer,
    OptionalBody(request): OptionalBody<Revoke>,
) -> Result<StatusCode, Failed> {
    let session = bearer.session(&gateway, &code).await?;
    let by = bearer.by(&session)?;
    let game_master = parse_id(&game_master)?;
    let reason = parse_reason(request.reason.as_deref())?;
    let order = GameMasterOrder::RevokeGameMaster { game_master };
    session.submit(change(by, order, None, reason)).await??;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn push_clue(
    State(gateway): State<Gateway>,
    InPath(code): InPath<String>,
    bearer: Bearer,
    key: RequestKey,
    Body(request): Body<PushClue>,
) -> Result<(StatusCode, Json<CluePushed>), Failed> {
    let session = bearer.session(&gateway, &code).await?;
    let by = bearer.by(&session)?;
    let key = key.bind(&bearer.requester(), &request);
    let order = push_clue_order(&request.to, request.text, request.lasts_ms);
    let pushing = change(by, order, None, None);
    match session.submit_with_key(pushing, key).await?? {
        Receipt::CluePushed { clue } => {
            let clue = clue.to_string();
            Ok((StatusCode::CREATED, Json(CluePushed { clue })))
        }
        _ => Err(Failed::internal("unexpected receipt for pushing a clue")),
    }
}

pub(super) async fn cancel_clue(
    State(gateway): State<Gateway>,
    InPath((code, clue)): InPath<(String, String)>,
    bearer: Bearer,
) -> Result<StatusCode, Failed> {
    let session = bearer.session(&gateway, &code).await?;
    let by = bearer.by(&session)?;
    let clue = parse_id(&clue)?;
    let order = GameMasterOrder::CancelClue { clue };
    session.submit_order(by, order, Vec::new()).await??;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn announce(
    State(gateway): State<Gateway>,
    InPath(code): InPath<String>,
    bearer: Bearer,
    key: RequestKey,
    Body(request): Body<Announce>,
) -> Result<(StatusCode, Json<Announced>), Failed> {
    let session = bearer.session(&gateway, &code).await?;
    let by = bearer.by(&session)?;
    let key = key.bind(&bearer.requester(), &request);
    let order = GameMasterOrder::Announce { text: request.text };
    let announcing = change(by, order, None, None);
    match session.submit_with_key(announcing, key).await?? {
        Receipt::Announced { announcement } => {
            let announcement = announcement.to_string();
            Ok((StatusCode::CREATED, Json(Announced { announcement })))
        }
        _ => Err(Failed::internal("unexpected receipt for an announcement")),
    }
}
