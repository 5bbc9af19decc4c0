//! What somebody gets in place of a replay, encoded once for all who need the same.
//!
//! A view is the sum of its updates: the numbers up to which it goes say what is in it. So a frame
//! that was encoded for one member of a team is good for the others as long as their numbers are the
//! same, whatever else happens in the session; only clues to a single player make it that player's.
//!
//! Bounded in bytes. Overflow policy: the oldest is let go. All are let go from time to time, because
//! those with older numbers are of no more use.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use hunt::{Audience, PlayerId, TeamId};
use protocol::{Codec, Heads, ServerMessage};

use super::render;
use super::who::Who;
use crate::session::View;
use crate::telemetry::metrics;

/// Frames of whole views.
#[derive(Debug)]
pub(super) struct Snapshots {
    kept: HashMap<Key, Bytes>,
    /// The oldest first.
    order: VecDeque<Key>,
    bytes: usize,
    bytes_max: usize,
}

/// By which a frame is known again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    whose: Whose,
    heads: Heads,
    codec: Codec,
}

/// Who sees the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Whose {
    /// The players of a team who have no live clues of their own.
    Team(TeamId),
    /// A player who has.
    Player(PlayerId),
    /// The game masters who may view.
    Viewers,
    /// Those who may not.
    OtherGameMasters,
}

impl Snapshots {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            kept: HashMap::new(),
            order: VecDeque::new(),
            bytes: 0,
            bytes_max,
        }
    }

    /// The frame of everything that somebody sees, as of the view; none for spectators.
    pub(super) fn frame(
        &mut self,
        view: View<'_>,
        who: Who,
        heads: Heads,
        codec: Codec,
    ) -> Option<Bytes> {
        let whose = Whose::find(view, who)?;
        let key = Key {
            whose,
            heads,
            codec,
        };
        if let Some(frame) = self.kept.get(&key) {
            metrics().client_snapshots_shared.increment(1);
            debug_assert!(
                whole(view, who, heads).is_some_and(|message| codec.encode(&message) == *frame),
                "the same numbers show the same"
            );
            return Some(frame.clone());
        }
        let frame = Bytes::from(codec.encode(&whole(view, who, heads)?));
        metrics().client_snapshots_encoded.increment(1);
        self.keep(key, frame.clone());
        Some(frame)
    }

    fn keep(&mut self, key: Key, frame: Bytes) {
        if frame.len() > self.bytes_max {
            return;
        }
        self.bytes += frame.len();
        self.kept.insert(key, frame);
        self.order.push_back(key);
        while self.bytes > self.bytes_max {
            let oldest = self.order.pop_front().expect("what is kept has an order");
            let frame = self.kept.remove(&oldest);
            self.bytes -= frame.expect("what has an order is kept").len();
        }
    }

    /// Lets go of all.
    pub(super) fn clear(&mut self) {
        *self = Self::new(self.bytes_max);
    }
}

impl Whose {
    fn find(view: View<'_>, who: Who) -> Option<Self> {
        match who {
            Who::Player { player, team, .. } => {
                let mut clues = view.state.live_clues();
                let own = Audience::Player(player);
                let has_own = clues.any(|(_, clue)| Audience::from(clue.to) == own);
                Some(if has_own {
                    Self::Player(player)
                } else {
                    Self::Team(team)
                })
            }
            Who::GameMaster { views: true, .. } => Some(Self::Viewers),
            Who::GameMaster { views: false, .. } => Some(Self::OtherGameMasters),
            Who::Spectator => None,
        }
    }
}

