//! A WebSocket over any stream: TCP, TLS, or one that a test scripts.
//!
//! Only this module reads or writes frame headers and close frames. The exception is `peers::relay`, which
//! passes frames through: it tracks their boundaries and may append a close frame.
//!
//! tungstenite handles the rules of RFC 6455, reading, pongs and the closing handshake. Writing is ours:
//! messages are shared bytes and go to the operating system as they are, many in one call, without a copy
//! in a buffer per connection that never shrinks. `queue` keeps the order, so that no pong lands inside a
//! frame and no frame follows a close frame.
//!
//! # How to drive it
//! One task owns a socket. It always awaits [`Socket::next`], which writes queued frames and reads input,
//! also while the peer reads nothing; and it offers messages when there is room. [`Socket::next`] is
//! cancel-safe. Memory is bounded: one message that is being read, up to its limit; one batch of messages,
//! which the owner bounds; and one control frame of each kind. After a stream has accepted nothing, it is
//! tried again only when it reports that it is writable.
//!
//! Never here: what a message means, timeouts, and the identity of the client.

mod queue;
mod text;
mod wire;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::io::ErrorKind;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use protocol::FrameKind;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::error::{CapacityError, Error, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Control};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocket, WebSocketConfig};

pub use queue::OfferError;
use wire::Wire;

/// First byte of an unfragmented close frame.
const FINAL_CLOSE: u8 = 0x88;
/// Longest reason in a close frame (RFC 6455, section 5.5).
const REASON_BYTES_MAX: usize = 123;
/// Reason that tungstenite substitutes for a close frame with an invalid code.
const BAD_CLOSE_CODE: &str = "Protocol violation";
/// Buffer for input that is discarded.
const DRAIN_BYTES: usize = 4 * 1024;

/// Memory limits of a socket.
#[derive(Debug, Clone, Copy)]
pub struct SocketLimits {
    /// Longest message that is accepted, in bytes.
    pub message_bytes_max: usize,
    /// Size of the read buffer in bytes, which stays allocated while the socket is idle.
    pub read_buffer_bytes: usize,
}

/// The server's end of a WebSocket.
#[derive(Debug)]
pub struct Socket<S> {
    inner: WebSocket<Wire<S>>,
    stalled_since: Option<Instant>,
    /// Reading has ended. After an error tungstenite's reader cannot continue.
    has_read_all: bool,
    send_condition: SendCondition,
}

/// Whether queued messages may still be sent; always, if there is no condition.
struct SendCondition(Option<Box<dyn Fn() -> bool + Send + Sync>>);

impl SendCondition {
    fn holds(&self) -> bool {
        self.0.as_ref().is_none_or(|condition| condition())
    }
}

impl fmt::Debug for SendCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SendCondition").field(&self.holds()).finish()
    }
}

/// What the peer sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Received {
    /// A whole message. It shares the socket's read buffer: drop it soon.
    Message(FrameKind, Bytes),
    /// A ping, which is answered, or a pong.
    Control,
    /// A close frame, which is answered; see [`Socket::finish`].
    Close,
}

