//! The hub of a session: its attached connections and its ring.

use std::collections::HashMap;

use bytes::Bytes;
use hunt::{Audience, CommandId, Event, Stamp, Timestamp};
use protocol::{CloseCode, Codec, Heads, HeadsFrame, Rejection, RejectionCode, ServerMessage};
use tokio::time::Instant;

use super::attach::{Attach, Prepared, Preparing};
use super::frames::Frames;
use super::latest::{Bulletin, Scores};
use super::outbox::Outbox;
use super::refusal::{rejection_code, rejection_message};
use super::render;
use super::ring::Ring;
use super::snapshots::Snapshots;
use super::subscribers::{Subscriber, Subscribers};
use super::who::{Identity, Who};
use crate::clock::Clock;
use crate::config::DeliveryConfig;
use crate::session::{Delivery, Outcome, View};
use crate::telemetry::{AttachSource, metrics};

/// The generation of a stream of which nothing was ever lost.
const FIRST_GENERATION: u32 = 1;

/// Delivers what happens in one session to the connections that are attached to it.
pub struct Hub {
    clock: Clock,
    generation: u32,
    ring: Ring,
    subscribers: Subscribers,
    bulletin: Bulletin,
    snapshots: Snapshots,
    spectators_max: usize,
    /// Whether a game master was here in this actor's life. Before that, what only game masters see
    /// is not encoded: most of it is guesses, and the first of them gets an overview.
    shows_game_masters: bool,
}

/// An update on its way.
pub struct EncodedUpdate {
    stamp: Stamp,
    /// None for what nobody sees.
    frames: Option<Frames>,
    /// Who is to be closed once it is sent.
    expels: Option<Identity>,
}

/// What carries no number, on its way.
pub struct RenderedLatest {
    /// None if they have not changed; who is connected is looked at when it leaves.
    scores: Option<Scores>,
}

/// A connection that waits for the outcome of its command.
#[derive(Debug, Clone)]
pub struct Peer {
    /// Where the outcome goes.
    pub outbox: Outbox,
    /// How it is encoded.
    pub codec: Codec,
}

impl Hub {
    /// A hub without connections, in the first generation.
    pub fn new(config: &DeliveryConfig, clock: Clock) -> Self {
        Self {
            clock,
            generation: FIRST_GENERATION,
            ring: Ring::new(config.ring_bytes_max, config.ring_age_max),
            subscribers: Subscribers::new(config.heads_every),
            bulletin: Bulletin::new(config),
            snapshots: Snapshots::new(config.snapshot_bytes_max),
            spectators_max: config.spectators_max,
            shows_game_masters: false,
        }
    }

    /// The same, for the stream's generation that the journal tells: it rises when committed events were
    /// lost, and cursors of an earlier one are worth nothing then.
    #[must_use]
    pub fn of_generation(self, generation: u32) -> Self {
        Self { generation, ..self }
    }

    /// Whether everything after a cursor is still in the ring.
    fn still_covers(&self, cursors: &[(Audience, u64)], heads: Heads) -> bool {
        let head = |audience: &Audience| match audience {
            Audience::Everyone => heads.everyone,
            Audience::Team(_) => heads.team,
            Audience::Player(_) => heads.player,
            Audience::GameMasters => heads.game_masters,
        };
        let mut cursors = cursors.iter();
        cursors.all(|(audience, after)| self.ring.covers(*audience, *after, head(audience)))
    }

    fn keep(&mut self, stamp: Stamp, frames: Frames) {
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
        stamp: Stamp,
    ) -> EncodedUpdate {
        self.bulletin.note(event);
        if stamp.audience == Audience::GameMasters && !self.shows_game_masters {
            return EncodedUpdate {
                stamp,
                frames: None,
                expels: expelled_by(event),
            };
        }
        self.ring.expect(stamp.audience, stamp.number);
        let message = ServerMessage::Update(render::update(view, at, event, stamp));
        EncodedUpdate {
            stamp,
            frames: Some(Frames::new(&message)),
            expels: expelled_by(event),
        }
    }

    fn release(&mut self, update: EncodedUpdate) {
        if let Some(mut frames) = update.frames {
            let reached = self.subscribers.send(update.stamp, &mut frames);
            metrics().updates_delivered.increment(reached as u64);
            self.keep(update.stamp, frames);
        }
        if let Some(expelled) = update.expels {
            self.subscribers.expel(expelled);
        }
    }

