//! The routes of the REST interface: one table, of which both the router and the OpenAPI document
//! are made.

use axum::Router;
use axum::handler::Handler;
use axum::routing::{self, MethodRouter};
use hunt::Scope;
use hyper::{Method, StatusCode};
use protocol::RejectionCode;
use protocol::rest::{
    Announce, Announced, CluePushed, CreateHunt, CreateSession, DeviceCreated, Devices, ExportLine,
    FailureCode, FindTeam, GameMasterInvited, GameMasters, HuntCreated, InviteGameMaster, Join,
    Joined, LinkCreated, PushClue, Restore, Roster, SessionCreated, SessionState, Standings,
};
use serde_json::Value;

use super::openapi::{self, Operation, Token};
use super::{desk, devices, export, game_masters, owner, playing};
use crate::gateway::Gateway;

/// Below which all routes are.
pub(super) const PREFIX: &str = "/api/v1";

/// A method of a path: who answers it, and what the document says of it.
pub(super) struct Route {
    pub(super) method: Method,
    pub(super) path: &'static str,
    pub(super) operation: Operation,
    handler: MethodRouter<Gateway>,
}

/// The routes as a router, to be nested below [`PREFIX`].
pub(super) fn router() -> Router<Gateway> {
    let add = |router: Router<Gateway>, route: Route| router.route(route.path, route.handler);
    routes().into_iter().fold(Router::new(), add)
}

/// Every route.
pub(super) fn routes() -> Vec<Route> {
    let mut routes = hunts_and_sessions();
    routes.extend(phases());
    routes.extend(players());
    routes.extend(devices_of_players());
    routes.extend(those_who_run_it());
    routes.extend(texts());
    routes.push(get(
        "/openapi.json",
        openapi::serve,
        Operation::new("readOpenApi", "document", "Reads this document")
            .gives_object("An OpenAPI 3.1 document."),
    ));
    routes
}

fn hunts_and_sessions() -> Vec<Route> {
    let about = |id, summary| Operation::new(id, "sessions", summary);
    vec![
        post(
            "/hunts",
            owner::create_hunt,
            Operation::new("createHunt", "hunts", "Uploads a hunt")
                .token(Token::Admins)
                .takes::<CreateHunt>()
                .creates::<HuntCreated>()
                .fails(StatusCode::UNPROCESSABLE_ENTITY),
        ),
        post(
            "/sessions",
            owner::create_session,
            about("createSession", "Creates a session of a hunt")
                .token(Token::Admins)
                .takes::<CreateSession>()
                .creates::<SessionCreated>()
                .fails(StatusCode::NOT_FOUND)
                .conflicts([FailureCode::CodeTaken]),
        ),
        get(
            "/sessions/{code}",
            playing::session_state,
            about("readSession", "Reads what anyone may know of a session").gives::<SessionState>(),
        ),
        get(
            "/sessions/{code}/standings",
            playing::standings,
            about("readStandings", "Reads the scoreboard").gives::<Standings>(),
        ),
        get(
            "/sessions/{code}/export",
            export::export,
            about("exportSession", "Reads the journal of a session")
                .token(Token::GameMasters(Scope::Answers))
                .gives::<ExportLine<Value>>()
                .in_media(
                    "application/jsonl",
                    "Lines, each a JSON value of the schema and each ended by a line feed, in the \
                     order of `seq` and without holes. An answer that breaks off is not complete. If \
                     the first events are only in the archive, the header \
                     `cluecast-journal-begins-at` tells the `seq` of the first line.",
                ),
        ),
    ]
}

fn phases() -> Vec<Route> {
    let order = |id, summary| {
        Operation::new(id, "sessions", summary)
            .token(Token::GameMasters(Scope::Run))
            .gives::<SessionState>()
    };
    let wrong_phase = rejections([RejectionCode::WrongPhase, RejectionCode::Finished]);
    vec![
        post(
            "/sessions/{code}/start",
            playing::start,
            order("startSession", "Opens a session to guesses").conflicts(wrong_phase),
        ),
        post(
            "/sessions/{code}/pause",
            playing::pause,
            order("pauseSession", "Stops guesses and the session's time").conflicts(wrong_phase),
        ),
        post(
            "/sessions/{code}/resume",
            playing::resume,
            order("resumeSession", "Goes on after a pause").conflicts(wrong_phase),
        ),
        post(
            "/sessions/{code}/finish",
            playing::finish,
            order("finishSession", "Ends a session for good")
                .conflicts(rejections([RejectionCode::Finished])),
        ),
    ]
}

