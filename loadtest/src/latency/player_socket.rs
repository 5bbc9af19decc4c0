//! One player's WebSocket for a thread that serves many: non-blocking, and decodes only which guess a
//! message answers.
//!
//! Does not decide when to guess.

use std::io::{Cursor, ErrorKind, Read, Write};
use std::net::TcpStream;

use protocol::{ClientMessage, Codec, Hello, Phase, RejectionCode, ServerMessage, Verdict};
use serde::Deserialize;
use tokio::io::AsyncWriteExt;
use tokio_tungstenite::tungstenite::error::Error as WsError;
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use super::LatencyError;
use crate::client::{Ended, Endpoint, OPEN_WAIT_MAX, SERVER_MESSAGE_BYTES_MAX, upgrade};

/// Maximum bytes per read: many receipts with their updates.
pub(super) const READ_BYTES: usize = 16 * 1024;

/// An open connection with a complete stream.
pub(super) struct PlayerSocket {
    stream: TcpStream,
    /// Beginning of an incomplete frame.
    rest: Vec<u8>,
    /// Bytes that the kernel did not accept yet.
    unsent: Vec<u8>,
    mask: [u8; 4],
}

/// The server's answer to a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) id: u64,
    pub(super) outcome: Result<Option<Verdict>, RejectionCode>,
}

/// Fields that show whether a message answers a command; all others are skipped.
#[derive(Deserialize)]
struct AnswerFields {
    #[serde(rename = "type")]
    kind: Kind,
    id: Option<u64>,
    verdict: Option<Verdict>,
    code: Option<RejectionCode>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Receipt,
    Rejection,
    #[serde(other)]
    Other,
}

impl PlayerSocket {
    /// Connects and waits until the session is running.
    pub(super) async fn open(
        endpoint: Endpoint,
        token: String,
        mask: [u8; 4],
    ) -> Result<Self, LatencyError> {
        let opening = Self::attach(endpoint, token, mask);
        let opened = tokio::time::timeout(OPEN_WAIT_MAX, opening).await;
        opened.map_err(|_| LatencyError::NotAttached)?
    }

    async fn attach(
        endpoint: Endpoint,
        token: String,
        mask: [u8; 4],
    ) -> Result<Self, LatencyError> {
        let stream = tokio::net::TcpStream::connect(&endpoint.authority).await?;
        let socket = upgrade(&endpoint, stream, Codec::MessagePack).await?;
        // The server sends nothing before `hello` that could be left in the socket's buffer.
        let mut stream = socket.into_inner();
        let cursor = None;
        let hello = ClientMessage::Hello(Hello {
            token,
            cursor,
            instance: None,
        });
        let mut frame = Vec::new();
        encode(&hello, mask, &mut frame);
        stream.write_all(&frame).await?;
        let mut frames = Frames::default();
        let mut buffer = vec![0; READ_BYTES];
        let mut is_running = false;
        while !is_running {
            stream.readable().await?;
            let count = match stream.try_read(&mut buffer) {
                Ok(0) => return Err(Ended::End.into()),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                Err(error) => return Err(error.into()),
            };
            frames.push(&buffer[..count], &mut |frame| {
                if let Frame::Message(payload) = frame {
                    let message = Codec::MessagePack.decode(payload);
                    let message = message.map_err(Ended::from)?;
                    is_running |= matches!(&message, ServerMessage::Snapshot(snapshot)
                        if snapshot.phase == Phase::Running);
                }
                Ok(())
            })?;
        }
        Ok(Self {
            // It stays non-blocking.
            stream: stream.into_std()?,
            rest: frames.rest,
            unsent: Vec::new(),
            mask,
        })
    }

    /// The socket for epoll.
    pub(super) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Appends an encoded message to `out`.
    pub(super) fn encode(&self, message: &ClientMessage, out: &mut Vec<u8>) {
        encode(message, self.mask, out);
    }

