//! The scoreboard: the public board, each team's standing, and the standings over REST.

use hunt::{Place, TeamId};
use protocol as wire;
use protocol::rest::{Standings, StandingsRow};

use super::count;
use super::session::phase;
use crate::session::View;

/// The ranked teams of one state: ranked once, rendered in several ways.
pub(in crate::delivery) struct Scoreboard<'a> {
    view: View<'a>,
    /// Every team, best first.
    ranked: Vec<Place>,
}

/// The content of the public board, without a version.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::delivery) struct BoardContent {
    pub(in crate::delivery) title: String,
    pub(in crate::delivery) phase: wire::Phase,
    pub(in crate::delivery) ends_at_ms: Option<u64>,
    /// The number of all teams.
    pub(in crate::delivery) teams: u32,
    /// The first rows of the scoreboard.
    pub(in crate::delivery) rows: Vec<wire::BoardRow>,
}

impl<'a> Scoreboard<'a> {
    /// Ranks the teams: O(teams × log teams).
    pub(in crate::delivery) fn new(view: View<'a>) -> Self {
        let ranked = view.state.scoreboard();
        Self { view, ranked }
    }

    /// The public board, with at most this many rows.
    pub(in crate::delivery) fn board(&self, rows_max: usize) -> BoardContent {
        let state = self.view.state;
        let rows = self.rows().zip(1..).take(rows_max);
        BoardContent {
            title: state.hunt().title.clone(),
            phase: phase(state.phase()),
            ends_at_ms: state.ends_at().map(|at| at.0),
            teams: count(self.ranked.len()),
            rows: rows.map(|(row, place)| board_row(row, place)).collect(),
        }
    }

    /// The standing of every team, in the order of the scoreboard.
    pub(in crate::delivery) fn team_standings(
        &self,
    ) -> impl Iterator<Item = (TeamId, wire::Standing)> {
        self.teams().map(|(ranked, team)| {
            let standing = wire::Standing {
                rank: ranked.rank,
                score: team.score,
                solves: count(team.solves()),
            };
            (ranked.team, standing)
        })
    }

    fn rows(&self) -> impl Iterator<Item = StandingsRow> {
        self.teams().map(|(ranked, team)| StandingsRow {
            rank: ranked.rank,
            team: ranked.team.to_string(),
            name: self.view.name(team.name),
            score: team.score,
            solves: count(team.solves()),
            last_scored_at_ms: team.last_scored.map(|at| at.0),
        })
    }

    fn teams(&self) -> impl Iterator<Item = (Place, &hunt::Team)> {
        let ranked = self.ranked.iter();
        ranked.filter_map(|ranked| Some((*ranked, self.view.state.team(ranked.team)?)))
    }
}

fn board_row(row: StandingsRow, place: u32) -> wire::BoardRow {
    let StandingsRow {
        rank,
        team,
        name,
        score,
        solves,
        last_scored_at_ms,
    } = row;
    wire::BoardRow {
        place,
        rank,
        team,
        name,
        score,
        solves,
        last_scored_at_ms,
    }
}

/// The whole scoreboard.
pub fn standings(view: View<'_>) -> Standings {
    let tie_break = view.state.hunt().tie_break.iter();
    Standings {
        phase: phase(view.state.phase()),
        tie_break: tie_break
            .map(|criterion| criterion.name().to_owned())
            .collect(),
        rows: Scoreboard::new(view).rows().collect(),
    }
}
