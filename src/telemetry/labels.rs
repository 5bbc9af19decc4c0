//! Labels of metrics: closed lists of values, so that clients cannot increase the cardinality.

use protocol::{CloseCode, RejectionCode};

/// A label with a fixed list of values.
pub trait Label: Copy + Eq + 'static {
    /// The label's name.
    const KEY: &'static str;
    /// Every value.
    const ALL: &'static [Self];
    /// The value in Prometheus' text format.
    fn name(self) -> &'static str;
}

/// Implements [`Label`] from one list of variants and names.
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

/// Why a connection was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalReason {
    /// The server is at its connection limit.
    Full,
    /// The address is at its limit of unauthenticated connections.
    Address,
}

label!(RefusalReason, "reason", Full: "full", Address: "address");

/// Why a TLS handshake failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandshakeFailure {
    /// TLS error, or the client disconnected.
    Failed,
    /// The handshake timed out.
    Timeout,
}

label!(HandshakeFailure, "reason", Failed: "failed", Timeout: "timeout");

/// Outcome of a write to a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteOutcome {
    /// Data was accepted, or the connection is broken.
    Done,
    /// The socket buffer was full: the client has not read earlier data.
    Blocked,
}

label!(WriteOutcome, "outcome", Done: "done", Blocked: "blocked");

/// Why a connection was dropped without a closing handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LossReason {
    /// A ping was not answered in time.
    PongTimeout,
    /// The socket accepted no data in time.
    WriteTimeout,
}

label!(LossReason, "reason", PongTimeout: "pong_timeout", WriteTimeout: "write_timeout");

/// The part of a request that timed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestPart {
    /// The header.
    Header,
    /// The body.
    Body,
}

label!(RequestPart, "part", Header: "header", Body: "body");

/// The rate limit of wrong codes that is exhausted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeLimit {
    /// Of one address.
    Address,
    /// Of one session.
    Session,
    /// Of the whole server.
    Server,
}

label!(CodeLimit, "limit", Address: "address", Session: "session", Server: "server");

/// How a connection was brought up to date when it attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttachSource {
    /// With updates from the ring.
    Replay,
    /// With a client snapshot.
    Snapshot,
    /// With the board, as a spectator.
    Board,
}

label!(AttachSource, "from", Replay: "replay", Snapshot: "snapshot", Board: "board");

/// Why a batch was not appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppendFailure {
    /// The session has a later owner.
    Fenced,
    /// The batch is stored already.
    AlreadyStored,
    /// The batch does not follow the stored head.
    NotContiguous,
    /// The store rejected the batch.
    Refused,
    /// The outcome is unknown.
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

/// Why the recovery of a session failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecoveryFailure {
    /// The store did not answer; a retry may succeed.
    Unavailable,
    /// The stored data is unusable.
    Unusable,
}

label!(RecoveryFailure, "reason", Unavailable: "unavailable", Unusable: "unusable");

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
    fn rejections_have_their_wire_names() {
        for code in RejectionCode::ALL {
            let on_the_wire = serde_json::to_value(code).expect("it is a word");
            assert_eq!(code.name(), on_the_wire);
        }
    }
}