    /// Sends encoded bytes, and keeps what the kernel does not accept for the next
    /// [`flush`](Self::flush). Returns whether everything was sent.
    pub(super) fn send(&mut self, frame: &[u8]) -> Result<bool, LatencyError> {
        let mut frame = frame;
        while self.unsent.is_empty() && !frame.is_empty() {
            match self.stream.write(frame) {
                Ok(count) => frame = &frame[count..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        self.unsent.extend_from_slice(frame);
        Ok(self.unsent.is_empty())
    }

    /// Sends the kept bytes; returns whether everything was sent.
    pub(super) fn flush(&mut self) -> Result<bool, LatencyError> {
        let kept = std::mem::take(&mut self.unsent);
        self.send(&kept)
    }

    /// Reads once and passes each answer to `each`. Answers pings.
    pub(super) fn read(
        &mut self,
        buffer: &mut [u8],
        each: &mut impl FnMut(Answer) -> Result<(), LatencyError>,
    ) -> Result<(), LatencyError> {
        let count = match self.stream.read(buffer) {
            Ok(0) => return Err(Ended::End.into()),
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let mut frames = Frames {
            rest: std::mem::take(&mut self.rest),
        };
        let mut pongs = Vec::new();
        frames.push(&buffer[..count], &mut |frame| match frame {
            Frame::Message(payload) => parse_answer(payload)?.map_or(Ok(()), &mut *each),
            Frame::Ping(payload) => {
                let pong = OpCode::Control(Control::Pong);
                frame_of(pong, payload, self.mask, &mut pongs);
                Ok(())
            }
        })?;
        self.rest = frames.rest;
        self.send(&pongs).map(drop)
    }
}

/// Returns the answer in a message, if it answers a command.
fn parse_answer(payload: &[u8]) -> Result<Option<Answer>, LatencyError> {
    let fields: AnswerFields = Codec::MessagePack.decode(payload).map_err(Ended::from)?;
    let outcome = match (fields.kind, fields.code) {
        (Kind::Receipt, _) => Ok(fields.verdict),
        (Kind::Rejection, Some(code)) => Err(code),
        (Kind::Rejection, None) => return Err(LatencyError::WrongVerdict),
        (Kind::Other, _) => return Ok(None),
    };
    let id = fields.id.ok_or(LatencyError::UnknownAnswer)?;
    Ok(Some(Answer { id, outcome }))
}

fn encode(message: &ClientMessage, mask: [u8; 4], out: &mut Vec<u8>) {
    let payload = Codec::MessagePack.encode(message);
    frame_of(OpCode::Data(Data::Binary), &payload, mask, out);
}

fn frame_of(opcode: OpCode, payload: &[u8], mask: [u8; 4], out: &mut Vec<u8>) {
    let header = FrameHeader {
        opcode,
        mask: Some(mask),
        ..FrameHeader::default()
    };
    let length = payload.len() as u64;
    let formatted = header.format(length, out);
    formatted.expect("a vector takes any header");
    let masked = payload.iter().zip(mask.iter().cycle());
    out.extend(masked.map(|(byte, mask)| byte ^ mask));
}

/// Content of a frame.
enum Frame<'a> {
    Message(&'a [u8]),
    Ping(&'a [u8]),
}

/// Splits the byte stream into frames.
#[derive(Default)]
struct Frames {
    rest: Vec<u8>,
}

impl Frames {
    fn push(
        &mut self,
        bytes: &[u8],
        each: &mut impl FnMut(Frame<'_>) -> Result<(), LatencyError>,
    ) -> Result<(), LatencyError> {
        if self.rest.is_empty() {
            let used = cut_frames(bytes, each)?;
            self.rest.extend_from_slice(&bytes[used..]);
        } else {
            self.rest.extend_from_slice(bytes);
            let used = cut_frames(&self.rest, each)?;
            self.rest.drain(..used);
        }
        Ok(())
    }
}

/// Passes every complete frame to `each`; returns the number of bytes used.
fn cut_frames(
    bytes: &[u8],
    each: &mut impl FnMut(Frame<'_>) -> Result<(), LatencyError>,
) -> Result<usize, LatencyError> {
    let mut used = 0;
    loop {
        let mut cursor = Cursor::new(&bytes[used..]);
        let parsed = FrameHeader::parse(&mut cursor);
        let parsed = parsed.map_err(|error| Ended::Cut(Box::new(error)))?;
        let Some((header, length)) = parsed else {
            return Ok(used);
        };
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > SERVER_MESSAGE_BYTES_MAX {
            return Err(broken("an oversized message"));
        }
        let begin = used + usize::try_from(cursor.position()).expect("a header is short");
        let Some(payload) = bytes.get(begin..begin + length) else {
            return Ok(used);
        };
        match header.opcode {
            OpCode::Data(Data::Binary) if header.is_final => each(Frame::Message(payload))?,
            OpCode::Data(_) => return Err(broken("an unexpected frame type or a fragment")),
            OpCode::Control(Control::Ping) => each(Frame::Ping(payload))?,
            OpCode::Control(Control::Pong) => {}
            OpCode::Control(Control::Close | Control::Reserved(_)) => {
                return Err(broken("a close frame"));
            }
        }
        used = begin + length;
    }
}

fn broken(what: &str) -> LatencyError {
    let error = std::io::Error::new(ErrorKind::InvalidData, what);
    Ended::Cut(Box::new(WsError::Io(error))).into()
}

#[cfg(test)]
mod tests {
    use protocol::{Codec, Receipt, Rejection, RejectionCode, ServerMessage, Verdict};

    use super::{Answer, Frame, Frames, OpCode, frame_of, parse_answer};

    #[test]
    fn an_answer_is_distinguished_from_other_messages() {
        let receipt = ServerMessage::Receipt(Receipt {
            id: 7,
            order: protocol::OrderKind::SubmitGuess,
            verdict: Some(Verdict::Wrong),
            points: Some(0),
            clue: None,
            announcement: None,
        });
        let rejection = ServerMessage::Rejection(Rejection {
            id: 8,
            code: RejectionCode::NotStarted,
            message: "Wait.".to_owned(),
            retry_at_ms: None,
            last_command: None,
        });
        let heads = ServerMessage::Unknown;
        let parse_answer = |message: &ServerMessage| {
            let payload = Codec::MessagePack.encode(message);
            parse_answer(&payload).expect("it is a message")
        };
        let of = |id, outcome| Some(Answer { id, outcome });
        assert_eq!(parse_answer(&receipt), of(7, Ok(Some(Verdict::Wrong))));
        assert_eq!(
            parse_answer(&rejection),
            of(8, Err(RejectionCode::NotStarted))
        );
        assert_eq!(parse_answer(&heads), None);
    }

    #[test]
    fn frames_are_whole_wherever_a_read_ends() {
        let mut bytes = Vec::new();
        for payload in [&b"one"[..], &[2; 300], b""] {
            let data = OpCode::Data(super::Data::Binary);
            frame_of(data, payload, [0; 4], &mut bytes);
        }
        for cut in 0..bytes.len() {
            let mut frames = Frames::default();
            let mut lengths = Vec::new();
            for part in [&bytes[..cut], &bytes[cut..]] {
                let taken = frames.push(part, &mut |frame| {
                    if let Frame::Message(payload) = frame {
                        lengths.push(payload.len());
                    }
                    Ok(())
                });
                taken.expect("they are frames");
            }
            // A server does not mask: the parser leaves masked bytes as they are.
            assert_eq!(lengths, [3, 300, 0], "cut at {cut}");
        }
    }
}
