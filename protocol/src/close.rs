//! Close codes: why the server closed a WebSocket, and what the client should do next.

/// What a client should do after the server closed a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advice {
    /// Reconnect immediately, with the cursor.
    RetryNow,
    /// Reconnect after the delay of the last `goaway`, or as the last `welcome` or `heads` advises.
    RetryLater,
    /// Do not reconnect with the same token and messages; it would fail in the same way.
    Never,
}

/// Why the server closed a WebSocket: the code in its close frame.
///
/// Codes from 4000 on are Cluecast's own; the others are those of RFC 6455, section 7.4.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CloseCode {
    /// The client or the server ended the connection on purpose.
    Normal,
    /// The server is shutting down; it sent a `goaway` with a delay before.
    GoingAway,
    /// A frame violates RFC 6455.
    ProtocolError,
    /// A text frame on a connection with a binary codec, or the reverse.
    WrongFrameKind,
    /// A message is longer than [`CLIENT_MESSAGE_BYTES_MAX`](crate::limits::CLIENT_MESSAGE_BYTES_MAX).
    TooLarge,
    /// A message is malformed or not allowed in the current state.
    BadMessage,
    /// The token is forged, expired, revoked, or not valid for this session.
    Unauthorized,
    /// No session has this code.
    UnknownSession,
    /// No `hello` arrived in time.
    HelloTimeout,
    /// A newer connection of the same device has replaced this one.
    Replaced,
    /// The client reads too slowly and its queue overflowed. No update is lost; resume.
    SlowReader,
    /// The session is being recovered from its journal. Nothing acknowledged is lost; resume.
    SessionRestarting,
    /// A limit is reached: of connections, of spectators, or of the rate of a client's messages.
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

    /// The code with this number; `None` if there is none.
    pub fn from_number(number: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.number() == number)
    }

    /// The stable name; the close reason starts with it.
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
    fn numbers_are_distinct_and_ascending_and_round_trip() {
        for pair in CloseCode::ALL.windows(2) {
            assert!(pair[0].number() < pair[1].number(), "{pair:?}");
        }
        for code in CloseCode::ALL {
            assert_eq!(CloseCode::from_number(code.number()), Some(code));
        }
        assert_eq!(CloseCode::from_number(4999), None);
    }
}
