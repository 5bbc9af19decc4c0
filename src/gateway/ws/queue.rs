//! The write queue of one socket, in the order in which frames are sent.
//!
//! The rest of a frame that is partly written comes first, then a pong and a ping, then the messages, then
//! the close frame, and nothing after it. So a control frame is never inside another frame, and an urgent
//! one does not wait behind a long snapshot.
//!
//! Bounded: one batch of messages, whose size the caller bounds, and one control frame of each kind. Overflow
//! policy: a newer pong replaces an older one, which is enough (RFC 6455, section 5.5.3).

use std::collections::VecDeque;
use std::io::{Error, IoSlice};
use std::task::Poll;

use bytes::Bytes;
use protocol::FrameKind;
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};

/// Messages per system call, each as a header and a payload. Far below the operating system's limit
/// (`IOV_MAX` is 1,024), and 32 merged writes are nearly all that merging can gain.
const MESSAGES_PER_WRITE_MAX: usize = 32;
/// The rest of a partly written frame (header and payload), a pong, a ping, and the close frame.
const OTHER_SLICES_MAX: usize = 5;
const SLICES_MAX: usize = MESSAGES_PER_WRITE_MAX * 2 + OTHER_SLICES_MAX;
/// Longest header of an unmasked frame (RFC 6455, section 5.2).
const HEADER_BYTES_MAX: usize = 10;
/// Capacity that an empty queue keeps; more is freed.
const KEPT_MESSAGES_MAX: usize = 4;

/// The frames to write.
#[derive(Debug)]
pub(super) struct WriteQueue {
    partial: Option<PartialFrame>,
    pong: Option<Bytes>,
    ping: Option<Bytes>,
    messages: VecDeque<Bytes>,
    kind: FrameKind,
    close: Option<Bytes>,
    /// Whether a close frame was queued or written.
    is_closing: bool,
}

/// A frame that is being written.
#[derive(Debug)]
struct PartialFrame {
    header: Header,
    payload: Bytes,
    written: usize,
}

#[derive(Debug, Clone, Copy)]
struct Header {
    bytes: [u8; HEADER_BYTES_MAX],
    length: u8,
}

/// Why messages were not queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OfferError {
    /// Earlier messages are still queued.
    #[error("earlier messages are still queued; offer more when there is room")]
    Busy,
    /// A close frame was queued or written, and nothing may follow it.
    #[error("the connection is closing; no more messages can be sent")]
    Closing,
}

impl WriteQueue {
    pub(super) fn new() -> Self {
        Self {
            partial: None,
            pong: None,
            ping: None,
            messages: VecDeque::new(),
            kind: FrameKind::Binary,
            close: None,
            is_closing: false,
        }
    }

    /// Queues messages, each as one frame, if no others are queued.
    pub(super) fn offer(
        &mut self,
        kind: FrameKind,
        messages: VecDeque<Bytes>,
    ) -> Result<(), OfferError> {
        if self.is_closing {
            return Err(OfferError::Closing);
        }
        if !self.has_room() {
            return Err(OfferError::Busy);
        }
        self.kind = kind;
        self.messages = messages;
        Ok(())
    }

    /// Queues a control frame with its header. After a close frame it is dropped.
    pub(super) fn push_control(&mut self, kind: Control, frame: &[u8]) {
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
            // tungstenite only sends pongs, pings and close frames.
            Control::Reserved(_) => {}
        }
    }

    /// Drops the messages that are not partly written; returns whether there were any.
    pub(super) fn discard_messages(&mut self) -> bool {
        let discarded = std::mem::take(&mut self.messages);
        !discarded.is_empty()
    }

    /// Whether messages can be queued, unless the connection is closing.
    pub(super) fn has_room(&self) -> bool {
        self.messages.is_empty() && self.partial.is_none()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.has_room() && self.pong.is_none() && self.ping.is_none() && self.close.is_none()
    }

    /// Passes the next slices to one call of `write`, and removes what it has written.
    pub(super) fn write(
        &mut self,
        write: impl FnOnce(&[IoSlice<'_>]) -> Poll<Result<usize, Error>>,
    ) -> Poll<Result<usize, Error>> {
        let mut headers = [Header::EMPTY; MESSAGES_PER_WRITE_MAX];
        for (header, payload) in headers.iter_mut().zip(&self.messages) {
            *header = Header::for_payload(self.kind, payload.len());
        }
        let mut slices = [IoSlice::new(&[]); SLICES_MAX];
        let count = self.fill(&headers, &mut slices);
        let written = write(&slices[..count]);
        if let Poll::Ready(Ok(written)) = &written {
            self.advance(*written);
        }
        written
    }

    /// Fills in the next slices, in order; returns how many.
    fn fill<'a>(
        &'a self,
        headers: &'a [Header; MESSAGES_PER_WRITE_MAX],
        slices: &mut [IoSlice<'a>; SLICES_MAX],
    ) -> usize {
        let mut count = 0;
        let mut add = |bytes: &'a [u8]| {
            if !bytes.is_empty() {
                slices[count] = IoSlice::new(bytes);
                count += 1;
            }
        };
        if let Some(partial) = &self.partial {
            partial.rest().into_iter().for_each(&mut add);
        }
        [&self.pong, &self.ping]
            .into_iter()
            .flatten()
            .for_each(|frame| add(frame));
        for (header, payload) in headers.iter().zip(&self.messages) {
            add(header.bytes());
            add(payload);
        }
        // The close frame is last, so every message must be in this write or an earlier one.
        if let Some(close) = &self.close
            && self.messages.len() <= MESSAGES_PER_WRITE_MAX
        {
            add(close);
        }
        count
    }

    /// Removes written bytes from the queue.
    fn advance(&mut self, mut written: usize) {
        while written > 0 {
            let next = self.partial.take().or_else(|| self.next());
            let mut partial = next.expect("no more bytes are written than were queued");
            let left = partial.left();
            if written < left {
                partial.written += written;
                self.partial = Some(partial);
                break;
            }
            written -= left;
        }
        if self.messages.is_empty() && self.messages.capacity() > KEPT_MESSAGES_MAX {
            self.messages = VecDeque::new();
        }
    }

    /// The next frame, of which nothing is written.
    fn next(&mut self) -> Option<PartialFrame> {
        if let Some(control) = self.pong.take().or_else(|| self.ping.take()) {
            return Some(PartialFrame::new(Header::EMPTY, control));
        }
        if let Some(payload) = self.messages.pop_front() {
            return Some(PartialFrame::new(
                Header::for_payload(self.kind, payload.len()),
                payload,
            ));
        }
        let close = self.close.take()?;
        Some(PartialFrame::new(Header::EMPTY, close))
    }
}

impl PartialFrame {
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
            Some(payload_written) => [&[], &self.payload[payload_written..]],
        }
    }
}

impl Header {
    const EMPTY: Self = Self {
        bytes: [0; HEADER_BYTES_MAX],
        length: 0,
    };

    fn for_payload(kind: FrameKind, payload_bytes: usize) -> Self {
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
            .expect("the buffer holds the longest header");
        let length = HEADER_BYTES_MAX - left.len();
        Self {
            bytes,
            length: u8::try_from(length).expect("at most ten bytes"),
        }
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}
