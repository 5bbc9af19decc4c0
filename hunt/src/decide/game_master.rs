//! Decides the orders of game masters.

use std::ops::RangeInclusive;

use crate::command::{GameMasterOrder, Issuer, NewEnd};
use crate::event::{Event, Scope, Target};
use crate::ids::{AnnouncementId, ClueId, DurationMs, GameMasterId, Timestamp};
use crate::limits;
use crate::rejection::Rejection;
use crate::state::{Clue, Phase, State};
use crate::text::acceptable_text;
use crate::unlock::Achievements;

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
            GameMasterOrder::Finish { confirmed } => self.decide_finish(*confirmed),
            GameMasterOrder::Reopen => self.decide_reopen(at),
            GameMasterOrder::ScheduleStart { at: starts_at } => {
                self.decide_schedule_start(*starts_at, at)
            }
            GameMasterOrder::CancelStart => match self.starts_at() {
                Some(_) => Ok(vec![Event::StartCancelled]),
                None => Err(Rejection::WrongPhase),
            },
            GameMasterOrder::MoveEnd { to } => self.decide_move_end(*to, at),
            GameMasterOrder::RenameTeam { team, name } => {
                self.team(*team).ok_or(Rejection::UnknownTeam)?;
                Ok(vec![Event::TeamRenamed {
                    team: *team,
                    name: *name,
                }])
            }
            GameMasterOrder::RenamePlayer { player, name } => {
                Ok(vec![self.player_renamed(*player, *name)?])
            }
            GameMasterOrder::RotateTeamCode { team } => {
                self.team(*team).ok_or(Rejection::UnknownTeam)?;
                Ok(vec![Event::TeamCodeRotated { team: *team }])
            }
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
                paused_ms: self
                    .progress
                    .paused_at
                    .map_or(0, |paused_at| at.ms_since(paused_at)),
            }]),
            Phase::Finished => Err(Rejection::Finished),
            Phase::Lobby | Phase::Running => Err(Rejection::WrongPhase),
        }
    }

    fn decide_finish(&self, confirmed: bool) -> Result<Vec<Event>, Rejection> {
        match self.progress.phase {
            Phase::Finished => Err(Rejection::Finished),
            Phase::Lobby | Phase::Running | Phase::Paused if !confirmed => {
                Err(Rejection::NeedsConfirmation)
            }
            Phase::Lobby | Phase::Running | Phase::Paused => Ok(vec![Event::SessionFinished]),
        }
    }

    fn decide_reopen(&self, at: Timestamp) -> Result<Vec<Event>, Rejection> {
        let finished = self.progress.finished.ok_or(Rejection::WrongPhase)?;
        if at.ms_since(finished.at) >= limits::REOPEN_WITHIN_MS {
            return Err(Rejection::TooLate);
        }
        Ok(vec![Event::SessionReopened {
            left: finished.left,
        }])
    }

    fn decide_schedule_start(
        &self,
        starts_at: Timestamp,
        at: Timestamp,
    ) -> Result<Vec<Event>, Rejection> {
        match self.progress.phase {
            Phase::Lobby => {}
            Phase::Finished => return Err(Rejection::Finished),
            Phase::Running | Phase::Paused => return Err(Rejection::WrongPhase),
        }
        if starts_at <= at || starts_at.ms_since(at) > limits::SCHEDULE_AHEAD_MS_MAX {
            return Err(Rejection::BadTime);
        }
        Ok(vec![Event::StartScheduled { starts_at }])
    }

    fn decide_move_end(&self, to: NewEnd, at: Timestamp) -> Result<Vec<Event>, Rejection> {
        match self.progress.phase {
            Phase::Running | Phase::Paused => {}
            Phase::Finished => return Err(Rejection::Finished),
            Phase::Lobby => return Err(Rejection::WrongPhase),
        }
        let left_ms = match to {
            NewEnd::At(ends_at) => ends_at.ms_since(at),
            NewEnd::Left(left) => left.0,
            NewEnd::Never => return Ok(vec![Event::EndMoved { ends_at: None }]),
        };
        if left_ms == 0 || left_ms > limits::DURATION_MS_MAX {
            return Err(Rejection::BadTime);
        }
        let ends_at = self.session_time(at).plus_ms(left_ms);
        Ok(vec![Event::EndMoved {
            ends_at: Some(ends_at),
        }])
    }

    /// The time from which durations count: in a pause, that of its begin.
    fn session_time(&self, at: Timestamp) -> Timestamp {
        self.progress.paused_at.unwrap_or(at)
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
            expires_at: lasts.map(|lasts| self.session_time(at).plus_ms(lasts.0)),
        }])
    }

    /// The clue with this id, if it is live.
    pub(super) fn live_clue(&self, id: ClueId) -> Result<&Clue, Rejection> {
        let clue = self.progress.clues.get(id.index());
        let live = clue.filter(|clue| clue.live);
        live.ok_or(Rejection::UnknownClue)
    }

    /// The events of a start. One event unlocks for all teams, whatever their number.
    pub(super) fn start(&self, at: Timestamp) -> Vec<Event> {
        let duration = self.hunt.duration;
        let mut events = vec![Event::SessionStarted {
            ends_at: duration.map(|duration| at.plus_ms(duration.0)),
        }];
        let visible = self.newly_visible(None, &Achievements::none());
        events.extend(visible.map(|(rounds, puzzles)| Event::UnlockedForAll { rounds, puzzles }));
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
    acceptable_text(typed, limits::TEXT_CHARS_MAX).map_err(Rejection::BadText)
}
