//! The table of refusals: for each code its HTTP status, and when the same request may succeed.
//!
//! REST, raw HTTP and WebSocket answers take both from here; `protocol/README.md` is checked against it. Close
//! codes have their own advice in [`CloseCode`](crate::CloseCode).

use crate::RejectionCode;
use crate::rest::FailureCode;

/// When the same request may succeed if it is sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// After a delay: at the time or after the seconds that the answer names, or later.
    Later,
    /// Once the session or the requester's rights have changed.
    AfterChange,
    /// Only a different request can succeed.
    Never,
}

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefusalClass {
    /// The HTTP status over REST.
    pub status: u16,
    /// When the same request may succeed.
    pub retry: Retry,
}

const fn class(status: u16, retry: Retry) -> RefusalClass {
    RefusalClass { status, retry }
}

impl FailureCode {
    /// The code's row.
    pub fn class(self) -> RefusalClass {
        match self {
            Self::BadRequest => class(400, Retry::Never),
            Self::Unauthorized => class(401, Retry::Never),
            Self::Forbidden => class(403, Retry::AfterChange),
            Self::NotFound => class(404, Retry::Never),
            Self::MethodNotAllowed => class(405, Retry::Never),
            Self::RequestTimeout => class(408, Retry::Later),
            Self::CodeTaken => class(409, Retry::Never),
            Self::TooLarge => class(413, Retry::Never),
            Self::InvalidHunt | Self::KeyReused => class(422, Retry::Never),
            Self::RateLimited => class(429, Retry::Later),
            Self::Internal => class(500, Retry::Later),
            Self::Unavailable => class(503, Retry::Later),
            Self::Rejected(code) => code.class(),
        }
    }
}

impl RejectionCode {
    /// The code's row.
    pub fn class(self) -> RefusalClass {
        match self {
            Self::Forbidden | Self::Revoked => class(403, Retry::AfterChange),
            Self::NotStarted
            | Self::Paused
            | Self::WrongPhase
            | Self::Full
            | Self::TooManyDevices => class(409, Retry::AfterChange),
            Self::RateLimited => class(429, Retry::Later),
            Self::Unavailable => class(503, Retry::Later),
            Self::Refused => class(500, Retry::Never),
            Self::Finished
            | Self::UnknownPuzzle
            | Self::AlreadySolved
            | Self::AlreadyGuessed
            | Self::EmptyGuess
            | Self::GuessTooLong
            | Self::TooManyGuesses
            | Self::UnknownTeam
            | Self::UnknownPlayer
            | Self::UnknownDevice
            | Self::AlreadyRevoked
            | Self::LinkUsed
            | Self::UnknownGameMaster
            | Self::UnknownClue
            | Self::BadText
            | Self::BadDuration
            | Self::StaleCommand
            | Self::NameTaken
            | Self::IdReused
            | Self::NeedsConfirmation
            | Self::TooLate
            | Self::BadTime
            | Self::Unknown => class(409, Retry::Never),
        }
    }
}
