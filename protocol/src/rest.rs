//! The bodies of the REST API under `/api/v1`.
//!
//! | request | token | body | response |
//! | --- | --- | --- | --- |
//! | `POST /hunts` | admin | [`CreateHunt`] | 201 [`HuntCreated`] |
//! | `POST /sessions` | admin | [`CreateSession`] | 201 [`SessionCreated`] |
//! | `POST /sessions/{code}/start` | game master with `run` | [`Start`], optional | 200 [`SessionState`] |
//! | `POST /sessions/{code}/cancel-start`, `pause`, `resume`, `reopen` | game master with `run` | none | 200 [`SessionState`] |
//! | `POST /sessions/{code}/finish` | game master with `run` | [`Finish`] | 200 [`SessionState`] |
//! | `PATCH /sessions/{code}/end` | game master with `run` | [`MoveEnd`] | 200 [`SessionState`] |
//! | `GET /sessions/{code}` | none | none | 200 [`SessionState`] |
//! | `GET /sessions/{code}/standings` | none | none | 200 [`Standings`] |
//! | `GET /sessions/{code}/export` | game master with `answers` | none | 200 JSON lines of [`ExportLine`], or CSV |
//! | `GET /sessions/{code}/players` | game master with `view` | none | 200 [`Players`] |
//! | `GET /sessions/{code}/guesses` | game master with `view` | none | 200 [`GuessPage`] |
//! | `GET /sessions/{code}/teams/{team}/guesses` | game master with `view` | none | 200 [`GuessPage`] |
//! | `GET /sessions/{code}/audit` | game master with `run` | none | 200 [`Audit`] |
//! | `POST /sessions/{code}/join` | none | [`Join`] | 201 [`Joined`] |
//! | `POST /sessions/{code}/roster` | none | [`FindTeam`] | 200 [`Roster`] |
//! | `POST /sessions/{code}/restore` | none | [`Restore`] | 201 [`Joined`] |
//! | `POST /sessions/{code}/devices` | device | none | 201 [`DeviceCreated`] |
//! | `GET /sessions/{code}/devices` | device, or game master with `run` | none | 200 [`Devices`] |
//! | `DELETE /sessions/{code}/devices/{device}` | device, or game master with `run` | [`Revoke`], optional | 204 |
//! | `PATCH /sessions/{code}/teams/{team}` | device, or game master with `run` | [`Rename`] | 204 |
//! | `PATCH /sessions/{code}/players/{player}` | device, or game master with `run` | [`Rename`] | 204 |
//! | `POST /sessions/{code}/teams/{team}/code` | device, or game master with `run` | [`RotateTeamCode`], optional | 200 [`TeamCodeRotated`] |
//! | `POST /sessions/{code}/links` | device | none | 201 [`LinkCreated`] |
//! | `POST /sessions/{code}/players/{player}/devices` | game master with `run` | none | 201 [`DeviceCreated`] |
//! | `POST /sessions/{code}/game-masters` | game master with `run` | [`InviteGameMaster`] | 201 [`GameMasterInvited`] |
//! | `GET /sessions/{code}/game-masters` | game master with `view` | none | 200 [`GameMasters`] |
//! | `DELETE /sessions/{code}/game-masters/{game_master}` | game master with `run` | [`Revoke`], optional | 204 |
//! | `POST /sessions/{code}/clues` | game master with `hints` | [`PushClue`] | 201 [`CluePushed`] |
//! | `DELETE /sessions/{code}/clues/{clue}` | game master with `hints` | none | 204 |
//! | `POST /sessions/{code}/announcements` | game master with `run` | [`Announce`] | 201 [`Announced`] |
//! | `GET /openapi.json` | none | none | 200 the OpenAPI 3.1 description; also `openapi.json` in this package |
//!
//! An admin's token is valid wherever a game master's is. Clients send a token as
//! `Authorization: Bearer TOKEN`, never in a path or query. Every failed request has the body [`Failure`].
//!
//! Over 500 lines: types without logic, in the order of the table.

use std::collections::BTreeMap;

mod console;

pub use console::{
    Audit, AuditedKind, AuditedOrder, AuditedTarget, GuessPage, GuessRecord, Players,
};

use serde::{Deserialize, Serialize};

use crate::client::StrictTarget;
use crate::rejection::RejectionCode;
use crate::state::{GameMaster, Member, Phase, Scope, Target};

/// The fields of request bodies that are lists. Their items are strings.
pub const BODY_LISTS: [&str; 1] = ["scopes"];

