//! Preparation: uploads the hunt, creates its session, and joins every team.

use std::num::NonZero;
use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};
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
    /// Oddities of the log that were accepted, in words.
    pub(super) remarks: Vec<String>,
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
    let teams = (1..).zip(&log.teams);
    let joining = teams.map(|(number, team)| join(rest, &session.session, number, &team.name));
    let joined = stream::iter(joining).buffered(usize::from(joins_max.get()));
    let joined: Vec<(Joined, Option<String>)> = joined.try_collect().await?;
    let (players, replaced): (Vec<Joined>, Vec<Option<String>>) = joined.into_iter().unzip();
    Ok(Prepared {
        session,
        puzzle_ids: hunt.puzzle_ids.into(),
        players,
        remarks: replaced.into_iter().flatten().collect(),
    })
}

/// Joins a team under its name in the log, or, with a remark, under a stand-in name if the server rejects
/// that one.
async fn join(
    rest: &Rest,
    session: &str,
    number: usize,
    name: &str,
) -> Result<(Joined, Option<String>), RestError> {
    let join = async |name: &str| {
        let body = Join {
            new_team: Some(name.to_owned()),
            team_code: None,
            name: "Player 1".to_owned(),
        };
        setup::join(rest, session, &body).await
    };
    match join(name).await {
        Err(RestError::Failed { status, .. }) if is_invalid(status.as_u16()) => {
            let stand_in = format!("Team {number} of the log");
            let remark =
                format!("the server rejects the team name {name:?}; it plays as {stand_in:?}");
            Ok((join(&stand_in).await?, Some(remark)))
        }
        joined => Ok((joined?, None)),
    }
}

/// Whether a status means that the request's content is invalid.
fn is_invalid(status: u16) -> bool {
    matches!(status, 400 | 422)
}
