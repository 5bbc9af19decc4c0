//! The registration desk: teams, players and their devices.

use std::collections::BTreeSet;

use crate::command::DeskOrder;
use crate::event::Event;
use crate::ids::{DeviceId, NameId, PlayerId, TeamCode, TeamId};
use crate::limits;
use crate::rejection::Rejection;
use crate::state::{Phase, State, Team};
use crate::unlock::Achievements;

impl State {
    pub(super) fn decide_desk(&self, order: &DeskOrder) -> Result<Vec<Event>, Rejection> {
        match order {
            DeskOrder::CreateTeam {
                code,
                team_name,
                player_name,
            } => self.decide_create_team(code, *team_name, *player_name),
            DeskOrder::JoinTeam { code, player_name } => self.decide_join_team(code, *player_name),
            DeskOrder::AddDevice { by } => {
                let player = self.acting(*by)?.player;
                Ok(vec![self.next_device_of(player)?])
            }
            DeskOrder::RestorePlayer { code, player } => {
                let team = self.team_by_code(code).ok_or(Rejection::UnknownTeam)?;
                let member = self.player(*player).ok_or(Rejection::UnknownPlayer)?;
                if member.team != team {
                    return Err(Rejection::UnknownPlayer);
                }
                Ok(vec![self.next_device_of(*player)?])
            }
            DeskOrder::UseLink { by, link } => {
                let player = self.acting(*by)?.player;
                let owner = self.player(player).ok_or(Rejection::UnknownPlayer)?;
                if owner.links_used.contains(link) {
                    return Err(Rejection::LinkUsed);
                }
                let link = *link;
                let device = self.next_device_of(player)?;
                Ok(vec![Event::LinkUsed { player, link }, device])
            }
            DeskOrder::RevokeDevice { by, device } => {
                let asking = self.acting(*by)?.player;
                let owner = self.device(*device).ok_or(Rejection::UnknownDevice)?.player;
                if asking != owner && !self.is_captain_of(asking, owner) {
                    return Err(Rejection::Forbidden);
                }
                Ok(vec![self.revocation_of(*device)?])
            }
        }
    }

    /// Whether a player founded the team of another.
    fn is_captain_of(&self, captain: PlayerId, player: PlayerId) -> bool {
        let team = self
            .player(player)
            .and_then(|player| self.team(player.team));
        team.and_then(Team::captain) == Some(captain)
    }

    pub(super) fn revocation_of(&self, device: DeviceId) -> Result<Event, Rejection> {
        let known = self.device(device).ok_or(Rejection::UnknownDevice)?;
        if known.revoked {
            return Err(Rejection::AlreadyRevoked);
        }
        let player = known.player;
        Ok(Event::DeviceRevoked { player, device })
    }

    /// One more device, if the player may have one.
    pub(super) fn next_device_of(&self, player: PlayerId) -> Result<Event, Rejection> {
        let owner = self.player(player).ok_or(Rejection::UnknownPlayer)?;
        let too_many_ever = owner.devices.len() >= limits::DEVICES_PER_PLAYER_EVER_MAX;
        if too_many_ever || self.active_devices(owner) >= limits::DEVICES_PER_PLAYER_MAX {
            return Err(Rejection::TooManyDevices);
        }
        Ok(self.next_device(player))
    }

    fn decide_create_team(
        &self,
        code: &TeamCode,
        team_name: NameId,
        player_name: NameId,
    ) -> Result<Vec<Event>, Rejection> {
        if self.progress.phase == Phase::Finished {
            return Err(Rejection::Finished);
        }
        if self.progress.teams.len() >= limits::TEAMS_MAX {
            return Err(Rejection::SessionFull);
        }
        if self.team_by_code(code).is_some() {
            return Err(Rejection::TeamCodeTaken);
        }
        let team = TeamId::at(self.progress.teams.len());
        let mut events = vec![Event::TeamCreated {
            team,
            code: code.clone(),
            name: team_name,
        }];
        events.extend(self.next_player(team, player_name));
        if matches!(self.progress.phase, Phase::Running | Phase::Paused) {
            let nothing = Achievements {
                score: 0,
                solved: &BTreeSet::new(),
            };
            events.extend(self.unlocked(team, None, &nothing));
        }
        Ok(events)
    }

    fn decide_join_team(
        &self,
        code: &TeamCode,
        player_name: NameId,
    ) -> Result<Vec<Event>, Rejection> {
        if self.progress.phase == Phase::Finished {
            return Err(Rejection::Finished);
        }
        let id = self.team_by_code(code).ok_or(Rejection::UnknownTeam)?;
        let team = self.team(id).ok_or(Rejection::UnknownTeam)?;
        if team.players.len() >= limits::PLAYERS_PER_TEAM_MAX {
            return Err(Rejection::TeamFull);
        }
        Ok(self.next_player(id, player_name).into())
    }

    /// The next player of the session, with a first device.
    fn next_player(&self, team: TeamId, name: NameId) -> [Event; 2] {
        let player = PlayerId::at(self.progress.players.len());
        let joined = Event::PlayerJoined { team, player, name };
        [joined, self.next_device(player)]
    }

    fn next_device(&self, player: PlayerId) -> Event {
        Event::DeviceAdded {
            player,
            device: DeviceId::at(self.progress.devices.len()),
        }
    }
}
