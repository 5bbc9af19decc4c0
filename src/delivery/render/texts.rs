//! Clues and announcements.

use protocol as wire;

use crate::session::View;

/// A snapshot or an overview shows the last announcements, at most this many.
const ANNOUNCEMENTS_SHOWN_MAX: usize = 100;

pub(super) fn target(target: hunt::Target) -> wire::Target {
    match target {
        hunt::Target::Everyone => wire::Target::Everyone,
        hunt::Target::Team { team } => wire::Target::Team {
            team: team.to_string(),
        },
        hunt::Target::Player { player } => wire::Target::Player {
            player: player.to_string(),
        },
    }
}

pub(super) fn clue(id: hunt::ClueId, clue: &hunt::Clue) -> wire::Clue {
    wire::Clue {
        id: id.to_string(),
        text: clue.text.clone(),
        pushed_at_ms: clue.pushed_at.0,
        expires_at_ms: clue.expires_at.map(|at| at.0),
    }
}

/// The last announcements, oldest first.
pub(super) fn announcements(view: View<'_>) -> Vec<wire::Announcement> {
    let announcements = view.state.announcements();
    let hidden = announcements.len().saturating_sub(ANNOUNCEMENTS_SHOWN_MAX);
    let shown = announcements.skip(hidden);
    shown
        .map(|(id, announcement)| wire::Announcement {
            id: id.to_string(),
            text: announcement.text.clone(),
            at_ms: announcement.at.0,
        })
        .collect()
}
