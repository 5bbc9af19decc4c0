//! Decides the orders of game masters.

use std::ops::RangeInclusive;

use crate::command::{GameMasterOrder, Issuer};
use crate::event::{Event, Scope, Target};
use crate::ids::{AnnouncementId, ClueId, DurationMs, GameMasterId, TeamId, Timestamp};
use crate::limits;
use crate::rejection::Rejection;
use crate::state::{Clue, Phase, State, Team};

const CLUE_LASTS_MS: RangeInclusive<u64> = limits::CLUE_LASTS_MS_MIN..=limits::CLUE_LASTS_MS_MAX;

impl State {
    pub(super) fn decide_game_master(
        &self,
        by: Issuer,
        order: &GameMasterOrder,
        at: Timestamp,
    ) -> Result<Vec<Event>, Rejection> {
        self.require_scope(by, order.scope())?;
        match order {
            GameMasterOrder::Start => self.decide_start(at),
            GameMasterOrder::Pause => self.decide_pause(),
            GameMasterOrder::Resume => self.decide_resume(at),
            GameMasterOrder::Finish => self.decide_finish(),
            GameMasterOrder::PushClue { to, text, lasts } => {
                self.decide_push_clue(*to, text, *lasts, at)
            }
            GameMasterOrder::CancelClue { clue } => {
                let to = self.live_clue(*clue)?.to;
                Ok(vec![Event::ClueCancelled { clue: *clue, to }])
            }
            GameMasterOrder::Announce { text } => {
                let announcements = self.progress.announcements.len();
                if announcements >= limits::ANNOUNCEMENTS_MAX {
                    return Err(Rejection::TooManyTexts);
                }
                Ok(vec![Event::Announced {
                    announcement: AnnouncementId::from_index(announcements),
                    text: validate_text(text)?,
                }])
            }
            GameMasterOrder::RestorePlayer { player } => Ok(vec![self.new_device(*player)?]),
            GameMasterOrder::RevokeDevice { device } => Ok(vec![self.revocation(*device)?]),
            GameMasterOrder::InviteGameMaster { name, scopes } => {
                for scope in scopes {
                    self.require_scope(by, *scope)?;
                }
                let game_masters = self.progress.game_masters.len();
                if game_masters >= limits::GAME_MASTERS_MAX {
                    return Err(Rejection::TooManyGameMasters);
                }
                Ok(vec![Event::GameMasterInvited {
                    game_master: GameMasterId::from_index(game_masters),
                    name: *name,
                    scopes: scopes.clone(),
                }])
            }
            GameMasterOrder::RevokeGameMaster { game_master } => {
                let target = self.game_master(*game_master);
                let target = target.ok_or(Rejection::UnknownGameMaster)?;
                for scope in &target.scopes {
                    self.require_scope(by, *scope)?;
                }
                if target.revoked {
                    return Err(Rejection::AlreadyRevoked);
                }
                Ok(vec![Event::GameMasterRevoked {
                    game_master: *game_master,
                }])
            }
        }
    }

    fn require_scope(&self, by: Issuer, scope: Scope) -> Result<(), Rejection> {
        let Issuer::GameMaster(id) = by else {
            return Ok(());
        };
        let game_master = self.game_master(id).ok_or(Rejection::UnknownGameMaster)?;
        if game_master.revoked {
            return Err(Rejection::Revoked);
        }
        if !game_master.may(scope) {
            return Err(Rejection::Forbidden);
        }
        Ok(())
    }

    fn decide_start(&self, at: Timestamp) -> Result<Vec<Event>, Rejection> {
        match self.progress.phase {
            Phase::Lobby => Ok(self.start(at)),
            Phase::Finished => Err(Rejection::Finished),
            Phase::Running | Phase::Paused => Err(Rejection::WrongPhase),
        }
    }

    fn decide_pause(&self) -> Result<Vec<Event>, Rejection> {
        match self.progress.phase {
            Phase::Running => Ok(vec![Event::SessionPaused]),
            Phase::Finished => Err(Rejection::Finished),
            Phase::Lobby | Phase::Paused => Err(Rejection::WrongPhase),
        }
    }

    fn decide_resume(&self, at: Timestamp) -> Result<Vec<Event>, Rejection> {
        match self.progress.phase {
            Phase::Paused => Ok(vec![Event::SessionResumed {
                ends_at: self.end_after_pause(at),
            }]),
            Phase::Finished => Err(Rejection::Finished),
            Phase::Lobby | Phase::Running => Err(Rejection::WrongPhase),
        }
    }

    fn decide_finish(&self) -> Result<Vec<Event>, Rejection> {
        match self.progress.phase {
            Phase::Lobby | Phase::Running | Phase::Paused => Ok(vec![Event::SessionFinished]),
            Phase::Finished => Err(Rejection::Finished),
        }
    }

    fn decide_push_clue(
        &self,
        to: Target,
        text: &str,
        lasts: Option<DurationMs>,
        at: Timestamp,
    ) -> Result<Vec<Event>, Rejection> {
        match to {
            Target::Everyone => {}
            Target::Team { team } => {
                self.team(team).ok_or(Rejection::UnknownTeam)?;
            }
            Target::Player { player } => {
                self.player(player).ok_or(Rejection::UnknownPlayer)?;
            }
        }
        if lasts.is_some_and(|lasts| !CLUE_LASTS_MS.contains(&lasts.0)) {
            return Err(Rejection::BadDuration);
        }
        let clues = self.progress.clues.len();
        if clues >= limits::CLUES_MAX {
            return Err(Rejection::TooManyTexts);
        }
        Ok(vec![Event::CluePushed {
            clue: ClueId::from_index(clues),
            to,
            text: validate_text(text)?,
            expires_at: lasts.map(|lasts| at.plus_ms(lasts.0)),
        }])
    }

    /// The clue with this id, if it is live.
    pub(super) fn live_clue(&self, id: ClueId) -> Result<&Clue, Rejection> {
        let clue = self.progress.clues.get(id.index());
        let live = clue.filter(|clue| clue.live);
        live.ok_or(Rejection::UnknownClue)
    }

    fn start(&self, at: Timestamp) -> Vec<Event> {
        let duration = self.hunt.duration;
        let mut events = vec![Event::SessionStarted {
            ends_at: duration.map(|duration| at.plus_ms(duration.0)),
        }];
        let unlocked =
            |(id, team): (TeamId, &Team)| self.newly_unlocked(id, Some(team), &team.achievements());
        events.extend(self.teams().filter_map(unlocked));
        events
    }

    /// The end of the session, postponed by the length of the pause.
    fn end_after_pause(&self, at: Timestamp) -> Option<Timestamp> {
        let paused_at = self.progress.paused_at?;
        let ends_at = self.progress.ends_at?;
        Some(ends_at.plus_ms(at.ms_since(paused_at)))
    }
}

fn validate_text(typed: &str) -> Result<String, Rejection> {
    let text = typed.trim().replace("\r\n", "\n");
    let is_unprintable = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    if text.is_empty()
        || text.chars().any(is_unprintable)
        || text.chars().count() > limits::TEXT_CHARS_MAX
    {
        return Err(Rejection::BadText);
    }
    Ok(text)
}
