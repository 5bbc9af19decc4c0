//! Refusals of a session in the words of the wire.

use hunt::Rejection;
use protocol::RejectionCode;

use crate::session::Refusal;

/// The stable code of a refusal.
pub fn rejection_code(refusal: Refusal) -> RejectionCode {
    let rejection = match refusal {
        Refusal::Quarantined => return RejectionCode::Refused,
        Refusal::Rejected(rejection) => rejection,
    };
    match rejection {
        Rejection::NotStarted => RejectionCode::NotStarted,
        Rejection::Paused => RejectionCode::Paused,
        Rejection::Finished => RejectionCode::Finished,
        Rejection::WrongPhase => RejectionCode::WrongPhase,
        Rejection::UnknownPuzzle => RejectionCode::UnknownPuzzle,
        Rejection::AlreadySolved => RejectionCode::AlreadySolved,
        Rejection::AlreadyGuessed => RejectionCode::AlreadyGuessed,
        Rejection::EmptyGuess => RejectionCode::EmptyGuess,
        Rejection::GuessTooLong => RejectionCode::GuessTooLong,
        Rejection::TooManyGuesses => RejectionCode::TooManyGuesses,
        Rejection::UnknownTeam => RejectionCode::UnknownTeam,
        Rejection::SessionFull
        | Rejection::TeamFull
        | Rejection::TooManyGameMasters
        | Rejection::TooManyTexts => RejectionCode::Full,
        Rejection::TooManyDevices => RejectionCode::TooManyDevices,
        Rejection::UnknownDevice => RejectionCode::UnknownDevice,
        Rejection::UnknownPlayer => RejectionCode::UnknownPlayer,
        Rejection::Revoked => RejectionCode::Revoked,
        Rejection::AlreadyRevoked => RejectionCode::AlreadyRevoked,
        Rejection::Forbidden => RejectionCode::Forbidden,
        Rejection::LinkUsed => RejectionCode::LinkUsed,
        Rejection::UnknownGameMaster => RejectionCode::UnknownGameMaster,
        Rejection::UnknownClue => RejectionCode::UnknownClue,
        Rejection::BadText => RejectionCode::BadText,
        Rejection::BadDuration => RejectionCode::BadDuration,
        Rejection::StaleCommand => RejectionCode::StaleCommand,
        // Whoever draws team codes draws another; a player never sees this.
        Rejection::TeamCodeTaken => RejectionCode::Unavailable,
    }
}

/// The refusal for people.
pub fn rejection_message(refusal: Refusal) -> String {
    refusal.to_string()
}
