//! A simulated spectator: receives the board and the public updates, and checks that it receives nothing else.

use cluecast::delivery::{Attach, Identity, OutboxReader, Outgoing, PendingOutbox, outbox};
use cluecast::session::{InstanceSlot, Mail, SessionHandle};
use futures_util::FutureExt;
use protocol::{Audience, Board, Codec, Heads, Resume, ServerMessage};

use crate::oracle::Watched;
use crate::world::delivery_config;

/// One connection of a spectator.
pub struct Spectator {
    frames: OutboxReader,
    board: Option<Board>,
    /// Number of the last public update.
    number: u64,
    is_gone: bool,
}

impl Spectator {
    /// Sends an attach request; none if the session is unavailable.
    pub fn connect(session: &SessionHandle<Watched>) -> Option<Self> {
        let (outbox, frames) = outbox(&delivery_config(), Codec::Json);
        let attach = Mail::Attach(Attach {
            identity: Identity::Spectator,
            cursor: None,
            instance: InstanceSlot::default(),
            outbox: PendingOutbox::new(outbox),
            codec: Codec::Json,
        });
        session.send(attach).ok()?;
        Some(Self {
            frames,
            board: None,
            number: 0,
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
            ServerMessage::Welcome(welcome) => {
                assert_eq!(welcome.resume, Resume::Board);
                self.number = welcome.heads.public;
            }
            ServerMessage::Update(update) => {
                assert_eq!(update.audience, Audience::Public);
                assert_eq!(update.number, self.number + 1, "updates have no gaps");
                self.number = update.number;
            }
            ServerMessage::Heads(frame) => {
                let public = self.number;
                let heads = Heads {
                    public,
                    ..Heads::default()
                };
                assert_eq!(frame.heads, heads);
            }
            ServerMessage::Board(board) => {
                let applied = board.apply_to(&mut self.board);
                applied.expect("its base is the previous board");
            }
            other => panic!("a spectator receives {other:?}"),
        }
    }
}
