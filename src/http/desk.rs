//! The registration desk: founding a team, and joining one.

use axum::Json;
use axum::extract::State;
use hunt::{DeskOrder, DeviceId, NameId, Receipt, Rejection, TeamCode};
use hyper::StatusCode;
use protocol::rest::{Join, Joined};

use super::answers::{Body, Failed};
use super::codes::random_code;
use super::identity::Asker;
use super::names::named;
use crate::delivery::Hub;
use crate::gateway::{Gateway, Grant};
use crate::journal::Name;
use crate::session::{Outcome, Refusal, SessionHandle};

/// Random team codes drawn until one is free. With 20,000 teams one draw fails once in 4 million.
const CODE_DRAWS_MAX: usize = 4;

pub(super) async fn join(
    State(gateway): State<Gateway>,
    Asker(source): Asker,
    Body(request): Body<Join>,
) -> Result<(StatusCode, Json<Joined>), Failed> {
    let session = gateway.public_session(source, &request.session).await?;
    let player = named(&request.name, "name")?;
    let receipt = match (&request.new_team, &request.team_code) {
        (Some(team), None) => {
            let team = named(team, "new_team")?;
            let founding = gateway.new_teams().begin(source)?;
            let outcome = create_team(&session, team, player).await;
            if matches!(outcome, Ok(Err(_))) {
                founding.refund();
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
            let message = "Give either new_team, to found a team, or team_code, to join one.";
            return Err(Failed::bad_request(message));
        }
    };
    let Receipt::Joined { device, .. } = receipt? else {
        return Err(Failed::internal("joining gave another receipt"));
    };
    joined(&gateway, &session, device).await
}

/// The answer to whoever has a new device.
pub(super) async fn joined(
    gateway: &Gateway,
    session: &SessionHandle<Hub>,
    device: DeviceId,
) -> Result<(StatusCode, Json<Joined>), Failed> {
    let token = device_token(gateway, session, device);
    let joined = session.read(move |view| {
        let player = view.state.device(device)?.player;
        let team = view.state.player(player)?.team;
        Some(Joined {
            team: team.to_string(),
            team_code: view.state.team(team)?.code.to_string(),
            player: player.to_string(),
            device: device.to_string(),
            token,
        })
    });
    let joined = joined.await?;
    let joined = joined.ok_or_else(|| Failed::internal("a device that was added is missing"))?;
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
