//! A session while it runs: its state, its standings, and the orders of its game masters.

use axum::Json;
use axum::extract::State;
use hunt::GameMasterOrder;
use protocol::rest::{SessionState, Standings, StandingsRow};

use super::answers::{Failed, InPath};
use super::identity::{Asker, Bearer};
use crate::delivery::{Hub, phase};
use crate::gateway::Gateway;
use crate::session::{SessionHandle, View};

pub(super) async fn session_state(
    State(gateway): State<Gateway>,
    Asker(source): Asker,
    InPath(code): InPath<String>,
) -> Result<Json<SessionState>, Failed> {
    let session = gateway.public_session(source, &code).await?;
    state_of(&session).await
}

async fn state_of(session: &SessionHandle<Hub>) -> Result<Json<SessionState>, Failed> {
    let code = session.record().code.clone();
    let state = session.read(move |view| {
        let count = |number| u32::try_from(number).expect("teams and players are bounded");
        SessionState {
            session: code,
            title: view.state.hunt().title.clone(),
            phase: phase(view.state.phase()),
            ends_at_ms: view.state.ends_at().map(|at| at.0),
            teams: count(view.state.teams().len()),
            players: count(view.state.player_count()),
        }
    });
    Ok(Json(state.await?))
}

pub(super) async fn start(
    State(gateway): State<Gateway>,
    InPath(code): InPath<String>,
    bearer: Bearer,
) -> Result<Json<SessionState>, Failed> {
    order(&gateway, &code, &bearer, GameMasterOrder::Start).await
}

pub(super) async fn pause(
    State(gateway): State<Gateway>,
    InPath(code): InPath<String>,
    bearer: Bearer,
) -> Result<Json<SessionState>, Failed> {
    order(&gateway, &code, &bearer, GameMasterOrder::Pause).await
}

pub(super) async fn resume(
    State(gateway): State<Gateway>,
    InPath(code): InPath<String>,
    bearer: Bearer,
) -> Result<Json<SessionState>, Failed> {
    order(&gateway, &code, &bearer, GameMasterOrder::Resume).await
}

pub(super) async fn finish(
    State(gateway): State<Gateway>,
    InPath(code): InPath<String>,
    bearer: Bearer,
) -> Result<Json<SessionState>, Failed> {
    order(&gateway, &code, &bearer, GameMasterOrder::Finish).await
}

async fn order(
    gateway: &Gateway,
    code: &str,
    bearer: &Bearer,
    order: GameMasterOrder,
) -> Result<Json<SessionState>, Failed> {
    let session = bearer.session(gateway, code).await?;
    let by = bearer.by(&session)?;
    session.submit_order(by, order, Vec::new()).await??;
    state_of(&session).await
}

pub(super) async fn standings(
    State(gateway): State<Gateway>,
    Asker(source): Asker,
    InPath(code): InPath<String>,
) -> Result<Json<Standings>, Failed> {
    let session = gateway.public_session(source, &code).await?;
    Ok(Json(session.read(render_standings).await?))
}

fn render_standings(view: View<'_>) -> Standings {
    let state = view.state;
    let rows = state.scoreboard().into_iter().filter_map(|place| {
        let team = state.team(place.team)?;
        Some(StandingsRow {
            rank: place.rank,
            team: place.team.to_string(),
            name: view.name(team.name),
            score: team.score,
            solves: u32::try_from(team.solves()).expect("puzzles are bounded"),
            last_scored_at_ms: team.last_scored.map(|at| at.0),
        })
    });
    let tie_break = state.hunt().tie_break.iter();
    Standings {
        phase: phase(state.phase()),
        tie_break: tie_break
            .map(|criterion| criterion.name().to_owned())
            .collect(),
        rows: rows.collect(),
    }
}
