//! What carries no number: of these messages only the latest counts.
//!
//! A newer one replaces an older one that still waits to be sent. `board` and `attendance` come
//! whole, or as what has changed since a base; the base is always what was sent last on the same
//! connection, so that nothing that was replaced while it waited is ever built upon.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Phase;

/// Follows a session's public board, without a token: the first message of a spectator's
/// connection, in place of a `hello`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Watch {}

/// The public board: the first places of the scoreboard, and what a screen shows around them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Board {
    /// Which board it is. Rises while a connection lasts; means nothing beyond it.
    pub version: u64,
    /// The version that `rows` change; without it the board is whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<u64>,
    /// The hunt's title; with a whole board only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The session's phase.
    pub phase: Phase,
    /// When the session will finish by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at_ms: Option<u64>,
    /// How many teams there are in all.
    pub teams: u32,
    /// How many places the board has now; rows beyond are gone.
    pub length: u32,
    /// Every place; with a base, only those that have changed.
    pub rows: Vec<BoardRow>,
}

/// What stands at a place of the board.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoardRow {
    /// The place, from 1 on and without gaps.
    pub place: u32,
    /// The rank by competition ranking: equals share one and leave a gap (1, 2, 2, 4).
    pub rank: u32,
    /// The team's id.
    pub team: String,
    /// Its name.
    pub name: String,
    /// Its score.
    pub score: u32,
    /// How many puzzles it has solved.
    pub solves: u32,
    /// When it last gained points.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_scored_at_ms: Option<u64>,
}

/// Where the own team stands, on the board or below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Standing {
    /// The rank by competition ranking.
    pub rank: u32,
    /// The score.
    pub score: u32,
    /// How many puzzles the team has solved.
    pub solves: u32,
}

/// Which of the own team's players are connected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presence {
    /// Those with at least one connection, in the order of joining.
    pub players: Vec<PlayerPresence>,
}

/// A player who is connected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlayerPresence {
    /// The player's id.
    pub player: String,
    /// On how many devices.
    pub devices: u32,
}

/// How many are connected, for game masters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attendance {
    /// Which attendance it is; as a board's version.
    pub version: u64,
    /// The version that `teams` change; without it the list is whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<u64>,
    /// Players of all teams with at least one connection.
    pub players: u32,
    /// Connections of players.
    pub devices: u32,
    /// Connections of spectators.
    pub spectators: u32,
    /// The teams of which somebody is connected; with a base, only those whose numbers have
    /// changed, with 0 for a team of which nobody is connected any more.
    pub teams: Vec<TeamAttendance>,
}

/// How many of a team are connected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TeamAttendance {
    /// The team's id.
    pub team: String,
    /// Players with at least one connection.
    pub players: u32,
    /// Connections.
    pub devices: u32,
}

/// A change of something else than what is known: something was missed, and a `resync` mends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a change of version {base} came, and version {known:?} is known")]
pub struct WrongBase {
    /// What the change builds upon.
    pub base: u64,
    /// What is known.
    pub known: Option<u64>,
}

/// A base must be the version that is known.
fn check_base(known: Option<u64>, base: u64) -> Result<(), WrongBase> {
    if known == Some(base) {
        Ok(())
    } else {
        Err(WrongBase { base, known })
    }
}

impl Board {
    /// Brings what a client knows up to date with what has come.
    pub fn follow(known: &mut Option<Self>, news: Self) -> Result<(), WrongBase> {
        let Some(base) = news.base else {
            *known = Some(news);
            return Ok(());
        };
        check_base(known.as_ref().map(|board| board.version), base)?;
        let before = known.take();
        let (title, rows) = before.map_or((None, Vec::new()), |board| (board.title, board.rows));
        let mut places: BTreeMap<u32, BoardRow> =
            rows.into_iter().map(|row| (row.place, row)).collect();
        places.extend(news.rows.into_iter().map(|row| (row.place, row)));
        let length = news.length;
        *known = Some(Self {
            base: None,
            title,
            rows: places
                .into_values()
                .filter(|row| row.place <= length)
                .collect(),
            ..news
        });
        Ok(())
    }
}

