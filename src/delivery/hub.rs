//! The hub of a session: its attached connections and its ring. It implements the [`Delivery`] that the
//! session's actor calls.

use std::collections::HashMap;

use bytes::Bytes;
use hunt::{Audience, CommandId, Event, GameMasterId, Timestamp, UpdateNumber};
use protocol::{
    CloseCode, Codec, Heads, HeadsFrame, OrderKind, Rejection, RejectionCode, ServerMessage,
};
use tokio::time::Instant;

use super::attach::{Attach, Prepared, Preparing};
use super::client_snapshots::ClientSnapshots;
use super::effects::{changes_scores, revoked_identity};
use super::frames::UpdateFrames;
use super::latest::{Coalescer, Scores};
use super::outbox::Outbox;
use super::render::{self, rejection_code, rejection_message};
use super::ring::Ring;
use super::subscribers::{Subscriber, Subscribers};
use super::viewer::{Identity, Viewer};
use crate::clock::Clock;
use crate::config::DeliveryConfig;
use crate::content::ContentPaths;
use crate::session::{Delivery, Outcome, View};
use crate::telemetry::{AttachSource, metrics};

/// The generation of a stream that has never lost a committed event.
const FIRST_GENERATION: u32 = 1;

/// Delivers the updates of one session to its attached connections.
pub struct Hub {
    clock: Clock,
    generation: u32,
    ring: Ring,
    subscribers: Subscribers,
    latest: Coalescer,
    snapshots: ClientSnapshots,
    /// The paths of the puzzles' texts.
    content: ContentPaths,
    spectators_max: usize,
    /// Whether a game master has attached since the actor started. Until then, updates for game masters
    /// are not encoded: most of them are guesses, and the first game master gets an overview.
    has_had_game_masters: bool,
}

/// An encoded update that waits in the output gate.
pub struct EncodedUpdate {
    stamp: UpdateNumber,
    /// None if no connection can receive it.
    frames: Option<UpdateFrames>,
    /// The identity whose connections are closed after the update is sent.
    disconnects: Option<Identity>,
}

/// Rendered latest values that wait in the output gate.
pub struct RenderedLatest {
    /// None if they have not changed. Presence and attendance are rendered at release.
    scores: Option<Scores>,
}

/// The sender of a command, as far as its reply needs it.
#[derive(Debug, Clone)]
pub struct Peer {
    /// What the command asks for.
    pub order: OrderKind,
    /// The destination of the outcome.
    pub outbox: Outbox,
    /// The encoding of the outcome.
    pub codec: Codec,
}

impl Hub {
    /// A hub without connections, in the first generation.
    pub fn new(config: &DeliveryConfig, clock: Clock, content: ContentPaths) -> Self {
        Self {
            clock,
            generation: FIRST_GENERATION,
            ring: Ring::new(config.ring_bytes_max, config.ring_age_max),
            subscribers: Subscribers::new(config.heads_every),
            latest: Coalescer::new(config),
            snapshots: ClientSnapshots::new(config.snapshot_bytes_max, content.clone()),
            content,
            spectators_max: config.spectators_max,
            has_had_game_masters: false,
        }
    }

    /// Sets the stream's generation, as stored by the journal. It rises when committed events were lost,
    /// which invalidates the cursors of earlier generations.
    #[must_use]
    pub fn with_generation(self, generation: u32) -> Self {
        Self { generation, ..self }
    }

    fn keep(&mut self, stamp: UpdateNumber, frames: UpdateFrames) {
        let now = self.clock.now();
        self.ring.push(stamp.audience, stamp.number, frames, now);
    }
}

impl Delivery for Hub {
    type Update = EncodedUpdate;
    type Attach = Attach;
    type Prepared = Prepared;
    type Peer = Peer;
    type Latest = RenderedLatest;

    fn encode(
        &mut self,
        view: View<'_>,
        at: Timestamp,
        event: &Event,
        stamp: UpdateNumber,
    ) -> EncodedUpdate {
        if changes_scores(event) {
            self.latest.scores_changed();
        }
        let is_for_game_masters = matches!(
            stamp.audience,
            Audience::View | Audience::Hints | Audience::Answers
        );
        if is_for_game_masters && !self.has_had_game_masters {
            return EncodedUpdate {
                stamp,
                frames: None,
                disconnects: revoked_identity(event),
            };
        }
        let update = render::update(view, &self.content, at, event, stamp);
        let frames = update.map(|update| {
            self.ring.announce(stamp.audience, stamp.number);
            UpdateFrames::new(&ServerMessage::Update(update))
        });
        EncodedUpdate {
            stamp,
            frames,
            disconnects: revoked_identity(event),
        }
    }

    fn release(&mut self, update: EncodedUpdate) {
        if let Some(mut frames) = update.frames {
            let reached = self.subscribers.send(update.stamp, &mut frames);
            metrics().updates_delivered.increment(reached as u64);
            self.keep(update.stamp, frames);
        }
        if let Some(revoked) = update.disconnects {
            self.subscribers.disconnect(revoked);
        }
    }

