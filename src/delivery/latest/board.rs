//! The public board as a versioned value, and the standing of each team. It shows what `GET standings`
//! shows to everyone, and nothing else.

use hunt::TeamId;
use protocol::{Board, BoardRow, ServerMessage, Standing};

use super::versions::Content;
use crate::delivery::render::BoardContent;

/// Whether two boards differ in the number of teams only.
pub(super) fn differ_in_teams_only(a: &BoardContent, b: &BoardContent) -> bool {
    a.teams != b.teams && (a.phase, a.ends_at_ms) == (b.phase, b.ends_at_ms) && a.rows == b.rows
}

impl Content for BoardContent {
    fn whole(&self, version: u64) -> ServerMessage {
        message(self, version, None, self.rows.clone())
    }

    fn change(&self, version: u64, since: &Self, base: u64) -> Option<ServerMessage> {
        let before = |index: usize| since.rows.get(index);
        let rows = self.rows.iter().enumerate();
        let changed = rows.filter(|(index, row)| before(*index) != Some(*row));
        let changed: Vec<BoardRow> = changed.map(|(_, row)| row.clone()).collect();
        let is_shorter = changed.len() < self.rows.len() || self.rows.is_empty();
        is_shorter.then(|| message(self, version, Some(base), changed))
    }
}

fn message(
    content: &BoardContent,
    version: u64,
    base: Option<u64>,
    rows: Vec<BoardRow>,
) -> ServerMessage {
    ServerMessage::Board(Box::new(Board {
        version,
        base,
        title: base.is_none().then(|| content.title.clone()),
        phase: content.phase,
        ends_at_ms: content.ends_at_ms,
        teams: content.teams,
        length: u32::try_from(content.rows.len()).unwrap_or(u32::MAX),
        rows,
    }))
}

/// The standing of every team, ordered by team id.
#[derive(Debug, Default)]
pub(super) struct TeamStandings(Vec<(TeamId, Standing)>);

impl TeamStandings {
    pub(super) fn get(&self, team: TeamId) -> Option<Standing> {
        let found = self.0.binary_search_by_key(&team, |(known, _)| *known);
        found.ok().map(|index| self.0[index].1)
    }
}

impl FromIterator<(TeamId, Standing)> for TeamStandings {
    fn from_iter<I: IntoIterator<Item = (TeamId, Standing)>>(standings: I) -> Self {
        let mut standings: Vec<_> = standings.into_iter().collect();
        standings.sort_unstable_by_key(|(team, _)| *team);
        Self(standings)
    }
}

/// A board of teams with these scores.
#[cfg(test)]
pub(super) fn board_with_scores(scores: &[u32]) -> BoardContent {
    let row = |(score, place): (&u32, u32)| BoardRow {
        place,
        rank: place,
        team: format!("t{place}"),
        name: "Owls".to_owned(),
        score: *score,
        solves: 0,
        last_scored_at_ms: None,
    };
    let rows: Vec<BoardRow> = scores.iter().zip(1..).map(row).collect();
    BoardContent {
        title: "Harbour".to_owned(),
        phase: protocol::Phase::Running,
        ends_at_ms: None,
        teams: u32::try_from(rows.len()).expect("there are few rows"),
        rows,
    }
}
