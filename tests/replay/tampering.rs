//! A proxy between clients and a server that tampers with one update of each connection and forwards
//! everything else.

use std::io::Cursor;
use std::net::SocketAddr;

use protocol::{Clue, Codec, Event, ServerMessage, Update};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{Frame, FrameHeader};

/// Tampering with the second update that carries a clue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// Nothing.
    Nothing,
    /// It is dropped.
    Dropped,
    /// It is sent twice.
    Doubled,
    /// It carries a clue that is addressed to another recipient.
    Misdirected,
    /// The previous clue is repeated with its number.
    Repeated,
}

/// The clue of a misdirected update.
const CLUE_TO_OTHERS: &str = "clue 999999 1 ";

/// Starts the proxy on a free port until it is dropped. Returns its address.
pub async fn start_proxy(server: SocketAddr, wrong: Wrong) -> (SocketAddr, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let mut accepting = JoinSet::new();
    accepting.spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            let Ok((client, _)) = listener.accept().await else {
                return;
            };
            let upstream = TcpStream::connect(server).await.expect("it listens");
            connections.spawn(pass_on(client, upstream, wrong));
            while connections.try_join_next().is_some() {}
        }
    });
    (address, accepting)
}

async fn pass_on(client: TcpStream, server: TcpStream, wrong: Wrong) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let mut tampering = Tampering {
        wrong,
        head: Vec::new(),
        frames: None,
        clues: 0,
        before: None,
    };
    let down = async {
        let mut bytes = vec![0; 16 * 1024];
        while let Ok(count @ 1..) = from_server.read(&mut bytes).await {
            let passed = tampering.take(&bytes[..count]);
            if to_client.write_all(&passed).await.is_err() {
                return;
            }
        }
    };
    // When either side closes, both do.
    tokio::select! {
        () = down => {}
        _ = tokio::io::copy(&mut from_client, &mut to_server) => {}
    }
}

/// State of one connection's bytes from the server.
struct Tampering {
    wrong: Wrong,
    /// Head of the HTTP response, until it is complete.
    head: Vec<u8>,
    /// Remaining bytes of frames after the head, if the upgrade succeeded.
    frames: Option<Vec<u8>>,
    clues: usize,
    before: Option<Update>,
}

impl Tampering {
    fn take(&mut self, bytes: &[u8]) -> Vec<u8> {
        if let Some(frames) = &mut self.frames {
            frames.extend_from_slice(bytes);
            return self.tamper();
        }
        self.head.extend_from_slice(bytes);
        let end = self.head.windows(4).position(|end| end == b"\r\n\r\n");
        if let Some(end) = end
            && self.head.starts_with(b"HTTP/1.1 101 ")
        {
            self.frames = Some(self.head.split_off(end + 4));
            let mut passed =
                bytes[..bytes.len() - self.frames.as_ref().map_or(0, Vec::len)].to_vec();
            passed.extend(self.tamper());
            return passed;
        }
        bytes.to_vec()
    }

    /// Removes complete frames from the front; returns what to forward of them.
    fn tamper(&mut self) -> Vec<u8> {
        let mut passed = Vec::new();
        loop {
            let frames = self.frames.as_mut().expect("it was an upgrade");
            let mut cursor = Cursor::new(&*frames);
            let Some((header, length)) = FrameHeader::parse(&mut cursor).expect("it is a frame")
            else {
                return passed;
            };
            let begin = usize::try_from(cursor.position()).expect("it is short");
            let end = begin + usize::try_from(length).expect("it is short");
            if frames.len() < end {
                return passed;
            }
            let rest = frames.split_off(end);
            let frame = std::mem::replace(frames, rest);
            let is_data = header.opcode == OpCode::Data(Data::Binary);
            match Codec::MessagePack.decode(&frame[begin..]) {
                Ok(ServerMessage::Update(update)) if is_data => {
                    for update in self.outcome(update) {
                        passed.extend(framed(&update));
                    }
                }
                _ => passed.extend(frame),
            }
        }
    }

    /// The updates to forward instead of one.
    fn outcome(&mut self, update: Update) -> Vec<Update> {
        let Event::CluePushed { clue, .. } = &update.event else {
            return vec![update];
        };
        let before = self.before.replace(update.clone());
        self.clues += 1;
        let (true, Some(before)) = (self.clues == 2, before) else {
            return vec![update];
        };
        match self.wrong {
            Wrong::Nothing => vec![update],
            Wrong::Dropped => Vec::new(),
            Wrong::Doubled => vec![update.clone(), update],
            Wrong::Misdirected => {
                let text = CLUE_TO_OTHERS.to_owned();
                let clue = Clue {
                    text,
                    ..clue.clone()
                };
                let event = Event::CluePushed { clue, to: None };
                vec![Update { event, ..update }]
            }
            Wrong::Repeated => vec![Update {
                event: before.event,
                ..update
            }],
        }
    }
}

fn framed(update: &Update) -> Vec<u8> {
    let payload = Codec::MessagePack.encode(&ServerMessage::Update(update.clone()));
    let mut bytes = Vec::new();
    let frame = Frame::message(payload, OpCode::Data(Data::Binary), true);
    frame.format(&mut bytes).expect("it fits");
    bytes
}