/// Uploads a hunt. Idempotent: the same files have the same revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct CreateHunt {
    /// The hunt's files by their path in its folder. `hunt.toml` is required.
    pub files: BTreeMap<String, String>,
}

/// The hunt is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HuntCreated {
    /// The revision: a digest of the files. Sessions refer to the hunt by it.
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
    /// The join code: 4 to 12 upper-case letters and digits. Without it, the server draws a random
    /// one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(pattern = "^[A-Z0-9]{4,12}$"))]
    pub code: Option<String>,
}

/// A session was created. Its phase is `lobby`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SessionCreated {
    /// The session's code.
    pub session: String,
    /// The token of its first game master, who has all scopes.
    pub game_master_token: String,
}

/// The public state of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SessionState {
    /// The session's code.
    pub session: String,
    /// The hunt's title.
    pub title: String,
    /// Its phase.
    pub phase: Phase,
    /// When the session starts by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_at_ms: Option<u64>,
    /// When the session finishes automatically. Missing while it is paused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at_ms: Option<u64>,
    /// While the session is paused: the session time left until it finishes automatically.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_ms: Option<u64>,
    /// The number of teams.
    pub teams: u32,
    /// The number of players.
    pub players: u32,
}

/// Starts a session, at once or at a time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// When the session starts by itself; without it, it starts at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_ms: Option<u64>,
}

/// Finishes a session.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Finish {
    /// Whether the requester has confirmed it; without that, it is rejected with
    /// `needs_confirmation`.
    #[serde(default)]
    pub confirm: bool,
    /// Why, for the journal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 200))]
    pub reason: Option<String>,
}

/// Moves the end of a session, to a time or by the session time left. Without either, the session does
/// not finish by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct MoveEnd {
    /// The new end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at_ms: Option<u64>,
    /// The session time left from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_ms: Option<u64>,
}

/// Joins a session: with `new_team` as the first player of a new team, with `team_code` as a
/// further player of an existing team. Exactly one of the two is required.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Join {
    /// The name of the new team.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 200))]
    pub new_team: Option<String>,
    /// The code of the existing team.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team_code: Option<String>,
    /// The player's name.
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 200))]
    pub name: String,
}

/// A player has joined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Joined {
    /// The team's id.
    pub team: String,
    /// The code with which further players join the team.
    pub team_code: String,
    /// The player's id.
    pub player: String,
    /// The device's id.
    pub device: String,
    /// The device's token, for `hello` and for `POST /sessions/{code}/devices`.
    pub token: String,
}

/// Another device of a player was registered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeviceCreated {
    /// The device's id.
    pub device: String,
    /// The new device's token.
    pub token: String,
}

/// Requests the players of a team, to choose which one to restore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct FindTeam {
    /// The team's code.
    pub team_code: String,
}

/// The players of a team, for clients that know its code.
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

/// Registers a new device for a player who lost one: either with `link`, a one-time link created by
/// another device of the player, or with `team_code` and `player`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Restore {
    /// The link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// The team's code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team_code: Option<String>,
    /// The player's id, from the roster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub player: Option<String>,
}

/// A one-time link with which the player can log in on another device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LinkCreated {
    /// The link, for `POST /sessions/{code}/restore`. It is a secret.
    pub link: String,
    /// When the link expires.
    pub expires_at_ms: u64,
}

/// The devices that the requester may see: a captain sees those of the team, other players their
/// own, a game master all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Devices {
    /// The devices, oldest first.
    pub devices: Vec<DeviceSummary>,
}

/// A device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeviceSummary {
    /// The device's id.
    pub device: String,
    /// The player who owns it.
    pub player: Member,
    /// The player's team.
    pub team: String,
    /// Whether it was revoked.
    pub revoked: bool,
}

/// Renames a team or a player.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Rename {
    /// The new name.
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 200))]
    pub name: String,
    /// Why, for the journal. Only game masters and admins may give it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 200))]
    pub reason: Option<String>,
}

/// Revokes a device or a game master.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Revoke {
    /// Why, for the journal. Only game masters and admins may give it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 200))]
    pub reason: Option<String>,
}

/// Replaces the code of a team.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct RotateTeamCode {
    /// Why, for the journal. Only game masters and admins may give it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 200))]
    pub reason: Option<String>,
}

/// The code of a team was replaced. The previous code is unknown from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TeamCodeRotated {
    /// The new code.
    pub team_code: String,
}

/// Adds a game master.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct InviteGameMaster {
    /// The name.
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 200))]
    pub name: String,
    /// The granted scopes: a subset of the inviter's.
    pub scopes: Vec<Scope>,
}

