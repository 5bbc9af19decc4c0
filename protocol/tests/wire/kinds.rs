//! The names of all variants of the protocol's enums. The matches are exhaustive: a new variant does not
//! compile without a name here, and a name without a golden vector or a mention in the specification
//! fails a test.

use cluecast_protocol::rest::FailureCode;
use cluecast_protocol::{
    Audience, ClientMessage, Event, Order, Phase, RejectionCode, Resume, Scope, ServerMessage,
    Target, Verdict,
};

/// Declares the mapping from a variant to its name on the wire, and the list of all names.
macro_rules! kinds {
    ($function:ident, $all:ident, $type:ty, { $($pattern:pat => $kind:literal),+ $(,)? }) => {
        /// The name of this variant on the wire.
        pub(crate) fn $function(value: &$type) -> &'static str {
            match value {
                $($pattern => $kind),+
            }
        }

        /// Every name, in the order of declaration.
        pub(crate) const $all: &[&str] = &[$($kind),+];
    };
}

kinds!(client_message, CLIENT_MESSAGES, ClientMessage, {
    ClientMessage::Hello(_) => "hello",
    ClientMessage::Command(_) => "command",
    ClientMessage::Resync(_) => "resync",
    ClientMessage::Watch(_) => "watch",
});

kinds!(order, ORDERS, Order, {
    Order::SubmitGuess { .. } => "submit_guess",
    Order::PushClue { .. } => "push_clue",
    Order::CancelClue { .. } => "cancel_clue",
    Order::Announce { .. } => "announce",
    Order::Start { .. } => "start",
    Order::CancelStart => "cancel_start",
    Order::Pause => "pause",
    Order::Resume => "resume",
    Order::MoveEnd { .. } => "move_end",
    Order::Finish { .. } => "finish",
    Order::Reopen => "reopen",
});

kinds!(server_message, SERVER_MESSAGES, ServerMessage, {
    ServerMessage::Welcome(_) => "welcome",
    ServerMessage::Snapshot(_) => "snapshot",
    ServerMessage::Overview(_) => "overview",
    ServerMessage::Update(_) => "update",
    ServerMessage::Receipt(_) => "receipt",
    ServerMessage::Rejection(_) => "rejection",
    ServerMessage::Heads(_) => "heads",
    ServerMessage::Goaway(_) => "goaway",
    ServerMessage::Board(_) => "board",
    ServerMessage::Standing(_) => "standing",
    ServerMessage::Presence(_) => "presence",
    ServerMessage::Attendance(_) => "attendance",
    ServerMessage::Unknown => "unknown",
});

kinds!(event, EVENTS, Event, {
    Event::SessionStarted { .. } => "session_started",
    Event::StartScheduled { .. } => "start_scheduled",
    Event::StartCancelled => "start_cancelled",
    Event::SessionPaused { .. } => "session_paused",
    Event::SessionResumed { .. } => "session_resumed",
    Event::EndMoved { .. } => "end_moved",
    Event::SessionFinished => "session_finished",
    Event::SessionReopened { .. } => "session_reopened",
    Event::PlayerJoined { .. } => "player_joined",
    Event::PlayerRenamed { .. } => "player_renamed",
    Event::TeamRenamed { .. } => "team_renamed",
    Event::TeamCodeRotated { .. } => "team_code_rotated",
    Event::DeviceAdded { .. } => "device_added",
    Event::Unlocked { .. } => "unlocked",
    Event::GuessJudged { .. } => "guess_judged",
    Event::Solved { .. } => "solved",
    Event::DeviceRevoked { .. } => "device_revoked",
    Event::CluePushed { .. } => "clue_pushed",
    Event::ClueCancelled { .. } => "clue_cancelled",
    Event::ClueExpired { .. } => "clue_expired",
    Event::Announced { .. } => "announced",
    Event::TeamCreated { .. } => "team_created",
    Event::GameMasterInvited { .. } => "game_master_invited",
    Event::GameMasterRevoked { .. } => "game_master_revoked",
    Event::Unknown => "unknown",
});

