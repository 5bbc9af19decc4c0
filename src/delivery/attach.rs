//! Attaching a connection without a gap: what it missed, then what comes.

use protocol::{CloseCode, Codec, Cursor, Heads, Resume, ServerMessage, Welcome};

use super::outbox::Outbox;
use super::render;
use super::ring::Ring;
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
        first: Vec<Vec<u8>>,
        /// The cursor from which the ring is replayed, if there is no snapshot.
        replay: Option<Cursor>,
    },
    /// The session does not know them, or has taken their rights away.
    Refused(Attaching),
}

/// Prepares an attachment: decides between replay and snapshot, and renders what comes first.
pub(super) fn prepare(
    view: View<'_>,
    ring: &Ring,
    generation: u32,
    server_time_ms: u64,
    attach: Attach,
) -> Prepared {
    let Some(who) = Who::find(view, attach.identity) else {
        return Prepared::Refused(attach.outbox);
    };
    let replay = attach.cursor.filter(|cursor| {
        let mut cursors = who.cursors(cursor).into_iter();
        cursor.generation == generation
            && cursors
                .all(|(audience, after)| ring.covers(audience, after, view.state.head(audience)))
    });
    let heads = who.heads(view);
    let mut welcome = Welcome {
        device: None,
        player: None,
        team: None,
        game_master: None,
        scopes: Vec::new(),
        resume: if replay.is_some() {
            Resume::Replay
        } else {
            Resume::Snapshot
        },
        generation,
        heads,
        server_time_ms,
        last_command: 0,
        reconnect: render::reconnect_advice(),
    };
    who.introduce(view, &mut welcome);
    let mut first = vec![attach.codec.encode(&ServerMessage::Welcome(welcome))];
    if replay.is_none() {
        first.push(attach.codec.encode(&whole_state(view, who, heads)));
    }
    Prepared::Subscriber {
        who,
        outbox: attach.outbox,
        codec: attach.codec,
        heads,
        first,
        replay,
    }
}

fn whole_state(view: View<'_>, who: Who, heads: Heads) -> ServerMessage {
    match who {
        Who::Player { player, team, .. } => {
            let snapshot = render::snapshot(view, heads, player, team);
            let snapshot = snapshot.expect("the device's player and team exist");
            ServerMessage::Snapshot(Box::new(snapshot))
        }
        Who::GameMaster { views, .. } => {
            ServerMessage::Overview(Box::new(render::overview(view, heads, views)))
        }
    }
}
