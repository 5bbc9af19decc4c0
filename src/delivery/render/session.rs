//! A session and its hunt, as anyone may see them.

use protocol as wire;
use protocol::rest::{HuntCreated, SessionState};

use super::count;
use crate::session::{StoredHunt, View};

/// A session's phase on the wire.
pub(super) fn phase(phase: hunt::Phase) -> wire::Phase {
    match phase {
        hunt::Phase::Lobby => wire::Phase::Lobby,
        hunt::Phase::Running => wire::Phase::Running,
        hunt::Phase::Paused => wire::Phase::Paused,
        hunt::Phase::Finished => wire::Phase::Finished,
    }
}

/// The public state of the session with this code.
pub fn session_state(view: View<'_>, code: String) -> SessionState {
    let state = view.state;
    SessionState {
        session: code,
        title: state.hunt().title.clone(),
        phase: phase(state.phase()),
        starts_at_ms: state.starts_at().map(|at| at.0),
        ends_at_ms: state.ends_at().map(|at| at.0),
        left_ms: state.time_left().map(|left| left.0),
        teams: count(state.teams().len()),
        players: count(state.player_count()),
    }
}

/// A hunt that was stored.
pub fn hunt_created(stored: StoredHunt) -> HuntCreated {
    HuntCreated {
        revision: stored.revision,
        puzzles: count(stored.hunt.puzzles.len()),
        title: stored.hunt.title,
    }
}
