//! The fuzz targets. Each accepts any bytes and panics if an invariant is violated. Used by the short run in
//! `main.rs` and by the coverage-guided programs in `fuzz/`.

use std::future::Future;
use std::io::{Cursor, Error, Read, Write};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use protocol::{Codec, FrameKind, ServerMessage};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocket, WebSocketConfig};

use crate::ws::{Received, Socket, SocketError, SocketLimits};

/// Low, so that short inputs exceed it; above 125, where the frame header becomes longer.
const MESSAGE_BYTES_MAX: usize = 400;
const LIMITS: SocketLimits = SocketLimits {
    message_bytes_max: MESSAGE_BYTES_MAX,
    read_buffer_bytes: 64,
};

/// Decodes the bytes with both codecs. A message that decodes must survive a round trip.
pub fn messages(bytes: &[u8]) {
    for codec in Codec::ALL {
        if let Ok(message) = codec.decode_client_message(bytes) {
            let again = codec.decode_client_message(&codec.encode(&message));
            assert_eq!(again.as_ref(), Ok(&message));
        }
        if let Ok(message) = codec.decode::<ServerMessage>(bytes) {
            // The content of a message of a later version is unknown, so it cannot be encoded.
            if !matches!(message, ServerMessage::Unknown | ServerMessage::Update(_)) {
                let again = codec.decode(&codec.encode(&message));
                assert_eq!(again.as_ref(), Ok(&message));
            }
        }
    }
}

/// Sends the bytes to an echoing socket. The first two bytes are the maximum sizes of one read and one write.
/// The output must consist of whole frames, in order, with the close frame last. The received messages must
/// be those that tungstenite alone reads from the same bytes.
pub fn frames(bytes: &[u8]) {
    let [read_at_a_time, taken_at_a_time, sent @ ..] = bytes else {
        return;
    };
    let stream = Scripted {
        coming: sent,
        read_at_a_time: usize::from(*read_at_a_time) + 1,
        taken_at_a_time: usize::from(*taken_at_a_time) + 1,
        ..Scripted::default()
    };
    let taken = stream.taken.clone();
    let heard = echo(Socket::new(stream, Bytes::new(), LIMITS));

    let alone = tungstenite_alone(sent);
    let of_text = heard.ended_by == Some(1007);
    assert!(alone.starts_with(&heard.messages), "{heard:?} of {alone:?}");
    assert!(of_text || alone == heard.messages, "{heard:?} of {alone:?}");
    let taken = taken
        .lock()
        .expect("nothing panics while it holds the lock");
    check_frames(&taken, &heard);
}

#[derive(Debug, Default)]
struct Heard {
    messages: Vec<(FrameKind, Bytes)>,
    ended_by: Option<u16>,
}

/// Echoes every message that fits into the queue immediately, and finishes.
fn echo(mut socket: Socket<Scripted<'_>>) -> Heard {
    let mut heard = Heard::default();
    let ended = loop {
        match now(socket.next()) {
            Poll::Ready(Ok(Received::Message(kind, payload))) => {
                assert!(payload.len() <= MESSAGE_BYTES_MAX);
                if socket.has_room() {
                    let offered = socket.offer(kind, [payload.clone()].into());
                    offered.expect("the queue has room, and the socket is open");
                }
                heard.messages.push((kind, payload));
            }
            Poll::Pending | Poll::Ready(Ok(Received::Control)) => {}
            Poll::Ready(Ok(Received::Close)) => break SocketError::Ended,
            Poll::Ready(Err(error)) => break error,
        }
    };
    heard.ended_by = ended.close_code();
    let close = Some((heard.ended_by.unwrap_or(1000), "over"));
    let mut finishing = pin!(socket.finish(close));
    for _ in 0..100_000 {
        if let Poll::Ready(finished) = now(finishing.as_mut()) {
            finished.expect("the stream does not break");
            return heard;
        }
    }
    panic!("the socket does not finish");
}

fn now<T>(future: impl Future<Output = T>) -> Poll<T> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// The messages that tungstenite reads from the same bytes.
fn tungstenite_alone(sent: &[u8]) -> Vec<(FrameKind, Bytes)> {
    let config = WebSocketConfig::default()
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX));
    let stream = Quiet(Cursor::new(sent));
    let mut socket = WebSocket::from_raw_socket(stream, Role::Server, Some(config));
    let mut messages = Vec::new();
    loop {
        match socket.read() {
            Ok(Message::Binary(payload)) => messages.push((FrameKind::Binary, payload)),
            Ok(Message::Text(text)) => messages.push((FrameKind::Text, text.into())),
            Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => {}
            Ok(Message::Close(_)) | Err(_) => return messages,
        }
    }
}

/// Checks the client's input: whole server frames, and at most one close frame, which is the last.
fn check_frames(mut taken: &[u8], heard: &Heard) {
    let mut is_closed = false;
    let mut echoed = heard.messages.iter();
    while let [first, length, rest @ ..] = taken {
        assert!(!is_closed, "something follows the close frame");
        let (length, rest) = match length {
            126 => (
                usize::from(u16::from_be_bytes([rest[0], rest[1]])),
                &rest[2..],
            ),
            127 => panic!("no message is so long"),
            length => (usize::from(*length), rest),
        };
        let (payload, rest) = rest.split_at(length);
        match first {
            0x81 | 0x82 => {
                let kind = if *first == 0x81 {
                    FrameKind::Text
                } else {
                    FrameKind::Binary
                };
                assert!(
                    echoed.any(|message| *message == (kind, Bytes::copy_from_slice(payload))),
                    "it was not sent, or comes out of order"
                );
            }
            0x88 => is_closed = true,
            0x8a => assert!(length <= 125),
            first => panic!("{first:#x} begins no frame of a server"),
        }
        taken = rest;
    }
    assert!(taken.is_empty(), "a frame is cut off");
}

/// A stream that reads and writes a limited amount at a time, is pending every other time, and ends.
#[derive(Default)]
struct Scripted<'a> {
    coming: &'a [u8],
    read_at_a_time: usize,
    taken_at_a_time: usize,
    taken: std::sync::Arc<std::sync::Mutex<Vec<u8>>>,
    rests: [bool; 2],
}

impl AsyncRead for Scripted<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<Result<(), Error>> {
        self.rests[0] ^= true;
        if self.rests[0] {
            return Poll::Pending;
        }
        let count = self
            .read_at_a_time
            .min(into.remaining())
            .min(self.coming.len());
        let (read, later) = self.coming.split_at(count);
        into.put_slice(read);
        self.coming = later;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Scripted<'_> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize, Error>> {
        self.rests[1] ^= true;
        if self.rests[1] {
            return Poll::Pending;
        }
        let count = bytes.len().min(self.taken_at_a_time);
        let mut taken = self
            .taken
            .lock()
            .expect("nothing panics while it holds the lock");
        taken.extend_from_slice(&bytes[..count]);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }
}

/// Returns its content on reads, and discards writes.
struct Quiet<'a>(Cursor<&'a [u8]>);

impl Read for Quiet<'_> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, Error> {
        self.0.read(into)
    }
}

impl Write for Quiet<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Error> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Error> {
        Ok(())
    }
}
