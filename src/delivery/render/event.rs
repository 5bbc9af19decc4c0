//! Events as numbered updates.
//!
//! Over 500 lines: one total match over the kinds of events, with an example of each for its tests.

use hunt::{Audience, Event, PuzzleId, RoundId, TeamId, Timestamp, UpdateNumber, Verdict};
use protocol as wire;

use super::game_masters::invited_game_master;
use super::outcome::verdict;
use super::people::{member, new_team_summary};
use super::snapshot::{round, unlocked_puzzle};
use super::texts::target;
use crate::content::ContentPaths;
use crate::session::View;

/// The update that shows an event to an audience. The view is the state right after the event.
///
/// None for an event that no audience sees. An audience that does not follow the event gets the same
/// update as one that does, without the details for game masters.
pub(in crate::delivery) fn update(
    view: View<'_>,
    content: &ContentPaths,
    at: Timestamp,
    event: &Event,
    stamp: UpdateNumber,
) -> Option<wire::Update> {
    let audience = match stamp.audience {
        Audience::Everyone => wire::Audience::Everyone,
        Audience::Team(_) => wire::Audience::Team,
        Audience::Player(_) => wire::Audience::Player,
        Audience::Public => wire::Audience::Public,
        Audience::View => wire::Audience::View,
        Audience::Hints => wire::Audience::Hints,
        Audience::Answers => wire::Audience::Answers,
    };
    let shown = Shown {
        view,
        content,
        at,
        audience,
    };
    let event = shown.event(event)?;
    Some(wire::Update {
        audience,
        number: stamp.number,
        at_ms: at.0,
        event,
    })
}

/// The context in which an event is shown.
struct Shown<'a> {
    view: View<'a>,
    content: &'a ContentPaths,
    at: Timestamp,
    audience: wire::Audience,
}

