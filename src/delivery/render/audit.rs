//! What game masters and admins did, from the entries of the journal.

use hunt::{Entry, Event, Origin, Target};
use protocol::rest::{AuditedKind, AuditedOrder, AuditedTarget, Cause};

use crate::session::View;

/// Whether an entry is the order of a game master or an admin.
pub fn is_audited(entry: &Entry) -> bool {
    let by_whom = match entry.origin {
        Origin::GameMaster { .. } | Origin::Admin => true,
        Origin::Device { .. } | Origin::TeamCode | Origin::Founder | Origin::Timer => false,
    };
    by_whom && order(entry).is_some()
}

/// The orders behind entries, each with the sequence number of its first event. Entries that are no orders
/// are left out.
pub fn audited_orders(view: View<'_>, entries: &[(u64, Entry)]) -> Vec<AuditedOrder> {
    let orders = entries.iter().filter_map(|(seq, entry)| {
        let game_master = match entry.origin {
            Origin::GameMaster { game_master, .. } => Some(game_master),
            Origin::Admin => None,
            Origin::Device { .. } | Origin::TeamCode | Origin::Founder | Origin::Timer => {
                return None;
            }
        };
        let (order, target) = order(entry)?;
        let name = game_master.map(|id| view.state.game_master(id).map(|known| known.name));
        Some(AuditedOrder {
            seq: *seq,
            at_ms: entry.at.0,
            by: game_master.map_or(Cause::Admin, |_| Cause::GameMaster),
            game_master: game_master.map(|id| id.to_string()),
            name: name.flatten().map(|name| view.name(name)),
            order,
            target,
            reason: entry.reason.map(|reason| view.name(reason)),
        })
    });
    orders.collect()
}

/// The order that an entry is the effect of: the first event says which.
fn order(entry: &Entry) -> Option<(AuditedKind, AuditedTarget)> {
    let mut orders = entry
        .events
        .iter()
        .filter_map(|event| Some((kind(event)?, target(event))));
    orders.next()
}

fn kind(event: &Event) -> Option<AuditedKind> {
    Some(match event {
        Event::SessionStarted { .. } => AuditedKind::Start,
        Event::StartScheduled { .. } => AuditedKind::ScheduleStart,
        Event::StartCancelled => AuditedKind::CancelStart,
        Event::SessionPaused => AuditedKind::Pause,
        Event::SessionResumed { .. } => AuditedKind::Resume,
        Event::EndMoved { .. } => AuditedKind::MoveEnd,
        Event::SessionFinished => AuditedKind::Finish,
        Event::SessionReopened { .. } => AuditedKind::Reopen,
        Event::CluePushed { .. } => AuditedKind::PushClue,
        Event::ClueCancelled { .. } => AuditedKind::CancelClue,
        Event::Announced { .. } => AuditedKind::Announce,
        Event::DeviceAdded { .. } => AuditedKind::RestorePlayer,
        Event::DeviceRevoked { .. } => AuditedKind::RevokeDevice,
        Event::TeamRenamed { .. } => AuditedKind::RenameTeam,
        Event::PlayerRenamed { .. } => AuditedKind::RenamePlayer,
        Event::TeamCodeRotated { .. } => AuditedKind::RotateTeamCode,
        Event::GameMasterInvited { .. } => AuditedKind::InviteGameMaster,
        Event::GameMasterRevoked { .. } => AuditedKind::RevokeGameMaster,
        // No order begins with them: they follow from another event, or belong to players and connections.
        Event::TeamCreated { .. }
        | Event::PlayerJoined { .. }
        | Event::UnlockedForAll { .. }
        | Event::Unlocked { .. }
        | Event::GuessJudged { .. }
        | Event::LinkUsed { .. }
        | Event::InstanceOpened { .. }
        | Event::ClueExpired { .. } => return None,
    })
}

fn target(event: &Event) -> AuditedTarget {
    let mut ids = AuditedTarget::default();
    match event {
        Event::CluePushed { clue, to, .. } | Event::ClueCancelled { clue, to } => {
            ids.clue = Some(clue.to_string());
            match to {
                Target::Everyone => {}
                Target::Team { team } => ids.team = Some(team.to_string()),
                Target::Player { player } => ids.player = Some(player.to_string()),
            }
        }
        Event::Announced { announcement, .. } => ids.announcement = Some(announcement.to_string()),
        Event::DeviceAdded { player, device } | Event::DeviceRevoked { player, device } => {
            ids.player = Some(player.to_string());
            ids.device = Some(device.to_string());
        }
        Event::TeamRenamed { team, .. } | Event::TeamCodeRotated { team } => {
            ids.team = Some(team.to_string());
        }
        Event::PlayerRenamed { team, player, .. } => {
            ids.team = Some(team.to_string());
            ids.player = Some(player.to_string());
        }
        Event::GameMasterInvited { game_master, .. } | Event::GameMasterRevoked { game_master } => {
            ids.game_master = Some(game_master.to_string());
        }
        Event::SessionStarted { .. }
        | Event::StartScheduled { .. }
        | Event::StartCancelled
        | Event::SessionPaused
        | Event::SessionResumed { .. }
        | Event::EndMoved { .. }
        | Event::SessionFinished
        | Event::SessionReopened { .. }
        | Event::TeamCreated { .. }
        | Event::PlayerJoined { .. }
        | Event::UnlockedForAll { .. }
        | Event::Unlocked { .. }
        | Event::GuessJudged { .. }
        | Event::LinkUsed { .. }
        | Event::InstanceOpened { .. }
        | Event::ClueExpired { .. } => {}
    }
    ids
}