    fn restore(&mut self, update: EncodedUpdate) {
        if let Some(frames) = update.frames {
            self.keep(update.stamp, frames);
        }
    }

    fn prepare(&mut self, view: View<'_>, attach: Attach) -> Option<Prepared> {
        if attach.outbox.is_gone() {
            return None;
        }
        self.shows_game_masters |= matches!(attach.identity, Identity::GameMaster(_));
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
            Prepared::Refused(outbox) => outbox.done().close(CloseCode::Unauthorized),
            Prepared::Subscriber {
                who,
                outbox,
                codec,
                heads,
                first,
                replay,
            } => {
                let cursors = replay
                    .map(|cursor| who.cursors(&cursor))
                    .unwrap_or_default();
                if !self.still_covers(&cursors, heads) {
                    // The ring has let go of something since the attachment was prepared: dropping
                    // the outbox tells the connection to come back.
                    return;
                }
                let from = match (who, replay) {
                    (Who::Spectator, _) => AttachSource::Board,
                    (Who::Player { .. } | Who::GameMaster { .. }, Some(_)) => AttachSource::Replay,
                    (Who::Player { .. } | Who::GameMaster { .. }, None) => AttachSource::Snapshot,
                };
                let outbox = outbox.done();
                if who == Who::Spectator && self.subscribers.spectators() >= self.spectators_max {
                    outbox.close(CloseCode::Overloaded);
                    return;
                }
                metrics().attachments.with_label(from).increment(1);
                outbox.begin(first.into_iter().chain(self.ring.after(&cursors, codec)));
                let subscriber = Subscriber {
                    who,
                    outbox,
                    codec,
                    heads,
                };
                self.bulletin.greet(&subscriber);
                self.subscribers.add(subscriber);
            }
        }
    }

    fn answer(&mut self, peer: &Peer, id: CommandId, outcome: &Outcome) {
        let message = match outcome {
            Ok(receipt) => {
                metrics().commands_accepted.increment(1);
                ServerMessage::Receipt(render::receipt(id, receipt))
            }
            Err(refusal) => ServerMessage::Rejection(Rejection {
                id: id.0,
                code: counted(rejection_code(*refusal)),
                message: rejection_message(*refusal),
                retry_at_ms: None,
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
            self.subscribers.let_go();
        }
        // Many have seen the same numbers: their frame is encoded once.
        let mut frames: HashMap<(Heads, Codec), Bytes> = HashMap::new();
        for subscriber in self.subscribers.at(&due.places) {
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
        self.bulletin.due(&self.subscribers)
    }

    fn render_latest(&mut self, view: View<'_>) -> RenderedLatest {
        RenderedLatest {
            scores: self.bulletin.render(view),
        }
    }

    fn release_latest(&mut self, latest: RenderedLatest) {
        self.bulletin.release(latest.scores, &mut self.subscribers);
    }

    fn detach_all(&mut self) {
        for subscriber in self.subscribers.iter() {
            subscriber.outbox.close(CloseCode::SessionRestarting);
        }
        self.subscribers.clear();
    }
}

fn counted(code: RejectionCode) -> RejectionCode {
    metrics().commands_rejected.with_label(code).increment(1);
    code
}

/// Whose rights an event takes away.
fn expelled_by(event: &Event) -> Option<Identity> {
    match event {
        Event::DeviceRevoked { device, .. } => Some(Identity::Device(*device)),
        Event::GameMasterRevoked { game_master } => Some(Identity::GameMaster(*game_master)),
        Event::SessionStarted { .. }
        | Event::SessionPaused
        | Event::SessionResumed { .. }
        | Event::SessionFinished
        | Event::TeamCreated { .. }
        | Event::PlayerJoined { .. }
        | Event::DeviceAdded { .. }
        | Event::Unlocked { .. }
        | Event::GuessJudged { .. }
        | Event::LinkUsed { .. }
        | Event::GameMasterInvited { .. }
        | Event::CluePushed { .. }
        | Event::ClueCancelled { .. }
        | Event::ClueExpired { .. }
        | Event::Announced { .. } => None,
    }
}
