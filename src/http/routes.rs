//! The routes of the REST interface: one table, from which the router and the OpenAPI document are built.
//!
//! Over 500 lines: it is data, and one table shows what REST offers.

use std::sync::LazyLock;

use axum::Router;
use axum::body::Bytes;
use axum::handler::Handler;
use axum::routing::{self, MethodRouter};
use hunt::Scope;
use hyper::header::{CONTENT_TYPE, HeaderName};
use hyper::{Method, StatusCode};
use protocol::RejectionCode;
use protocol::rest::{
    Announce, Announced, Audit, CluePushed, CreateHunt, CreateSession, DeviceCreated, Devices,
    ExportLine, FailureCode, FindTeam, Finish, GameMasterInvited, GameMasters, GuessPage,
    HuntCreated, InviteGameMaster, Join, Joined, LinkCreated, MoveEnd, Players, PushClue, Rename,
    Restore, Revoke, Roster, RotateTeamCode, SessionCreated, SessionState, Standings, Start,
    TeamCodeRotated,
};
use serde_json::Value;

use super::openapi::{DescribedRoute, Operation, QueryParameter, Token, document};
use super::{admin, console, desk, devices, export, game_masters, phases, playing, teams};
use crate::gateway::Gateway;

/// Prefix of all routes.
pub(super) const PREFIX: &str = "/api/v1";

/// A method of a path, with its handler and its description.
struct Route {
    described: DescribedRoute,
    handler: MethodRouter<Gateway>,
}

/// The routes as a router, to be nested at [`PREFIX`].
pub(super) fn router() -> Router<Gateway> {
    let add =
        |router: Router<Gateway>, route: Route| router.route(route.described.path, route.handler);
    routes().into_iter().fold(Router::new(), add)
}

/// The OpenAPI document of the routes.
static OPENAPI: LazyLock<Bytes> = LazyLock::new(|| {
    let described = routes().into_iter().map(|route| route.described);
    document(PREFIX, described).to_string().into()
});

