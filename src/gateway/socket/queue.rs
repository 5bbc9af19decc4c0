//! What waits to be written to one socket, in the order in which it may leave.
//!
//! First the rest of the frame whose beginning has left, then a pong and a ping, then the messages, then
//! the close frame, and after it nothing. So a control frame is never inside another frame, and one
//! that is urgent does not wait behind a long snapshot.
//!
//! Bounded: one batch of messages, whose sender bounds it, and one control frame of each kind. Of
//! several pongs that wait, the newest is enough (RFC 6455, section 5.5.3).

use std::collections::VecDeque;
use std::io::{Error, IoSlice};
use std::task::Poll;

use bytes::Bytes;
use protocol::FrameKind;
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};

/// Messages that one system call takes, each as a header and a payload. Far below what operating
/// systems take (`IOV_MAX` is 1,024), and 32 merged writes are nearly all that merging can gain.
const MESSAGES_A_WRITE_MAX: usize = 32;
/// The rest of a frame (its header and payload), a pong, a ping, and the close frame.
const OTHER_SLICES_MAX: usize = 5;
const SLICES_MAX: usize = MESSAGES_A_WRITE_MAX * 2 + OTHER_SLICES_MAX;
/// The longest header of a frame to a client, which is not masked (RFC 6455, section 5.2).
const HEADER_BYTES_MAX: usize = 10;
/// Room for messages that is kept while nothing waits; more is given back.
const KEPT_MESSAGES_MAX: usize = 4;

/// See the module.
#[derive(Debug)]
pub(super) struct WriteQueue {
    begun: Option<Begun>,
    pong: Option<Bytes>,
    ping: Option<Bytes>,
    messages: VecDeque<Bytes>,
    kind: FrameKind,
    close: Option<Bytes>,
    /// Whether a close frame was queued or has left.
    is_closing: bool,
}

/// A frame of which some has left.
#[derive(Debug)]
struct Begun {
    header: Header,
    payload: Bytes,
    written: usize,
}

#[derive(Debug, Clone, Copy)]
struct Header {
    bytes: [u8; HEADER_BYTES_MAX],
    length: u8,
}

/// Why messages were not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// Others still wait.
    #[error("messages still wait to be written; offer more when there is room")]
    Busy,
    /// A close frame was sent or received: nothing may follow.
    #[error("the connection is closing; nothing more can be sent on it")]
    Closing,
}

impl WriteQueue {
    pub(super) fn new() -> Self {
        Self {
            begun: None,
            pong: None,
            ping: None,
            messages: VecDeque::new(),
            kind: FrameKind::Binary,
            close: None,
            is_closing: false,
        }
    }

    /// Takes messages, if no others wait. Each becomes one frame.
    pub(super) fn offer(
        &mut self,
        kind: FrameKind,
        messages: VecDeque<Bytes>,
    ) -> Result<(), NotTaken> {
        if self.is_closing {
            return Err(NotTaken::Closing);
        }
        if !self.has_room() {
            return Err(NotTaken::Busy);
        }
        self.kind = kind;
        self.messages = messages;
        Ok(())
    }

    /// Takes a control frame, header and all; after a close frame it is dropped.
    pub(super) fn control(&mut self, kind: Control, frame: &[u8]) {
        if self.is_closing {
            return;
        }
        let frame = Some(Bytes::copy_from_slice(frame));
        match kind {
            Control::Pong => self.pong = frame,
            Control::Ping => self.ping = frame,
            Control::Close => {
                self.close = frame;
                self.is_closing = true;
            }
            // tungstenite has no such frames to send: it makes pongs, pings and close frames only.
            Control::Reserved(_) => {}
        }
    }

    /// Drops the messages of which nothing has left; whether there were any.
    pub(super) fn forget_messages(&mut self) -> bool {
        let forgotten = std::mem::take(&mut self.messages);
        !forgotten.is_empty()
    }

    /// Whether messages would be taken but for a close frame.
    pub(super) fn has_room(&self) -> bool {
        self.messages.is_empty() && self.begun.is_none()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.has_room() && self.pong.is_none() && self.ping.is_none() && self.close.is_none()
    }

