//! Effects of an event on delivery, apart from the update that shows it.

use hunt::{Event, Verdict};

use super::viewer::Identity;

/// The identity whose access the event revokes: its connections are closed.
pub(super) fn revoked_identity(event: &Event) -> Option<Identity> {
    match event {
        Event::DeviceRevoked { device, .. } => Some(Identity::Device(*device)),
        Event::GameMasterRevoked { game_master } => Some(Identity::GameMaster(*game_master)),
        Event::SessionStarted { .. }
        | Event::SessionPaused
        | Event::SessionResumed { .. }
        | Event::SessionFinished
        | Event::TeamCreated { .. }
        | Event::PlayerJoined { .. }
        | Event::DeviceAdded { .. }
        | Event::Unlocked { .. }
        | Event::GuessJudged { .. }
        | Event::LinkUsed { .. }
        | Event::GameMasterInvited { .. }
        | Event::CluePushed { .. }
        | Event::ClueCancelled { .. }
        | Event::ClueExpired { .. }
        | Event::Announced { .. } => None,
    }
}

/// Whether the board or a standing may differ after the event.
pub(super) fn changes_scores(event: &Event) -> bool {
    match event {
        Event::SessionStarted { .. }
        | Event::SessionPaused
        | Event::SessionResumed { .. }
        | Event::SessionFinished
        | Event::TeamCreated { .. } => true,
        Event::GuessJudged { verdict, .. } => *verdict == Verdict::Correct,
        Event::PlayerJoined { .. }
        | Event::DeviceAdded { .. }
        | Event::DeviceRevoked { .. }
        | Event::Unlocked { .. }
        | Event::LinkUsed { .. }
        | Event::GameMasterInvited { .. }
        | Event::GameMasterRevoked { .. }
        | Event::CluePushed { .. }
        | Event::ClueCancelled { .. }
        | Event::ClueExpired { .. }
        | Event::Announced { .. } => false,
    }
}
