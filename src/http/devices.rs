//! Devices of players: adding, listing, restoring and revoking them.

use axum::Json;
use axum::extract::State;
use hunt::{By, DeskOrder, DeviceId, GameMasterOrder, PlayerId, Receipt, Scope, TeamCode};
use hyper::StatusCode;
use protocol::rest::{
    DeviceCreated, DeviceSummary, Devices, FindTeam, Joined, LinkCreated, Restore, Roster,
};

use super::answers::{Body, Failed, InPath};
use super::desk::{device_token, joined};
use super::identity::{Asker, Bearer, parse_id};
use crate::delivery::{Hub, member};
use crate::gateway::{Gateway, Grant};
use crate::session::{Outcome, Refusal, SessionHandle, View};

pub(super) async fn add(
    State(gateway): State<Gateway>,
    InPath(code): InPath<String>,
    bearer: Bearer,
) -> Result<(StatusCode, Json<DeviceCreated>), Failed> {
    let session = bearer.session(&gateway, &code).await?;
    let by = bearer.device_of(&session)?;
    let order = DeskOrder::AddDevice { by };
    created(
        &gateway,
        &session,
        session.submit_desk_order(order, Vec::new()).await?,
    )
}

/// A game master gives a player whose phone is gone a new device.
pub(super) async fn add_for_player(
    State(gateway): State<Gateway>,
    InPath((code, player)): InPath<(String, String)>,
    bearer: Bearer,
) -> Result<(StatusCode, Json<DeviceCreated>), Failed> {
    let session = bearer.session(&gateway, &code).await?;
    let by = bearer.by(&session)?;
    let player = parse_id(&player)?;
    let order = GameMasterOrder::RestorePlayer { player };
    let outcome = session.submit_order(by, order, Vec::new()).await?;
    created(&gateway, &session, outcome)
}

fn created(
    gateway: &Gateway,
    session: &SessionHandle<Hub>,
    outcome: Outcome,
) -> Result<(StatusCode, Json<DeviceCreated>), Failed> {
    let device = added(outcome)?;
    let created = DeviceCreated {
        device: device.to_string(),
        token: device_token(gateway, session, device),
    };
    Ok((StatusCode::CREATED, Json(created)))
}

fn added(outcome: Outcome) -> Result<DeviceId, Failed> {
    match outcome? {
        Receipt::DeviceAdded { device } => Ok(device),
        _ => Err(Failed::internal("adding a device gave another receipt")),
    }
}

/// A link by which the player logs in once more, on another device.
pub(super) async fn create_link(
    State(gateway): State<Gateway>,
    InPath(code): InPath<String>,
    bearer: Bearer,
) -> Result<(StatusCode, Json<LinkCreated>), Failed> {
    let session = bearer.session(&gateway, &code).await?;
    let device = bearer.device_of(&session)?;
    must_act(&session, device).await?;
    let grant = Grant::Link(session.id(), device, rand::random());
    let now = gateway.sessions().clock().now();
    let created = LinkCreated {
        link: gateway.tokens().seal(grant, now),
        expires_at_ms: grant.expires_at(now).0,
    };
    Ok((StatusCode::CREATED, Json(created)))
}

/// The device is not revoked; for what the rules do not judge.
async fn must_act(session: &SessionHandle<Hub>, device: DeviceId) -> Result<(), Failed> {
    let acts = session.read(move |view| {
        let device = view.state.device(device);
        device.is_some_and(|device| !device.revoked)
    });
    if acts.await? {
        return Ok(());
    }
    Err(Refusal::Rejected(hunt::Rejection::Revoked).into())
}

/// The players of a team, for whoever knows its code.
pub(super) async fn roster(
    State(gateway): State<Gateway>,
    Asker(source): Asker,
    Body(request): Body<FindTeam>,
) -> Result<Json<Roster>, Failed> {
    let session = gateway.public_session(source, &request.session).await?;
    let code = TeamCode::from(request.team_code.as_str());
    let attempt = gateway.attempts().in_session(source, session.id())?;
    let roster = session.read(move |view| {
        let id = view.state.team_by_code(&code)?;
        let team = view.state.team(id)?;
        Some(Roster {
            team: id.to_string(),
            name: view.name(team.name),
            players: team.players.iter().map(|id| member(view, *id)).collect(),
        })
    });
    let roster = roster.await;
    if !matches!(roster, Ok(None)) {
        attempt.refund();
    }
    let unknown = Refusal::Rejected(hunt::Rejection::UnknownTeam);
    Ok(Json(roster?.ok_or(unknown)?))
}

