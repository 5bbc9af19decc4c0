//! Tests of the socket on a scripted stream.

use std::collections::VecDeque;
use std::future::Future;
use std::io::Error;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use protocol::FrameKind;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{OfferError, Received, Socket, SocketError, SocketLimits};

const LIMITS: SocketLimits = SocketLimits {
    message_bytes_max: 100_000,
    read_buffer_bytes: 64,
};
const MASK: [u8; 4] = [7, 99, 200, 13];
const MASKED: u8 = 0x80;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;
const CLOSE: u8 = 0x88;
const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;

/// A stream that returns the bytes of `input`, and accepts as many bytes as `writable`.
#[derive(Default)]
struct Scripted {
    input: VecDeque<u8>,
    read_max: Option<usize>,
    has_ended: bool,
    written: Vec<u8>,
    writable: usize,
}

impl AsyncRead for Scripted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<Result<(), Error>> {
        let most = self.read_max.unwrap_or(usize::MAX);
        let count = most.min(into.remaining()).min(self.input.len());
        if count == 0 && !self.has_ended {
            return Poll::Pending;
        }
        let read: Vec<u8> = self.input.drain(..count).collect();
        into.put_slice(&read);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Scripted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize, Error>> {
        let count = bytes.len().min(self.writable);
        if count == 0 {
            return Poll::Pending;
        }
        self.writable -= count;
        self.written.extend_from_slice(&bytes[..count]);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.has_ended = true;
        Poll::Ready(Ok(()))
    }
}

/// A socket whose stream accepts nothing yet.
fn socket() -> Socket<Scripted> {
    Socket::new(Scripted::default(), Bytes::new(), LIMITS)
}

fn stream(socket: &mut Socket<Scripted>) -> &mut Scripted {
    &mut socket.inner.get_mut().stream
}

/// A masked frame, as a client sends it.
fn from_client(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        length @ 0..126 => frame.push(MASKED + u8::try_from(length).expect("it is small")),
        length => {
            frame.push(MASKED + 126);
            frame.extend(u16::try_from(length).expect("64 KiB").to_be_bytes());
        }
    }
    frame.extend(MASK);
    let masked = payload.iter().enumerate();
    frame.extend(masked.map(|(at, byte)| byte ^ MASK[at % 4]));
    frame
}

/// Polls once.
fn now<T>(future: impl Future<Output = T>) -> Poll<T> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// Receives all input.
fn receive_all(socket: &mut Socket<Scripted>) -> Vec<Result<Received, SocketError>> {
    let mut all = Vec::new();
    while let Poll::Ready(received) = now(socket.next()) {
        let is_over = received.is_err();
        all.push(received);
        if is_over {
            break;
        }
    }
    all
}

/// Parses written frames into first byte and payload.
fn frames(mut written: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut frames = Vec::new();
    while let [first, length, rest @ ..] = written {
        let (length, rest) = match length {
            126 => (
                usize::from(u16::from_be_bytes([rest[0], rest[1]])),
                &rest[2..],
            ),
            127 => {
                let length = u64::from_be_bytes(rest[..8].try_into().expect("eight"));
                (usize::try_from(length).expect("it fits"), &rest[8..])
            }
            length => (usize::from(*length), rest),
        };
        frames.push((*first, rest[..length].to_vec()));
        written = &rest[length..];
    }
    frames
}

fn offer(socket: &mut Socket<Scripted>, messages: &[&str]) {
    let messages = messages
        .iter()
        .map(|message| Bytes::from((*message).to_owned()));
    let offered = socket.offer(FrameKind::Text, messages.collect());
    offered.expect("the queue has room");
}

fn frame(first: u8, payload: &str) -> (u8, Vec<u8>) {
    (first, payload.as_bytes().to_vec())
}