kinds!(rejection_code, REJECTION_CODES, RejectionCode, {
    RejectionCode::NotStarted => "not_started",
    RejectionCode::Paused => "paused",
    RejectionCode::Finished => "finished",
    RejectionCode::WrongPhase => "wrong_phase",
    RejectionCode::UnknownPuzzle => "unknown_puzzle",
    RejectionCode::AlreadySolved => "already_solved",
    RejectionCode::AlreadyGuessed => "already_guessed",
    RejectionCode::EmptyGuess => "empty_guess",
    RejectionCode::GuessTooLong => "guess_too_long",
    RejectionCode::TooManyGuesses => "too_many_guesses",
    RejectionCode::UnknownTeam => "unknown_team",
    RejectionCode::Full => "full",
    RejectionCode::TooManyDevices => "too_many_devices",
    RejectionCode::UnknownPlayer => "unknown_player",
    RejectionCode::UnknownDevice => "unknown_device",
    RejectionCode::Revoked => "revoked",
    RejectionCode::Forbidden => "forbidden",
    RejectionCode::AlreadyRevoked => "already_revoked",
    RejectionCode::LinkUsed => "link_used",
    RejectionCode::UnknownGameMaster => "unknown_game_master",
    RejectionCode::UnknownClue => "unknown_clue",
    RejectionCode::BadText => "bad_text",
    RejectionCode::BadDuration => "bad_duration",
    RejectionCode::StaleCommand => "stale_command",
    RejectionCode::NameTaken => "name_taken",
    RejectionCode::IdReused => "id_reused",
    RejectionCode::NeedsConfirmation => "needs_confirmation",
    RejectionCode::TooLate => "too_late",
    RejectionCode::BadTime => "bad_time",
    RejectionCode::RateLimited => "rate_limited",
    RejectionCode::Unavailable => "unavailable",
    RejectionCode::Refused => "refused",
    RejectionCode::Unknown => "unknown",
});

kinds!(failure_code, FAILURE_CODES, FailureCode, {
    FailureCode::BadRequest => "bad_request",
    FailureCode::Unauthorized => "unauthorized",
    FailureCode::Forbidden => "forbidden",
    FailureCode::NotFound => "not_found",
    FailureCode::MethodNotAllowed => "method_not_allowed",
    FailureCode::CodeTaken => "code_taken",
    FailureCode::TooLarge => "too_large",
    FailureCode::RequestTimeout => "request_timeout",
    FailureCode::RateLimited => "rate_limited",
    FailureCode::InvalidHunt => "invalid_hunt",
    FailureCode::KeyReused => "key_reused",
    FailureCode::Unavailable => "unavailable",
    FailureCode::Internal => "internal",
    // A rejection's own code.
    FailureCode::Rejected(_) => "wrong_phase",
});

kinds!(phase, PHASES, Phase, {
    Phase::Lobby => "lobby",
    Phase::Running => "running",
    Phase::Paused => "paused",
    Phase::Finished => "finished",
});

kinds!(verdict, VERDICTS, Verdict, {
    Verdict::Correct => "correct",
    Verdict::Wrong => "wrong",
});

kinds!(audience, AUDIENCES, Audience, {
    Audience::Everyone => "everyone",
    Audience::Team => "team",
    Audience::Player => "player",
    Audience::Public => "public",
    Audience::View => "view",
    Audience::Hints => "hints",
    Audience::Answers => "answers",
});

kinds!(target, TARGETS, Target, {
    Target::Everyone => "everyone",
    Target::Team { .. } => "team",
    Target::Player { .. } => "player",
});

kinds!(scope, SCOPES, Scope, {
    Scope::View => "view",
    Scope::Hints => "hints",
    Scope::Run => "run",
    Scope::Answers => "answers",
});

kinds!(resume, RESUMES, Resume, {
    Resume::Replay => "replay",
    Resume::Snapshot => "snapshot",
    Resume::Board => "board",
});

/// Verifies that the names above are those of the wire, by decoding them.
fn assert_names<T>(all: &[&str], name_of: fn(&T) -> &'static str)
where
    T: serde::de::DeserializeOwned + std::fmt::Debug,
{
    for name in all {
        let value: T = serde_json::from_value(serde_json::Value::from(*name))
            .expect("every name is one of the wire's");
        assert_eq!(name_of(&value), *name, "{value:?}");
    }
}

#[test]
fn every_name_is_the_one_on_the_wire() {
    assert_names(REJECTION_CODES, rejection_code);
    assert_names(FAILURE_CODES, failure_code);
    assert_names(PHASES, phase);
    assert_names(VERDICTS, verdict);
    assert_names(AUDIENCES, audience);
    assert_names(RESUMES, resume);
    assert_names(SCOPES, scope);
}

#[test]
fn a_rejection_code_of_a_later_version_is_unknown() {
    let code: RejectionCode =
        serde_json::from_str("\"cool_down\"").expect("unknown codes are tolerated");
    assert_eq!(code, RejectionCode::Unknown);
}