/// A new device for a player whose device is gone.
pub(super) async fn restore(
    State(gateway): State<Gateway>,
    Asker(source): Asker,
    Body(request): Body<Restore>,
) -> Result<(StatusCode, Json<Joined>), Failed> {
    let session = gateway.public_session(source, &request.session).await?;
    let order = match (request.link, request.team_code, request.player) {
        (Some(link), None, None) => order_of_link(&gateway, &session, &link)?,
        (None, Some(code), Some(player)) => DeskOrder::RestorePlayer {
            code: TeamCode::from(code.as_str()),
            player: parse_id::<PlayerId>(&player)?,
        },
        _ => {
            let message = "Give either link, or team_code and player.";
            return Err(Failed::bad_request(message));
        }
    };
    let attempt = gateway.attempts().in_session(source, session.id())?;
    let outcome = session.submit_desk_order(order, Vec::new()).await;
    if outcome != Ok(Err(Refusal::Rejected(hunt::Rejection::UnknownTeam))) {
        attempt.refund();
    }
    joined(&gateway, &session, added(outcome?)?).await
}

fn order_of_link(
    gateway: &Gateway,
    session: &SessionHandle<Hub>,
    link: &str,
) -> Result<DeskOrder, Failed> {
    let now = gateway.sessions().clock().now();
    match gateway.tokens().open(link, now) {
        Ok(Grant::Link(of_session, device, link)) if of_session == session.id() => {
            Ok(DeskOrder::UseLink { by: device, link })
        }
        Ok(Grant::Link(..) | Grant::Device(..) | Grant::GameMaster(..) | Grant::Admin) => Err(
            Failed::unauthorized("This is not a link into this session."),
        ),
        Err(refusal) => Err(Failed::unauthorized(refusal.to_string())),
    }
}

pub(super) async fn list(
    State(gateway): State<Gateway>,
    InPath(code): InPath<String>,
    bearer: Bearer,
) -> Result<Json<Devices>, Failed> {
    let session = bearer.session(&gateway, &code).await?;
    let devices = if bearer.is_device() {
        let asking = bearer.device_of(&session)?;
        let devices = session.read(move |view| devices_shown_to(view, asking));
        let revoked = Refusal::Rejected(hunt::Rejection::Revoked);
        devices.await?.ok_or(revoked)?
    } else {
        bearer.must_have(&session, Scope::Run).await?;
        let players = |view: View<'_>| -> Vec<PlayerId> {
            let teams = view.state.teams();
            teams.flat_map(|(_, team)| team.players.clone()).collect()
        };
        session
            .read(move |view| devices_of(view, &players(view)))
            .await?
    };
    Ok(Json(Devices { devices }))
}

/// A captain sees the team's devices, other players their own; a revoked device sees nothing.
fn devices_shown_to(view: View<'_>, asking: DeviceId) -> Option<Vec<DeviceSummary>> {
    let device = view.state.device(asking).filter(|device| !device.revoked)?;
    let player = device.player;
    let team = view.state.team(view.state.player(player)?.team)?;
    let players = if team.captain() == Some(player) {
        team.players.clone()
    } else {
        vec![player]
    };
    Some(devices_of(view, &players))
}

fn devices_of(view: View<'_>, players: &[PlayerId]) -> Vec<DeviceSummary> {
    let mut devices = Vec::new();
    for id in players {
        let Some(player) = view.state.player(*id) else {
            continue;
        };
        devices.extend(player.devices.iter().map(|device| DeviceSummary {
            device: device.to_string(),
            player: member(view, *id),
            team: player.team.to_string(),
            revoked: view.state.device(*device).is_none_or(|known| known.revoked),
        }));
    }
    devices
}

pub(super) async fn revoke(
    State(gateway): State<Gateway>,
    InPath((code, device)): InPath<(String, String)>,
    bearer: Bearer,
) -> Result<StatusCode, Failed> {
    let session = bearer.session(&gateway, &code).await?;
    let device = parse_id(&device)?;
    let outcome = if bearer.is_device() {
        let by = bearer.device_of(&session)?;
        let order = DeskOrder::RevokeDevice { by, device };
        session.submit_desk_order(order, Vec::new()).await?
    } else {
        let by: By = bearer.by(&session)?;
        let order = GameMasterOrder::RevokeDevice { device };
        session.submit_order(by, order, Vec::new()).await?
    };
    outcome?;
    Ok(StatusCode::NO_CONTENT)
}
