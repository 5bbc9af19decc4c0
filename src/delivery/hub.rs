//! The hub of a session: its attached connections and its ring.

use std::collections::HashMap;

use bytes::Bytes;
use hunt::{Audience, CommandId, DeviceId, Event, Receipt, Stamp, Timestamp};
use protocol::{CloseCode, Codec, Heads, HeadsFrame, Rejection, ServerMessage};

use super::attach::{Attach, Prepared, Who, prepare};
use super::outbox::Outbox;
use super::refusal::{rejection_code, rejection_message};
use super::render;
use super::ring::Ring;
use crate::clock::Clock;
use crate::config::DeliveryConfig;
use crate::session::{Delivery, Outcome, View};

/// The stream's generation. It would change if committed events were lost, which a journal in one
/// database never does.
const GENERATION: u32 = 1;

/// Delivers what happens in one session to the connections that are attached to it.
pub struct Hub {
    clock: Clock,
    ring: Ring,
    subscribers: HashMap<DeviceId, Subscriber>,
    /// The devices that an audience's updates go to; `Everyone` is all subscribers.
    members: HashMap<Audience, Vec<DeviceId>>,
}

struct Subscriber {
    who: Who,
    outbox: Outbox,
    codec: Codec,
    /// The numbers up to which everything was sent.
    heads: Heads,
}

/// An encoded update on its way.
pub struct EncodedUpdate {
    stamp: Stamp,
    frame: Bytes,
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
    /// A hub without connections.
    pub fn new(config: &DeliveryConfig, clock: Clock) -> Self {
        Self {
            clock,
            ring: Ring::new(config.ring_bytes_max, config.ring_age_max),
            subscribers: HashMap::new(),
            members: HashMap::new(),
        }
    }

    fn fan_out(&mut self, stamp: Stamp, frame: &Bytes) {
        match stamp.audience {
            Audience::Everyone => {
                for subscriber in self.subscribers.values_mut() {
                    subscriber.send(stamp, frame);
                }
            }
            Audience::Team(_) | Audience::Player(_) => {
                for device in self.members.get(&stamp.audience).into_iter().flatten() {
                    if let Some(subscriber) = self.subscribers.get_mut(device) {
                        subscriber.send(stamp, frame);
                    }
                }
            }
        }
    }

    fn subscribe(&mut self, subscriber: Subscriber) {
        let device = subscriber.who.device;
        if let Some(older) = self.unsubscribe(device)
            && !older.outbox.is_same(&subscriber.outbox)
        {
            older.outbox.close(CloseCode::Replaced);
        }
        let [_everyone, team, player] = subscriber.who.audiences();
        for audience in [team, player] {
            self.members.entry(audience).or_default().push(device);
        }
        self.subscribers.insert(device, subscriber);
    }

    fn unsubscribe(&mut self, device: DeviceId) -> Option<Subscriber> {
        let subscriber = self.subscribers.remove(&device)?;
        let [_everyone, team, player] = subscriber.who.audiences();
        for audience in [team, player] {
            if let Some(devices) = self.members.get_mut(&audience) {
                devices.retain(|member| *member != device);
                if devices.is_empty() {
                    self.members.remove(&audience);
                }
            }
        }
        Some(subscriber)
    }
}

impl Subscriber {
    fn send(&mut self, stamp: Stamp, frame: &Bytes) {
        match stamp.audience {
            Audience::Everyone => self.heads.everyone = stamp.number,
            Audience::Team(_) => self.heads.team = stamp.number,
            Audience::Player(_) => self.heads.player = stamp.number,
        }
        self.outbox.push(frame.clone());
    }
}

impl Delivery for Hub {
    type Update = EncodedUpdate;
    type Attach = Attach;
    type Prepared = Prepared;
    type Peer = Peer;

    fn encode(
        &mut self,
        view: View<'_>,
        at: Timestamp,
        event: &Event,
        stamp: Stamp,
    ) -> EncodedUpdate {
        self.ring.expect(stamp.audience, stamp.number);
        let message = ServerMessage::Update(render::update(view, at, event, stamp));
        EncodedUpdate {
            stamp,
            frame: Codec::MessagePack.encode(&message).into(),
        }
    }

