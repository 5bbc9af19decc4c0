//! The bodies of the REST interface under `/api/v1`.
//!
//! | request | token | body | answer |
//! | --- | --- | --- | --- |
//! | `POST /hunts` | admin | [`CreateHunt`] | 201 [`HuntCreated`] |
//! | `POST /sessions` | admin | [`CreateSession`] | 201 [`SessionCreated`] |
//! | `POST /sessions/{code}/start`, `pause`, `resume`, `finish` | game master with `run` | none | 200 [`SessionState`] |
//! | `GET /sessions/{code}` | none | none | 200 [`SessionState`] |
//! | `GET /sessions/{code}/standings` | none | none | 200 [`Standings`] |
//! | `GET /sessions/{code}/export` | game master with `answers` | none | 200 JSON lines of [`ExportLine`] |
//! | `POST /join` | none | [`Join`] | 201 [`Joined`] |
//! | `POST /roster` | none | [`FindTeam`] | 200 [`Roster`] |
//! | `POST /restore` | none | [`Restore`] | 201 [`Joined`] |
//! | `POST /sessions/{code}/devices` | device | none | 201 [`DeviceCreated`] |
//! | `GET /sessions/{code}/devices` | device, or game master with `run` | none | 200 [`Devices`] |
//! | `DELETE /sessions/{code}/devices/{device}` | device, or game master with `run` | none | 204 |
//! | `POST /sessions/{code}/links` | device | none | 201 [`LinkCreated`] |
//! | `POST /sessions/{code}/players/{player}/devices` | game master with `run` | none | 201 [`DeviceCreated`] |
//! | `POST /sessions/{code}/game-masters` | game master with `run` | [`InviteGameMaster`] | 201 [`GameMasterInvited`] |
//! | `GET /sessions/{code}/game-masters` | game master with `view` | none | 200 [`GameMasters`] |
//! | `DELETE /sessions/{code}/game-masters/{game_master}` | game master with `run` | none | 204 |
//! | `POST /sessions/{code}/clues` | game master with `hints` | [`PushClue`] | 201 [`CluePushed`] |
//! | `DELETE /sessions/{code}/clues/{clue}` | game master with `hints` | none | 204 |
//! | `POST /sessions/{code}/announcements` | game master with `run` | [`Announce`] | 201 [`Announced`] |
//! | `GET /openapi.json` | none | none | 200 all of this as OpenAPI 3.1; also `openapi.json` beside this crate |
//!
//! An admin's token is good wherever a game master's is.
//! A token travels as `Authorization: Bearer TOKEN`, never in a path or query. Every failure has
//! the body [`Failure`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::message::StrictTarget;
use crate::{GameMaster, Member, Phase, RejectionCode, Scope, Target};

/// The fields of requests that are lists; each holds nothing but text.
pub const BODY_LISTS: [&str; 1] = ["scopes"];

/// Uploads a hunt. The same files again give the same revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct CreateHunt {
    /// The hunt's files by their path in its folder; `hunt.toml` is the one that must be there.
    pub files: BTreeMap<String, String>,
}

/// A hunt was stored, or had been before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
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
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct CreateSession {
    /// The hunt's revision.
    pub hunt: String,
    /// The code by which players find the session: 4 to 12 upper-case letters and digits. A
    /// random one if it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(pattern = "^[A-Z0-9]{4,12}$"))]
    pub code: Option<String>,
}

/// A session was created; it is in the lobby.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SessionCreated {
    /// The session's code.
    pub session: String,
    /// A game master's token for it.
    pub game_master_token: String,
}

/// What anyone may know of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
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
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Join {
    /// The session's code.
    pub session: String,
    /// The name of the new team.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 64))]
    pub new_team: Option<String>,
    /// The code of the existing team.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team_code: Option<String>,
    /// The player's name.
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 64))]
    pub name: String,
}

/// A player has joined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
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
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeviceCreated {
    /// The device's id.
    pub device: String,
    /// The new device's token.
    pub token: String,
}

/// Asks for the players of a team, to find out whom to restore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct FindTeam {
    /// The session's code.
    pub session: String,
    /// The team's code.
    pub team_code: String,
}

/// A team as whoever knows its code sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Roster {
    /// The team's id.
    pub team: String,
    /// Its name.
    pub name: String,
    /// Its players, in the order of joining; the first is the captain.
    pub players: Vec<Member>,
}