#[test]
fn messages_of_any_length_become_frames_however_writes_are_split() {
    let lengths = [0, 1, 125, 126, 65_535, 65_536, 70_000];
    let messages: Vec<Bytes> = lengths
        .iter()
        .map(|length| Bytes::from(vec![b'x'; *length]))
        .collect();
    for at_a_time in [1, 2, 3, 9, 10_000, usize::MAX] {
        let mut socket = socket();
        let offered = socket.offer(FrameKind::Binary, messages.clone().into());
        offered.expect("the queue has room");
        while !socket.has_room() {
            stream(&mut socket).writable = at_a_time;
            assert!(now(socket.next()).is_pending());
        }
        let expected: Vec<_> = messages.iter().map(|m| (BINARY, m.to_vec())).collect();
        assert_eq!(
            frames(&stream(&mut socket).written),
            expected,
            "{at_a_time}"
        );
    }
}

#[test]
fn a_pong_waits_only_for_the_frame_that_is_partly_written() {
    for begun in 1..8 {
        let mut socket = socket();
        offer(&mut socket, &["first", "second", "third"]);
        stream(&mut socket).writable = begun;
        assert!(now(socket.next()).is_pending());
        stream(&mut socket)
            .input
            .extend(from_client(PING, b"alive?"));
        let received = receive_all(&mut socket);
        assert!(
            matches!(received[..], [Ok(Received::Control)]),
            "{received:?}"
        );
        stream(&mut socket).writable = usize::MAX;
        assert!(now(socket.next()).is_pending());
        let expected = [
            frame(TEXT, "first"),
            frame(PONG, "alive?"),
            frame(TEXT, "second"),
            frame(TEXT, "third"),
        ];
        assert_eq!(
            frames(&stream(&mut socket).written),
            expected,
            "{begun} bytes"
        );
    }
}

#[test]
fn only_the_newest_ping_is_answered_while_the_peer_reads_nothing() {
    let mut socket = socket();
    for number in 0..10_000 {
        let ping = from_client(PING, format!("{number}").as_bytes());
        stream(&mut socket).input.extend(ping);
        assert_eq!(receive_all(&mut socket).len(), 1);
    }
    assert!(socket.stalled_since().is_some());
    stream(&mut socket).writable = usize::MAX;
    assert!(now(socket.next()).is_pending());
    assert!(socket.stalled_since().is_none());
    assert_eq!(frames(&stream(&mut socket).written), [frame(PONG, "9999")]);
}

#[test]
fn every_ping_is_answered_while_the_peer_reads() {
    let mut socket = socket();
    stream(&mut socket).writable = usize::MAX;
    for payload in ["a", "b", "c"] {
        stream(&mut socket)
            .input
            .extend(from_client(PING, payload.as_bytes()));
    }
    receive_all(&mut socket);
    let expected = ["a", "b", "c"].map(|payload| frame(PONG, payload));
    assert_eq!(frames(&stream(&mut socket).written), expected);
}

#[test]
fn nothing_follows_the_close_frame() {
    let mut socket = socket();
    offer(&mut socket, &["first"]);
    // The pong to this ping is still queued when the connection is closed.
    stream(&mut socket).input.extend(from_client(PING, b""));
    assert!(now(socket.next()).is_ready());
    assert!(now(socket.finish(Some((4409, "replaced")))).is_pending());
    stream(&mut socket).input.extend(from_client(PING, b"late"));
    socket.ping();
    assert!(now(socket.next()).is_ready());
    let offered = socket.offer(FrameKind::Text, ["late".into()].into());
    assert_eq!(offered, Err(OfferError::Closing));

    stream(&mut socket).writable = usize::MAX;
    stream(&mut socket)
        .input
        .extend(from_client(CLOSE, &4409_u16.to_be_bytes()));
    let finished = now(socket.finish(Some((1000, "a second reason"))));
    assert!(matches!(finished, Poll::Ready(Ok(()))), "{finished:?}");
    let mut close = 4409_u16.to_be_bytes().to_vec();
    close.extend(b"replaced");
    let expected = [frame(TEXT, "first"), (CLOSE, close)];
    assert_eq!(frames(&stream(&mut socket).written), expected);
}

