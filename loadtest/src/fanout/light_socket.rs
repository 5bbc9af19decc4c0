//! A WebSocket with minimal memory and CPU use: it buffers only incomplete frames, reads at a limited
//! rate if asked to, and can be cut.
//!
//! Does not interpret messages.

use std::io::{self, Cursor, ErrorKind};
use std::net::{IpAddr, SocketAddr};

use protocol::{ClientMessage, Codec, FrameKind};
use socket2::SockRef;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{Frame, FrameHeader};

use super::decode_cache;
use crate::client::{Ended, Endpoint, OPEN_WAIT_MAX, OpenError, SERVER_MESSAGE_BYTES_MAX, upgrade};

/// What a client that stalls or is slow lets its system keep for it. Linux doubles it.
const SMALL_RECEIVE_BUFFER_BYTES: u32 = 4 * 1024;

/// The segments of an ordinary network. Over the loopback interface they are 64 KiB, and the server's
/// system would take megabytes for a client that does not read.
const SEGMENT_BYTES: u32 = 1_460;

/// Frames from the server that want an answer and have none yet; pings beyond these get none.
const PONGS_MAX: usize = 16;

/// How a client connects.
#[derive(Debug, Clone)]
pub(super) struct Route {
    pub(super) endpoint: Endpoint,
    pub(super) codec: Codec,
    /// The local address; the system's choice if there is none.
    pub(super) source: Option<IpAddr>,
    /// Whether the system keeps as little as possible for the client.
    pub(super) is_narrow: bool,
}

/// An open WebSocket.
#[derive(Debug)]
pub(super) struct LightSocket {
    stream: TcpStream,
    codec: Codec,
    /// The begin of a frame whose end has not come.
    rest: Vec<u8>,
    pongs: Vec<Vec<u8>>,
    /// Whether a frame was begun and not ended: nothing more can follow it.
    is_writing: bool,
}

impl LightSocket {
    /// Connects and upgrades.
    pub(super) async fn open(route: &Route) -> Result<Self, OpenError> {
        let opening = async {
            let stream = connect(route).await?;
            let socket = upgrade(&route.endpoint, stream, route.codec).await?;
            Ok(Self {
                // The server has said nothing yet that could be left in the socket's buffer.
                stream: socket.into_inner(),
                codec: route.codec,
                rest: Vec::new(),
                pongs: Vec::new(),
                is_writing: false,
            })
        };
        let opened = timeout(OPEN_WAIT_MAX, opening).await;
        opened.map_err(|_| OpenError::Late)?
    }

    /// Sends a message. If it is cancelled, the connection is of no more use, and says so.
    pub(super) async fn send(&mut self, message: &ClientMessage) -> Result<(), Ended> {
        let data = match self.codec.frame_kind() {
            FrameKind::Binary => Data::Binary,
            FrameKind::Text => Data::Text,
        };
        let frame = Frame::message(self.codec.encode(message), OpCode::Data(data), true);
        self.write(frame).await
    }

    /// Waits until something has come, reads at most so many bytes of it, and hands over each message
    /// that is whole, as its bytes. Answers pings. Cancelled while it waits, it loses nothing.
    pub(super) async fn read(
        &mut self,
        bytes_max: usize,
        each: &mut impl FnMut(&[u8]) -> Result<(), Ended>,
    ) -> Result<(), Ended> {
        loop {
            self.stream.readable().await.map_err(cut)?;
            if self.read_now(bytes_max, each)? {
                break;
            }
        }
        self.answer().await
    }

    /// Answers the pings that were read.
    pub(super) async fn answer(&mut self) -> Result<(), Ended> {
        while let Some(pong) = self.pongs.pop() {
            self.write(Frame::pong(pong)).await?;
        }
        Ok(())
    }

