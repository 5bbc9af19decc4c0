//! The complete view of a game master.

use protocol as wire;

use super::console::{cells, players, puzzles};
use super::game_masters::game_masters;
use super::people::team_summary;
use super::session::phase;
use super::snapshot::round;
use super::texts::{announcements, clue, target};
use crate::delivery::viewer::Reads;
use crate::session::View;

/// Everything that a game master sees. Without the scope `view`, that is what everyone sees, and with
/// `hints` the clues.
pub(super) fn overview(view: View<'_>, heads: wire::Heads, reads: Reads) -> wire::Overview {
    let state = view.state;
    let mut overview = wire::Overview {
        heads,
        title: state.hunt().title.clone(),
        phase: phase(state.phase()),
        starts_at_ms: state.starts_at().map(|at| at.0),
        ends_at_ms: state.ends_at().map(|at| at.0),
        left_ms: state.time_left().map(|left| left.0),
        paused_at_ms: state.paused_at().map(|at| at.0),
        rounds: Vec::new(),
        puzzles: Vec::new(),
        teams: Vec::new(),
        players: Vec::new(),
        cells: wire::Cells::default(),
        clues: Vec::new(),
        announcements: announcements(view),
        game_masters: Vec::new(),
    };
    if reads.view {
        let rounds = state.hunt().rounds.iter();
        overview.rounds = rounds.map(|known| round(state, known)).collect();
        overview.puzzles = puzzles(state);
        overview.players = players(view);
        overview.cells = cells(state);
        let teams = state.teams();
        overview.teams = teams
            .map(|(id, team)| team_summary(view, id, team))
            .collect();
        overview.game_masters = game_masters(view);
    }
    if reads.view || reads.hints {
        let clues = state.live_clues().map(|(id, known)| wire::TargetedClue {
            clue: clue(id, known),
            to: target(known.to),
        });
        overview.clues = clues.collect();
    }
    overview
}
