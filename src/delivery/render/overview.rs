//! The complete view of a game master.

use protocol as wire;

use super::game_masters::game_masters;
use super::people::team_summary;
use super::session::phase;
use super::texts::{announcements, clue, target};
use crate::session::View;

/// Everything that a game master sees; without the scope `view`, only what everyone sees.
pub(super) fn overview(view: View<'_>, heads: wire::Heads, may_view: bool) -> wire::Overview {
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
        overview.game_masters = game_masters(view);
    }
    overview
}
