//! Teams, players and their devices.

use hunt::{DeviceId, NameId, PlayerId, TeamId};
use protocol as wire;
use protocol::rest::{DeviceSummary, Joined, Roster};

use super::count;
use crate::session::View;

/// A player, as others see them.
pub(super) fn member(view: View<'_>, id: PlayerId, name: NameId) -> wire::Member {
    wire::Member {
        id: id.to_string(),
        name: view.name(name),
    }
}

/// The players with these ids, in this order.
pub(super) fn members(view: View<'_>, ids: &[PlayerId]) -> Vec<wire::Member> {
    let known = ids
        .iter()
        .filter_map(|id| Some((*id, view.state.player(*id)?)));
    known
        .map(|(id, player)| member(view, id, player.name))
        .collect()
}

/// A team as game masters see it.
pub(super) fn team_summary(view: View<'_>, id: TeamId, team: &hunt::Team) -> wire::TeamSummary {
    wire::TeamSummary {
        score: team.score,
        solves: count(team.solves()),
        players: count(team.players.len()),
        last_guess_at_ms: team.last_guess.map(|at| at.0),
        ..new_team_summary(view, id, team.name)
    }
}

/// A team at the moment of its creation: it has no players yet.
pub(super) fn new_team_summary(view: View<'_>, id: TeamId, name: NameId) -> wire::TeamSummary {
    wire::TeamSummary {
        id: id.to_string(),
        name: view.name(name),
        score: 0,
        solves: 0,
        players: 0,
        last_guess_at_ms: None,
    }
}

/// The players of the team with this code; none if no team has it.
pub fn roster(view: View<'_>, code: &str) -> Option<Roster> {
    let id = view.private.team_by_code(code)?;
    let team = view.state.team(id)?;
    Some(Roster {
        team: id.to_string(),
        name: view.name(team.name),
        players: members(view, &team.players),
    })
}

/// The reply to a client that was given a new device, with the device's token; none if the session has
/// no such device.
pub fn joined(view: View<'_>, device: DeviceId, token: String) -> Option<Joined> {
    let player = view.state.device(device)?.player;
    let team = view.state.player(player)?.team;
    Some(Joined {
        team: team.to_string(),
        team_code: view.private.team_code(team).to_owned(),
        player: player.to_string(),
        device: device.to_string(),
        token,
    })
}

/// The code of a team; empty if there is none.
pub fn team_code(view: View<'_>, team: TeamId) -> String {
    view.private.team_code(team).to_owned()
}

/// Every device of the session, by team and player.
pub fn all_devices(view: View<'_>) -> Vec<DeviceSummary> {
    let teams = view.state.teams();
    teams
        .flat_map(|(_, team)| devices_of(view, &team.players))
        .collect()
}

/// The devices that the player of a device may see: a captain those of the team, other players their
/// own. None if the device is revoked or unknown.
pub fn devices_visible_to(view: View<'_>, device: DeviceId) -> Option<Vec<DeviceSummary>> {
    let device = view.state.device(device).filter(|known| !known.revoked)?;
    let player = device.player;
    let team = view.state.team(view.state.player(player)?.team)?;
    Some(if team.captain() == Some(player) {
        devices_of(view, &team.players)
    } else {
        devices_of(view, &[player])
    })
}

fn devices_of(view: View<'_>, players: &[PlayerId]) -> Vec<DeviceSummary> {
    let mut devices = Vec::new();
    for id in players {
        let Some(player) = view.state.player(*id) else {
            continue;
        };
        devices.extend(player.devices.iter().map(|device| DeviceSummary {
            device: device.to_string(),
            player: member(view, *id, player.name),
            team: player.team.to_string(),
            revoked: view.state.device(*device).is_none_or(|known| known.revoked),
        }));
    }
    devices
}
