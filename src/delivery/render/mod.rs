//! From states and events to the messages that show them.

mod event;
mod overview;
mod snapshot;

use hunt::{PlayerId, Receipt, Verdict};
use protocol as wire;

pub(super) use event::update;
pub(super) use overview::overview;
pub(super) use snapshot::snapshot;

use crate::session::View;

/// Announcements that a snapshot or an overview shows: the last ones.
const ANNOUNCEMENTS_SHOWN_MAX: usize = 100;
/// The bounds of the random delay after a connection that died silently. A node's clients come
/// back spread over this time.
const RECONNECT: wire::Reconnect = wire::Reconnect {
    min_in_ms: 100,
    max_in_ms: 2_000,
};

/// The standing advice on reconnecting.
pub(super) fn reconnect_advice() -> wire::Reconnect {
    RECONNECT
}

/// A session's phase on the wire.
pub fn phase(phase: hunt::Phase) -> wire::Phase {
    match phase {
        hunt::Phase::Lobby => wire::Phase::Lobby,
        hunt::Phase::Running => wire::Phase::Running,
        hunt::Phase::Paused => wire::Phase::Paused,
        hunt::Phase::Finished => wire::Phase::Finished,
    }
}

/// A scope on the wire.
pub fn scope(scope: hunt::Scope) -> wire::Scope {
    match scope {
        hunt::Scope::View => wire::Scope::View,
        hunt::Scope::Hints => wire::Scope::Hints,
        hunt::Scope::Run => wire::Scope::Run,
        hunt::Scope::Answers => wire::Scope::Answers,
    }
}

/// A game master on the wire.
pub fn game_master(
    view: View<'_>,
    id: hunt::GameMasterId,
    known: &hunt::GameMaster,
) -> wire::GameMaster {
    wire::GameMaster {
        id: id.to_string(),
        name: view.name(known.name),
        scopes: known.scopes.iter().copied().map(scope).collect(),
        revoked: known.revoked,
    }
}

/// A player, as others see them.
///
/// # Panics
/// If there is no such player: ids come from the same state.
pub fn member(view: View<'_>, id: PlayerId) -> wire::Member {
    let player = view.state.player(id).expect("members of a team exist");
    wire::Member {
        id: id.to_string(),
        name: view.name(player.name),
    }
}

/// The receipt of a numbered command.
pub(super) fn receipt(id: hunt::CommandId, receipt: &Receipt) -> wire::Receipt {
    let mut shown = wire::Receipt {
        id: id.0,
        verdict: None,
        points: None,
        clue: None,
        announcement: None,
    };
    match receipt {
        Receipt::Guess {
            verdict: judged,
            points,
        } => {
            shown.verdict = Some(verdict(*judged));
            shown.points = Some(*points);
        }
        Receipt::CluePushed { clue } => shown.clue = Some(clue.to_string()),
        Receipt::Announced { announcement } => {
            shown.announcement = Some(announcement.to_string());
        }
        Receipt::Joined { .. }
        | Receipt::DeviceAdded { .. }
        | Receipt::GameMasterInvited { .. }
        | Receipt::Done => {}
    }
    shown
}

fn verdict(verdict: Verdict) -> wire::Verdict {
    match verdict {
        Verdict::Correct => wire::Verdict::Correct,
        Verdict::Wrong => wire::Verdict::Wrong,
    }
}

fn target(target: hunt::Target) -> wire::Target {
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

fn clue(id: hunt::ClueId, clue: &hunt::Clue) -> wire::Clue {
    wire::Clue {
        id: id.to_string(),
        text: clue.text.clone(),
        pushed_at_ms: clue.pushed_at.0,
        expires_at_ms: clue.expires_at.map(|at| at.0),
    }
}

fn team_summary(view: View<'_>, id: hunt::TeamId, team: &hunt::Team) -> wire::TeamSummary {
    let count = |number| u32::try_from(number).expect("puzzles and players are bounded");
    wire::TeamSummary {
        id: id.to_string(),
        name: view.name(team.name),
        score: team.score,
        solves: count(team.solves()),
        players: count(team.players.len()),
    }
}

fn announcements(view: View<'_>) -> Vec<wire::Announcement> {
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
