//! The outcome of a command: a receipt, or the code and message of a refusal.

use hunt::{CommandId, Receipt, Rejection, Verdict};
use protocol as wire;
use protocol::RejectionCode;

use crate::session::Refusal;

/// The receipt of a numbered command.
pub(in crate::delivery) fn receipt(
    id: CommandId,
    order: wire::OrderKind,
    receipt: &Receipt,
) -> wire::Receipt {
    let mut shown = wire::Receipt {
        id: id.0,
        order,
        verdict: None,
        points: None,
        clue: None,
        announcement: None,
    };
    match receipt {
        Receipt::Guess {
            verdict: judged,
            points,
        } => {
            shown.verdict = Some(verdict(*judged));
            shown.points = Some(*points);
        }
        Receipt::CluePushed { clue } => shown.clue = Some(clue.to_string()),
        Receipt::Announced { announcement } => {
            shown.announcement = Some(announcement.to_string());
        }
        Receipt::Joined { .. }
        | Receipt::DeviceAdded { .. }
        | Receipt::GameMasterInvited { .. }
        | Receipt::InstanceOpened { .. }
        | Receipt::Done => {}
    }
    shown
}

pub(super) fn verdict(verdict: Verdict) -> wire::Verdict {
    match verdict {
        Verdict::Correct => wire::Verdict::Correct,
        Verdict::Wrong => wire::Verdict::Wrong,
    }
}

/// The stable code of a refusal.
pub fn rejection_code(refusal: Refusal) -> RejectionCode {
    let rejection = match refusal {
        Refusal::Quarantined => return RejectionCode::Refused,
        Refusal::NameTaken => return RejectionCode::NameTaken,
        // The server retries with another random code; a player never sees this.
        Refusal::TeamCodeTaken => return RejectionCode::Unavailable,
        // REST has its own failure code for this; commands of connections have no such key.
        Refusal::KeyReused => return RejectionCode::IdReused,
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
        Rejection::BadText(_) => RejectionCode::BadText,
        Rejection::BadDuration => RejectionCode::BadDuration,
        Rejection::StaleCommand { .. } => RejectionCode::StaleCommand,
        Rejection::IdReused => RejectionCode::IdReused,
        Rejection::NeedsConfirmation => RejectionCode::NeedsConfirmation,
        Rejection::TooLate => RejectionCode::TooLate,
        Rejection::BadTime => RejectionCode::BadTime,
    }
}

/// For a stale command, the highest id of an accepted command of the same sender; 0 if there is none.
pub(in crate::delivery) fn last_command(refusal: Refusal) -> Option<u64> {
    match refusal {
        Refusal::Rejected(Rejection::StaleCommand { last_command }) => {
            Some(last_command.map_or(0, |id| id.0))
        }
        Refusal::Rejected(_)
        | Refusal::Quarantined
        | Refusal::NameTaken
        | Refusal::TeamCodeTaken
        | Refusal::KeyReused => None,
    }
}

/// The human-readable text of a refusal.
pub fn rejection_message(refusal: Refusal) -> String {
    refusal.to_string()
}
