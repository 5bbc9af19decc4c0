//! Events as numbered updates.

use hunt::{Audience, Event, PuzzleId, RoundId, Stamp, TeamId, Timestamp};
use protocol as wire;

use super::game_masters::invited_game_master;
use super::outcome::verdict;
use super::people::{member, new_team_summary};
use super::snapshot::{puzzle, round};
use super::texts::target;
use crate::session::View;

/// The update that shows an event to an audience. The view is the state right after the event.
///
/// None for an event that no audience sees. An audience that does not follow the event gets the same
/// update as one that does, without the details for game masters.
pub(in crate::delivery) fn update(
    view: View<'_>,
    at: Timestamp,
    event: &Event,
    stamp: Stamp,
) -> Option<wire::Update> {
    let audience = match stamp.audience {
        Audience::Everyone => wire::Audience::Everyone,
        Audience::Team(_) => wire::Audience::Team,
        Audience::Player(_) => wire::Audience::Player,
        Audience::GameMasters => wire::Audience::GameMasters,
    };
    let event = Shown { view, at, audience }.event(event)?;
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
    at: Timestamp,
    audience: wire::Audience,
}

impl Shown<'_> {
    fn event(&self, event: &Event) -> Option<wire::Event> {
        Some(match event {
            Event::SessionStarted { ends_at } => wire::Event::SessionStarted {
                ends_at_ms: ends_at.map(|at| at.0),
            },
            Event::SessionPaused => wire::Event::SessionPaused,
            Event::SessionResumed { ends_at } => wire::Event::SessionResumed {
                ends_at_ms: ends_at.map(|at| at.0),
            },
            Event::SessionFinished => wire::Event::SessionFinished,
            Event::TeamCreated { team, name, .. } => wire::Event::TeamCreated {
                team: new_team_summary(self.view, *team, *name),
            },
            Event::PlayerJoined { team, player, name } => wire::Event::PlayerJoined {
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
            Event::Unlocked {
                team,
                rounds,
                puzzles,
            } => self.unlocked(*team, rounds, puzzles),
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
                score: self.view.state.team(*team).map_or(0, |team| team.score),
            },
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
            Event::LinkUsed { .. } => return None,
        })
    }

    /// A detail that only game masters see.
    fn for_game_masters<T>(&self, detail: impl FnOnce() -> T) -> Option<T> {
        (self.audience == wire::Audience::GameMasters).then(detail)
    }

    fn unlocked(&self, team: TeamId, rounds: &[RoundId], puzzles: &[PuzzleId]) -> wire::Event {
        let state = self.view.state;
        let hunt = state.hunt();
        let new_rounds = hunt.rounds.iter();
        let new_rounds = new_rounds.filter(|round| rounds.contains(&round.id));
        let new_puzzles = puzzles.iter().filter_map(|id| hunt.puzzle(id.as_str()));
        wire::Event::Unlocked {
            rounds: new_rounds.map(round).collect(),
            puzzles: new_puzzles
                .filter_map(|definition| puzzle(state, team, definition))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashMap};

    use hunt::{
        Audience, ClueId, DeviceId, Event, GameMasterId, NameId, PlayerId, Scope, Stamp, State,
        Target, TeamId, Timestamp, Verdict,
    };
    use protocol::{Codec, ServerMessage};
    use serde_json::{Value, json};

    use super::update;
    use crate::session::View;

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
                code: "AAAA".into(),
                name: NameId(1),
            },
            Event::PlayerJoined {
                team,
                player,
                name: NameId(2),
            },
            Event::DeviceAdded { player, device },
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
                verdict: Verdict::Correct,
                points: 1,
            },
            Event::LinkUsed { player, link: 7 },
            Event::GameMasterInvited {
                game_master,
                name: NameId(3),
                scopes: [Scope::View].into(),
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
            Event::SessionResumed { ends_at: None },
            Event::DeviceRevoked { player, device },
            Event::GameMasterRevoked { game_master },
            Event::SessionFinished,
        ]
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

    fn audiences() -> [Audience; 4] {
        [
            Audience::Everyone,
            Audience::Team(1.into()),
            Audience::Player(1.into()),
            Audience::GameMasters,
        ]
    }

    /// Renders and encodes an event for an audience; gives the wire event.
    fn rendered(state: &State, event: &Event, audience: Audience) -> Option<Value> {
        let names = HashMap::new();
        let view = View {
            state,
            names: &names,
        };
        let stamp = Stamp {
            audience,
            number: 1,
        };
        let update = update(view, Timestamp(1), event, stamp)?;
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
                let is_hidden = matches!(event, Event::LinkUsed { .. });
                assert_eq!(shown.is_none(), is_hidden, "{event:?} to {audience:?}");
                assert!(
                    shown.is_some() || !follows.contains(&audience),
                    "{event:?} has a number in {audience:?} and must be shown there"
                );
                if let Some(shown) = shown {
                    assert_eq!(shown["type"], kind(&event), "{event:?} to {audience:?}");
                }
            }
        }
    }

    #[test]
    fn an_event_of_every_kind_renders_from_a_state_that_knows_none_of_its_ids() {
        let state = state();
        for event in examples() {
            for audience in audiences() {
                let is_hidden = matches!(event, Event::LinkUsed { .. });
                assert_eq!(rendered(&state, &event, audience).is_none(), is_hidden);
            }
        }
    }

    #[test]
    fn only_game_masters_see_the_details_that_are_theirs() {
        let state = state();
        for event in examples() {
            let [everyone, team, player, game_masters] =
                audiences().map(|audience| rendered(&state, &event, audience));
            assert_eq!(everyone, team);
            assert_eq!(team, player);
            let has_details = matches!(
                event,
                Event::PlayerJoined { .. }
                    | Event::DeviceRevoked { .. }
                    | Event::GuessJudged { .. }
                    | Event::CluePushed { .. }
            );
            assert_eq!(game_masters != player, has_details, "{event:?}");
        }
    }
}