fn players() -> Vec<Route> {
    let about = |id, summary| Operation::new(id, "players", summary).fails(StatusCode::NOT_FOUND);
    vec![
        post(
            "/join",
            desk::join,
            about(
                "join",
                "Joins a session, in a new team or in an existing one",
            )
            .takes::<Join>()
            .creates::<Joined>()
            .conflicts(rejections([
                RejectionCode::UnknownTeam,
                RejectionCode::Full,
                RejectionCode::Finished,
            ])),
        ),
        post(
            "/roster",
            devices::roster,
            about("findTeam", "Reads the players of a team, given its code")
                .takes::<FindTeam>()
                .gives::<Roster>()
                .conflicts(rejections([RejectionCode::UnknownTeam])),
        ),
        post(
            "/restore",
            devices::restore,
            about("restore", "Gives a player whose device is gone a new one")
                .takes::<Restore>()
                .creates::<Joined>()
                .fails(StatusCode::UNAUTHORIZED)
                .fails(StatusCode::FORBIDDEN)
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
                "Gives a player a new device, by a game master",
            )
            .token(Token::GameMasters(Scope::Run))
            .creates::<DeviceCreated>()
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
            about("addDevice", "Adds a device of the same player")
                .token(Token::Devices)
                .creates::<DeviceCreated>()
                .conflicts(rejections([RejectionCode::TooManyDevices])),
        ),
        get(
            "/sessions/{code}/devices",
            devices::list,
            about(
                "listDevices",
                "Lists the devices that the asking one may see",
            )
            .token(Token::DevicesOrGameMasters(Scope::Run))
            .gives::<Devices>(),
        ),
        delete(
            "/sessions/{code}/devices/{device}",
            devices::revoke,
            about(
                "revokeDevice",
                "Revokes a device: one's own, or as captain one of the team",
            )
            .token(Token::DevicesOrGameMasters(Scope::Run))
            .does("Its connection is closed and its token refused from now on.")
            .conflicts(rejections([
                RejectionCode::UnknownDevice,
                RejectionCode::AlreadyRevoked,
            ])),
        ),
        post(
            "/sessions/{code}/links",
            devices::create_link,
            about("createLink", "Makes a one-use link into another device")
                .token(Token::Devices)
                .creates::<LinkCreated>(),
        ),
    ]
}

fn those_who_run_it() -> Vec<Route> {
    let about = |id, summary| Operation::new(id, "game masters", summary);
    vec![
        post(
            "/sessions/{code}/game-masters",
            game_masters::create,
            about("inviteGameMaster", "Adds a game master")
                .token(Token::GameMasters(Scope::Run))
                .takes::<InviteGameMaster>()
                .creates::<GameMasterInvited>()
                .conflicts(rejections([RejectionCode::Full])),
        ),
        get(
            "/sessions/{code}/game-masters",
            game_masters::list,
            about("listGameMasters", "Lists the game masters")
                .token(Token::GameMasters(Scope::View))
                .gives::<GameMasters>(),
        ),
        delete(
            "/sessions/{code}/game-masters/{game_master}",
            game_masters::revoke,
            about("revokeGameMaster", "Takes a game master's rights away")
                .token(Token::GameMasters(Scope::Run))
                .does(
                    "Their connections are closed and the token refused from now on. It takes every \
                     scope of theirs.",
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
                .token(Token::GameMasters(Scope::Hints))
                .takes::<PushClue>()
                .creates::<CluePushed>()
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
            about("cancelClue", "Takes a live clue back")
                .token(Token::GameMasters(Scope::Hints))
                .does("Whoever it had been pushed to is told.")
                .conflicts(rejections([RejectionCode::UnknownClue])),
        ),
        post(
            "/sessions/{code}/announcements",
            game_masters::announce,
            about("announce", "Tells everyone something")
                .token(Token::GameMasters(Scope::Run))
                .takes::<Announce>()
                .creates::<Announced>()
                .conflicts(rejections([RejectionCode::BadText, RejectionCode::Full])),
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
    Route {
        method: Method::GET,
        path,
        operation,
        handler,
    }
}

fn post<H: Handler<T, Gateway>, T: 'static>(
    path: &'static str,
    handler: H,
    operation: Operation,
) -> Route {
    let handler = routing::post(handler);
    Route {
        method: Method::POST,
        path,
        operation,
        handler,
    }
}

fn delete<H: Handler<T, Gateway>, T: 'static>(
    path: &'static str,
    handler: H,
    operation: Operation,
) -> Route {
    let handler = routing::delete(handler);
    Route {
        method: Method::DELETE,
        path,
        operation,
        handler,
    }
}
