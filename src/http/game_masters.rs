//! Game masters: inviting, listing and revoking them, and their clues and announcements.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use hunt::{By, GameMasterId, GameMasterOrder, NameId, Receipt, Scope};
use hyper::StatusCode;
use protocol::rest::{
    Announce, Announced, CluePushed, GameMasterInvited, GameMasters, InviteGameMaster, PushClue,
};

use super::body::{Body, InPath};
use super::failure::Failed;
use super::identity::{Bearer, parse_id};
use super::names::parse_name;
use crate::delivery::{Hub, push_clue as push_clue_order, render};
use crate::gateway::{Gateway, Grant};
use crate::journal::Name;
use crate::session::SessionHandle;

pub(super) async fn create(
    State(gateway): State<Gateway>,
    InPath(code): InPath<String>,
    bearer: Bearer,
    Body(request): Body<InviteGameMaster>,
) -> Result<(StatusCode, Json<GameMasterInvited>), Failed> {
    let session = bearer.session(&gateway, &code).await?;
    let by = bearer.by(&session)?;
    let name = parse_name(&request.name, "name")?;
    let id = invite(
        &session,
        by,
        name,
        render::scopes_from_wire(&request.scopes),
    )
    .await?;
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

/// Adds a game master to a session.
pub(super) async fn invite(
    session: &SessionHandle<Hub>,
    by: By,
    name: Name,
    scopes: BTreeSet<Scope>,
) -> Result<GameMasterId, Failed> {
    let order = GameMasterOrder::InviteGameMaster {
        name: NameId(name.id),
        scopes,
    };
    match session.submit_order(by, order, vec![name]).await?? {
        Receipt::GameMasterInvited { game_master } => Ok(game_master),
        _ => Err(Failed::internal(
            "unexpected receipt for inviting a game master",
        )),
    }
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
) -> Result<StatusCode, Failed> {
    let session = bearer.session(&gateway, &code).await?;
    let by = bearer.by(&session)?;
    let game_master = parse_id(&game_master)?;
    let order = GameMasterOrder::RevokeGameMaster { game_master };
    session.submit_order(by, order, Vec::new()).await??;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn push_clue(
    State(gateway): State<Gateway>,
    InPath(code): InPath<String>,
    bearer: Bearer,
    Body(request): Body<PushClue>,
) -> Result<(StatusCode, Json<CluePushed>), Failed> {
    let session = bearer.session(&gateway, &code).await?;
    let by = bearer.by(&session)?;
    let order = push_clue_order(&request.to, request.text, request.lasts_ms);
    match session.submit_order(by, order, Vec::new()).await?? {
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
    Body(request): Body<Announce>,
) -> Result<(StatusCode, Json<Announced>), Failed> {
    let session = bearer.session(&gateway, &code).await?;
    let by = bearer.by(&session)?;
    let order = GameMasterOrder::Announce { text: request.text };
    match session.submit_order(by, order, Vec::new()).await?? {
        Receipt::Announced { announcement } => {
            let announcement = announcement.to_string();
            Ok((StatusCode::CREATED, Json(Announced { announcement })))
        }
        _ => Err(Failed::internal("unexpected receipt for an announcement")),
    }
}