    fn release(&mut self, update: EncodedUpdate) {
        let EncodedUpdate { stamp, frame } = update;
        self.fan_out(stamp, &frame);
        self.ring
            .push(stamp.audience, stamp.number, frame, self.clock.now());
    }

    fn restore(&mut self, update: EncodedUpdate) {
        let EncodedUpdate { stamp, frame } = update;
        self.ring
            .push(stamp.audience, stamp.number, frame, self.clock.now());
    }

    fn prepare(&mut self, view: View<'_>, attach: Attach) -> Prepared {
        prepare(view, &self.ring, GENERATION, self.clock.now().0, attach)
    }

    fn attach(&mut self, prepared: Prepared) {
        match prepared {
            Prepared::UnknownDevice(outbox) => outbox.done().close(CloseCode::Unauthorized),
            Prepared::Subscriber {
                who,
                outbox,
                codec,
                heads,
                first,
                replay,
            } => {
                let replayed = match replay {
                    Some(cursor) => {
                        // The ring may have let go of something since the attachment was prepared:
                        // dropping it tells the connection to come back.
                        let [everyone, team, player] = who.cursors(&cursor);
                        let still_covered =
                            self.ring.covers(everyone.0, everyone.1, heads.everyone)
                                && self.ring.covers(team.0, team.1, heads.team)
                                && self.ring.covers(player.0, player.1, heads.player);
                        if !still_covered {
                            return;
                        }
                        self.ring.after([everyone, team, player])
                    }
                    None => Vec::new(),
                };
                let outbox = outbox.done();
                for frame in first {
                    outbox.push(frame.into());
                }
                for frame in replayed {
                    outbox.push(frame);
                }
                self.subscribe(Subscriber {
                    who,
                    outbox,
                    codec,
                    heads,
                });
            }
        }
    }

    fn answer(&mut self, peer: &Peer, id: CommandId, outcome: &Outcome) {
        let message = match outcome {
            Ok(receipt) => ServerMessage::Receipt(wire_receipt(id, receipt)),
            Err(refusal) => ServerMessage::Rejection(Rejection {
                id: id.0,
                code: rejection_code(*refusal),
                message: rejection_message(*refusal),
                retry_at_ms: None,
            }),
        };
        peer.outbox.push(peer.codec.encode(&message).into());
    }

    fn is_gone(&self, peer: &Peer) -> bool {
        peer.outbox.is_gone()
    }

    fn tick(&mut self) {
        let now = self.clock.now();
        self.ring.evict(now);
        let subscribers = self.subscribers.values();
        let gone = subscribers.filter(|subscriber| subscriber.outbox.is_gone());
        let gone: Vec<DeviceId> = gone.map(|subscriber| subscriber.who.device).collect();
        for device in gone {
            self.unsubscribe(device);
        }
        for subscriber in self.subscribers.values() {
            let message = ServerMessage::Heads(HeadsFrame {
                generation: GENERATION,
                heads: subscriber.heads,
                server_time_ms: now.0,
                reconnect: render::reconnect_advice(),
            });
            subscriber
                .outbox
                .push(subscriber.codec.encode(&message).into());
        }
    }

    fn detach_all(&mut self) {
        for subscriber in self.subscribers.values() {
            subscriber.outbox.close(CloseCode::SessionRestarting);
        }
        self.subscribers.clear();
        self.members.clear();
    }
}

fn wire_receipt(id: CommandId, receipt: &Receipt) -> protocol::Receipt {
    let (verdict, points) = match receipt {
        Receipt::Guess { verdict, points } => (Some(render::verdict(*verdict)), Some(*points)),
        Receipt::Joined { .. } | Receipt::DeviceAdded { .. } | Receipt::Done => (None, None),
    };
    protocol::Receipt {
        id: id.0,
        verdict,
        points,
    }
}