async fn serve_openapi() -> ([(HeaderName, &'static str); 1], Bytes) {
    ([(CONTENT_TYPE, "application/json")], OPENAPI.clone())
}

fn routes() -> Vec<Route> {
    let mut routes = hunts_and_sessions();
    routes.extend(phases());
    routes.extend(players());
    routes.extend(devices_of_players());
    routes.extend(names_and_team_codes());
    routes.extend(game_masters_of_session());
    routes.extend(texts());
    routes.extend(console_of_session());
    routes.push(get(
        "/openapi.json",
        serve_openapi,
        Operation::new("readOpenApi", "document", "Reads this document")
            .object_response("An OpenAPI 3.1 document."),
    ));
    routes
}

fn hunts_and_sessions() -> Vec<Route> {
    let about = |id, summary| Operation::new(id, "sessions", summary);
    vec![
        post(
            "/hunts",
            admin::create_hunt,
            Operation::new("createHunt", "hunts", "Uploads a hunt")
                .token(Token::Admin)
                .request::<CreateHunt>()
                .created_response::<HuntCreated>()
                .failure(StatusCode::UNPROCESSABLE_ENTITY),
        ),
        post(
            "/sessions",
            admin::create_session,
            about("createSession", "Creates a session of a hunt")
                .token(Token::Admin)
                .request::<CreateSession>()
                .created_response::<SessionCreated>()
                .failure(StatusCode::NOT_FOUND)
                .conflicts([FailureCode::CodeTaken]),
        ),
        get(
            "/sessions/{code}",
            playing::session_state,
            about("readSession", "Reads the public state of a session").response::<SessionState>(),
        ),
        get(
            "/sessions/{code}/standings",
            playing::standings,
            about("readStandings", "Reads the scoreboard").response::<Standings>(),
        ),
        get(
            "/sessions/{code}/export",
            export::export,
            about("exportSession", "Reads the journal of a session")
                .token(Token::GameMaster(Scope::Answers))
                .query([QueryParameter::Anonymous, QueryParameter::Format])
                .response::<ExportLine<Value>>()
                .media_type(
                    "application/jsonl",
                    "JSON lines of the schema, each ended by a line feed, in the order of `seq` and \
                     without gaps; or, with `format=csv`, a header and a row for each guess: \
                     `time_utc`, `team`, `puzzle`, `guess`, `verdict` (`Y` or `N`), as RFC 4180 \
                     says, every text in quotes. A truncated response is incomplete. If the first \
                     events are only in the archive, the header `cluecast-journal-begins-at` has the \
                     `seq` of the first line.",
                )
                .text_alternative("text/csv"),
        ),
    ]
}

fn phases() -> Vec<Route> {
    let order = |id, summary| {
        Operation::new(id, "sessions", summary)
            .token(Token::GameMaster(Scope::Run))
            .response::<SessionState>()
    };
    let wrong_phase = rejections([RejectionCode::WrongPhase, RejectionCode::Finished]);
    let bad_time = rejections([RejectionCode::BadTime]);
    vec![
        post(
            "/sessions/{code}/start",
            phases::start,
            order(
                "startSession",
                "Starts a session, at once or at a time: it accepts guesses",
            )
            .optional_request::<Start>()
            .conflicts(wrong_phase)
            .conflicts(bad_time),
        ),
        post(
            "/sessions/{code}/cancel-start",
            phases::cancel_start,
            order("cancelStart", "Cancels the start at a time")
                .conflicts(rejections([RejectionCode::WrongPhase])),
        ),
        post(
            "/sessions/{code}/pause",
            phases::pause,
            order(
                "pauseSession",
                "Pauses a session: it rejects guesses, and its time stands still",
            )
            .conflicts(wrong_phase),
        ),
        post(
            "/sessions/{code}/resume",
            phases::resume,
            order("resumeSession", "Resumes a paused session").conflicts(wrong_phase),
        ),
        patch(
            "/sessions/{code}/end",
            phases::move_end,
            order(
                "moveEnd",
                "Moves the end of a session that is running or paused",
            )
            .request::<MoveEnd>()
            .conflicts(wrong_phase)
            .conflicts(bad_time),
        ),
        post(
            "/sessions/{code}/finish",
            phases::finish,
            order("finishSession", "Finishes a session")
                .optional_request::<Finish>()
                .conflicts(rejections([
                    RejectionCode::NeedsConfirmation,
                    RejectionCode::Finished,
                ])),
        ),
        post(
            "/sessions/{code}/reopen",
            phases::reopen,
            order(
                "reopenSession",
                "Takes a finish back, within 15 minutes: the session is paused",
            )
            .conflicts(rejections([
                RejectionCode::WrongPhase,
                RejectionCode::TooLate,
            ])),
        ),
    ]
}

fn players() -> Vec<Route> {
    let about = |id, summary| Operation::new(id, "players", summary).failure(StatusCode::NOT_FOUND);
    vec![
        post(
            "/sessions/{code}/join",
            desk::join,
            about(
                "join",
                "Joins a session, in a new team or in an existing one",
            )
            .request::<Join>()
            .created_response::<Joined>()
            .idempotent()
            .conflicts(rejections([
                RejectionCode::UnknownTeam,
                RejectionCode::NameTaken,
                RejectionCode::Full,
                RejectionCode::Finished,
            ])),
        ),
        post(
            "/sessions/{code}/roster",
            devices::roster,
            about("findTeam", "Reads the players of the team with a code")
                .request::<FindTeam>()
                .response::<Roster>()
                .conflicts(rejections([RejectionCode::UnknownTeam])),
        ),
        post(
            "/sessions/{code}/restore",
            devices::restore,
            about("restore", "Adds a device for a player who lost theirs")
                .request::<Restore>()
                .created_response::<Joined>()
                .idempotent()
                .failure(StatusCode::UNAUTHORIZED)
                .failure(StatusCode::FORBIDDEN)
                .conflicts(rejections([
                    RejectionCode::UnknownTeam,
                    RejectionCode::UnknownPlayer,
                    RejectionCode::LinkUsed,
                    RejectionCode::TooManyDevices,
                ])),
        ),
        post(
            "/sessions/{code}/players/{player}/devices",
            devices::add_for_player,
            about(
                "restorePlayer",
                "Adds a device for a player, as a game master",
            )
            .token(Token::GameMaster(Scope::Run))
            .created_response::<DeviceCreated>()
            .idempotent()
            .conflicts(rejections([
                RejectionCode::UnknownPlayer,
                RejectionCode::TooManyDevices,
            ])),
        ),
    ]
}

fn devices_of_players() -> Vec<Route> {
    let about = |id, summary| Operation::new(id, "players", summary);
    vec![
        post(
            "/sessions/{code}/devices",
            devices::add,
            about("addDevice", "Adds a device for the same player")
                .token(Token::Device)
                .created_response::<DeviceCreated>()
                .idempotent()
                .conflicts(rejections([RejectionCode::TooManyDevices])),
        ),
        get(
            "/sessions/{code}/devices",
            devices::list,
            about("listDevices", "Lists the devices that the client may see")
                .token(Token::DeviceOrGameMaster(Scope::Run))
                .response::<Devices>(),
        ),
        delete(
            "/sessions/{code}/devices/{device}",
            devices::revoke,
            about(
                "revokeDevice",
                "Revokes a device: the client's own, or, as captain, one of the team",
            )
            .token(Token::DeviceOrGameMaster(Scope::Run))
            .optional_request::<Revoke>()
            .effect("Its connection is closed, and its token is rejected from now on.")
            .conflicts(rejections([
                RejectionCode::UnknownDevice,
                RejectionCode::AlreadyRevoked,
            ])),
        ),
        post(
            "/sessions/{code}/links",
            devices::create_link,
            about(
                "createLink",
                "Creates a one-use link that logs in another device",
            )
            .token(Token::Device)
            .created_response::<LinkCreated>()
            .idempotent(),
        ),
    ]
}

fn names_and_team_codes() -> Vec<Route> {
    let about = |id, summary| {
        Operation::new(id, "players", summary).token(Token::DeviceOrGameMaster(Scope::Run))
    };
    vec![
        patch(
            "/sessions/{code}/teams/{team}",
            teams::rename_team,
            about(
                "renameTeam",
                "Renames a team, as its captain or a game master",
            )
            .request::<Rename>()
            .effect("The team and the public board are notified.")
            .conflicts(rejections([
                RejectionCode::UnknownTeam,
                RejectionCode::NameTaken,
            ])),
        ),
        post(
            "/sessions/{code}/teams/{team}/code",
            teams::rotate_code,
            about(
                "rotateTeamCode",
                "Replaces a team's code, as its captain or a game master",
            )
            .optional_request::<RotateTeamCode>()
            .response::<TeamCodeRotated>()
            .idempotent()
            .conflicts(rejections([RejectionCode::UnknownTeam])),
        ),
        patch(
            "/sessions/{code}/players/{player}",
            teams::rename_player,
            about(
                "renamePlayer",
                "Renames a player: oneself, or, as captain or game master, another one",
            )
            .request::<Rename>()
            .effect("The team is notified.")
            .conflicts(rejections([
                RejectionCode::UnknownPlayer,
                RejectionCode::NameTaken,
            ])),
        ),
    ]
}

fn game_masters_of_session() -> Vec<Route> {
    let about = |id, summary| Operation::new(id, "game masters", summary);
    vec![
        post(
            "/sessions/{code}/game-masters",
            game_masters::create,
            about("inviteGameMaster", "Adds a game master")
                .token(Token::GameMaster(Scope::Run))
                .request::<InviteGameMaster>()
                .created_response::<GameMasterInvited>()
                .idempotent()
                .conflicts(rejections([RejectionCode::Full])),
        ),
        get(
            "/sessions/{code}/game-masters",
            game_masters::list,
            about("listGameMasters", "Lists the game masters")
                .token(Token::GameMaster(Scope::View))
                .response::<GameMasters>(),
        ),
        delete(
            "/sessions/{code}/game-masters/{game_master}",
            game_masters::revoke,
            about("revokeGameMaster", "Revokes a game master")
                .token(Token::GameMaster(Scope::Run))
                .optional_request::<Revoke>()
                .effect(
                    "The connections are closed, and the token is rejected from now on. The caller needs \
                     every scope of the revoked game master.",
                )
                .conflicts(rejections([
                    RejectionCode::UnknownGameMaster,
                    RejectionCode::AlreadyRevoked,
                ])),
        ),
    ]
}

fn texts() -> Vec<Route> {
    let about = |id, summary| Operation::new(id, "game masters", summary);
    vec![
        post(
            "/sessions/{code}/clues",
            game_masters::push_clue,
            about("pushClue", "Pushes a clue to everyone, a team or a player")
                .token(Token::GameMaster(Scope::Hints))
                .request::<PushClue>()
                .created_response::<CluePushed>()
                .idempotent()
                .conflicts(rejections([
                    RejectionCode::UnknownTeam,
                    RejectionCode::UnknownPlayer,
                    RejectionCode::BadText,
                    RejectionCode::BadDuration,
                    RejectionCode::Full,
                ])),
        ),
        delete(
            "/sessions/{code}/clues/{clue}",
            game_masters::cancel_clue,
            about("cancelClue", "Cancels a live clue")
                .token(Token::GameMaster(Scope::Hints))
                .effect("Its audience is notified.")
                .conflicts(rejections([RejectionCode::UnknownClue])),
        ),
        post(
            "/sessions/{code}/announcements",
            game_masters::announce,
            about("announce", "Makes an announcement to everyone")
                .token(Token::GameMaster(Scope::Run))
                .request::<Announce>()
                .created_response::<Announced>()
                .idempotent()
                .conflicts(rejections([RejectionCode::BadText, RejectionCode::Full])),
        ),
    ]
}

fn console_of_session() -> Vec<Route> {
    let about = |id, summary, scope| {
        Operation::new(id, "game masters", summary).token(Token::GameMaster(scope))
    };
    let page = [QueryParameter::Before, QueryParameter::Limit];
    vec![
        get(
            "/sessions/{code}/players",
            console::players,
            about("listPlayers", "Lists the players", Scope::View)
                .query([QueryParameter::AfterPlayer, QueryParameter::Limit])
                .response::<Players>(),
        ),
        get(
            "/sessions/{code}/guesses",
            console::guesses,
            about(
                "listGuesses",
                "Lists the latest guesses of all teams",
                Scope::View,
            )
            .query(page)
            .response::<GuessPage>(),
        ),
        get(
            "/sessions/{code}/teams/{team}/guesses",
            console::guesses_of_team,
            about(
                "listTeamGuesses",
                "Lists the guesses of a team on a puzzle",
                Scope::View,
            )
            .query([QueryParameter::Puzzle])
            .query(page)
            .response::<GuessPage>(),
        ),
        get(
            "/sessions/{code}/audit",
            console::audit,
            about(
                "readAudit",
                "Lists what game masters and admins did",
                Scope::Run,
            )
            .query(page)
            .response::<Audit>(),
        ),
    ]
}

fn rejections<const COUNT: usize>(codes: [RejectionCode; COUNT]) -> [FailureCode; COUNT] {
    codes.map(FailureCode::Rejected)
}

fn get<H: Handler<T, Gateway>, T: 'static>(
    path: &'static str,
    handler: H,
    operation: Operation,
) -> Route {
    let handler = routing::get(handler);
    route(Method::GET, path, operation, handler)
}

fn post<H: Handler<T, Gateway>, T: 'static>(
    path: &'static str,
    handler: H,
    operation: Operation,
) -> Route {
    let handler = routing::post(handler);
    route(Method::POST, path, operation, handler)
}

fn patch<H: Handler<T, Gateway>, T: 'static>(
    path: &'static str,
    handler: H,
    operation: Operation,
) -> Route {
    let handler = routing::patch(handler);
    route(Method::PATCH, path, operation, handler)
}

fn delete<H: Handler<T, Gateway>, T: 'static>(
    path: &'static str,
    handler: H,
    operation: Operation,
) -> Route {
    let handler = routing::delete(handler);
    route(Method::DELETE, path, operation, handler)
}

fn route(
    method: Method,
    path: &'static str,
    operation: Operation,
    handler: MethodRouter<Gateway>,
) -> Route {
    let described = DescribedRoute {
        method,
        path,
        operation,
    };
    Route { described, handler }
}
