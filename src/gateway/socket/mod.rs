//! A WebSocket over any stream: TCP, TLS, or one that a test makes up.
//!
//! The rules of RFC 6455, what is read, pongs and the closing handshake are tungstenite's. What is
//! written is ours: messages are shared bytes, and go to the operating system as they are, many in one
//! call, without being copied into a buffer of the connection that never shrinks. `queue` keeps the
//! order, so that no pong lands inside a frame and nothing follows a close frame.
//!
//! # How to drive it
//! One task owns a socket. It awaits [`Socket::next`] all the time, which writes what waits and reads
//! what comes, also while the other side takes nothing; and it offers messages when there is room.
//! [`Socket::next`] may be dropped at any time and loses nothing. Everything that a socket holds is
//! bounded: one message that is being read, up to its limit; one batch of messages that its owner
//! bounds; and one control frame of each kind. A stream that takes nothing is tried again when it
//! says so, and at no other time.
//!
//! Never here: what a message means, deadlines, and who is at the other end.

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

pub use queue::NotTaken;
use wire::Wire;

/// The first byte of a whole close frame.
const FINAL_CLOSE: u8 = 0x88;
/// What a close frame holds besides its code (RFC 6455, section 5.5).
const REASON_BYTES_MAX: usize = 123;
/// What tungstenite makes of a close frame whose code is not to be sent.
const BAD_CLOSE_CODE: &str = "Protocol violation";
/// What is read at a time when it is thrown away.
const DRAIN_BYTES: usize = 4 * 1024;

/// What a socket may hold.
#[derive(Debug, Clone, Copy)]
pub struct SocketLimits {
    /// The longest message that is read, in bytes.
    pub message_bytes_max: usize,
    /// What is read at a time, in bytes; an idle socket keeps a buffer of this size.
    pub read_buffer_bytes: usize,
}

/// See the module.
#[derive(Debug)]
pub struct Socket<S> {
    inner: WebSocket<Wire<S>>,
    stuck_since: Option<Instant>,
    /// Nothing more is read. After an error tungstenite's reader is in no state to go on.
    is_read_out: bool,
    speaks: Speaks,
}

/// Tells whether what waits may still be said; always, if there is nothing to ask.
struct Speaks(Option<Box<dyn Fn() -> bool + Send + Sync>>);

impl Speaks {
    fn now(&self) -> bool {
        self.0.as_ref().is_none_or(|may_speak| may_speak())
    }
}

impl fmt::Debug for Speaks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Speaks").field(&self.now()).finish()
    }
}

/// What came from the other side.
#[derive(Debug, PartialEq, Eq)]
pub enum Received {
    /// A whole message. It shares the socket's read buffer: use it and let it go.
    Message(FrameKind, Bytes),
    /// A ping, which is answered, or a pong.
    Control,
    /// A close frame, which is answered; see [`Socket::finish`].
    Close,
}