#[test]
fn a_close_frame_is_answered_and_ends_the_stream() {
    let mut socket = socket();
    stream(&mut socket).writable = usize::MAX;
    let close = [1000_u16.to_be_bytes().as_slice(), b"bye"].concat();
    stream(&mut socket).input.extend(from_client(CLOSE, &close));
    let received = receive_all(&mut socket);
    assert!(
        matches!(received[..], [Ok(Received::Close), Err(SocketError::Ended)]),
        "{received:?}"
    );
    assert!(matches!(now(socket.finish(None)), Poll::Ready(Ok(()))));
    assert_eq!(frames(&stream(&mut socket).written), [(CLOSE, close)]);
    assert!(stream(&mut socket).has_ended);
}

#[test]
fn a_second_batch_is_refused_until_the_first_is_written() {
    let mut socket = socket();
    offer(&mut socket, &["first"]);
    let second = || ["second".into()].into();
    assert_eq!(
        socket.offer(FrameKind::Text, second()),
        Err(OfferError::Busy)
    );
    stream(&mut socket).writable = 1;
    assert!(now(socket.next()).is_pending());
    assert_eq!(
        socket.offer(FrameKind::Text, second()),
        Err(OfferError::Busy)
    );
    stream(&mut socket).writable = usize::MAX;
    assert!(now(socket.next()).is_pending());
    assert_eq!(socket.offer(FrameKind::Text, second()), Ok(()));
}

#[test]
fn a_protocol_violation_ends_reading_and_has_a_close_code() {
    let too_long = {
        let mut header = vec![BINARY, MASKED + 127];
        header.extend(u64::MAX.to_be_bytes());
        header.extend(MASK);
        header
    };
    let table = [
        (vec![BINARY, 1, 0], 1002),
        (from_client(0x83, b""), 1002),
        (from_client(0xc1, b""), 1002),
        (from_client(0x80, b"continues nothing"), 1002),
        (from_client(CLOSE, &[3]), 1002),
        (from_client(TEXT, &[b'a', 0xff]), 1007),
        (too_long, 1009),
    ];
    for (bytes, code) in table {
        let mut socket = socket();
        stream(&mut socket).writable = usize::MAX;
        stream(&mut socket).input.extend(from_client(TEXT, b"good"));
        stream(&mut socket).input.extend(&bytes);
        let received = receive_all(&mut socket);
        let [Ok(Received::Message(FrameKind::Text, good)), Err(error)] = &received[..] else {
            panic!("{bytes:?}: {received:?}");
        };
        assert_eq!(good, "good");
        assert_eq!(error.close_code(), Some(code), "{bytes:?}: {error}");
        // Further input is not validated.
        stream(&mut socket).input.extend(vec![0xff; 1_000]);
        let finished = now(socket.finish(Some((code, ""))));
        assert!(matches!(finished, Poll::Ready(Ok(()))), "{finished:?}");
        let expected = [(CLOSE, code.to_be_bytes().to_vec())];
        assert_eq!(frames(&stream(&mut socket).written), expected);
    }
}

/// Sends a text in this many frames; returns its length, or the number of bytes read when it was rejected.
fn read_text(text: &[u8], frames: usize) -> Result<usize, usize> {
    let mut socket = socket();
    let part = text.len().div_ceil(frames).max(1);
    let mut parts = text.chunks(part).peekable();
    let mut first = 1;
    let mut read = 0;
    while let Some(payload) = parts.next() {
        let is_last = if parts.peek().is_none() { 0x80 } else { 0 };
        let frame = from_client(is_last | first, payload);
        first = 0;
        for (at, byte) in frame.iter().enumerate() {
            if at >= 6 {
                read += 1;
            }
            stream(&mut socket).input.push_back(*byte);
            match now(socket.next()) {
                Poll::Pending => {}
                Poll::Ready(Ok(received)) => {
                    let expected = Bytes::copy_from_slice(text);
                    assert_eq!(received, Received::Message(FrameKind::Text, expected));
                }
                Poll::Ready(Err(error)) => {
                    assert_eq!(error.close_code(), Some(1007));
                    return Err(read);
                }
            }
        }
    }
    Ok(read)
}

