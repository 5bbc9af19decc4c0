//! Unnumbered server messages, of which only the newest of each kind counts.
//!
//! A newer message replaces an unsent older one. `board` and `attendance` are sent complete or as a
//! change to a base. The base is always the previous message of that kind on the same connection, so a
//! message that was replaced before it was sent is never a base.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::state::Phase;

/// The public board: the top rows of the scoreboard, with the title, phase and end of the session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Board {
    /// The version. It increases during a connection and has no meaning on other connections.
    pub version: u64,
    /// The version to which `rows` is a change; without it the board is complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<u64>,
    /// The hunt's title; only in a complete board.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The session's phase.
    pub phase: Phase,
    /// When the session finishes automatically.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at_ms: Option<u64>,
    /// The total number of teams.
    pub teams: u32,
    /// The number of rows on the board; rows beyond it are removed.
    pub length: u32,
    /// Every row; with a base, only the rows that have changed.
    pub rows: Vec<BoardRow>,
}

/// A row of the board.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoardRow {
    /// The position of the row, starting at 1, without gaps.
    pub place: u32,
    /// The rank by competition ranking: tied teams share a rank and leave a gap (1, 2, 2, 4).
    pub rank: u32,
    /// The team's id.
    pub team: String,
    /// Its name.
    pub name: String,
    /// Its score.
    pub score: u32,
    /// The number of puzzles that it has solved.
    pub solves: u32,
    /// When it last gained points.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_scored_at_ms: Option<u64>,
}

/// The rank of the own team, whether or not it is on the board.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Standing {
    /// The rank by competition ranking.
    pub rank: u32,
    /// The score.
    pub score: u32,
    /// The number of puzzles that the team has solved.
    pub solves: u32,
}

/// The connected players of the own team.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presence {
    /// The players with at least one connection, in the order of joining.
    pub players: Vec<PlayerPresence>,
}

/// A connected player.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlayerPresence {
    /// The player's id.
    pub player: String,
    /// The number of connected devices.
    pub devices: u32,
}

/// The numbers of connected clients, for game masters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attendance {
    /// The version; see [`Board::version`].
    pub version: u64,
    /// The version to which `teams` is a change; without it the list is complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<u64>,
    /// The players of all teams with at least one connection.
    pub players: u32,
    /// The connections of players.
    pub devices: u32,
    /// The connections of spectators.
    pub spectators: u32,
    /// The teams with a connected player. With a base, the teams whose numbers have changed; both are 0
    /// when the last player has disconnected.
    pub teams: Vec<TeamAttendance>,
}

/// The numbers of connected players and devices of a team.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TeamAttendance {
    /// The team's id.
    pub team: String,
    /// The players with at least one connection.
    pub players: u32,
    /// The connections of its players.
    pub devices: u32,
}

/// A change whose base is not the known version. The client has missed a message and needs a `resync`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("received a change to version {base}, but the known version is {known:?}")]
pub struct WrongBase {
    /// The version to which the change applies.
    pub base: u64,
    /// The version that the client has.
    pub known: Option<u64>,
}

fn check_base(known: Option<u64>, base: u64) -> Result<(), WrongBase> {
    if known == Some(base) {
        Ok(())
    } else {
        Err(WrongBase { base, known })
    }
}

impl Board {
    /// Applies a received message to the client's current value. On a wrong base the value stays
    /// unchanged.
    pub fn apply_to(self, known: &mut Option<Self>) -> Result<(), WrongBase> {
        let Some(base) = self.base else {
            *known = Some(self);
            return Ok(());
        };
        check_base(known.as_ref().map(|board| board.version), base)?;
        let before = known.take();
        let (title, rows) = before.map_or((None, Vec::new()), |board| (board.title, board.rows));
        let mut rows_by_place: BTreeMap<u32, BoardRow> =
            rows.into_iter().map(|row| (row.place, row)).collect();
        rows_by_place.extend(self.rows.into_iter().map(|row| (row.place, row)));
        let length = self.length;
        *known = Some(Self {
            base: None,
            title,
            rows: rows_by_place
                .into_values()
                .filter(|row| row.place <= length)
                .collect(),
            ..self
        });
        Ok(())
    }
}

impl Attendance {
    /// Applies a received message to the client's current value. On a wrong base the value stays
    /// unchanged.
    pub fn apply_to(self, known: &mut Option<Self>) -> Result<(), WrongBase> {
        let Some(base) = self.base else {
            *known = Some(self);
            return Ok(());
        };
        check_base(known.as_ref().map(|attendance| attendance.version), base)?;
        let mut teams = known
            .take()
            .map_or_else(Vec::new, |attendance| attendance.teams);
        for team in self.teams {
            match teams.iter_mut().find(|known| known.team == team.team) {
                Some(known) => *known = team,
                None => teams.push(team),
            }
        }
        teams.retain(|team| team.devices > 0);
        *known = Some(Self {
            base: None,
            teams,
            ..self
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Attendance, Board, BoardRow, TeamAttendance, WrongBase};
    use crate::state::Phase;

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
    fn a_change_replaces_and_adds_rows_and_removes_those_beyond_the_length() {
        let mut known = None;
        for (received, expected) in [
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
            assert_eq!(received.apply_to(&mut known), Ok(()));
            assert_eq!(known, Some(expected));
        }
    }

    #[test]
    fn a_change_to_another_version_is_rejected_and_changes_nothing() {
        let mut known = None;
        let change = board(3, Some(2), 1, &[(1, "x")]);
        let unknown = WrongBase {
            base: 2,
            known: None,
        };
        assert_eq!(change.clone().apply_to(&mut known), Err(unknown));
        let whole = board(1, None, 1, &[(1, "a")]);
        whole
            .clone()
            .apply_to(&mut known)
            .expect("the message is complete");
        let older = WrongBase {
            base: 2,
            known: Some(1),
        };
        assert_eq!(change.apply_to(&mut known), Err(older));
        assert_eq!(known, Some(whole));
    }

    #[test]
    fn a_team_without_connected_players_leaves_the_attendance() {
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
        whole.apply_to(&mut known).expect("the message is complete");
        let change = attendance(2, Some(1), &[("t1", 0), ("t3", 1)]);
        change
            .apply_to(&mut known)
            .expect("the base is the known version");
        assert_eq!(known, Some(attendance(2, None, &[("t2", 2), ("t3", 1)])));
        let change = attendance(3, Some(1), &[]);
        change.apply_to(&mut known).expect_err("version 2 is known");
    }
}