/// Everything that somebody sees.
fn whole(view: View<'_>, who: Who, heads: Heads) -> Option<ServerMessage> {
    match who {
        Who::Player { player, team, .. } => {
            let snapshot = render::snapshot(view, heads, player, team);
            let snapshot = snapshot.expect("the device's player and team exist");
            Some(ServerMessage::Snapshot(Box::new(snapshot)))
        }
        Who::GameMaster { views, .. } => {
            let overview = render::overview(view, heads, views);
            Some(ServerMessage::Overview(Box::new(overview)))
        }
        Who::Spectator => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use hunt::{Command, Decision, NameId, RegistrationOrder, State, Timestamp};
    use protocol::{Codec, Heads};

    use super::Snapshots;
    use crate::delivery::who::{Identity, Who};
    use crate::session::View;

    const HUNT: &str = "[hunt]\ntitle = \"Cached\"\n[round.one]\n[puzzle.a]\nround = \"one\"\n\
                        answer = \"x\"\npoints = 1\n";

    fn decided(state: &mut State, order: RegistrationOrder) {
        let decision = state.decide(&Command::Registration(order), Timestamp(1));
        let Ok(Decision::Accepted(entry)) = decision else {
            panic!("{decision:?}");
        };
        state.apply_entry(&entry);
    }

    /// A session with two teams: devices 1 and 2 of the first, 3 of the second.
    fn state() -> State {
        let files = [("hunt.toml".to_owned(), HUNT.to_owned())].into();
        let hunt = hunt::parse(&files).expect("it has no mistakes");
        let mut state = State::new(hunt.into());
        let found = |code: &str| RegistrationOrder::CreateTeam {
            code: code.into(),
            team_name: NameId(0),
            player_name: NameId(0),
        };
        decided(&mut state, found("AAAA"));
        let (code, player_name) = ("AAAA".into(), NameId(0));
        decided(
            &mut state,
            RegistrationOrder::JoinTeam { code, player_name },
        );
        decided(&mut state, found("BBBB"));
        state
    }

    struct Asker<'a> {
        view: View<'a>,
        snapshots: Snapshots,
    }

    impl Asker<'_> {
        /// Asks for a device's snapshot, and tells where its bytes are.
        fn ask(&mut self, device: u32, codec: Codec) -> (*const u8, usize) {
            let who = Who::find(self.view, Identity::Device(device.into()));
            let who = who.expect("the device exists");
            let heads = who.heads(self.view);
            self.ask_at(who, heads, codec)
        }

        fn ask_at(&mut self, who: Who, heads: Heads, codec: Codec) -> (*const u8, usize) {
            let frame = self.snapshots.frame(self.view, who, heads, codec);
            let frame = frame.expect("players have a snapshot");
            (frame.as_ptr(), frame.len())
        }
    }

    #[test]
    fn those_who_see_the_same_share_one_frame() {
        let (state, names) = (state(), HashMap::new());
        let mut asker = Asker {
            view: View {
                state: &state,
                names: &names,
            },
            snapshots: Snapshots::new(1 << 20),
        };
        let ana = asker.ask(1, Codec::Json);
        assert_eq!(asker.ask(1, Codec::Json), ana);
        assert_eq!(asker.ask(2, Codec::Json), ana, "a team mate");
        assert_ne!(asker.ask(3, Codec::Json), ana, "another team");
        assert_ne!(asker.ask(1, Codec::MessagePack), ana, "another codec");
        assert_eq!(asker.snapshots.kept.len(), 3);
        let who = Who::find(asker.view, Identity::Device(1.into())).expect("it exists");
        let earlier = Heads::default();
        assert_ne!(
            asker.ask_at(who, earlier, Codec::Json),
            ana,
            "other numbers"
        );
        asker.snapshots.clear();
        assert_eq!((asker.snapshots.kept.len(), asker.snapshots.bytes), (0, 0));
    }

    #[test]
    fn the_oldest_is_let_go_when_there_are_too_many_bytes() {
        let (state, names) = (state(), HashMap::new());
        let mut asker = Asker {
            view: View {
                state: &state,
                names: &names,
            },
            snapshots: Snapshots::new(0),
        };
        let (_, bytes) = asker.ask(1, Codec::Json);
        assert_eq!(asker.snapshots.kept.len(), 0, "it is too large to be kept");
        asker.snapshots.bytes_max = bytes + bytes / 2;
        let ana = asker.ask(1, Codec::Json);
        assert_eq!(asker.ask(2, Codec::Json), ana);
        asker.ask(3, Codec::Json);
        assert_eq!(asker.snapshots.kept.len(), 1, "only the newest");
        assert!(asker.snapshots.bytes <= asker.snapshots.bytes_max);
        assert_eq!(asker.snapshots.order.len(), 1);
    }
}
