//! How a connection ends.

use std::fmt::Display;
use std::time::Duration;

use protocol::limits::CLIENT_MESSAGE_BYTES_MAX;
use protocol::{CloseCode, Codec, FrameKind};

use super::allowance::UsedUp;
use super::lookup::NoSession;
use super::socket::{Socket, SocketError};
use super::stream::Stream;
use crate::session::Unavailable;

/// How long the other side may take to answer a close frame.
const ANSWER_WAIT: Duration = Duration::from_secs(1);

/// Why a connection ends.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The server closes it with a code.
    Close(CloseCode),
    /// The server closes it with a code and says what is wrong.
    Wrong(CloseCode, String),
    /// The server closes it with [`CloseCode::Overloaded`] and tells when to try again.
    UsedUp(UsedUp),
    /// The server closes it with [`CloseCode::Overloaded`]: the session stays closed, which does not
    /// change in a moment.
    Closed(Unavailable),
    /// The other side closed it, or it is broken: there is nobody to tell.
    Gone,
}

impl Ending {
    /// The client sent what is no message, or not at this moment.
    pub(super) fn bad_message(what: impl Display) -> Self {
        Self::Wrong(CloseCode::BadMessage, what.to_string())
    }

    /// The client sent a frame of the kind that its subprotocol has not.
    pub(super) fn wrong_frame_kind(codec: Codec) -> Self {
        let kind = match codec.frame_kind() {
            FrameKind::Binary => "binary",
            FrameKind::Text => "text",
        };
        let what = format!("{} takes {kind} frames", codec.subprotocol());
        Self::Wrong(CloseCode::WrongFrameKind, what)
    }

    /// The code that the server closes with.
    pub(super) fn code(&self) -> Option<CloseCode> {
        match self {
            Self::Close(code) | Self::Wrong(code, _) => Some(*code),
            Self::UsedUp(_) | Self::Closed(_) => Some(CloseCode::Overloaded),
            Self::Gone => None,
        }
    }

    /// The code's name, and after it what is wrong, if that is known; the socket cuts it to size.
    fn reason(&self) -> String {
        match self {
            Self::Close(code) => format!("{}: {}", code.name(), what_to_do(*code)),
            Self::Wrong(code, what) => format!("{}: {what}", code.name()),
            Self::UsedUp(used_up) => {
                let wait_ms = used_up.retry_after.as_millis() + 1;
                let name = CloseCode::Overloaded.name();
                format!(
                    "{name}: the limit of this connection is reached; try again in {wait_ms} ms"
                )
            }
            Self::Closed(unavailable) => {
                let wait_ms = unavailable.retry_after().as_millis();
                let name = CloseCode::Overloaded.name();
                format!("{name}: {unavailable}; try again in {wait_ms} ms")
            }
            Self::Gone => String::new(),
        }
    }
}

/// What to do about a code that nothing more is known of.
fn what_to_do(code: CloseCode) -> &'static str {
    match code {
        CloseCode::Normal => "nothing is wrong",
        CloseCode::GoingAway => "the server is stopping; come back after the delay that it told",
        CloseCode::ProtocolError | CloseCode::WrongFrameKind | CloseCode::TooLarge => {
            "mend the client"
        }
        CloseCode::BadMessage => "mend the client; protocol/README.md lists the messages",
        CloseCode::Unauthorized => "this token is not, or no longer, good for this session",
        CloseCode::UnknownSession => "no session has this code; check the spelling",
        CloseCode::HelloTimeout => "send `hello` or `watch` at once; connect again",
        CloseCode::Replaced => "this device has connected again elsewhere",
        CloseCode::SlowReader => "too much waited for this connection; resume from the cursor",
        CloseCode::SessionRestarting => "the session is changing hands; resume from the cursor",
        CloseCode::Overloaded => "there is no room now; come back after the delay that was advised",
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
            NoSession::ForNow => CloseCode::SessionRestarting.into(),
            NoSession::Full => {
                let what = "the session is finished, and as many are open as may; come back later";
                Self::Wrong(CloseCode::Overloaded, what.to_owned())
            }
            NoSession::Unknown => CloseCode::UnknownSession.into(),
            NoSession::Foreign => CloseCode::Unauthorized.into(),
            NoSession::TooMany(refusal) => Self::Wrong(CloseCode::Overloaded, refusal.to_string()),
        }
    }
}

impl From<Unavailable> for Ending {
    fn from(unavailable: Unavailable) -> Self {
        match unavailable {
            Unavailable::ForNow => CloseCode::SessionRestarting.into(),
            Unavailable::Closed => Self::Closed(unavailable),
        }
    }
}

/// What a failure of the socket means for a connection of a codec.
pub(super) fn ending_of(codec: Codec, error: &SocketError) -> Ending {
    match error {
        SocketError::TooLong => {
            let what = format!("a message has at most {CLIENT_MESSAGE_BYTES_MAX} bytes");
            Ending::Wrong(CloseCode::TooLarge, what)
        }
        SocketError::Protocol(_) | SocketError::BadReason => {
            Ending::Wrong(CloseCode::ProtocolError, error.to_string())
        }
        // Whatever is in it, it is of the wrong kind.
        SocketError::NotText if codec.frame_kind() != FrameKind::Text => {
            Ending::wrong_frame_kind(codec)
        }
        SocketError::NotText => Ending::bad_message(error),
        SocketError::Forgotten => CloseCode::SessionRestarting.into(),
        SocketError::Ended | SocketError::Broken(_) => Ending::Gone,
    }
}

/// Sends a close frame, or answers the other side's, and waits a moment for the end, so that what
/// was written before arrives.
pub(super) async fn close(socket: &mut Socket<Stream>, ending: &Ending) {
    let reason = ending.reason();
    let close = ending.code().map(|code| (code.number(), reason.as_str()));
    let finished = tokio::time::timeout(ANSWER_WAIT, socket.finish(close)).await;
    if let Ok(Err(error)) = finished {
        tracing::debug!(%error, "a connection ended before its closing handshake");
    }
}

#[cfg(test)]
mod tests {
    use protocol::{CloseCode, DecodeError};

    use super::{Duration, Ending, UsedUp};

    #[test]
    fn a_reason_begins_with_the_codes_name() {
        for code in CloseCode::ALL {
            let reason = Ending::Close(code).reason();
            assert!(
                reason.starts_with(&format!("{}: ", code.name())),
                "{reason}"
            );
            assert!(reason.len() <= 123, "a close frame has room for 125 bytes");
        }
        let bad = Ending::bad_message(DecodeError::TrailingBytes(3));
        assert!(bad.reason().starts_with("bad_message: 3 bytes"), "{bad:?}");
        let used_up = Ending::UsedUp(UsedUp {
            retry_after: Duration::from_millis(350),
        });
        let reason = used_up.reason();
        assert!(reason.starts_with("overloaded: "), "{reason}");
        assert!(reason.ends_with("in 351 ms"), "{reason}");
    }
}
