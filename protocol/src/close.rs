//! Close codes: each one tells a client what to do next.

/// What a client should do after a connection was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advice {
    /// Connect again at once, with the cursor.
    RetryNow,
    /// Connect again after the delay that the last `goaway`, `welcome` or `heads` frame gave.
    RetryLater,
    /// Do not connect again with the same token and messages: it would fail in the same way.
    Never,
}

/// Why the server closed a WebSocket: the code in its close frame.
///
/// Codes from 4000 on are Cluecast's own; the others are those of RFC 6455, section 7.4.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CloseCode {
    /// Either side ended the connection on purpose.
    Normal,
    /// The server is stopping; a `goaway` frame with a delay came before.
    GoingAway,
    /// A frame broke RFC 6455.
    ProtocolError,
    /// A text frame where the codec's are binary, or the other way round.
    WrongFrameKind,
    /// A message longer than [`CLIENT_MESSAGE_BYTES_MAX`](crate::limits::CLIENT_MESSAGE_BYTES_MAX).
    TooLarge,
    /// A message that the codec or the order of messages does not allow.
    BadMessage,
    /// The token is forged, expired, or not for this session.
    Unauthorized,
    /// No session has this code.
    UnknownSession,
    /// No `hello` arrived in time.
    HelloTimeout,
    /// The same device has connected again; this connection is the older one.
    Replaced,
    /// The client read too slowly and its queue overflowed. Nothing is lost: resume.
    SlowReader,
    /// The session is being recovered from its journal. Nothing acknowledged is lost: resume.
    SessionRestarting,
    /// The server cannot take this connection now, or the client asks it to `resync` too often.
    Overloaded,
}

impl CloseCode {
    /// Every code, in ascending order of its number.
    pub const ALL: [Self; 13] = [
        Self::Normal,
        Self::GoingAway,
        Self::ProtocolError,
        Self::WrongFrameKind,
        Self::TooLarge,
        Self::BadMessage,
        Self::Unauthorized,
        Self::UnknownSession,
        Self::HelloTimeout,
        Self::Replaced,
        Self::SlowReader,
        Self::SessionRestarting,
        Self::Overloaded,
    ];

    /// The number in the close frame.
    pub fn number(self) -> u16 {
        match self {
            Self::Normal => 1000,
            Self::GoingAway => 1001,
            Self::ProtocolError => 1002,
            Self::WrongFrameKind => 1003,
            Self::TooLarge => 1009,
            Self::BadMessage => 4400,
            Self::Unauthorized => 4401,
            Self::UnknownSession => 4404,
            Self::HelloTimeout => 4408,
            Self::Replaced => 4409,
            Self::SlowReader => 4410,
            Self::SessionRestarting => 4411,
            Self::Overloaded => 4429,
        }
    }

    /// The code with this number, if there is one.
    pub fn from_number(number: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.number() == number)
    }

    /// The stable name, also sent as the start of the close reason.
    pub fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::GoingAway => "going_away",
            Self::ProtocolError => "protocol_error",
            Self::WrongFrameKind => "wrong_frame_kind",
            Self::TooLarge => "too_large",
            Self::BadMessage => "bad_message",
            Self::Unauthorized => "unauthorized",
            Self::UnknownSession => "unknown_session",
            Self::HelloTimeout => "hello_timeout",
            Self::Replaced => "replaced",
            Self::SlowReader => "slow_reader",
            Self::SessionRestarting => "session_restarting",
            Self::Overloaded => "overloaded",
        }
    }

    /// What the client should do next.
    pub fn advice(self) -> Advice {
        match self {
            Self::HelloTimeout | Self::SlowReader | Self::SessionRestarting => Advice::RetryNow,
            Self::GoingAway | Self::Overloaded => Advice::RetryLater,
            Self::Normal
            | Self::ProtocolError
            | Self::WrongFrameKind
            | Self::TooLarge
            | Self::BadMessage
            | Self::Unauthorized
            | Self::UnknownSession
            | Self::Replaced => Advice::Never,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::CloseCode;

    #[test]
    fn numbers_are_distinct_ascending_and_read_back() {
        for pair in CloseCode::ALL.windows(2) {
            assert!(pair[0].number() < pair[1].number(), "{pair:?}");
        }
        for code in CloseCode::ALL {
            assert_eq!(CloseCode::from_number(code.number()), Some(code));
        }
        assert_eq!(CloseCode::from_number(4999), None);
    }
}
