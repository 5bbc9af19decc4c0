//! What metrics are told apart by: closed lists, so that no label grows with what clients send.

use protocol::{CloseCode, RejectionCode};

/// A label with a fixed list of values.
pub trait Label: Copy + Eq + 'static {
    /// The label's name.
    const KEY: &'static str;
    /// Every value.
    const ALL: &'static [Self];
    /// The value as it is written.
    fn name(self) -> &'static str;
}

/// Writes the list once, for [`Label::ALL`] and for the names.
macro_rules! label {
    ($type:ty, $key:literal, $($variant:ident: $name:literal),+ $(,)?) => {
        impl Label for $type {
            const KEY: &'static str = $key;
            const ALL: &'static [Self] = &[$(<$type>::$variant),+];

            fn name(self) -> &'static str {
                match self {
                    $(<$type>::$variant => $name),+
                }
            }
        }
    };
}

/// Why a connection was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// The server has as many as it takes.
    Full,
    /// Its address has as many without a valid token as one address may have.
    Address,
}

label!(Refused, "reason", Full: "full", Address: "address");

/// Why a TLS handshake failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handshake {
    /// The two sides did not agree, or the other side left.
    Refused,
    /// It was not complete in time.
    Late,
}

label!(Handshake, "because", Refused: "refused", Late: "late");

/// How a try to write to a socket went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    /// Something was taken, or the connection is broken.
    Done,
    /// Nothing was taken, because the other side has not read what was written before.
    Refused,
}

label!(Write, "outcome", Done: "done", Refused: "refused");

/// Why a connection was given up without a closing handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// A ping was not answered.
    Silent,
    /// It took nothing of what was written.
    Stuck,
}

label!(Lost, "because", Silent: "silent", Stuck: "stuck");

/// What a request was too slow with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Late {
    /// Its header.
    Header,
    /// Its body.
    Body,
}

label!(Late, "part", Header: "header", Body: "body");

/// Whose allowance of wrong codes is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeLimit {
    /// One address's.
    Address,
    /// One session's.
    Session,
    /// The whole server's.
    Server,
}

label!(CodeLimit, "limit", Address: "address", Session: "session", Server: "server");

/// How a connection got up to date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attached {
    /// From the ring.
    Replay,
    /// With a snapshot.
    Snapshot,
    /// With the board, as a spectator.
    Board,
}

label!(Attached, "from", Replay: "replay", Snapshot: "snapshot", Board: "board");

/// Why a batch was not appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppendFailure {
    /// There is a later owner.
    Fenced,
    /// It is there already.
    AlreadyStored,
    /// It does not follow the stored head.
    NotContiguous,
    /// The store refused it.
    Refused,
    /// Whether it was appended is not known.
    Unknown,
}

label!(
    AppendFailure, "kind",
    Fenced: "fenced",
    AlreadyStored: "already_stored",
    NotContiguous: "not_contiguous",
    Refused: "refused",
    Unknown: "unknown",
);

/// Why a session was not recovered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecoveryFailure {
    /// The store did not answer, or not now; the next attempt may go well.
    Store,
    /// What is stored cannot be used.
    Stored,
}

label!(RecoveryFailure, "because", Store: "store", Stored: "stored");

impl Label for CloseCode {
    const KEY: &'static str = "code";
    const ALL: &'static [Self] = &Self::ALL;

    fn name(self) -> &'static str {
        Self::name(self)
    }
}

label!(
    RejectionCode, "code",
    NotStarted: "not_started",
    Paused: "paused",
    Finished: "finished",
    WrongPhase: "wrong_phase",
    UnknownPuzzle: "unknown_puzzle",
    AlreadySolved: "already_solved",
    AlreadyGuessed: "already_guessed",
    EmptyGuess: "empty_guess",
    GuessTooLong: "guess_too_long",
    TooManyGuesses: "too_many_guesses",
    UnknownTeam: "unknown_team",
    Full: "full",
    TooManyDevices: "too_many_devices",
    UnknownPlayer: "unknown_player",
    UnknownDevice: "unknown_device",
    Revoked: "revoked",
    AlreadyRevoked: "already_revoked",
    Forbidden: "forbidden",
    LinkUsed: "link_used",
    UnknownGameMaster: "unknown_game_master",
    UnknownClue: "unknown_clue",
    BadText: "bad_text",
    BadDuration: "bad_duration",
    StaleCommand: "stale_command",
    RateLimited: "rate_limited",
    Unavailable: "unavailable",
    Refused: "refused",
    Unknown: "unknown",
);

#[cfg(test)]
mod tests {
    use protocol::RejectionCode;

    use super::Label;

    #[test]
    fn rejections_have_the_names_that_clients_see() {
        for code in RejectionCode::ALL {
            let on_the_wire = serde_json::to_value(code).expect("it is a word");
            assert_eq!(code.name(), on_the_wire);
        }
    }
}