#[test]
fn text_is_rejected_at_the_first_byte_that_cannot_be_utf_8() {
    for frames in [1, 2, 3, 100] {
        for (good, bad) in [
            ("", &b"\xff"[..]),
            ("a", b"\xc0"),
            ("κόσμε", b"\xf4\x90\x80\x80"),
            ("κόσμε", b"\xed\xa0\x80"),
            ("💡", b"\xf8\x88"),
            ("é", b"\x80"),
        ] {
            let text = [good.as_bytes(), bad, b"edited"].concat();
            // 0xf4 0x90 and 0xed 0xa0 are detected only at their second byte.
            let detected_after = if matches!(bad[0], 0xf4 | 0xed) { 2 } else { 1 };
            let rejected_at = good.len() + detected_after;
            assert_eq!(
                read_text(&text, frames),
                Err(rejected_at),
                "{text:?} in {frames}"
            );
        }
        for good in ["aé€💡", "💡💡💡", "plain"] {
            let bytes = good.as_bytes();
            assert_eq!(
                read_text(bytes, frames),
                Ok(bytes.len()),
                "{good} in {frames}"
            );
        }
    }
    // A text that ends within a character.
    assert_eq!(read_text("é".as_bytes().split_at(1).0, 1), Err(1));
}

#[test]
fn a_binary_message_may_hold_any_bytes() {
    let mut socket = socket();
    stream(&mut socket)
        .input
        .extend(from_client(BINARY, &[0xff; 300]));
    stream(&mut socket)
        .input
        .extend(from_client(PING, &[0xff; 3]));
    let received = receive_all(&mut socket);
    assert!(
        matches!(
            received[..],
            [
                Ok(Received::Message(FrameKind::Binary, _)),
                Ok(Received::Control)
            ]
        ),
        "{received:?}"
    );
}

#[test]
fn bytes_read_with_the_request_come_first() {
    let early = from_client(TEXT, b"early");
    let (begin, end) = early.split_at(4);
    let begin = Bytes::copy_from_slice(begin);
    let mut socket = Socket::new(Scripted::default(), begin, LIMITS);
    stream(&mut socket).input.extend(end);
    let received = receive_all(&mut socket);
    assert!(
        matches!(&received[..], [Ok(Received::Message(FrameKind::Text, text))] if text == "early"),
        "{received:?}"
    );
}

#[test]
fn a_long_reason_is_truncated() {
    let mut socket = socket();
    stream(&mut socket).writable = usize::MAX;
    stream(&mut socket).has_ended = true;
    let reason = "é".repeat(100);
    assert!(matches!(
        now(socket.finish(Some((4400, &reason)))),
        Poll::Ready(Ok(()))
    ));
    let written = frames(&stream(&mut socket).written);
    let [(CLOSE, payload)] = &written[..] else {
        panic!("{written:?}");
    };
    assert_eq!(payload.len(), 2 + 122, "a whole character less than 123");
}

#[test]
fn queued_messages_are_discarded_while_the_condition_does_not_hold() {
    let mut socket = socket();
    let messages = [b"begun", b"later", b"close"].map(|text| Bytes::from_static(text));
    socket
        .offer(FrameKind::Binary, messages.into())
        .expect("the queue has room");
    stream(&mut socket).writable = 3;
    assert!(now(socket.next()).is_pending());
    socket.send_while(|| false);
    stream(&mut socket).writable = usize::MAX;
    let all = receive_all(&mut socket);
    assert!(matches!(all[..], [Err(SocketError::Expired)]), "{all:?}");
    assert!(
        now(socket.finish(Some((4411, "")))).is_pending(),
        "the peer does not answer"
    );
    let left = frames(&stream(&mut socket).written);
    let expected = [
        (BINARY, b"begun".to_vec()),
        (CLOSE, 4411_u16.to_be_bytes().to_vec()),
    ];
    assert_eq!(left, expected);
}
