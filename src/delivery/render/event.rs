//! Events as the updates of an audience.

use hunt::{Audience, Event, Timestamp, UpdateNumber};
use protocol as wire;

use super::snapshot::{puzzle, round};
use super::{game_master, member, target, team_summary, verdict};
use crate::session::View;

/// The update that shows an event to its audience. The view is the state right after it.
pub(in crate::delivery) fn update(
    view: View<'_>,
    at: Timestamp,
    event: &Event,
    stamp: UpdateNumber,
) -> wire::Update {
    let audience = match stamp.audience {
        Audience::Everyone => wire::Audience::Everyone,
        Audience::Team(_) => wire::Audience::Team,
        Audience::Player(_) => wire::Audience::Player,
        Audience::GameMasters => wire::Audience::GameMasters,
    };
    wire::Update {
        audience,
        number: stamp.number,
        at_ms: at.0,
        event: Shown { view, at, audience }.event(event),
    }
}

/// What an event is shown from, and to whom.
struct Shown<'a> {
    view: View<'a>,
    at: Timestamp,
    audience: wire::Audience,
}

impl Shown<'_> {
    fn event(&self, event: &Event) -> wire::Event {
        match event {
            Event::SessionStarted { ends_at } => wire::Event::SessionStarted {
                ends_at_ms: ends_at.map(|at| at.0),
            },
            Event::SessionPaused => wire::Event::SessionPaused,
            Event::SessionResumed { ends_at } => wire::Event::SessionResumed {
                ends_at_ms: ends_at.map(|at| at.0),
            },
            Event::SessionFinished => wire::Event::SessionFinished,
            Event::TeamCreated { .. }
            | Event::PlayerJoined { .. }
            | Event::DeviceAdded { .. }
            | Event::DeviceRevoked { .. } => self.people(event),
            Event::GameMasterInvited { .. } | Event::GameMasterRevoked { .. } => {
                self.game_masters(event)
            }
            Event::Unlocked { .. } | Event::GuessJudged { .. } => self.puzzles(event),
            Event::CluePushed { .. }
            | Event::ClueCancelled { .. }
            | Event::ClueExpired { .. }
            | Event::Announced { .. } => self.texts(event),
            Event::LinkUsed { .. } => unreachable!("a used link is nobody's update"),
        }
    }

    /// A detail that only game masters are told.
    fn for_game_masters<T>(&self, detail: impl FnOnce() -> T) -> Option<T> {
        (self.audience == wire::Audience::GameMasters).then(detail)
    }

    fn people(&self, event: &Event) -> wire::Event {
        match event {
            Event::TeamCreated { team, .. } => {
                let created = self.view.state.team(*team).expect("it was just created");
                wire::Event::TeamCreated {
                    team: team_summary(self.view, *team, created),
                }
            }
            Event::PlayerJoined { player, team, .. } => wire::Event::PlayerJoined {
                player: member(self.view, *player),
                team: self.for_game_masters(|| team.to_string()),
            },
            Event::DeviceAdded { device, .. } => wire::Event::DeviceAdded {
                device: device.to_string(),
            },
            Event::DeviceRevoked { device, player } => wire::Event::DeviceRevoked {
                device: device.to_string(),
                player: self.for_game_masters(|| player.to_string()),
            },
            other => unreachable!("{other:?} is not about people"),
        }
    }

    fn game_masters(&self, event: &Event) -> wire::Event {
        match event {
            Event::GameMasterInvited {
                game_master: id, ..
            } => {
                let invited = self.view.state.game_master(*id);
                wire::Event::GameMasterInvited {
                    game_master: game_master(self.view, *id, invited.expect("just invited")),
                }
            }
            Event::GameMasterRevoked { game_master } => wire::Event::GameMasterRevoked {
                game_master: game_master.to_string(),
            },
            other => unreachable!("{other:?} is not about game masters"),
        }
    }

    fn puzzles(&self, event: &Event) -> wire::Event {
        let state = self.view.state;
        match event {
            Event::Unlocked {
                team,
                rounds,
                puzzles,
            } => {
                let hunt = state.hunt();
                let new_rounds = hunt.rounds.iter();
                let new_rounds = new_rounds.filter(|round| rounds.contains(&round.id));
                let new_puzzles = puzzles.iter().filter_map(|id| hunt.puzzle(id.as_str()));
                wire::Event::Unlocked {
                    rounds: new_rounds.map(round).collect(),
                    puzzles: new_puzzles
                        .filter_map(|definition| puzzle(state, *team, definition))
                        .collect(),
                }
            }
            Event::GuessJudged {
                team,
                player,
                puzzle,
                guess,
                verdict: judged,
                points,
            } => wire::Event::GuessJudged {
                team: self.for_game_masters(|| team.to_string()),
                puzzle: puzzle.to_string(),
                player: player.to_string(),
                guess: guess.clone(),
                verdict: verdict(*judged),
                points: *points,
                score: state.team(*team).map_or(0, |team| team.score),
            },
            other => unreachable!("{other:?} is not about puzzles"),
        }
    }

    fn texts(&self, event: &Event) -> wire::Event {
        match event {
            Event::CluePushed {
                clue,
                to,
                text,
                expires_at,
            } => wire::Event::CluePushed {
                clue: wire::Clue {
                    id: clue.to_string(),
                    text: text.clone(),
                    pushed_at_ms: self.at.0,
                    expires_at_ms: expires_at.map(|at| at.0),
                },
                to: self.for_game_masters(|| target(*to)),
            },
            Event::ClueCancelled { clue, .. } => wire::Event::ClueCancelled {
                clue: clue.to_string(),
            },
            Event::ClueExpired { clue, .. } => wire::Event::ClueExpired {
                clue: clue.to_string(),
            },
            Event::Announced { announcement, text } => wire::Event::Announced {
                announcement: wire::Announcement {
                    id: announcement.to_string(),
                    text: text.clone(),
                    at_ms: self.at.0,
                },
            },
            other => unreachable!("{other:?} is not a text"),
        }
    }
}
