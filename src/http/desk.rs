//! Registration: players create a team or join one.

use axum::Json;
use axum::extract::State;
use hunt::{DeskOrder, DeviceId, NameId, Receipt, Rejection, TeamCode};
use hyper::StatusCode;
use protocol::rest::{Join, Joined};

use super::admin::random_code;
use super::body::Body;
use super::failure::Failed;
use super::identity::ClientSource;
use super::names::parse_name;
use crate::delivery::{Hub, render};
use crate::gateway::{Gateway, Grant};
use crate::journal::Name;
use crate::session::{Outcome, Refusal, SessionHandle};

/// Retries with another random team code while codes collide. With 20,000 teams, one draw collides once in
/// 4 million.
const CODE_DRAWS_MAX: usize = 4;

pub(super) async fn join(
    State(gateway): State<Gateway>,
    ClientSource(source): ClientSource,
    Body(request): Body<Join>,
) -> Result<(StatusCode, Json<Joined>), Failed> {
    let session = gateway.public_session(source, &request.session).await?;
    let player = parse_name(&request.name, "name")?;
    let receipt = match (&request.new_team, &request.team_code) {
        (Some(team), None) => {
            let team = parse_name(team, "new_team")?;
            let creation = gateway.new_teams().begin(source)?;
            let outcome = create_team(&session, team, player).await;
            if matches!(outcome, Ok(Err(_))) {
                creation.refund();
            }
            outcome?
        }
        (None, Some(code)) => {
            let order = DeskOrder::JoinTeam {
                code: TeamCode::from(code.as_str()),
                player_name: NameId(player.id),
            };
            let attempt = gateway.attempts().in_session(source, session.id())?;
            let outcome = session.submit_desk_order(order, vec![player]).await;
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
    team: Name,
    player: Name,
) -> Result<Outcome, Failed> {
    let mut draws = 0;
    loop {
        let order = DeskOrder::CreateTeam {
            code: TeamCode::from(random_code().as_str()),
            team_name: NameId(team.id),
            player_name: NameId(player.id),
        };
        let outcome = session
            .submit_desk_order(order, vec![team.clone(), player.clone()])
            .await?;
        let taken = Err(Refusal::Rejected(Rejection::TeamCodeTaken));
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
