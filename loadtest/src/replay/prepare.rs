//! Preparation: uploads the hunt, creates its session, and joins every team.

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
    /// Ids of the log's puzzles, in the order of the log.
    pub(super) puzzle_ids: Arc<[String]>,
    /// A player for each team, in the order of the log.
    pub(super) players: Vec<Joined>,
}

/// Prepares a session for the log, with at most `joins_max` concurrent joins.
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
