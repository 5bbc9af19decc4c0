//! The public board: the first places of the scoreboard. It shows what the standings show to everyone
//! who asks, and nothing else.

use hunt::{RankedTeam, TeamId};
use protocol::{Board, BoardRow, Phase, ServerMessage, Standing};

use super::versions::Content;
use crate::delivery::render;
use crate::session::View;

/// What a board shows.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::delivery) struct Places {
    title: String,
    phase: Phase,
    ends_at_ms: Option<u64>,
    pub(super) teams: u32,
    rows: Vec<BoardRow>,
}

impl Places {
    /// The first places of a scoreboard.
    pub(super) fn render(view: View<'_>, scoreboard: &[RankedTeam], rows_max: usize) -> Self {
        let state = view.state;
        let first = scoreboard.iter().take(rows_max).zip(1..);
        Self {
            title: state.hunt().title.clone(),
            phase: render::phase(state.phase()),
            ends_at_ms: state.ends_at().map(|at| at.0),
            teams: count(scoreboard.len()),
            rows: first.map(|(of, place)| row(view, *of, place)).collect(),
        }
    }

    /// A board of teams with these scores, for tests.
    #[cfg(test)]
    pub(super) fn of_scores(scores: &[u32]) -> Self {
        let row = |(score, place): (&u32, u32)| BoardRow {
            place,
            rank: place,
            team: format!("t{place}"),
            name: "Owls".to_owned(),
            score: *score,
            solves: 0,
            last_scored_at_ms: None,
        };
        Self {
            title: "Harbour".to_owned(),
            phase: Phase::Running,
            ends_at_ms: None,
            teams: count(scores.len()),
            rows: scores.iter().zip(1..).map(row).collect(),
        }
    }

    /// Whether they differ in the number of teams only.
    pub(super) fn differs_in_teams_only(&self, other: &Self) -> bool {
        let shown = |places: &Self| (places.phase, places.ends_at_ms);
        self.teams != other.teams && shown(self) == shown(other) && self.rows == other.rows
    }

    fn message(&self, version: u64, base: Option<u64>, rows: Vec<BoardRow>) -> ServerMessage {
        ServerMessage::Board(Box::new(Board {
            version,
            base,
            title: base.is_none().then(|| self.title.clone()),
            phase: self.phase,
            ends_at_ms: self.ends_at_ms,
            teams: self.teams,
            length: count(self.rows.len()),
            rows,
        }))
    }
}

impl Content for Places {
    fn whole(&self, version: u64) -> ServerMessage {
        self.message(version, None, self.rows.clone())
    }

    fn change(&self, version: u64, since: &Self, base: u64) -> Option<ServerMessage> {
        let stood = |at: usize| since.rows.get(at);
        let rows = self.rows.iter().enumerate();
        let changed = rows.filter(|(at, row)| stood(*at) != Some(*row));
        let changed: Vec<BoardRow> = changed.map(|(_, row)| row.clone()).collect();
        let is_shorter = changed.len() < self.rows.len() || self.rows.is_empty();
        is_shorter.then(|| self.message(version, Some(base), changed))
    }
}

fn row(view: View<'_>, of: RankedTeam, place: u32) -> BoardRow {
    let team = view.state.team(of.team);
    let team = team.expect("the scoreboard is of the same state");
    BoardRow {
        place,
        rank: of.rank,
        team: of.team.to_string(),
        name: view.name(team.name),
        score: team.score,
        solves: count(team.solves()),
        last_scored_at_ms: team.last_scored.map(|at| at.0),
    }
}

/// Where every team stands, in the order of their ids.
#[derive(Debug, Default)]
pub(super) struct Standings(Vec<(TeamId, Standing)>);

impl Standings {
    pub(super) fn render(view: View<'_>, scoreboard: &[RankedTeam]) -> Self {
        let standing = |place: &RankedTeam| {
            let team = view.state.team(place.team);
            let team = team.expect("the scoreboard is of the same state");
            let standing = Standing {
                rank: place.rank,
                score: team.score,
                solves: count(team.solves()),
            };
            (place.team, standing)
        };
        let mut standings: Vec<_> = scoreboard.iter().map(standing).collect();
        standings.sort_unstable_by_key(|(team, _)| *team);
        Self(standings)
    }

    pub(super) fn of(&self, team: TeamId) -> Option<Standing> {
        let at = self.0.binary_search_by_key(&team, |(known, _)| *known);
        at.ok().map(|at| self.0[at].1)
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).expect("teams and puzzles are bounded")
}
