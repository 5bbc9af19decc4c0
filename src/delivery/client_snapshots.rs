//! A cache of encoded client snapshots: one frame for all viewers who see the same.
//!
//! A client snapshot is the sum of the updates up to its heads. So a frame that was encoded for one
//! member of a team is valid for the others while their heads are the same, whatever else happens in
//! the session; only live clues to a single player make it specific to that player.
//!
//! Bounded in bytes. Overflow policy: the oldest frame is evicted. The hub clears the cache
//! periodically, because frames with older heads are not asked for again.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use protocol::{Codec, Heads};

use super::render::{self, SharedBy};
use super::viewer::Viewer;
use crate::content::ContentPaths;
use crate::session::View;
use crate::telemetry::metrics;

/// Encoded client snapshots.
#[derive(Debug)]
pub(super) struct ClientSnapshots {
    kept: HashMap<Key, Bytes>,
    /// The oldest first.
    order: VecDeque<Key>,
    bytes: usize,
    bytes_max: usize,
    content: ContentPaths,
}

/// Cache key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    shared_by: SharedBy,
    heads: Heads,
    codec: Codec,
}

impl ClientSnapshots {
    pub(super) fn new(bytes_max: usize, content: ContentPaths) -> Self {
        Self {
            kept: HashMap::new(),
            order: VecDeque::new(),
            bytes: 0,
            bytes_max,
            content,
        }
    }

    /// The client snapshot of a viewer, as of the view; none for spectators.
    pub(super) fn frame(
        &mut self,
        view: View<'_>,
        viewer: Viewer,
        heads: Heads,
        codec: Codec,
    ) -> Option<Bytes> {
        let shared_by = SharedBy::group_of(view, viewer)?;
        let key = Key {
            shared_by,
            heads,
            codec,
        };
        if let Some(frame) = self.kept.get(&key) {
            metrics().client_snapshots_shared.increment(1);
            debug_assert!(
                render::client_snapshot(view, &self.content, viewer, heads)
                    .is_some_and(|message| codec.encode(&message) == *frame),
                "equal heads mean equal snapshots"
            );
            return Some(frame.clone());
        }
        let snapshot = render::client_snapshot(view, &self.content, viewer, heads)?;
        let frame = Bytes::from(codec.encode(&snapshot));
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
            let oldest = self
                .order
                .pop_front()
                .expect("every kept frame is in the order");
            let frame = self.kept.remove(&oldest);
            self.bytes -= frame.expect("every frame in the order is kept").len();
        }
    }

    /// Drops all frames.
    pub(super) fn clear(&mut self) {
        self.kept.clear();
        self.order.clear();
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use hunt::{Command, Decision, NameId, RegistrationOrder, State, Timestamp};
    use protocol::{Codec, Heads};

    use super::ClientSnapshots;
    use crate::content::{ContentKey, ContentPaths};
    use crate::delivery::viewer::{Identity, Viewer};
    use crate::ids::SessionId;
    use crate::session::{PrivateData, View};

    fn content() -> ContentPaths {
        ContentKey::new(b"a key").paths_of(SessionId::new(1), "KITE42")
    }

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
        let create = || RegistrationOrder::CreateTeam {
            team_name: NameId(0),
            player_name: NameId(0),
        };
        decided(&mut state, create());
        let (team, player_name) = (1.into(), NameId(0));
        decided(
            &mut state,
            RegistrationOrder::JoinTeam { team, player_name },
        );
        decided(&mut state, create());
        state
    }

    struct Client<'a> {
        view: View<'a>,
        snapshots: ClientSnapshots,
    }

    impl Client<'_> {
        /// Requests a device's snapshot; gives the address and length of its bytes.
        fn request(&mut self, device: u32, codec: Codec) -> (*const u8, usize) {
            let viewer = Viewer::find(self.view, Identity::Device(device.into()), None);
            let viewer = viewer.expect("the device exists");
            let heads = viewer.heads(self.view);
            self.request_at(viewer, heads, codec)
        }

        fn request_at(&mut self, viewer: Viewer, heads: Heads, codec: Codec) -> (*const u8, usize) {
            let frame = self.snapshots.frame(self.view, viewer, heads, codec);
            let frame = frame.expect("players have a snapshot");
            (frame.as_ptr(), frame.len())
        }
    }

    #[test]
    fn viewers_who_see_the_same_share_one_frame() {
        let (state, private) = (state(), PrivateData::default());
        let mut client = Client {
            view: View {
                state: &state,
                private: &private,
            },
            snapshots: ClientSnapshots::new(1 << 20, content()),
        };
        let ana = client.request(1, Codec::Json);
        assert_eq!(client.request(1, Codec::Json), ana);
        assert_eq!(client.request(2, Codec::Json), ana, "a team mate");
        assert_ne!(client.request(3, Codec::Json), ana, "another team");
        assert_ne!(client.request(1, Codec::MessagePack), ana, "another codec");
        assert_eq!(client.snapshots.kept.len(), 3);
        let viewer =
            Viewer::find(client.view, Identity::Device(1.into()), None).expect("it exists");
        let earlier = Heads::default();
        assert_ne!(
            client.request_at(viewer, earlier, Codec::Json),
            ana,
            "other heads"
        );
        client.snapshots.clear();
        assert_eq!(
            (client.snapshots.kept.len(), client.snapshots.bytes),
            (0, 0)
        );
    }

    #[test]
    fn the_oldest_frame_is_evicted_when_there_are_too_many_bytes() {
        let (state, private) = (state(), PrivateData::default());
        let mut client = Client {
            view: View {
                state: &state,
                private: &private,
            },
            snapshots: ClientSnapshots::new(0, content()),
        };
        let (_, bytes) = client.request(1, Codec::Json);
        assert_eq!(client.snapshots.kept.len(), 0, "it is too large to be kept");
        client.snapshots.bytes_max = bytes + bytes / 2;
        let ana = client.request(1, Codec::Json);
        assert_eq!(client.request(2, Codec::Json), ana);
        client.request(3, Codec::Json);
        assert_eq!(client.snapshots.kept.len(), 1, "only the newest");
        assert!(client.snapshots.bytes <= client.snapshots.bytes_max);
        assert_eq!(client.snapshots.order.len(), 1);
    }
}