/// Gives a player whose device is gone a new one: either with `link`, a one-use link that another
/// device of the player made, or with `team_code` and `player`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Restore {
    /// The session's code.
    pub session: String,
    /// The link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// The team's code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team_code: Option<String>,
    /// The player's id, as the roster tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub player: Option<String>,
}

/// A link by which the player can log in once more, on another device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LinkCreated {
    /// The link, to be used with `POST /restore`. It is a secret.
    pub link: String,
    /// Until when it is good.
    pub expires_at_ms: u64,
}

/// The devices that the asking one may see: a captain sees the team's, others their own; a game
/// master sees all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Devices {
    /// The devices, in the order of being added.
    pub devices: Vec<DeviceSummary>,
}

/// A device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeviceSummary {
    /// The device's id.
    pub device: String,
    /// Its player.
    pub player: Member,
    /// The player's team.
    pub team: String,
    /// Whether it was revoked.
    pub revoked: bool,
}

/// Adds a game master.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct InviteGameMaster {
    /// The name.
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 64))]
    pub name: String,
    /// What the new game master may do; not more than who invites.
    pub scopes: Vec<Scope>,
}

/// A game master was added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GameMasterInvited {
    /// The id.
    pub game_master: String,
    /// The token to hand over. It is a secret.
    pub token: String,
}

/// The game masters of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GameMasters {
    /// In the order of being invited.
    pub game_masters: Vec<GameMaster>,
}

/// Pushes a clue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct PushClue {
    /// To whom.
    #[serde(deserialize_with = "StrictTarget::deserialize")]
    pub to: Target,
    /// What it says.
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 2000))]
    pub text: String,
    /// After how long it stops being live; never, if it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "openapi",
        schema(minimum = 1000, maximum = 2_592_000_000_u64)
    )]
    pub lasts_ms: Option<u64>,
}

/// A clue was pushed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CluePushed {
    /// The clue's id.
    pub clue: String,
}

/// Tells everyone something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Announce {
    /// What.
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 2000))]
    pub text: String,
}

/// An announcement was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Announced {
    /// The announcement's id.
    pub announcement: String,
}

/// The scoreboard: every team, best first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
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
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
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
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(description = "One event of the journal."))]
pub struct ExportLine<E> {
    /// Its place in the session's journal, from 1 on.
    pub seq: u64,
    /// When it happened.
    pub at_ms: u64,
    /// Who caused it.
    pub by: Cause,
    /// The device whose command caused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// The game master whose order caused it; an admin's has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub game_master: Option<String>,
    /// The command's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<u64>,
    /// What happened: a map with a `type`.
    #[cfg_attr(feature = "openapi", schema(schema_with = crate::openapi::event))]
    pub event: E,
}

/// Who caused an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A player's device, by a command.
    Device,
    /// A game master.
    GameMaster,
    /// An admin.
    Admin,
    /// Whoever joined, restored a player, or looked after their own devices, over REST.
    Desk,
    /// The clock.
    Timer,
}

/// The body of every answer that is not a success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Failure {
    /// What went wrong.
    pub error: FailureDetail,
}

/// What went wrong, for programs and for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FailureDetail {
    /// The stable code.
    pub code: FailureCode,
    /// The reason for people, in English, saying what to do.
    pub message: String,
    /// For `invalid_hunt`: every mistake, rendered with its place.
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
    /// [`REST_BODY_BYTES_MAX`](crate::limits::REST_BODY_BYTES_MAX), or a hunt than
    /// [`HUNT_BODY_BYTES_MAX`](crate::limits::HUNT_BODY_BYTES_MAX).
    TooLarge,
    /// 408: the request did not arrive in time; send it again.
    RequestTimeout,
    /// 429: too many attempts; the header `Retry-After` tells when to try again.
    RateLimited,
    /// 422: the hunt has mistakes; `mistakes` lists them.
    InvalidHunt,
    /// 503: the outcome is unknown or the server is busy; ask again later.
    Unavailable,
    /// 500: the server failed.
    Internal,
    /// 409: the session's rules refused it, for the reason that the message tells. 403 for
    /// [`RejectionCode::Forbidden`] and [`RejectionCode::Revoked`].
    #[serde(untagged)]
    Rejected(RejectionCode),
}
