//! Presence and attendance: the connected players of a team, for the team; the numbers of connections,
//! for game masters.

use std::collections::BTreeMap;

use hunt::{PlayerId, TeamId};
use protocol::{Attendance, PlayerPresence, Presence, ServerMessage, TeamAttendance};

use super::versions::Content;

/// The connected players of one team, each with the number of connections.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::delivery) struct TeamPresence(BTreeMap<PlayerId, u32>);

impl TeamPresence {
    pub(super) fn message(&self) -> ServerMessage {
        let players = self.0.iter().map(|(player, devices)| PlayerPresence {
            player: player.to_string(),
            devices: *devices,
        });
        ServerMessage::Presence(Presence {
            players: players.collect(),
        })
    }
}

impl FromIterator<PlayerId> for TeamPresence {
    /// Collects the player of each connection.
    fn from_iter<I: IntoIterator<Item = PlayerId>>(connections: I) -> Self {
        let mut players = BTreeMap::new();
        for player in connections {
            *players.entry(player).or_default() += 1;
        }
        Self(players)
    }
}

/// The numbers of connections, in all and per team.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::delivery) struct AttendanceContent {
    teams: BTreeMap<TeamId, Counts>,
    spectators: u32,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Counts {
    players: u32,
    devices: u32,
}

impl AttendanceContent {
    pub(super) fn new(
        teams: impl Iterator<Item = (TeamId, TeamPresence)>,
        spectators: usize,
    ) -> Self {
        let counts = |presence: TeamPresence| Counts {
            players: count(presence.0.len()),
            devices: presence.0.values().sum(),
        };
        Self {
            teams: teams
                .map(|(team, presence)| (team, counts(presence)))
                .collect(),
            spectators: count(spectators),
        }
    }

    fn message(
        &self,
        version: u64,
        base: Option<u64>,
        teams: Vec<TeamAttendance>,
    ) -> ServerMessage {
        ServerMessage::Attendance(Attendance {
            version,
            base,
            players: self.teams.values().map(|counts| counts.players).sum(),
            devices: self.teams.values().map(|counts| counts.devices).sum(),
            spectators: self.spectators,
            teams,
        })
    }
}

impl Content for AttendanceContent {
    fn whole(&self, version: u64) -> ServerMessage {
        let teams = self.teams.iter().map(team_attendance);
        self.message(version, None, teams.collect())
    }

    fn change(&self, version: u64, since: &Self, base: u64) -> Option<ServerMessage> {
        let now = self.teams.iter();
        let changed = now.filter(|(id, counts)| since.teams.get(id) != Some(counts));
        let before = since.teams.keys();
        let left = before.filter(|id| !self.teams.contains_key(id));
        let left = left.map(|id| team_attendance((id, &Counts::default())));
        let teams: Vec<TeamAttendance> = changed.map(team_attendance).chain(left).collect();
        let is_shorter = teams.len() < self.teams.len() || self.teams.is_empty();
        is_shorter.then(|| self.message(version, Some(base), teams))
    }
}

fn team_attendance((id, counts): (&TeamId, &Counts)) -> TeamAttendance {
    TeamAttendance {
        team: id.to_string(),
        players: counts.players,
        devices: counts.devices,
    }
}

fn count(connections: usize) -> u32 {
    u32::try_from(connections).unwrap_or(u32::MAX)
}