    fn restore(&mut self, update: EncodedUpdate) {
        if let Some(frames) = update.frames {
            self.keep(update.stamp, frames);
        }
    }

    fn needs_instance(&self, view: View<'_>, attach: &Attach) -> Option<GameMasterId> {
        let Identity::GameMaster(id) = attach.identity else {
            return None;
        };
        let game_master = view.state.game_master(id)?;
        let has_instance = attach
            .wanted_instance()
            .is_some_and(|instance| game_master.has_instance(instance));
        (!has_instance && !attach.outbox.is_gone()).then_some(id)
    }

    fn prepare(&mut self, view: View<'_>, attach: Attach) -> Option<Prepared> {
        if attach.outbox.is_gone() {
            return None;
        }
        self.has_had_game_masters |= matches!(attach.identity, Identity::GameMaster(_));
        let preparing = Preparing {
            view,
            ring: &self.ring,
            snapshots: &mut self.snapshots,
            generation: self.generation,
            server_time_ms: self.clock.now().0,
        };
        Some(preparing.prepare(attach))
    }

    fn attach(&mut self, prepared: Prepared) {
        match prepared {
            Prepared::Refused(outbox) => outbox.into_outbox().close(CloseCode::Unauthorized),
            Prepared::Subscriber {
                viewer,
                outbox,
                codec,
                heads,
                first,
                replay,
            } => {
                let cursors = replay
                    .map(|cursor| viewer.cursors(&cursor))
                    .unwrap_or_default();
                if !self.ring.covers_all(&cursors, heads) {
                    // The ring has evicted a needed update since the attachment was prepared.
                    // Dropping the outbox closes the connection with advice to reconnect.
                    return;
                }
                let from = match (viewer, replay) {
                    (Viewer::Spectator, None) => AttachSource::Board,
                    (_, Some(_)) => AttachSource::Replay,
                    (Viewer::Player { .. } | Viewer::GameMaster { .. }, None) => {
                        AttachSource::Snapshot
                    }
                };
                let outbox = outbox.into_outbox();
                if viewer == Viewer::Spectator
                    && self.subscribers.spectators() >= self.spectators_max
                {
                    outbox.close(CloseCode::Overloaded);
                    return;
                }
                metrics().attachments.with_label(from).increment(1);
                outbox.begin(first.into_iter().chain(self.ring.after(&cursors, codec)));
                let subscriber = Subscriber {
                    viewer,
                    outbox,
                    codec,
                    heads,
                };
                self.latest.send_current(&subscriber);
                self.subscribers.add(subscriber);
            }
        }
    }

    fn answer(&mut self, peer: &Peer, id: CommandId, outcome: &Outcome) {
        let message = match outcome {
            Ok(receipt) => {
                metrics().commands_accepted.increment(1);
                ServerMessage::Receipt(render::receipt(id, peer.order, receipt))
            }
            Err(refusal) => ServerMessage::Rejection(Rejection {
                id: id.0,
                code: count_rejection(rejection_code(*refusal)),
                message: rejection_message(*refusal),
                retry_at_ms: None,
                last_command: render::last_command(*refusal),
            }),
        };
        peer.outbox.push(peer.codec.encode(&message).into());
    }

    fn is_gone(&self, peer: &Peer) -> bool {
        peer.outbox.is_gone()
    }

    fn tick_due(&self) -> Instant {
        self.subscribers.heads_due_at()
    }

    fn tick(&mut self) {
        let now = self.clock.now();
        let due = self.subscribers.take_heads_due();
        if due.is_new_period {
            self.ring.evict(now);
            self.snapshots.clear();
            self.subscribers.remove_gone();
        }
        // Many subscribers have the same heads: their frame is encoded once.
        let mut frames: HashMap<(Heads, Codec), Bytes> = HashMap::new();
        for subscriber in self.subscribers.with_keys(&due.keys) {
            let Subscriber { heads, codec, .. } = *subscriber;
            let frame = frames.entry((heads, codec)).or_insert_with(|| {
                let message = ServerMessage::Heads(HeadsFrame {
                    generation: self.generation,
                    heads,
                    server_time_ms: now.0,
                    reconnect: render::reconnect_advice(),
                });
                codec.encode(&message).into()
            });
            subscriber.outbox.push(frame.clone());
        }
    }

    fn latest_due(&self) -> Option<Instant> {
        self.latest.due_at(&self.subscribers)
    }

    fn render_latest(&mut self, view: View<'_>) -> RenderedLatest {
        RenderedLatest {
            scores: self.latest.render(view),
        }
    }

    fn release_latest(&mut self, latest: RenderedLatest) {
        self.latest.release(latest.scores, &mut self.subscribers);
    }

    fn detach_all(&mut self) {
        for subscriber in self.subscribers.iter() {
            subscriber.outbox.close(CloseCode::SessionRestarting);
        }
        self.subscribers.clear();
    }
}

fn count_rejection(code: RejectionCode) -> RejectionCode {
    metrics().commands_rejected.with_label(code).increment(1);
    code
}
