//! Renaming teams and players, and replacing the codes of teams.

use axum::Json;
use axum::extract::State;
use hunt::{Command, GameMasterOrder, NameId, PlayerId, RegistrationOrder, TeamId};
use hyper::StatusCode;
use protocol::rest::{Rename, RotateTeamCode, TeamCodeRotated};

use super::admin::random_code;
use super::body::{Body, InPath, OptionalBody};
use super::desk::CODE_DRAWS_MAX;
use super::failure::Failed;
use super::idempotency::RequestKey;
use super::identity::{Bearer, parse_id};
use super::names::{no_reason, parse_name, parse_reason};
use super::reasons::{change, command};
use crate::delivery::render;
use crate::gateway::Gateway;
use crate::journal::PrivateRecord;
use crate::session::{Change, Refusal};

pub(super) async fn rename_team(
    State(gateway): State<Gateway>,
    InPath((code, team)): InPath<(String, String)>,
    bearer: Bearer,
    Body(request): Body<Rename>,
) -> Result<StatusCode, Failed> {
    let session = bearer.session(&gateway, &code).await?;
    let name = parse_name(&request.name, "name")?;
    let id = NameId(name.id);
    let team: TeamId = parse_id(&team)?;
    let renaming = if bearer.is_device() {
        no_reason(request.reason.as_deref())?;
        let by = bearer.device_in_team(&session, team).await?;
        let order = RegistrationOrder::RenameTeam { by, name: id };
        Change::Command(Command::Registration(order), vec![name])
    } else {
        let by = bearer.by(&session)?;
        let reason = parse_reason(request.reason.as_deref())?;
        let order = GameMasterOrder::RenameTeam { team, name: id };
        change(by, order, Some(name), reason)
    };
    session.submit(renaming).await??;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn rename_player(
    State(gateway): State<Gateway>,
    InPath((code, player)): InPath<(String, String)>,
    bearer: Bearer,
    Body(request): Body<Rename>,
) -> Result<StatusCode, Failed> {
    let session = bearer.session(&gateway, &code).await?;
    let name = parse_name(&request.name, "name")?;
    let id = NameId(name.id);
    let player: PlayerId = parse_id(&player)?;
    let renaming = if bearer.is_device() {
        no_reason(request.reason.as_deref())?;
        let by = bearer.device_of(&session)?;
        let order = RegistrationOrder::RenamePlayer {
            by,
            player,
            name: id,
        };
        Change::Command(Command::Registration(order), vec![name])
    } else {
        let by = bearer.by(&session)?;
        let reason = parse_reason(request.reason.as_deref())?;
        let order = GameMasterOrder::RenamePlayer { player, name: id };
        change(by, order, Some(name), reason)
    };
    session.submit(renaming).await??;
    Ok(StatusCode::NO_CONTENT)
}

/// Replaces the code of a team. A repeat with the same idempotency key gets the team's code and does not
/// replace it again.
pub(super) async fn rotate_code(
    State(gateway): State<Gateway>,
    InPath((code, team)): InPath<(String, String)>,
    bearer: Bearer,
    key: RequestKey,
    OptionalBody(request): OptionalBody<RotateTeamCode>,
) -> Result<Json<TeamCodeRotated>, Failed> {
    let session = bearer.session(&gateway, &code).await?;
    let team: TeamId = parse_id(&team)?;
    let key = key.bind(&bearer.requester(), &request);
    let (command, reason): (Command, Option<PrivateRecord>) = if bearer.is_device() {
        no_reason(request.reason.as_deref())?;
        let by = bearer.device_in_team(&session, team).await?;
        let order = RegistrationOrder::RotateTeamCode { by };
        (Command::Registration(order), None)
    } else {
        let by = bearer.by(&session)?;
        let reason = parse_reason(request.reason.as_deref())?;
        let order = GameMasterOrder::RotateTeamCode { team };
        (command(by, order, reason.as_ref()), reason)
    };
    let mut draws = 0;
    loop {
        let rotation = Change::RotateTeamCode {
            command: command.clone(),
            code: random_code(),
            reason: reason.clone(),
        };
        let outcome = session.submit_with_key(rotation, key.clone()).await?;
        if outcome != Err(Refusal::TeamCodeTaken) || draws == CODE_DRAWS_MAX {
            outcome?;
            break;
        }
        draws += 1;
    }
    let team_code = session.read(move |view| render::team_code(view, team));
    let team_code = team_code.await?;
    Ok(Json(TeamCodeRotated { team_code }))
}
