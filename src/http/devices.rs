//! Devices of players: adding, listing, restoring and revoking them.

use axum::Json;
use axum::extract::State;
use hunt::{
    Command, DeviceId, GameMasterOrder, Issuer, PlayerId, Receipt, RegistrationOrder, Scope,
};
use hyper::StatusCode;
use protocol::rest::{
    DeviceCreated, Devices, FindTeam, Joined, LinkCreated, Restore, Revoke, Roster,
};

use super::body::{Body, InPath, OptionalBody};
use super::desk::{device_token, joined};
use super::failure::Failed;
use super::idempotency::RequestKey;
use super::identity::{Bearer, ClientSource, parse_id};
use super::names::{no_reason, parse_reason};
use super::reasons::change;
use crate::delivery::{Hub, render};
use crate::gateway::{Gateway, Grant};
use crate::session::{Change, Outcome, Refusal, SessionHandle};

pub(super) async fn add(
    State(gateway): State<Gateway>,
    InPath(code): InPath<String>,
    bearer: Bearer,
    key: RequestKey,
) -> Result<(StatusCode, Json<DeviceCreated>), Failed> {
    let session = bearer.session(&gateway, &code).await?;
    let by = bearer.device_of(&session)?;
    let key = key.bind(&bearer.requester(), &());
    let order = RegistrationOrder::AddDevice { by };
    let change = Change::Command(Command::Registration(order), Vec::new());
    let outcome = session.submit_with_key(change, key).await?;
    created(&gateway, &session, outcome)
}

/// Adds a device for a player who lost theirs, by order of a game master.
pub(super) async fn add_for_player(
    State(gateway): State<Gateway>,
    InPath((code, player)): InPath<(String, String)>,
    bearer: Bearer,
    key: RequestKey,
) -> Result<(StatusCode, Json<DeviceCreated>), Failed> {
    let session = bearer.session(&gateway, &code).await?;
    let by = bearer.by(&session)?;
    let player = parse_id(&player)?;
    let key = key.bind(&bearer.requester(), &());
    let order = GameMasterOrder::RestorePlayer { player };
    let outcome = session
        .submit_with_key(change(by, order, None, None), key)
        .await?;
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
        _ => Err(Failed::internal("unexpected receipt for adding a device")),
    }
}

/// Creates a one-use link that logs the player in on another device. A repeat with the same idempotency key
/// creates the same link, with a new expiry: if one is used, both are.
pub(super) async fn create_link(
    State(gateway): State<Gateway>,
    InPath(code): InPath<String>,
    bearer: Bearer,
    key: RequestKey,
) -> Result<(StatusCode, Json<LinkCreated>), Failed> {
    let session = bearer.session(&gateway, &code).await?;
    let device = bearer.active_device_of(&session).await?;
    let key = key.bind(&bearer.requester(), &());
    let link = key.map_or_else(rand::random, |key| key.number());
    let grant = Grant::Link(session.id(), device, link);
    let now = gateway.sessions().clock().now();
    let created = LinkCreated {
        link: gateway.tokens().seal(grant, now),
        expires_at_ms: grant.expires_at(now).0,
    };
    Ok((StatusCode::CREATED, Json(created)))
}

/// Lists the players of a team for a client that knows the team's code.
pub(super) async fn roster(
    State(gateway): State<Gateway>,
    ClientSource(source): ClientSource,
    InPath(code): InPath<String>,
    Body(request): Body<FindTeam>,
) -> Result<Json<Roster>, Failed> {
    let session = gateway.public_session(source, &code).await?;
    let code = request.team_code;
    let attempt = gateway.attempts().in_session(source, session.id())?;
    let roster = session.read(move |view| render::roster(view, &code)).await;
    if !matches!(roster, Ok(None)) {
        attempt.refund();
    }
    let unknown = Refusal::Rejected(hunt::Rejection::UnknownTeam);
    Ok(Json(roster?.ok_or(unknown)?))
}

/// Adds a device for a player who lost theirs, with a link or the team's code.
pub(super) async fn restore(
    State(gateway): State<Gateway>,
    ClientSource(source): ClientSource,
    InPath(code): InPath<String>,
    key: RequestKey,
    Body(request): Body<Restore>,
) -> Result<(StatusCode, Json<Joined>), Failed> {
    let session = gateway.public_session(source, &code).await?;
    let key = key.bind("", &request);
    let change = match (request.link, request.team_code, request.player) {
        (Some(link), None, None) => {
            let order = order_from_link(&gateway, &session, &link)?;
            Change::Command(Command::Registration(order), Vec::new())
        }
        (None, Some(code), Some(player)) => Change::RestorePlayer {
            code,
            player: parse_id::<PlayerId>(&player)?,
        },
        _ => {
            let message = "Give either link, or team_code and player.";
            return Err(Failed::bad_request(message));
        }
    };
    let attempt = gateway.attempts().in_session(source, session.id())?;
    let outcome = session.submit_with_key(change, key).await;
    if outcome != Ok(Err(Refusal::Rejected(hunt::Rejection::UnknownTeam))) {
        attempt.refund();
    }
    joined(&gateway, &session, added(outcome?)?).await
}

fn order_from_link(
    gateway: &Gateway,
    session: &SessionHandle<Hub>,
    link: &str,
) -> Result<RegistrationOrder, Failed> {
    let now = gateway.sessions().clock().now();
    match gateway.tokens().open(link, now) {
        Ok(Grant::Link(of_session, device, link)) if of_session == session.id() => {
            Ok(RegistrationOrder::UseLink { by: device, link })
        }
        Ok(Grant::Link(..) | Grant::Device(..) | Grant::GameMaster(..) | Grant::Admin) => Err(
            Failed::unauthorized("This is not a link into this session; ask for a new one."),
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
        let device = bearer.device_of(&session)?;
        let devices = session.read(move |view| render::devices_visible_to(view, device));
        let revoked = Refusal::Rejected(hunt::Rejection::Revoked);
        devices.await?.ok_or(revoked)?
    } else {
        bearer.must_have(&session, Scope::Run).await?;
        session.read(render::all_devices).await?
    };
    Ok(Json(Devices { devices }))
}

pub(super) async fn revoke(
    State(gateway): State<Gateway>,
    InPath((code, device)): InPath<(String, String)>,
    bearer: Bearer,
    OptionalBody(request): OptionalBody<Revoke>,
) -> Result<StatusCode, Failed> {
    let session = bearer.session(&gateway, &code).await?;
    let device = parse_id(&device)?;
    let outcome = if bearer.is_device() {
        no_reason(request.reason.as_deref())?;
        let by = bearer.device_of(&session)?;
        let order = RegistrationOrder::RevokeDevice { by, device };
        session.submit_registration(order, Vec::new()).await?
    } else {
        let by: Issuer = bearer.by(&session)?;
        let reason = parse_reason(request.reason.as_deref())?;
        let order = GameMasterOrder::RevokeDevice { device };
        session.submit(change(by, order, None, reason)).await?
    };
    outcome?;
    Ok(StatusCode::NO_CONTENT)
}