/// A game master was added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GameMasterInvited {
    /// The id.
    pub game_master: String,
    /// The game master's token. It is a secret.
    pub token: String,
}

/// The game masters of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GameMasters {
    /// The game masters, in the order of invitation.
    pub game_masters: Vec<GameMaster>,
}

/// Pushes a clue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct PushClue {
    /// The recipients.
    #[serde(deserialize_with = "StrictTarget::deserialize")]
    pub to: Target,
    /// The text.
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 2000))]
    pub text: String,
    /// How long the clue stays live; without it, until it is cancelled.
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

/// Makes an announcement to everyone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Announce {
    /// The text.
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
    /// The ranking criteria, most important first, for example `score` and then `last_scored`.
    pub tie_break: Vec<String>,
    /// A row for each team.
    pub rows: Vec<StandingsRow>,
}

/// A team's row in the standings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StandingsRow {
    /// Its rank by competition ranking: tied teams share a rank and leave a gap (1, 2, 2, 4).
    pub rank: u32,
    /// The team's id.
    pub team: String,
    /// Its name.
    pub name: String,
    /// Its score.
    pub score: u32,
    /// The number of puzzles that it has solved.
    pub solves: u32,
    /// When it last gained points.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_scored_at_ms: Option<u64>,
}

/// One event of the journal.
///
/// `E` is the server's event type; a reader without that type can use any JSON value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(description = "One event of the journal."))]
pub struct ExportLine<E> {
    /// Its sequence number in the session's journal, starting at 1.
    pub seq: u64,
    /// When it happened.
    pub at_ms: u64,
    /// The kind of actor that caused it.
    pub by: Cause,
    /// The device whose command caused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// The game master whose order caused it; missing for an admin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub game_master: Option<String>,
    /// The command's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<u64>,
    /// Why, in the words of the game master who caused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The event: a map with a `type`.
    #[cfg_attr(feature = "openapi", schema(schema_with = event_schema))]
    pub event: E,
}

/// The kind of actor that caused an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A command of a player's device.
    Device,
    /// A game master.
    GameMaster,
    /// An admin.
    Admin,
    /// A person without a device who knows the code of a team: joining, or restoring a player.
    TeamCode,
    /// A person who founded a team.
    Founder,
    /// A deadline of the session.
    Timer,
}

/// The body of every failed request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Failure {
    /// What went wrong.
    pub error: FailureDetail,
}

/// What went wrong, for programs and people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FailureDetail {
    /// The stable code.
    pub code: FailureCode,
    /// The reason in English, with advice, to show to people.
    pub message: String,
    /// For `invalid_hunt`: every mistake with its position.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mistakes: Vec<String>,
}

/// Why a REST request failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureCode {
    /// 400: the path or the body is malformed.
    BadRequest,
    /// 401: the token is missing, forged or expired.
    Unauthorized,
    /// 403: the token is valid, but does not allow this request.
    Forbidden,
    /// 404: there is no such path, session or hunt.
    NotFound,
    /// 405: the path does not support this method.
    MethodNotAllowed,
    /// 409: another session already has this code.
    CodeTaken,
    /// 413: the body is larger than
    /// [`REST_BODY_BYTES_MAX`](crate::limits::REST_BODY_BYTES_MAX), or a hunt than
    /// [`HUNT_BODY_BYTES_MAX`](crate::limits::HUNT_BODY_BYTES_MAX).
    TooLarge,
    /// 408: the request did not arrive in time; send it again.
    RequestTimeout,
    /// 429: a rate limit is reached; the header `Retry-After` says when to retry.
    RateLimited,
    /// 422: the hunt has mistakes; `mistakes` lists them.
    InvalidHunt,
    /// 422: the idempotency key was used for another request.
    KeyReused,
    /// 503: the server is busy or the outcome is unknown; check the state and retry later.
    Unavailable,
    /// 500: the server failed.
    Internal,
    /// 409: the session's rules rejected the request; the message says why. 403 for
    /// [`RejectionCode::Forbidden`] and [`RejectionCode::Revoked`].
    #[serde(untagged)]
    Rejected(RejectionCode),
}

/// Schema of a journal event. The fields beside `type` depend on the version of the server.
#[cfg(feature = "openapi")]
fn event_schema() -> utoipa::openapi::Object {
    use utoipa::openapi::schema::AdditionalProperties;
    use utoipa::openapi::{ObjectBuilder, Type};

    ObjectBuilder::new()
        .description(Some("What happened."))
        .property("type", ObjectBuilder::new().schema_type(Type::String))
        .required("type")
        .additional_properties(Some(AdditionalProperties::FreeForm(true)))
        .build()
}