    /// Has as much written at once as one call may take.
    pub(super) fn write(
        &mut self,
        write: impl FnOnce(&[IoSlice<'_>]) -> Poll<Result<usize, Error>>,
    ) -> Poll<Result<usize, Error>> {
        let mut headers = [Header::EMPTY; MESSAGES_A_WRITE_MAX];
        for (header, payload) in headers.iter_mut().zip(&self.messages) {
            *header = Header::of(self.kind, payload.len());
        }
        let mut slices = [IoSlice::new(&[]); SLICES_MAX];
        let count = self.fill(&headers, &mut slices);
        let written = write(&slices[..count]);
        if let Poll::Ready(Ok(written)) = &written {
            self.advance(*written);
        }
        written
    }

    /// Lists what is next, in order; gives the number of slices.
    fn fill<'a>(
        &'a self,
        headers: &'a [Header; MESSAGES_A_WRITE_MAX],
        slices: &mut [IoSlice<'a>; SLICES_MAX],
    ) -> usize {
        let mut count = 0;
        let mut add = |bytes: &'a [u8]| {
            if !bytes.is_empty() {
                slices[count] = IoSlice::new(bytes);
                count += 1;
            }
        };
        if let Some(begun) = &self.begun {
            begun.rest().into_iter().for_each(&mut add);
        }
        [&self.pong, &self.ping]
            .into_iter()
            .flatten()
            .for_each(|frame| add(frame));
        for (header, payload) in headers.iter().zip(&self.messages) {
            add(header.bytes());
            add(payload);
        }
        // It goes last, so not before every message is in this write or an earlier one.
        if let Some(close) = &self.close
            && self.messages.len() <= MESSAGES_A_WRITE_MAX
        {
            add(close);
        }
        count
    }

    /// Forgets what has left.
    fn advance(&mut self, mut written: usize) {
        while written > 0 {
            let next = self.begun.take().or_else(|| self.next());
            let mut begun = next.expect("no more was written than waited");
            let left = begun.left();
            if written < left {
                begun.written += written;
                self.begun = Some(begun);
                break;
            }
            written -= left;
        }
        if self.messages.is_empty() && self.messages.capacity() > KEPT_MESSAGES_MAX {
            self.messages = VecDeque::new();
        }
    }

    /// The frame whose turn it is, none of which has left.
    fn next(&mut self) -> Option<Begun> {
        if let Some(control) = self.pong.take().or_else(|| self.ping.take()) {
            return Some(Begun::new(Header::EMPTY, control));
        }
        if let Some(payload) = self.messages.pop_front() {
            return Some(Begun::new(Header::of(self.kind, payload.len()), payload));
        }
        let close = self.close.take()?;
        Some(Begun::new(Header::EMPTY, close))
    }
}

impl Begun {
    fn new(header: Header, payload: Bytes) -> Self {
        Self {
            header,
            payload,
            written: 0,
        }
    }

    fn left(&self) -> usize {
        self.header.bytes().len() + self.payload.len() - self.written
    }

    fn rest(&self) -> [&[u8]; 2] {
        let header = self.header.bytes();
        match self.written.checked_sub(header.len()) {
            None => [&header[self.written..], &self.payload],
            Some(of_payload) => [&[], &self.payload[of_payload..]],
        }
    }
}

impl Header {
    const EMPTY: Self = Self {
        bytes: [0; HEADER_BYTES_MAX],
        length: 0,
    };

    fn of(kind: FrameKind, payload_bytes: usize) -> Self {
        let data = match kind {
            FrameKind::Binary => Data::Binary,
            FrameKind::Text => Data::Text,
        };
        let header = FrameHeader {
            opcode: OpCode::Data(data),
            ..FrameHeader::default()
        };
        let mut bytes = [0; HEADER_BYTES_MAX];
        let mut left = &mut bytes[..];
        header
            .format(payload_bytes as u64, &mut left)
            .expect("there is room for the longest header");
        let length = HEADER_BYTES_MAX - left.len();
        Self {
            bytes,
            length: u8::try_from(length).expect("at most ten"),
        }
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}
