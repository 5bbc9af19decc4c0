//! Attaching a connection without a gap: what it missed, then what comes.

use bytes::Bytes;
use protocol::{CloseCode, Codec, Cursor, Heads, Resume, ServerMessage, Welcome};

use super::outbox::Outbox;
use super::render;
use super::ring::Ring;
use super::snapshots::Snapshots;
use super::who::{Identity, Who};
use crate::session::View;

/// A connection that wants to attach.
#[derive(Debug)]
pub struct Attach {
    /// Who it authenticated as.
    pub identity: Identity,
    /// What it has seen.
    pub cursor: Option<Cursor>,
    /// Where its frames go.
    pub outbox: Attaching,
    /// How they are encoded.
    pub codec: Codec,
}

/// The outbox of a connection that is about to be attached. If it is dropped on the way, because
/// the session fails or ends, the connection is closed with the advice to come back: nobody else
/// would tell it.
#[derive(Debug)]
pub struct Attaching {
    outbox: Option<Outbox>,
}

impl Attaching {
    /// Whether the connection is gone, so that nobody would be attached.
    pub(super) fn is_gone(&self) -> bool {
        self.outbox.as_ref().is_none_or(Outbox::is_gone)
    }

    /// The outbox of a connection that asks to be attached.
    pub fn new(outbox: Outbox) -> Self {
        Self {
            outbox: Some(outbox),
        }
    }

    /// Hands the outbox on to somebody who will look after it.
    pub(super) fn done(mut self) -> Outbox {
        self.outbox.take().expect("it is taken only here")
    }
}

impl Drop for Attaching {
    fn drop(&mut self) {
        if let Some(outbox) = &self.outbox {
            outbox.close(CloseCode::SessionRestarting);
        }
    }
}

/// An attachment as of a state.
#[derive(Debug)]
pub enum Prepared {
    /// It can be attached.
    Subscriber {
        /// Whose connection it is.
        who: Who,
        /// Where its frames go, and how they are encoded.
        outbox: Attaching,
        /// See there.
        codec: Codec,
        /// The numbers up to which it will have seen everything.
        heads: Heads,
        /// What comes first: `welcome`, and the snapshot if there is one.
        first: Vec<Bytes>,
        /// The cursor from which the ring is replayed, if there is no snapshot.
        replay: Option<Cursor>,
    },
    /// The session does not know them, or has taken their rights away.
    Refused(Attaching),
}

/// What an attachment is prepared from.
pub(super) struct Preparing<'a> {
    pub(super) view: View<'a>,
    pub(super) ring: &'a Ring,
    pub(super) snapshots: &'a mut Snapshots,
    pub(super) generation: u32,
    pub(super) server_time_ms: u64,
}

impl Preparing<'_> {
    /// Decides between replay and snapshot, and renders what comes first.
    pub(super) fn prepare(self, attach: Attach) -> Prepared {
        let view = self.view;
        let Some(who) = Who::find(view, attach.identity) else {
            return Prepared::Refused(attach.outbox);
        };
        let heads = who.heads(view);
        let replay = attach.cursor.filter(|cursor| self.can_replay(who, cursor));
        let welcome = self.welcome(who, heads, replay.is_some());
        let welcome = attach.codec.encode(&ServerMessage::Welcome(welcome));
        let whole = match replay {
            Some(_) => None,
            None => self.snapshots.frame(view, who, heads, attach.codec),
        };
        Prepared::Subscriber {
            who,
            outbox: attach.outbox,
            codec: attach.codec,
            heads,
            first: std::iter::once(welcome.into()).chain(whole).collect(),
            replay,
        }
    }

    /// Whether everything after a cursor is in the ring or on its way there.
    fn can_replay(&self, who: Who, cursor: &Cursor) -> bool {
        let mut cursors = who.cursors(cursor).into_iter();
        cursor.generation == self.generation
            && who != Who::Spectator
            && cursors.all(|(audience, after)| {
                let head = self.view.state.head(audience);
                self.ring.covers(audience, after, head)
            })
    }

    fn welcome(&self, who: Who, heads: Heads, replays: bool) -> Welcome {
        let resume = match who {
            Who::Spectator => Resume::Board,
            Who::Player { .. } | Who::GameMaster { .. } if replays => Resume::Replay,
            Who::Player { .. } | Who::GameMaster { .. } => Resume::Snapshot,
        };
        let mut welcome = Welcome {
            device: None,
            player: None,
            team: None,
            game_master: None,
            scopes: Vec::new(),
            resume,
            generation: self.generation,
            heads,
            server_time_ms: self.server_time_ms,
            last_command: 0,
            reconnect: render::reconnect_advice(),
        };
        who.introduce(self.view, &mut welcome);
        welcome
    }
}
