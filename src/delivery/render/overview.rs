//! What a game master sees of the whole state.

use protocol as wire;

use super::{announcements, clue, game_master, phase, target, team_summary};
use crate::session::View;

/// Everything that a game master sees; without the scope `view`, only what everyone sees.
pub(in crate::delivery) fn overview(
    view: View<'_>,
    heads: wire::Heads,
    may_view: bool,
) -> wire::Overview {
    let state = view.state;
    let mut overview = wire::Overview {
        heads,
        title: state.hunt().title.clone(),
        phase: phase(state.phase()),
        ends_at_ms: state.ends_at().map(|at| at.0),
        teams: Vec::new(),
        clues: Vec::new(),
        announcements: announcements(view),
        game_masters: Vec::new(),
    };
    if may_view {
        let teams = state.teams();
        overview.teams = teams
            .map(|(id, team)| team_summary(view, id, team))
            .collect();
        let clues = state.live_clues().map(|(id, known)| wire::TargetedClue {
            clue: clue(id, known),
            to: target(known.to),
        });
        overview.clues = clues.collect();
        let game_masters = state.game_masters();
        overview.game_masters = game_masters
            .map(|(id, known)| game_master(view, id, known))
            .collect();
    }
    overview
}