/// Why nothing more can be read.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// The closing handshake is complete, or the peer closed without one.
    #[error("the peer closed the connection")]
    Ended,
    /// The stream failed.
    #[error("the connection failed: {0}")]
    Broken(#[source] std::io::Error),
    /// A frame violated the protocol.
    #[error("a frame violates RFC 6455: {0}")]
    Protocol(String),
    /// A text was not UTF-8.
    #[error("a text is not UTF-8")]
    NotText,
    /// The reason in a close frame was not UTF-8.
    #[error("the reason of a close frame is not UTF-8")]
    BadReason,
    /// A message is longer than the socket's limit.
    #[error("a message is too long")]
    TooLong,
    /// Queued messages were discarded, because the condition of [`Socket::send_while`] no longer held.
    /// Reported once.
    #[error("queued messages were discarded because the node's lease had expired")]
    Expired,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    /// The server's end of a stream after the handshake. `early` holds bytes that were read from it already.
    pub fn new(stream: S, early: Bytes, limits: SocketLimits) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(limits.read_buffer_bytes)
            .write_buffer_size(0)
            .max_message_size(Some(limits.message_bytes_max))
            .max_frame_size(Some(limits.message_bytes_max));
        let wire = Wire::new(stream, early);
        Self {
            inner: WebSocket::from_raw_socket(wire, Role::Server, Some(config)),
            stalled_since: None,
            has_read_all: false,
            send_condition: SendCondition(None),
        }
    }

    /// Sends messages only while `condition` holds. Otherwise queued messages are discarded, except the
    /// rest of one that is partly written.
    pub fn send_while(&mut self, condition: impl Fn() -> bool + Send + Sync + 'static) {
        self.send_condition = SendCondition(Some(Box::new(condition)));
    }

    /// Writes queued frames and waits for input. Cancel-safe.
    pub async fn next(&mut self) -> Result<Received, SocketError> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// Whether [`Socket::offer`] accepts messages, unless the connection is closing.
    pub fn has_room(&self) -> bool {
        self.inner.get_ref().queue.has_room()
    }

    /// Queues messages, each as one frame, in order. The caller bounds their number and size.
    pub fn offer(&mut self, kind: FrameKind, messages: VecDeque<Bytes>) -> Result<(), OfferError> {
        self.inner.get_mut().queue.offer(kind, messages)
    }

    /// Queues a ping.
    pub fn ping(&mut self) {
        // It fails only on a closing connection, which has a timeout of its own.
        let _closing = self.inner.write(Message::Ping(Bytes::new()));
    }

    /// Since when the stream has accepted nothing of the queued frames.
    pub fn stalled_since(&self) -> Option<Instant> {
        self.stalled_since
    }

    /// Writes as much as the stream accepts without waiting.
    pub async fn write_now(&mut self) -> Result<(), SocketError> {
        poll_fn(|cx| match self.poll_write_out(cx) {
            Poll::Ready(written) => Poll::Ready(written),
            Poll::Pending => Poll::Ready(Ok(())),
        })
        .await
    }

    /// Writes until nothing waits. Cancel-safe. Nothing is read meanwhile.
    pub async fn write_out(&mut self) -> Result<(), SocketError> {
        poll_fn(|cx| self.poll_write_out(cx)).await
    }

    /// Ends the connection: sends queued messages, then the close frame, if one is given and none was sent
    /// yet; waits for the peer's; and closes the stream so that everything written arrives. The caller sets
    /// a timeout.
    pub async fn finish(&mut self, close: Option<(u16, &str)>) -> Result<(), SocketError> {
        if let Some((code, reason)) = close {
            // Ours first: the queue accepts only one close frame, and drops tungstenite's.
            let queue = &mut self.inner.get_mut().queue;
            queue.push_control(Control::Close, &close_frame(code, reason));
            // It fails only if the peer has closed already.
            let _closing = self.inner.close(None);
        }
        while !self.has_read_all {
            match self.next().await {
                Err(broken @ SocketError::Broken(_)) => return Err(broken),
                // Frames before the answer were sent before the peer read the close frame. After a
                // malformed frame nothing more is read, not even the answer.
                Ok(Received::Message(..) | Received::Control | Received::Close)
                | Err(
                    SocketError::Ended
                    | SocketError::Protocol(_)
                    | SocketError::NotText
                    | SocketError::BadReason
                    | SocketError::TooLong
                    | SocketError::Expired,
                ) => {}
            }
        }
        self.write_out().await?;
        drain(&mut self.inner.get_mut().stream)
            .await
            .map_err(SocketError::Broken)
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Received, SocketError>> {
        if let Poll::Ready(Err(error)) = self.poll_write_out(cx) {
            return Poll::Ready(Err(error));
        }
        if self.has_read_all {
            return Poll::Ready(Err(SocketError::Ended));
        }
        self.inner.get_mut().set_waker(cx.waker());
        let read = self.inner.read();
        if let Some(received) = self.convert(read) {
            self.has_read_all = received.is_err();
            return Poll::Ready(received);
        }
        // Reading may have queued a pong.
        if let Poll::Ready(Err(error)) = self.poll_write_out(cx) {
            return Poll::Ready(Err(error));
        }
        Poll::Pending
    }

    /// Converts what tungstenite read; none if it would block.
    fn convert(&self, read: Result<Message, Error>) -> Option<Result<Received, SocketError>> {
        Some(match read {
            Ok(Message::Binary(payload)) => Ok(Received::Message(FrameKind::Binary, payload)),
            Ok(Message::Text(text)) => Ok(Received::Message(FrameKind::Text, text.into())),
            Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => Ok(Received::Control),
            // tungstenite returns its own answer instead of the peer's frame; the owner chooses the reason.
            Ok(Message::Close(Some(frame)))
                if frame.code == CloseCode::Protocol && frame.reason == BAD_CLOSE_CODE =>
            {
                let what = "a close frame has an invalid code".to_owned();
                Err(SocketError::Protocol(what))
            }
            Ok(Message::Close(_)) => Ok(Received::Close),
            Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => return None,
            Err(Error::Io(_)) if self.inner.get_ref().has_bad_text() => Err(SocketError::NotText),
            Err(error) => Err(error.into()),
        })
    }

    fn poll_write_out(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SocketError>> {
        let mut progressed = false;
        let wire = self.inner.get_mut();
        if wire.queue.is_empty() && self.stalled_since.is_none() {
            return Poll::Ready(Ok(()));
        }
        if !self.send_condition.holds() && wire.queue.discard_messages() {
            return Poll::Ready(Err(SocketError::Expired));
        }
        let written = wire.poll_write_out(cx, &mut progressed);
        if progressed || written.is_ready() {
            self.stalled_since = None;
        }
        if written.is_pending() {
            self.stalled_since.get_or_insert_with(Instant::now);
        }
        Poll::Ready(ready!(written).map_err(SocketError::Broken))
    }
}

impl SocketError {
    /// The close code for this error (RFC 6455, section 7.4.1), if a close frame can be sent.
    pub fn close_code(&self) -> Option<u16> {
        match self {
            Self::Ended | Self::Broken(_) | Self::Expired => None,
            Self::Protocol(_) => Some(1002),
            Self::NotText | Self::BadReason => Some(1007),
            Self::TooLong => Some(1009),
        }
    }
}

impl From<Error> for SocketError {
    fn from(error: Error) -> Self {
        match error {
            Error::ConnectionClosed
            | Error::AlreadyClosed
            | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => Self::Ended,
            Error::Protocol(broken) => Self::Protocol(broken.to_string()),
            // Invalid texts are reported before tungstenite validates them.
            Error::Utf8(_) => Self::BadReason,
            Error::Capacity(CapacityError::MessageTooLong { .. }) => Self::TooLong,
            Error::Io(error) => Self::Broken(error),
            other => Self::Broken(std::io::Error::other(other)),
        }
    }
}

/// A close frame with the reason truncated to what it may hold (RFC 6455, sections 5.2 and 5.5.1).
fn close_frame(code: u16, reason: &str) -> Vec<u8> {
    let reason = &reason[..reason.floor_char_boundary(REASON_BYTES_MAX)];
    let length = u8::try_from(2 + reason.len()).expect("the reason is truncated");
    let mut frame = vec![FINAL_CLOSE, length];
    frame.extend(code.to_be_bytes());
    frame.extend(reason.as_bytes());
    frame
}

/// Shuts down writing and discards input until the peer closes. Closing with unread input would reset the
/// connection, and the peer could lose the close frame.
async fn drain<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) -> std::io::Result<()> {
    stream.shutdown().await?;
    let mut unread = vec![0; DRAIN_BYTES];
    while stream.read(&mut unread).await? > 0 {}
    Ok(())
}