/// Why nothing more can be read.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// The closing handshake is over, or the other side has gone without one.
    #[error("the other side has closed the connection")]
    Ended,
    /// The stream failed.
    #[error("the connection broke: {0}")]
    Broken(#[source] std::io::Error),
    /// A frame broke a rule.
    #[error("a frame broke RFC 6455: {0}")]
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
    /// Messages were forgotten, because their time to be told was over. Said once.
    #[error("messages waited for longer than what they say is known to be true")]
    Forgotten,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    /// A server's end of a stream whose upgrade has been answered. `early` was read from it before.
    pub fn new(stream: S, early: Bytes, limits: SocketLimits) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(limits.read_buffer_bytes)
            .write_buffer_size(0)
            .max_message_size(Some(limits.message_bytes_max))
            .max_frame_size(Some(limits.message_bytes_max));
        let wire = Wire::new(stream, early);
        Self {
            inner: WebSocket::from_raw_socket(wire, Role::Server, Some(config)),
            stuck_since: None,
            is_read_out: false,
            speaks: Speaks(None),
        }
    }

    /// From now on messages that wait while nothing may be said are forgotten, all but the rest of one
    /// that has begun to leave.
    pub fn speak_while(&mut self, may_speak: impl Fn() -> bool + Send + Sync + 'static) {
        self.speaks = Speaks(Some(Box::new(may_speak)));
    }

    /// Writes what waits and waits for what comes. Cancel-safe.
    pub async fn next(&mut self) -> Result<Received, SocketError> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// Whether [`Socket::offer`] would take messages, as long as the connection is not closing.
    pub fn has_room(&self) -> bool {
        self.inner.get_ref().queue.has_room()
    }

    /// Has messages sent, each as one frame, in order, after what was offered before. Their number
    /// and size are the caller's to bound.
    pub fn offer(&mut self, kind: FrameKind, messages: VecDeque<Bytes>) -> Result<(), NotTaken> {
        self.inner.get_mut().queue.offer(kind, messages)
    }

    /// Asks the other side for a sign of life.
    pub fn ping(&mut self) {
        // It fails only on a connection that is closing, which has a deadline of its own.
        let _closing = self.inner.write(Message::Ping(Bytes::new()));
    }

    /// Since when the stream takes nothing though something waits.
    pub fn stuck_since(&self) -> Option<Instant> {
        self.stuck_since
    }

    /// Writes as much as the stream takes without waiting.
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

    /// Ends the connection: sends what waits and then a close frame, if one is given and none was
    /// sent yet; waits for the other side's; and closes the stream, so that what was written
    /// arrives. The caller sets a deadline.
    pub async fn finish(&mut self, close: Option<(u16, &str)>) -> Result<(), SocketError> {
        if let Some((code, reason)) = close {
            // Ours first: the queue takes one close frame, and what it has is not followed by another.
            let queue = &mut self.inner.get_mut().queue;
            queue.control(Control::Close, &close_frame(code, reason));
            // It fails only where the other side has closed already.
            let _closing = self.inner.close(None);
        }
        while !self.is_read_out {
            match self.next().await {
                Err(broken @ SocketError::Broken(_)) => return Err(broken),
                // What comes before the answer was sent before the close frame was read. After
                // what is no frame nothing more is read, not even the answer.
                Ok(Received::Message(..) | Received::Control | Received::Close)
                | Err(
                    SocketError::Ended
                    | SocketError::Protocol(_)
                    | SocketError::NotText
                    | SocketError::BadReason
                    | SocketError::TooLong
                    | SocketError::Forgotten,
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
        if self.is_read_out {
            return Poll::Ready(Err(SocketError::Ended));
        }
        self.inner.get_mut().wake(cx.waker());
        let read = self.inner.read();
        if let Some(received) = self.received(read) {
            self.is_read_out = received.is_err();
            return Poll::Ready(received);
        }
        // Reading may have queued a pong.
        if let Poll::Ready(Err(error)) = self.poll_write_out(cx) {
            return Poll::Ready(Err(error));
        }
        Poll::Pending
    }

    /// What tungstenite read; none if it has to wait.
    fn received(&self, read: Result<Message, Error>) -> Option<Result<Received, SocketError>> {
        Some(match read {
            Ok(Message::Binary(payload)) => Ok(Received::Message(FrameKind::Binary, payload)),
            Ok(Message::Text(text)) => Ok(Received::Message(FrameKind::Text, text.into())),
            Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => Ok(Received::Control),
            // tungstenite gives its own answer in place of the frame; the words are the owner's to choose.
            Ok(Message::Close(Some(frame)))
                if frame.code == CloseCode::Protocol && frame.reason == BAD_CLOSE_CODE =>
            {
                let what = "a close frame has a code that is not to be sent".to_owned();
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
        if wire.queue.is_empty() && self.stuck_since.is_none() {
            return Poll::Ready(Ok(()));
        }
        if !self.speaks.now() && wire.queue.forget_messages() {
            return Poll::Ready(Err(SocketError::Forgotten));
        }
        let written = wire.poll_write_out(cx, &mut progressed);
        if progressed || written.is_ready() {
            self.stuck_since = None;
        }
        if written.is_pending() {
            self.stuck_since.get_or_insert_with(Instant::now);
        }
        Poll::Ready(ready!(written).map_err(SocketError::Broken))
    }
}

impl SocketError {
    /// The code that RFC 6455 (section 7.4.1) has for it, if there is somebody to tell.
    pub fn close_code(&self) -> Option<u16> {
        match self {
            Self::Ended | Self::Broken(_) | Self::Forgotten => None,
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
            // Of texts, it is told before tungstenite looks at them.
            Error::Utf8(_) => Self::BadReason,
            Error::Capacity(CapacityError::MessageTooLong { .. }) => Self::TooLong,
            Error::Io(error) => Self::Broken(error),
            other => Self::Broken(std::io::Error::other(other)),
        }
    }
}

/// A close frame with as much of the reason as it may hold (RFC 6455, sections 5.2 and 5.5.1).
fn close_frame(code: u16, reason: &str) -> Vec<u8> {
    let reason = &reason[..reason.floor_char_boundary(REASON_BYTES_MAX)];
    let length = u8::try_from(2 + reason.len()).expect("a reason is cut to size");
    let mut frame = vec![FINAL_CLOSE, length];
    frame.extend(code.to_be_bytes());
    frame.extend(reason.as_bytes());
    frame
}

/// Says that nothing more will be written, and reads what may still come. Closing over unread bytes
/// would reset the connection, and that may take the close frame away from the other side.
async fn drain<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) -> std::io::Result<()> {
    stream.shutdown().await?;
    let mut unread = vec![0; DRAIN_BYTES];
    while stream.read(&mut unread).await? > 0 {}
    Ok(())
}
