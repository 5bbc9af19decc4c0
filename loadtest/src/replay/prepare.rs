//! Before the first guess: the hunt is uploaded, its session created, and every team joined.

use std::collections::VecDeque;
use std::num::NonZero;
use std::sync::Arc;

use protocol::rest::{CreateSession, HuntCreated, Join, Joined, SessionCreated, SessionState};
use testkit::{Rest, RestError};
use tokio::task::JoinSet;

use super::hunt_file::hunt_of;
use super::log::GuessLog;

/// A session in its lobby, with a player for each team of the log.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) session: String,
    pub(super) game_master_token: String,
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
    let hunt = hunt_of(&log.puzzles);
    let created: HuntCreated = rest.post("/hunts", Some(admin_token), &hunt.upload).await?;
    let body = CreateSession {
        hunt: created.revision,
        code: None,
    };
    let session: SessionCreated = rest.post("/sessions", Some(admin_token), &body).await?;
    let players = join_all(rest, &session.session, log, joins_max).await?;
    Ok(Prepared {
        session: session.session,
        game_master_token: session.game_master_token,
        puzzle_ids: hunt.puzzle_ids.into(),
        players,
    })
}

/// Starts the session.
pub(super) async fn start(rest: &Rest, prepared: &Prepared) -> Result<(), RestError> {
    let path = format!("/sessions/{}/start", prepared.session);
    let token = Some(&*prepared.game_master_token);
    let _: SessionState = rest.post_empty(&path, token).await?;
    Ok(())
}

async fn join_all(
    rest: &Rest,
    session: &str,
    log: &GuessLog,
    joins_max: NonZero<u16>,
) -> Result<Vec<Joined>, RestError> {
    let joins = log.teams.iter().map(|team| Join {
        session: session.to_owned(),
        new_team: Some(team.name.clone()),
        team_code: None,
        name: "Player 1".to_owned(),
    });
    let mut waiting: VecDeque<(usize, Join)> = joins.enumerate().collect();
    let mut players: Vec<Option<Joined>> = vec![None; waiting.len()];
    let mut joining = JoinSet::new();
    loop {
        while joining.len() < usize::from(joins_max.get())
            && let Some((team, join)) = waiting.pop_front()
        {
            let rest = rest.clone();
            joining.spawn(async move { (team, rest.post("/join", None, &join).await) });
        }
        let Some(joined) = joining.join_next().await else {
            break;
        };
        let (team, joined) = joined.expect("a join neither panics nor is it aborted");
        players[team] = Some(joined?);
    }
    Ok(players.into_iter().flatten().collect())
}
