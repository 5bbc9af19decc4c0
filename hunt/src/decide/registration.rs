//! Decides registration orders: teams, players and their devices.

use crate::command::RegistrationOrder;
use crate::event::Event;
use crate::ids::{DeviceId, NameId, PlayerId, TeamId};
use crate::limits;
use crate::rejection::Rejection;
use crate::state::{Phase, State, Team};
use crate::unlock::Achievements;

impl State {
    pub(super) fn decide_registration(
        &self,
        order: &RegistrationOrder,
    ) -> Result<Vec<Event>, Rejection> {
        match order {
            RegistrationOrder::CreateTeam {
                team_name,
                player_name,
            } => self.decide_create_team(*team_name, *player_name),
            RegistrationOrder::JoinTeam { team, player_name } => {
                self.decide_join_team(*team, *player_name)
            }
            RegistrationOrder::AddDevice { by } => {
                let player = self.active_device(*by)?.player;
                Ok(vec![self.new_device(player)?])
            }
            RegistrationOrder::RestorePlayer { team, player } => {
                let member = self.player(*player).ok_or(Rejection::UnknownPlayer)?;
                if member.team != *team {
                    return Err(Rejection::UnknownPlayer);
                }
                Ok(vec![self.new_device(*player)?])
            }
            RegistrationOrder::UseLink { by, link } => {
                let player = self.active_device(*by)?.player;
                let owner = self.player(player).ok_or(Rejection::UnknownPlayer)?;
                if owner.links_used.contains(link) {
                    return Err(Rejection::LinkUsed);
                }
                let link = *link;
                let device = self.new_device(player)?;
                Ok(vec![Event::LinkUsed { player, link }, device])
            }
            RegistrationOrder::RevokeDevice { by, device } => {
                let requester = self.active_device(*by)?.player;
                let owner = self.device(*device).ok_or(Rejection::UnknownDevice)?.player;
                if requester != owner && !self.is_captain_of(requester, owner) {
                    return Err(Rejection::Forbidden);
                }
                Ok(vec![self.revocation(*device)?])
            }
            RegistrationOrder::RenameTeam { by, name } => {
                let team = self.team_of_captain(*by)?;
                Ok(vec![Event::TeamRenamed { team, name: *name }])
            }
            RegistrationOrder::RenamePlayer { by, player, name } => {
                let requester = self.active_device(*by)?.player;
                if requester != *player && !self.is_captain_of(requester, *player) {
                    return Err(Rejection::Forbidden);
                }
                Ok(vec![self.player_renamed(*player, *name)?])
            }
            RegistrationOrder::RotateTeamCode { by } => {
                let team = self.team_of_captain(*by)?;
                Ok(vec![Event::TeamCodeRotated { team }])
            }
        }
    }

    /// The team whose captain owns a device.
    fn team_of_captain(&self, device: DeviceId) -> Result<TeamId, Rejection> {
        let player = self.active_device(device)?.player;
        if !self.is_captain_of(player, player) {
            return Err(Rejection::Forbidden);
        }
        let player = self.player(player).ok_or(Rejection::UnknownPlayer)?;
        Ok(player.team)
    }

    pub(super) fn player_renamed(
        &self,
        player: PlayerId,
        name: NameId,
    ) -> Result<Event, Rejection> {
        let team = self.player(player).ok_or(Rejection::UnknownPlayer)?.team;
        Ok(Event::PlayerRenamed { team, player, name })
    }

    /// Whether a player is the captain of another player's team.
    fn is_captain_of(&self, captain: PlayerId, player: PlayerId) -> bool {
        let team = self
            .player(player)
            .and_then(|player| self.team(player.team));
        team.and_then(Team::captain) == Some(captain)
    }

    pub(super) fn revocation(&self, device: DeviceId) -> Result<Event, Rejection> {
        let target = self.device(device).ok_or(Rejection::UnknownDevice)?;
        if target.revoked {
            return Err(Rejection::AlreadyRevoked);
        }
        let player = target.player;
        Ok(Event::DeviceRevoked { player, device })
    }

    /// Adds a device, if the player is below the limits.
    pub(super) fn new_device(&self, player: PlayerId) -> Result<Event, Rejection> {
        let owner = self.player(player).ok_or(Rejection::UnknownPlayer)?;
        let total_reached = owner.devices.len() >= limits::DEVICES_PER_PLAYER_EVER_MAX;
        if total_reached || self.active_device_count(owner) >= limits::DEVICES_PER_PLAYER_MAX {
            return Err(Rejection::TooManyDevices);
        }
        Ok(self.new_device_event(player))
    }

    fn decide_create_team(
        &self,
        team_name: NameId,
        player_name: NameId,
    ) -> Result<Vec<Event>, Rejection> {
        if self.progress.phase == Phase::Finished {
            return Err(Rejection::Finished);
        }
        if self.progress.teams.len() >= limits::TEAMS_MAX {
            return Err(Rejection::SessionFull);
        }
        let team = TeamId::from_index(self.progress.teams.len());
        let mut events = vec![Event::TeamCreated {
            team,
            name: team_name,
        }];
        events.extend(self.new_player_events(team, player_name));
        if matches!(self.progress.phase, Phase::Running | Phase::Paused) {
            events.extend(self.newly_unlocked(team, None, &Achievements::none()));
        }
        Ok(events)
    }

    fn decide_join_team(&self, id: TeamId, player_name: NameId) -> Result<Vec<Event>, Rejection> {
        if self.progress.phase == Phase::Finished {
            return Err(Rejection::Finished);
        }
        let team = self.team(id).ok_or(Rejection::UnknownTeam)?;
        if team.players.len() >= limits::PLAYERS_PER_TEAM_MAX {
            return Err(Rejection::TeamFull);
        }
        Ok(self.new_player_events(id, player_name).into())
    }

    /// Adds a player with a first device.
    fn new_player_events(&self, team: TeamId, name: NameId) -> [Event; 2] {
        let player = PlayerId::from_index(self.progress.players.len());
        let joined = Event::PlayerJoined { team, player, name };
        [joined, self.new_device_event(player)]
    }

    fn new_device_event(&self, player: PlayerId) -> Event {
        Event::DeviceAdded {
            player,
            device: DeviceId::from_index(self.progress.devices.len()),
        }
    }
}
