//! The bodies of the REST interface under `/api/v1`.
//!
//! | request | token | body | answer |
//! | --- | --- | --- | --- |
//! | `POST /hunts` | admin | [`CreateHunt`] | 201 [`HuntCreated`] |
//! | `POST /sessions` | admin | [`CreateSession`] | 201 [`SessionCreated`] |
//! | `POST /sessions/{code}/start`, `pause`, `resume`, `finish` | game master | none | 200 [`SessionState`] |
//! | `GET /sessions/{code}` | none | none | 200 [`SessionState`] |
//! | `GET /sessions/{code}/standings` | none | none | 200 [`Standings`] |
//! | `GET /sessions/{code}/export` | game master | none | 200 JSON lines of [`ExportLine`] |
//! | `POST /join` | none | [`Join`] | 201 [`Joined`] |
//! | `POST /sessions/{code}/devices` | device | none | 201 [`DeviceCreated`] |
//!
//! A token travels as `Authorization: Bearer TOKEN`, never in a path or query. Every failure has
//! the body [`Failure`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Phase, RejectionCode};

/// Uploads a hunt. The same files again give the same revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateHunt {
    /// The hunt's files by their path in its folder; `hunt.toml` is the one that must be there.
    pub files: BTreeMap<String, String>,
}

/// A hunt was stored, or had been before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HuntCreated {
    /// The revision: a digest of the files, by which sessions refer to it.
    pub revision: String,
    /// The hunt's title.
    pub title: String,
    /// The number of its puzzles.
    pub puzzles: u32,
}

/// Creates a session of a hunt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateSession {
    /// The hunt's revision.
    pub hunt: String,
    /// The code by which players find the session: 4 to 12 upper-case letters and digits. A
    /// random one if it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// A session was created; it is in the lobby.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionCreated {
    /// The session's code.
    pub session: String,
    /// A game master's token for it.
    pub game_master_token: String,
}

/// What anyone may know of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionState {
    /// The session's code.
    pub session: String,
    /// The hunt's title.
    pub title: String,
    /// Its phase.
    pub phase: Phase,
    /// When it will finish by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at_ms: Option<u64>,
    /// How many teams there are.
    pub teams: u32,
    /// How many players there are.
    pub players: u32,
}

/// Joins a session: with `new_team` as the first player of a new team, with `team_code` as a
/// further player of an existing one. Exactly one of the two must be there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Join {
    /// The session's code.
    pub session: String,
    /// The name of the new team.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_team: Option<String>,
    /// The code of the existing team.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team_code: Option<String>,
    /// The player's name.
    pub name: String,
}

/// A player has joined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Joined {
    /// The team's id.
    pub team: String,
    /// The code by which further players join the team.
    pub team_code: String,
    /// The player's id.
    pub player: String,
    /// The device's id.
    pub device: String,
    /// The device's token, for `hello` and for `POST /sessions/{code}/devices`.
    pub token: String,
}

/// A further device of a player was registered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceCreated {
    /// The device's id.
    pub device: String,
    /// The new device's token.
    pub token: String,
}

/// The scoreboard: every team, best first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standings {
    /// The session's phase.
    pub phase: Phase,
    /// What ranks, first to last, for example `score` and then `last_scored`.
    pub tie_break: Vec<String>,
    /// A row for each team.
    pub rows: Vec<StandingsRow>,
}

/// A team's place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandingsRow {
    /// Its rank by competition ranking: equals share a rank and leave a gap (1, 2, 2, 4).
    pub rank: u32,
    /// The team's id.
    pub team: String,
    /// Its name.
    pub name: String,
    /// Its score.
    pub score: u32,
    /// How many puzzles it has solved.
    pub solves: u32,
    /// When it last gained points.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_scored_at_ms: Option<u64>,
}

/// One event of the journal.
///
/// `E` is the event's own type at the server, and any JSON value for a reader that does not know
/// it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportLine<E> {
    /// Its place in the session's journal, from 1 on.
    pub seq: u64,
    /// When it happened.
    pub at_ms: u64,
    /// The device whose command caused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// The command's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<u64>,
    /// What happened: a map with a `type`.
    pub event: E,
}

/// The body of every answer that is not a success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What went wrong.
    pub error: FailureDetail,
}

/// What went wrong, for programs and for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureDetail {
    /// The stable code.
    pub code: FailureCode,
    /// The reason for people, in English, saying what to do.
    pub message: String,
    /// For [`FailureCode::InvalidHunt`]: every mistake, rendered with its place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mistakes: Vec<String>,
}

/// Why a REST request failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureCode {
    /// 400: the body is not what the request takes.
    BadRequest,
    /// 401: the token is missing, forged or expired.
    Unauthorized,
    /// 403: the token is good, but not for this.
    Forbidden,
    /// 404: no such path, session or hunt.
    NotFound,
    /// 405: the path does not take this method.
    MethodNotAllowed,
    /// 409: another session has this code already.
    CodeTaken,
    /// 413: the body is larger than
    /// [`REST_BODY_BYTES_MAX`](crate::limits::REST_BODY_BYTES_MAX).
    TooLarge,
    /// 422: the hunt has mistakes; `mistakes` lists them.
    InvalidHunt,
    /// 503: the outcome is unknown or the server is busy; ask again later.
    Unavailable,
    /// 500: the server failed.
    Internal,
    /// 409: the session's rules refused it, for the reason that the message tells.
    #[serde(untagged)]
    Rejected(RejectionCode),
}