impl Shown<'_> {
    fn event(&self, event: &Event) -> Option<wire::Event> {
        Some(match event {
            Event::SessionStarted { .. }
            | Event::StartScheduled { .. }
            | Event::StartCancelled
            | Event::SessionPaused
            | Event::SessionResumed { .. }
            | Event::EndMoved { .. }
            | Event::SessionFinished
            | Event::SessionReopened { .. } => self.session(event)?,
            Event::TeamCreated { .. }
            | Event::TeamRenamed { .. }
            | Event::TeamCodeRotated { .. }
            | Event::PlayerJoined { .. }
            | Event::PlayerRenamed { .. }
            | Event::DeviceAdded { .. }
            | Event::DeviceRevoked { .. }
            | Event::GameMasterInvited { .. }
            | Event::GameMasterRevoked { .. } => self.people(event)?,
            Event::UnlockedForAll { rounds, puzzles } => self.unlocked(None, rounds, puzzles),
            Event::Unlocked {
                team,
                rounds,
                puzzles,
            } => self.unlocked(Some(*team), rounds, puzzles),
            Event::GuessJudged { .. } => self.guess(event)?,
            Event::CluePushed { .. }
            | Event::ClueCancelled { .. }
            | Event::ClueExpired { .. }
            | Event::Announced { .. } => self.text(event)?,
            Event::LinkUsed { .. } | Event::InstanceOpened { .. } => return None,
        })
    }

    fn session(&self, event: &Event) -> Option<wire::Event> {
        let state = self.view.state;
        let left_ms = state.time_left().map(|left| left.0);
        Some(match event {
            Event::StartScheduled { starts_at } => wire::Event::StartScheduled {
                starts_at_ms: starts_at.0,
            },
            Event::StartCancelled => wire::Event::StartCancelled,
            Event::SessionStarted { ends_at } => wire::Event::SessionStarted {
                ends_at_ms: ends_at.map(|at| at.0),
            },
            Event::SessionPaused => wire::Event::SessionPaused { left_ms },
            Event::SessionResumed { ends_at, paused_ms } => wire::Event::SessionResumed {
                ends_at_ms: ends_at.map(|at| at.0),
                paused_ms: *paused_ms,
            },
            Event::EndMoved { .. } => wire::Event::EndMoved {
                ends_at_ms: state.ends_at().map(|at| at.0),
                left_ms,
            },
            Event::SessionFinished => wire::Event::SessionFinished,
            Event::SessionReopened { .. } => wire::Event::SessionReopened { left_ms },
            _ => return None,
        })
    }

    fn people(&self, event: &Event) -> Option<wire::Event> {
        let is_own_team = self.audience == wire::Audience::Team;
        Some(match event {
            Event::TeamCreated { team, name } => wire::Event::TeamCreated {
                team: new_team_summary(self.view, *team, *name),
            },
            Event::TeamRenamed { team, name } => wire::Event::TeamRenamed {
                team: (!is_own_team).then(|| team.to_string()),
                name: self.view.name(*name),
            },
            Event::TeamCodeRotated { team } => wire::Event::TeamCodeRotated {
                code: self.view.private.team_code(*team).to_owned(),
            },
            Event::PlayerJoined { team, player, name } => wire::Event::PlayerJoined {
                player: member(self.view, *player, *name),
                team: self.for_game_masters(|| team.to_string()),
            },
            Event::PlayerRenamed { team, player, name } => wire::Event::PlayerRenamed {
                player: member(self.view, *player, *name),
                team: self.for_game_masters(|| team.to_string()),
            },
            Event::DeviceAdded { device, .. } => wire::Event::DeviceAdded {
                device: device.to_string(),
            },
            Event::DeviceRevoked { device, player } => wire::Event::DeviceRevoked {
                device: device.to_string(),
                player: self.for_game_masters(|| player.to_string()),
            },
            Event::GameMasterInvited {
                game_master,
                name,
                scopes,
            } => wire::Event::GameMasterInvited {
                game_master: invited_game_master(self.view, *game_master, *name, scopes),
            },
            Event::GameMasterRevoked { game_master } => wire::Event::GameMasterRevoked {
                game_master: game_master.to_string(),
            },
            _ => return None,
        })
    }

    /// A guess: for spectators only that the team solved a puzzle, and for game masters without the text
    /// of a correct one, except in the stream of those who may read answers.
    fn guess(&self, event: &Event) -> Option<wire::Event> {
        let Event::GuessJudged {
            team,
            player,
            puzzle,
            guess,
            verdict: judged,
            points,
            normaliser: _,
        } = event
        else {
            return None;
        };
        let score = self.view.state.team(*team).map_or(0, |team| team.score);
        if self.audience == wire::Audience::Public {
            return Some(wire::Event::Solved {
                team: team.to_string(),
                points: *points,
                score,
            });
        }
        let is_withheld = *judged == Verdict::Correct && self.audience == wire::Audience::View;
        Some(wire::Event::GuessJudged {
            team: self.for_game_masters(|| team.to_string()),
            puzzle: puzzle.to_string(),
            player: player.to_string(),
            guess: (!is_withheld).then(|| guess.clone()),
            verdict: verdict(*judged),
            points: *points,
            score,
        })
    }

    fn text(&self, event: &Event) -> Option<wire::Event> {
        Some(match event {
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
            _ => return None,
        })
    }

    /// A detail that only game masters see.
    fn for_game_masters<T>(&self, detail: impl FnOnce() -> T) -> Option<T> {
        matches!(
            self.audience,
            wire::Audience::View | wire::Audience::Hints | wire::Audience::Answers
        )
        .then(detail)
    }

    /// What a team unlocked; `None` for every team, which all see it without guesses yet.
    fn unlocked(
        &self,
        team: Option<TeamId>,
        rounds: &[RoundId],
        puzzles: &[PuzzleId],
    ) -> wire::Event {
        let state = self.view.state;
        let hunt = state.hunt();
        let new_rounds = hunt.rounds.iter();
        let new_rounds = new_rounds.filter(|round| rounds.contains(&round.id));
        let new_puzzles = puzzles.iter().filter_map(|id| hunt.puzzle(id.as_str()));
        wire::Event::Unlocked {
            team: team.and_then(|team| self.for_game_masters(|| team.to_string())),
            rounds: new_rounds
                .map(|definition| round(state, definition))
                .collect(),
            puzzles: new_puzzles
                .map(|definition| unlocked_puzzle(state, self.content, definition, self.at))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use hunt::{
        Audience, ClueId, DeviceId, Event, GameMasterId, NameId, PlayerId, Scope, State, Target,
        TeamId, Timestamp, UpdateNumber, Verdict,
    };
    use protocol::{Codec, ServerMessage};
    use serde_json::{Value, json};

    use super::update;
    use crate::content::ContentKey;
    use crate::ids::SessionId;
    use crate::session::{PrivateData, View};

    const HUNT: &str = "[hunt]\ntitle = \"Rendered\"\n[round.one]\n[puzzle.a]\nround = \"one\"\n\
                        answer = \"x\"\npoints = 1\n";

    fn state() -> State {
        let files = [("hunt.toml".to_owned(), HUNT.to_owned())].into();
        let hunt = hunt::parse(&files).expect("it has no mistakes");
        State::new(hunt.into())
    }

    /// One event of each kind, in an order in which they fit a new session.
    fn examples() -> Vec<Event> {
        let (team, player) = (TeamId::from(1), PlayerId::from(1));
        let device = DeviceId::from(1);
        let game_master = GameMasterId::from(1);
        let to = Target::Team { team };
        vec![
            Event::TeamCreated {
                team,
                name: NameId(1),
            },
            Event::TeamRenamed {
                team,
                name: NameId(4),
            },
            Event::TeamCodeRotated { team },
            Event::PlayerJoined {
                team,
                player,
                name: NameId(2),
            },
            Event::PlayerRenamed {
                team,
                player,
                name: NameId(5),
            },
            Event::DeviceAdded { player, device },
            Event::StartScheduled {
                starts_at: Timestamp(7),
            },
            Event::StartCancelled,
            Event::UnlockedForAll {
                rounds: Vec::new(),
                puzzles: Vec::new(),
            },
            Event::SessionStarted {
                ends_at: Some(Timestamp(9)),
            },
            Event::Unlocked {
                team,
                rounds: vec!["one".into()],
                puzzles: vec!["a".into()],
            },
            Event::GuessJudged {
                team,
                player,
                puzzle: "a".into(),
                guess: "x".to_owned(),
                normaliser: 1,
                verdict: Verdict::Correct,
                points: 1,
            },
            Event::LinkUsed { player, link: 7 },
            Event::GameMasterInvited {
                game_master,
                name: NameId(3),
                scopes: [Scope::View].into(),
            },
            Event::InstanceOpened {
                game_master,
                instance: 1.into(),
            },
            Event::CluePushed {
                clue: ClueId::from(1),
                to,
                text: "Look up.".to_owned(),
                expires_at: None,
            },
            Event::CluePushed {
                clue: ClueId::from(2),
                to,
                text: "Look down.".to_owned(),
                expires_at: Some(Timestamp(5)),
            },
            Event::ClueCancelled {
                clue: ClueId::from(1),
                to,
            },
            Event::ClueExpired {
                clue: ClueId::from(2),
                to,
            },
            Event::Announced {
                announcement: 1.into(),
                text: "Lunch.".to_owned(),
            },
            Event::SessionPaused,
            Event::EndMoved { ends_at: None },
            Event::SessionResumed {
                ends_at: None,
                paused_ms: 0,
            },
            Event::DeviceRevoked { player, device },
            Event::GameMasterRevoked { game_master },
            Event::SessionFinished,
            Event::SessionReopened { left: None },
        ]
    }

    fn is_hidden(event: &Event) -> bool {
        matches!(event, Event::LinkUsed { .. } | Event::InstanceOpened { .. })
    }

    fn kind(event: &Event) -> String {
        let event = serde_json::to_value(event).expect("an event is JSON");
        event["type"].as_str().expect("it has a type").to_owned()
    }

    /// The kinds of events that exist, as the decoder lists them when it meets an unknown one.
    fn all_kinds() -> BTreeSet<String> {
        let error = serde_json::from_value::<Event>(json!({ "type": "?" }));
        let error = error.expect_err("there is no such event").to_string();
        let (_, listed) = error.split_once("expected one of").expect("it lists them");
        let quoted = listed.split('`').skip(1).step_by(2);
        quoted.map(str::to_owned).collect()
    }

    fn audiences() -> [Audience; 7] {
        [
            Audience::Everyone,
            Audience::Team(1.into()),
            Audience::Player(1.into()),
            Audience::Public,
            Audience::View,
            Audience::Hints,
            Audience::Answers,
        ]
    }

    /// Renders and encodes an event for an audience; gives the wire event.
    fn rendered(state: &State, event: &Event, audience: Audience) -> Option<Value> {
        let private = PrivateData::default();
        let view = View {
            state,
            private: &private,
        };
        let stamp = UpdateNumber {
            audience,
            number: 1,
        };
        let content = ContentKey::new(b"a key").paths_of(SessionId::new(1), "KITE42");
        let update = update(view, &content, Timestamp(1), event, stamp)?;
        let shown = serde_json::to_value(&update.event).expect("an event is JSON");
        let message = ServerMessage::Update(update);
        for codec in Codec::ALL {
            assert_eq!(codec.decode(&codec.encode(&message)), Ok(message.clone()));
        }
        Some(shown)
    }

    #[test]
    fn there_is_an_example_of_every_kind_of_event() {
        let kinds: BTreeSet<String> = examples().iter().map(kind).collect();
        assert!(kinds.len() > 10);
        assert_eq!(kinds, all_kinds());
    }

    #[test]
    fn an_event_of_every_kind_renders_for_every_audience() {
        let mut state = state();
        for event in examples() {
            let follows: Vec<Audience> = event.audiences().collect();
            drop(state.apply(Timestamp(1), &event));
            for audience in audiences() {
                let shown = rendered(&state, &event, audience);
                let is_hidden = is_hidden(&event);
                assert_eq!(shown.is_none(), is_hidden, "{event:?} to {audience:?}");
                assert!(
                    shown.is_some() || !follows.contains(&audience),
                    "{event:?} has a number in {audience:?} and must be shown there"
                );
                if let Some(shown) = shown {
                    let kind = match (&event, audience) {
                        (Event::GuessJudged { .. }, Audience::Public) => "solved".to_owned(),
                        (Event::UnlockedForAll { .. }, _) => "unlocked".to_owned(),
                        _ => kind(&event),
                    };
                    assert_eq!(shown["type"], kind, "{event:?} to {audience:?}");
                }
            }
        }
    }

    #[test]
    fn an_event_of_every_kind_renders_from_a_state_that_knows_none_of_its_ids() {
        let state = state();
        for event in examples() {
            for audience in audiences() {
                let is_hidden = is_hidden(&event);
                assert_eq!(rendered(&state, &event, audience).is_none(), is_hidden);
            }
        }
    }

    #[test]
    fn only_game_masters_see_the_details_that_are_theirs() {
        let state = state();
        for event in examples() {
            let shown = audiences().map(|audience| rendered(&state, &event, audience));
            let [everyone, team, player, _, view, hints, answers] = shown;
            let names_its_team = matches!(event, Event::TeamRenamed { .. });
            assert_eq!(everyone == team, !names_its_team, "{event:?}");
            assert_eq!(everyone, player);
            assert_eq!(hints, answers);
            let has_details = matches!(
                event,
                Event::PlayerJoined { .. }
                    | Event::PlayerRenamed { .. }
                    | Event::DeviceRevoked { .. }
                    | Event::GuessJudged { .. }
                    | Event::CluePushed { .. }
                    | Event::Unlocked { .. }
            );
            assert_eq!(view != player, has_details, "{event:?}");
        }
    }

    #[test]
    fn the_text_of_a_correct_guess_is_for_its_team_and_for_those_who_read_answers() {
        let state = state();
        let guess = |verdict| Event::GuessJudged {
            team: 1.into(),
            player: 1.into(),
            puzzle: "a".into(),
            guess: "Typed".to_owned(),
            normaliser: 1,
            verdict,
            points: 0,
        };
        let text = |verdict, audience| {
            let shown = rendered(&state, &guess(verdict), audience).expect("it is shown");
            shown.get("guess").cloned()
        };
        let typed = Some(json!("Typed"));
        assert_eq!(text(Verdict::Correct, Audience::Team(1.into())), typed);
        assert_eq!(text(Verdict::Correct, Audience::Answers), typed);
        assert_eq!(text(Verdict::Correct, Audience::View), None);
        assert_eq!(text(Verdict::Correct, Audience::Public), None);
        assert_eq!(text(Verdict::Wrong, Audience::View), typed);
    }
}