impl Attendance {
    /// Brings what a client knows up to date with what has come.
    pub fn follow(known: &mut Option<Self>, news: Self) -> Result<(), WrongBase> {
        let Some(base) = news.base else {
            *known = Some(news);
            return Ok(());
        };
        check_base(known.as_ref().map(|attendance| attendance.version), base)?;
        let mut teams = known
            .take()
            .map_or_else(Vec::new, |attendance| attendance.teams);
        for team in news.teams {
            match teams.iter_mut().find(|known| known.team == team.team) {
                Some(known) => *known = team,
                None => teams.push(team),
            }
        }
        teams.retain(|team| team.devices > 0);
        *known = Some(Self {
            base: None,
            teams,
            ..news
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Attendance, Board, BoardRow, TeamAttendance, WrongBase};
    use crate::Phase;

    fn board(version: u64, base: Option<u64>, length: u32, rows: &[(u32, &str)]) -> Board {
        let row = |(place, team): &(u32, &str)| BoardRow {
            place: *place,
            rank: *place,
            team: (*team).to_owned(),
            name: (*team).to_owned(),
            score: 0,
            solves: 0,
            last_scored_at_ms: None,
        };
        Board {
            version,
            base,
            title: base.is_none().then(|| "Harbour".to_owned()),
            phase: Phase::Running,
            ends_at_ms: None,
            teams: length,
            length,
            rows: rows.iter().map(row).collect(),
        }
    }

    #[test]
    fn a_change_replaces_places_adds_some_and_cuts_what_is_beyond() {
        let mut known = None;
        for (news, expected) in [
            (
                board(1, None, 2, &[(1, "a"), (2, "b")]),
                board(1, None, 2, &[(1, "a"), (2, "b")]),
            ),
            (
                board(2, Some(1), 3, &[(2, "c"), (3, "b")]),
                board(2, None, 3, &[(1, "a"), (2, "c"), (3, "b")]),
            ),
            (board(5, Some(2), 1, &[]), board(5, None, 1, &[(1, "a")])),
            (
                board(6, None, 1, &[(1, "z")]),
                board(6, None, 1, &[(1, "z")]),
            ),
        ] {
            assert_eq!(Board::follow(&mut known, news), Ok(()));
            assert_eq!(known, Some(expected));
        }
    }

    #[test]
    fn a_change_of_another_version_is_refused_and_changes_nothing() {
        let mut known = None;
        let change = board(3, Some(2), 1, &[(1, "x")]);
        let unknown = WrongBase {
            base: 2,
            known: None,
        };
        assert_eq!(Board::follow(&mut known, change.clone()), Err(unknown));
        let whole = board(1, None, 1, &[(1, "a")]);
        Board::follow(&mut known, whole.clone()).expect("it is whole");
        let older = WrongBase {
            base: 2,
            known: Some(1),
        };
        assert_eq!(Board::follow(&mut known, change), Err(older));
        assert_eq!(known, Some(whole));
    }

    #[test]
    fn a_team_of_which_nobody_is_connected_leaves_the_attendance() {
        let attendance = |version, base, teams: &[(&str, u32)]| Attendance {
            version,
            base,
            players: 0,
            devices: 0,
            spectators: 0,
            teams: teams
                .iter()
                .map(|(team, devices)| TeamAttendance {
                    team: (*team).to_owned(),
                    players: *devices,
                    devices: *devices,
                })
                .collect(),
        };
        let mut known = None;
        let whole = attendance(1, None, &[("t1", 1), ("t2", 2)]);
        Attendance::follow(&mut known, whole).expect("it is whole");
        let change = attendance(2, Some(1), &[("t1", 0), ("t3", 1)]);
        Attendance::follow(&mut known, change).expect("it builds upon what is known");
        assert_eq!(known, Some(attendance(2, None, &[("t2", 2), ("t3", 1)])));
        let change = attendance(3, Some(1), &[]);
        Attendance::follow(&mut known, change).expect_err("version 2 is known");
    }
}
