//! A game master's console: the board of teams and puzzles, and the players.

use hunt::{PlayerId, PuzzleId, PuzzleProgress, State, TeamId};
use protocol as wire;
use protocol::rest::Players;

use super::count;
use crate::session::View;

/// The hunt's puzzles, in its order, without their texts.
pub(super) fn puzzles(state: &State) -> Vec<wire::PuzzleSummary> {
    let puzzles = state.hunt().puzzles.iter().enumerate();
    let puzzles = puzzles.map(|(index, puzzle)| wire::PuzzleSummary {
        id: puzzle.id.to_string(),
        index: count(index),
        round: puzzle.round.to_string(),
        title: puzzle.title.clone(),
        points: puzzle.points,
    });
    puzzles.collect()
}

/// A byte for each puzzle of each team. O(teams × puzzles), without a search for any cell: it runs in a turn
/// of the session's actor, and a large session has more than a million cells.
pub(super) fn cells(state: &State) -> wire::Cells {
    let mut columns: Vec<Column<'_>> = columns(state);
    columns.sort_by_key(|column| column.puzzle);
    let mut cells = vec![0; state.teams().len() * columns.len()];
    for ((id, team), row) in state
        .teams()
        .zip(cells.chunks_exact_mut(columns.len().max(1)))
    {
        let mut sorted = columns.iter();
        // Both lists are in the order of ids.
        for (puzzle, progress) in team.puzzles() {
            if let Some(column) = sorted.by_ref().find(|column| column.puzzle == puzzle)
                && let Some(cell) = row.get_mut(column.position)
            {
                *cell = wire::Cells::progress_bits(shown(progress, column.first == Some(id)));
            }
        }
    }
    wire::Cells(cells)
}

/// A puzzle as a column of the board.
struct Column<'a> {
    puzzle: &'a PuzzleId,
    position: usize,
    /// The team that solved it first.
    first: Option<TeamId>,
}

fn columns(state: &State) -> Vec<Column<'_>> {
    let puzzles = state.hunt().puzzles.iter().enumerate();
    let columns = puzzles.map(|(position, puzzle)| Column {
        puzzle: &puzzle.id,
        position,
        first: state.first_solver(puzzle.id.as_str()),
    });
    columns.collect()
}

fn shown(progress: &PuzzleProgress, is_first: bool) -> wire::CellProgress {
    if progress.solved_at.is_some() {
        return wire::CellProgress::Solved { first: is_first };
    }
    // Before a solve, every guess is a wrong one.
    let wrong = progress.guesses.len();
    wire::CellProgress::Open { wrong }
}

/// Every player of the session, in the order of joining.
pub(super) fn players(view: View<'_>) -> Vec<wire::PlayerSummary> {
    let players = view.state.players();
    players
        .map(|(id, player)| summary(view, id, player))
        .collect()
}

/// At most `limit` of the players who joined after one, or of all.
pub fn players_after(view: View<'_>, after: Option<PlayerId>, limit: usize) -> Players {
    // Players are numbered from 1 in the order of joining.
    let skipped = after.map_or(0, |after| after.number() as usize);
    let mut later = view
        .state
        .players()
        .skip(skipped)
        .map(|(id, player)| summary(view, id, player));
    let players: Vec<_> = later.by_ref().take(limit).collect();
    let is_last = later.next().is_none();
    let last = players.last().map(|player| player.id.clone());
    Players {
        players,
        after: last.filter(|_| !is_last),
    }
}

fn summary(view: View<'_>, id: PlayerId, player: &hunt::Player) -> wire::PlayerSummary {
    wire::PlayerSummary {
        id: id.to_string(),
        name: view.name(player.name),
        team: player.team.to_string(),
    }
}

/// When a puzzle was unlocked for a team; none if the team does not see it. An `Err` names what is unknown.
pub fn unlocked_at(
    view: View<'_>,
    team: TeamId,
    puzzle: &str,
) -> Result<Option<hunt::Timestamp>, &'static str> {
    let team = view.state.team(team).ok_or("team")?;
    view.state.hunt().puzzle(puzzle).ok_or("puzzle")?;
    Ok(team.puzzle(puzzle).map(|progress| progress.unlocked_at))
}
