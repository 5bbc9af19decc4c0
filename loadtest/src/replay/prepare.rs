//! Before the first guess: the hunt is uploaded, its session created, and every team joined.

use std::num::NonZero;
use std::sync::Arc;

use protocol::rest::{Join, Joined, SessionCreated};
use testkit::{Rest, RestError};

use super::hunt_file::build_hunt;
use super::log::GuessLog;
use crate::setup;

/// A session in its lobby, with a player for each team of the log.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) session: SessionCreated,
    /// The ids of the log's puzzles, in its order.
    pub(super) puzzle_ids: Arc<[String]>,
    /// A player for each of the log's teams, in its order.
    pub(super) players: Vec<Joined>,
}

/// Prepares a session for the log; so many joins are under way at the same time.
pub(super) async fn prepare(
    rest: &Rest,
    admin_token: &str,
    log: &GuessLog,
    joins_max: NonZero<u16>,
) -> Result<Prepared, RestError> {
    let hunt = build_hunt(&log.puzzles);
    let session = setup::create_session(rest, admin_token, &hunt.upload).await?;
    let teams = log.teams.iter().map(|team| Join {
        session: session.session.clone(),
        new_team: Some(team.name.clone()),
        team_code: None,
        name: "Player 1".to_owned(),
    });
    let players = setup::join_all(rest, teams, joins_max).await?;
    Ok(Prepared {
        session,
        puzzle_ids: hunt.puzzle_ids.into(),
        players,
    })
}
