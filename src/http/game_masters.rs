//! Game masters: inviting and revoking them, and what they tell players.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use hunt::{By, GameMasterId, GameMasterOrder, NameId, Receipt, Scope};
use hyper::StatusCode;
use protocol::rest::{
    Announce, Announced, CluePushed, GameMasterInvited, GameMasters, InviteGameMaster, PushClue,
};

use super::answers::{Body, Failed, InPath};
use super::identity::{Bearer, parse_id};
use super::names::named;
use crate::delivery::{self, Hub, game_master};
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
    let name = named(&request.name, "name")?;
    let id = invite(&session, by, name, delivery::scopes(&request.scopes)).await?;
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
            "inviting a game master gave another receipt",
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
    let listed = session.read(|view| {
        let all = view.state.game_masters();
        all.map(|(id, known)| game_master(view, id, known))
            .collect()
    });
    let game_masters = listed.await?;
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
    let order = delivery::push_clue(&request.to, request.text, request.lasts_ms);
    match session.submit_order(by, order, Vec::new()).await?? {
        Receipt::CluePushed { clue } => {
            let clue = clue.to_string();
            Ok((StatusCode::CREATED, Json(CluePushed { clue })))
        }
        _ => Err(Failed::internal("pushing a clue gave another receipt")),
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
        _ => Err(Failed::internal("announcing gave another receipt")),
    }
}
