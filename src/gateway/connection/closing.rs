//! How a connection ends: its close code and reason, and the closing handshake.

use std::fmt::Display;
use std::time::Duration;

use protocol::limits::CLIENT_MESSAGE_BYTES_MAX;
use protocol::{CloseCode, Codec, FrameKind};

use crate::gateway::admission::message_rate::RateLimited;
use crate::gateway::lookup::NoSession;
use crate::gateway::net::stream::Stream;
use crate::gateway::ws::{Socket, SocketError};
use crate::session::Unavailable;

/// Timeout of the closing handshake.
const CLOSE_WAIT: Duration = Duration::from_secs(1);

/// Why a connection ends.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The server closes it with a code.
    Close(CloseCode),
    /// The server closes it with a code and a specific reason.
    CloseBecause(CloseCode, String),
    /// The server closes it with [`CloseCode::Overloaded`] and a retry-after.
    RateLimited(RateLimited),
    /// The server closes it with [`CloseCode::Overloaded`], because the session stays closed for some time.
    SessionClosed(Unavailable),
    /// The client closed it, or it is broken: no close frame can be sent.
    Gone,
}

impl Ending {
    /// The client sent something that is not a message, or not allowed now.
    pub(super) fn bad_message(what: impl Display) -> Self {
        Self::CloseBecause(CloseCode::BadMessage, what.to_string())
    }

    /// The client sent a frame of the kind that its subprotocol does not use.
    pub(super) fn wrong_frame_kind(codec: Codec) -> Self {
        let kind = match codec.frame_kind() {
            FrameKind::Binary => "binary",
            FrameKind::Text => "text",
        };
        let what = format!("{} uses {kind} frames", codec.subprotocol());
        Self::CloseBecause(CloseCode::WrongFrameKind, what)
    }

    /// The code that the server closes with.
    pub(super) fn code(&self) -> Option<CloseCode> {
        match self {
            Self::Close(code) | Self::CloseBecause(code, _) => Some(*code),
            Self::RateLimited(_) | Self::SessionClosed(_) => Some(CloseCode::Overloaded),
            Self::Gone => None,
        }
    }

    /// The code's name, followed by the cause or by advice; the socket truncates it.
    fn reason(&self) -> String {
        match self {
            Self::Close(code) => format!("{}: {}", code.name(), advice(*code)),
            Self::CloseBecause(code, what) => format!("{}: {what}", code.name()),
            Self::RateLimited(limited) => {
                let wait_ms = limited.retry_after.as_millis() + 1;
                let name = CloseCode::Overloaded.name();
                format!(
                    "{name}: the rate limit of this connection is reached; try again in {wait_ms} ms"
                )
            }
            Self::SessionClosed(unavailable) => {
                let wait_ms = unavailable.retry_after().as_millis();
                let name = CloseCode::Overloaded.name();
                format!("{name}: {unavailable}; try again in {wait_ms} ms")
            }
            Self::Gone => String::new(),
        }
    }
}

/// Advice for a code without a specific cause.
fn advice(code: CloseCode) -> &'static str {
    match code {
        CloseCode::Normal => "the connection was closed in order",
        CloseCode::GoingAway => "the server is stopping; reconnect after the delay in `goaway`",
        CloseCode::ProtocolError | CloseCode::WrongFrameKind | CloseCode::TooLarge => {
            "protocol error: fix the client"
        }
        CloseCode::BadMessage => "malformed message: fix the client; see protocol/README.md",
        CloseCode::Unauthorized => "the token is invalid, expired or revoked for this session",
        CloseCode::UnknownSession => "no session has this code; check the spelling",
        CloseCode::HelloTimeout => "no `hello` or `watch` arrived in time; reconnect",
        CloseCode::Replaced => "the device has another connection",
        CloseCode::SlowReader => {
            "the client reads too slowly; reconnect and resume from the cursor"
        }
        CloseCode::SessionRestarting => {
            "the session is moving or recovering; reconnect and resume from the cursor"
        }
        CloseCode::Overloaded => "the server is at a limit; reconnect after the advised delay",
    }
}

impl From<CloseCode> for Ending {
    fn from(code: CloseCode) -> Self {
        Self::Close(code)
    }
}

impl From<NoSession> for Ending {
    fn from(reason: NoSession) -> Self {
        match reason {
            NoSession::Moving => CloseCode::SessionRestarting.into(),
            NoSession::TooManyOpen => {
                let what =
                    "the session is finished, and too many sessions are open; reconnect later";
                Self::CloseBecause(CloseCode::Overloaded, what.to_owned())
            }
            NoSession::Unknown => CloseCode::UnknownSession.into(),
            NoSession::WrongToken => CloseCode::Unauthorized.into(),
            NoSession::TooManyWrongCodes(refusal) => {
                Self::CloseBecause(CloseCode::Overloaded, refusal.to_string())
            }
        }
    }
}

impl From<Unavailable> for Ending {
    fn from(unavailable: Unavailable) -> Self {
        match unavailable {
            Unavailable::ForNow => CloseCode::SessionRestarting.into(),
            Unavailable::Closed => Self::SessionClosed(unavailable),
        }
    }
}

/// How a connection ends after an error of its socket.
pub(super) fn ending_of(codec: Codec, error: &SocketError) -> Ending {
    match error {
        SocketError::TooLong => {
            let what = format!("a message has at most {CLIENT_MESSAGE_BYTES_MAX} bytes");
            Ending::CloseBecause(CloseCode::TooLarge, what)
        }
        SocketError::Protocol(_) | SocketError::BadReason => {
            Ending::CloseBecause(CloseCode::ProtocolError, error.to_string())
        }
        // A text frame is wrong here, whatever its content.
        SocketError::NotText if codec.frame_kind() != FrameKind::Text => {
            Ending::wrong_frame_kind(codec)
        }
        SocketError::NotText => Ending::bad_message(error),
        SocketError::Expired => CloseCode::SessionRestarting.into(),
        SocketError::Ended | SocketError::Broken(_) => Ending::Gone,
    }
}

/// Performs the closing handshake within a timeout, so that messages that were written before arrive.
pub(super) async fn close(socket: &mut Socket<Stream>, ending: &Ending) {
    let reason = ending.reason();
    let close = ending.code().map(|code| (code.number(), reason.as_str()));
    let finished = tokio::time::timeout(CLOSE_WAIT, socket.finish(close)).await;
    if let Ok(Err(error)) = finished {
        tracing::debug!(%error, "a connection failed before its closing handshake");
    }
}

#[cfg(test)]
mod tests {
    use protocol::{CloseCode, DecodeError};

    use super::{Duration, Ending, RateLimited};

    #[test]
    fn a_reason_starts_with_the_codes_name() {
        for code in CloseCode::ALL {
            let reason = Ending::Close(code).reason();
            assert!(
                reason.starts_with(&format!("{}: ", code.name())),
                "{reason}"
            );
            assert!(
                reason.len() <= 123,
                "a close frame holds 123 bytes of reason"
            );
        }
        let bad = Ending::bad_message(DecodeError::TrailingBytes(3));
        assert!(bad.reason().starts_with("bad_message: 3 bytes"), "{bad:?}");
        let limited = Ending::RateLimited(RateLimited {
            retry_after: Duration::from_millis(350),
        });
        let reason = limited.reason();
        assert!(reason.starts_with("overloaded: "), "{reason}");
        assert!(reason.ends_with("in 351 ms"), "{reason}");
    }
}
