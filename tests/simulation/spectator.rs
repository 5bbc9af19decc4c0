//! A simulated spectator: receives the board, and checks that it receives nothing else.

use cluecast::delivery::{Attach, Identity, OutboxReader, Outgoing, PendingOutbox, outbox};
use cluecast::session::{Mail, SessionHandle};
use futures_util::FutureExt;
use protocol::{Board, Codec, Heads, Resume, ServerMessage};

use crate::oracle::Watched;
use crate::world::delivery_config;

/// One connection of a spectator.
pub struct Spectator {
    frames: OutboxReader,
    board: Option<Board>,
    is_gone: bool,
}

impl Spectator {
    /// Sends an attach request; none if the session is unavailable.
    pub fn connect(session: &SessionHandle<Watched>) -> Option<Self> {
        let (outbox, frames) = outbox(&delivery_config(), Codec::Json);
        let attach = Mail::Attach(Attach {
            identity: Identity::Spectator,
            cursor: None,
            outbox: PendingOutbox::new(outbox),
            codec: Codec::Json,
        });
        session.send(attach).ok()?;
        Some(Self {
            frames,
            board: None,
            is_gone: false,
        })
    }

    pub fn is_gone(&self) -> bool {
        self.is_gone
    }

    pub fn board(&self) -> Option<&Board> {
        self.board.as_ref()
    }

    /// Receives and checks everything that has arrived.
    pub fn drain(&mut self) {
        while !self.is_gone {
            match self.frames.next().now_or_never() {
                None => return,
                Some(Outgoing::Close(_)) => self.is_gone = true,
                Some(Outgoing::Frames(frames)) => {
                    for frame in frames {
                        let message = Codec::Json.decode(&frame);
                        self.receive(message.expect("the server sends valid messages"));
                    }
                }
            }
        }
    }

    fn receive(&mut self, message: ServerMessage) {
        match message {
            ServerMessage::Welcome(welcome) => assert_eq!(welcome.resume, Resume::Board),
            ServerMessage::Heads(frame) => assert_eq!(frame.heads, Heads::default()),
            ServerMessage::Board(board) => {
                let followed = Board::follow(&mut self.board, *board);
                followed.expect("its base is the previous board");
            }
            other => panic!("a spectator receives {other:?}"),
        }
    }
}