    /// Reads without waiting, and answers nothing. Gives whether there was anything.
    pub(super) fn read_now(
        &mut self,
        bytes_max: usize,
        each: &mut impl FnMut(&[u8]) -> Result<(), Ended>,
    ) -> Result<bool, Ended> {
        if self.is_writing {
            return Err(broken("an incompletely written frame"));
        }
        decode_cache::with_buffer(bytes_max, |buffer| {
            let count = match self.stream.try_read(buffer) {
                Ok(0) => return Err(Ended::End),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(cut(error)),
            };
            self.receive_bytes(&buffer[..count], each)?;
            Ok(true)
        })
    }

    /// Ends the connection as a network does: with a reset, or with an end that no close frame tells of.
    pub(super) fn cut(self, is_reset: bool) {
        if is_reset {
            // An error would mean that the connection is gone already.
            let _ = self.stream.set_zero_linger();
        }
    }

    fn receive_bytes(
        &mut self,
        bytes: &[u8],
        each: &mut impl FnMut(&[u8]) -> Result<(), Ended>,
    ) -> Result<(), Ended> {
        if self.rest.is_empty() {
            let used = self.frames(bytes, each)?;
            self.rest.extend_from_slice(&bytes[used..]);
            return Ok(());
        }
        let mut all = std::mem::take(&mut self.rest);
        all.extend_from_slice(bytes);
        let used = self.frames(&all, each)?;
        if used < all.len() {
            all.drain(..used);
            self.rest = all;
        }
        Ok(())
    }

    /// Takes every whole frame; gives how many bytes they are.
    fn frames(
        &mut self,
        bytes: &[u8],
        each: &mut impl FnMut(&[u8]) -> Result<(), Ended>,
    ) -> Result<usize, Ended> {
        let mut used = 0;
        loop {
            let mut cursor = Cursor::new(&bytes[used..]);
            let parsed = FrameHeader::parse(&mut cursor);
            let parsed = parsed.map_err(|error| Ended::Cut(Box::new(error)))?;
            let Some((header, length)) = parsed else {
                return Ok(used);
            };
            let begin = used + usize::try_from(cursor.position()).map_err(|_| too_long())?;
            let length = usize::try_from(length).map_err(|_| too_long())?;
            if length > SERVER_MESSAGE_BYTES_MAX {
                return Err(too_long());
            }
            let Some(payload) = bytes.get(begin..begin + length) else {
                return Ok(used);
            };
            self.frame(&header, payload, each)?;
            used = begin + length;
        }
    }

    fn frame(
        &mut self,
        header: &FrameHeader,
        payload: &[u8],
        each: &mut impl FnMut(&[u8]) -> Result<(), Ended>,
    ) -> Result<(), Ended> {
        let kind = self.codec.frame_kind();
        match header.opcode {
            OpCode::Data(Data::Binary) if header.is_final && kind == FrameKind::Binary => {
                each(payload)
            }
            OpCode::Data(Data::Text) if header.is_final && kind == FrameKind::Text => each(payload),
            OpCode::Data(_) => Err(broken("an unexpected frame type or a fragment")),
            OpCode::Control(Control::Ping) => {
                if self.pongs.len() < PONGS_MAX {
                    self.pongs.push(payload.to_vec());
                }
                Ok(())
            }
            OpCode::Control(Control::Pong) => Ok(()),
            OpCode::Control(Control::Close) => Err(closed(payload)),
            OpCode::Control(Control::Reserved(_)) => Err(broken("a frame with a reserved opcode")),
        }
    }

    async fn write(&mut self, mut frame: Frame) -> Result<(), Ended> {
        frame.header_mut().mask = Some(rand::random());
        let mut bytes = Vec::with_capacity(frame.len());
        let formatted = frame.format(&mut bytes);
        formatted.map_err(|error| Ended::Cut(Box::new(error)))?;
        if std::mem::replace(&mut self.is_writing, true) {
            return Err(broken("an incompletely written frame"));
        }
        let written = timeout(OPEN_WAIT_MAX, self.stream.write_all(&bytes)).await;
        written.map_err(|_| Ended::Silent)?.map_err(cut)?;
        self.is_writing = false;
        Ok(())
    }
}

