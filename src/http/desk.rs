//! Registration: players create a team or join one.

use axum::Json;
use axum::extract::State;
use hunt::{DeviceId, Receipt, Rejection};
use hyper::StatusCode;
use protocol::rest::{Join, Joined};

use super::admin::random_code;
use super::body::{Body, InPath};
use super::failure::Failed;
use super::idempotency::RequestKey;
use super::identity::ClientSource;
use super::names::parse_name;
use crate::delivery::{Hub, render};
use crate::gateway::{Gateway, Grant};
use crate::journal::PrivateRecord;
use crate::session::{Change, IdempotencyKey, Outcome, Refusal, SessionHandle};

/// Retries with another random team code while codes collide. With 20,000 teams, one draw collides once in
/// 4 million.
pub(super) const CODE_DRAWS_MAX: usize = 4;

pub(super) async fn join(
    State(gateway): State<Gateway>,
    ClientSource(source): ClientSource,
    InPath(code): InPath<String>,
    key: RequestKey,
    Body(request): Body<Join>,
) -> Result<(StatusCode, Json<Joined>), Failed> {
    let session = gateway.public_session(source, &code).await?;
    let key = key.bind("", &request);
    let player = parse_name(&request.name, "name")?;
    let receipt = match (&request.new_team, &request.team_code) {
        (Some(team), None) => {
            let team = parse_name(team, "new_team")?;
            let creation = gateway.new_teams().begin(source)?;
            let outcome = create_team(&session, team, player, key).await;
            if matches!(outcome, Ok(Err(_))) {
                creation.refund();
            }
            outcome?
        }
        (None, Some(code)) => {
            let join = Change::JoinTeam {
                code: code.clone(),
                player_name: player,
            };
            let attempt = gateway.attempts().in_session(source, session.id())?;
            let outcome = session.submit_with_key(join, key).await;
            if outcome != Ok(Err(Refusal::Rejected(Rejection::UnknownTeam))) {
                attempt.refund();
            }
            outcome?
        }
        (Some(_), Some(_)) | (None, None) => {
            let message = "Send either `new_team`, to create a team, or `team_code`, to join one.";
            return Err(Failed::bad_request(message));
        }
    };
    let Receipt::Joined { device, .. } = receipt? else {
        return Err(Failed::internal("unexpected receipt for joining"));
    };
    joined(&gateway, &session, device).await
}

/// The response to a client that was given a new device.
pub(super) async fn joined(
    gateway: &Gateway,
    session: &SessionHandle<Hub>,
    device: DeviceId,
) -> Result<(StatusCode, Json<Joined>), Failed> {
    let token = device_token(gateway, session, device);
    let joined = session.read(move |view| render::joined(view, device, token));
    let joined = joined.await?;
    let joined =
        joined.ok_or_else(|| Failed::internal("the state lacks a device that was added"))?;
    Ok((StatusCode::CREATED, Json(joined)))
}

async fn create_team(
    session: &SessionHandle<Hub>,
    team_name: PrivateRecord,
    player_name: PrivateRecord,
    key: Option<IdempotencyKey>,
) -> Result<Outcome, Failed> {
    let mut draws = 0;
    loop {
        let create = Change::CreateTeam {
            code: random_code(),
            team_name: team_name.clone(),
            player_name: player_name.clone(),
        };
        let outcome = session.submit_with_key(create, key.clone()).await?;
        let taken = Err(Refusal::TeamCodeTaken);
        if outcome != taken || draws == CODE_DRAWS_MAX {
            return Ok(outcome);
        }
        draws += 1;
    }
}

pub(super) fn device_token(
    gateway: &Gateway,
    session: &SessionHandle<Hub>,
    device: DeviceId,
) -> String {
    let now = gateway.sessions().clock().now();
    gateway
        .tokens()
        .seal(Grant::Device(session.id(), device), now)
}