async fn connect(route: &Route) -> Result<TcpStream, OpenError> {
    let authority = &route.endpoint.authority;
    let server: SocketAddr = match authority.parse() {
        Ok(server) => server,
        Err(_) => return Ok(TcpStream::connect(authority).await?),
    };
    let socket = match server {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    if route.is_narrow {
        socket.set_recv_buffer_size(SMALL_RECEIVE_BUFFER_BYTES)?;
        SockRef::from(&socket).set_tcp_mss(SEGMENT_BYTES)?;
    }
    if let Some(source) = route.source {
        socket.bind(SocketAddr::new(source, 0))?;
    }
    Ok(socket.connect(server).await?)
}

fn cut(error: io::Error) -> Ended {
    Ended::Cut(Box::new(error.into()))
}

fn broken(what: &str) -> Ended {
    cut(io::Error::new(ErrorKind::InvalidData, what))
}

fn too_long() -> Ended {
    broken("an oversized frame")
}

fn closed(payload: &[u8]) -> Ended {
    let (code, reason) = match payload.split_first_chunk() {
        Some((code, reason)) => (u16::from_be_bytes(*code), reason),
        None => (1005, payload),
    };
    Ended::Closed {
        code,
        reason: String::from_utf8_lossy(reason).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use protocol::Codec;
    use tokio::io::AsyncWriteExt;
    use tokio::net::{TcpListener, TcpStream};
    use tokio_tungstenite::tungstenite::protocol::frame::Frame;
    use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

    use super::LightSocket;
    use crate::client::Ended;

    /// A pipe, and the server's end of it.
    async fn socket() -> (LightSocket, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let stream = TcpStream::connect(address).await.expect("it listens");
        let (server, _) = listener.accept().await.expect("it connected");
        let socket = LightSocket {
            stream,
            codec: Codec::MessagePack,
            rest: Vec::new(),
            pongs: Vec::new(),
            is_writing: false,
        };
        (socket, server)
    }

    fn framed(payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let frame = Frame::message(payload.to_vec(), OpCode::Data(Data::Binary), true);
        frame.format(&mut bytes).expect("it fits");
        bytes
    }

    async fn read(socket: &mut LightSocket, bytes_max: usize, count: usize) -> Vec<Vec<u8>> {
        let mut read = Vec::new();
        while read.len() < count {
            let mut each = |payload: &[u8]| {
                read.push(payload.to_vec());
                Ok(())
            };
            socket.read(bytes_max, &mut each).await.expect("it is open");
        }
        read
    }

    #[tokio::test]
    async fn messages_come_whole_however_little_is_read_at_a_time() {
        let messages = [vec![1; 3], Vec::new(), vec![2; 300], vec![3; 70_000]];
        for bytes_max in [1, 7, 1_000, usize::MAX] {
            let (mut socket, mut server) = socket().await;
            let all = messages.iter().flat_map(|message| framed(message));
            let all: Vec<u8> = all.collect();
            let (sent, read) = tokio::join!(
                server.write_all(&all),
                read(&mut socket, bytes_max, messages.len())
            );
            sent.expect("it is open");
            assert!(read == messages, "with {bytes_max} bytes at a time");
            assert_eq!(socket.rest.capacity(), 0, "nothing is kept");
        }
    }

    #[tokio::test]
    async fn an_end_says_how_it_came() {
        let (mut socket, mut server) = socket().await;
        let close = [0x88, 3, 0x11, 0x3a, b'x'];
        server.write_all(&close).await.expect("it is open");
        let ended = socket.read(99, &mut |_: &[u8]| Ok(())).await;
        assert!(matches!(ended, Err(Ended::Closed { code: 4410, reason }) if reason == "x"));
        drop(server);
        let ended = socket.read(99, &mut |_: &[u8]| Ok(())).await;
        assert!(matches!(ended, Err(Ended::End)), "{ended:?}");
    }
}
