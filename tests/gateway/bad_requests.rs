//! REST requests that are wrong: each is answered with its status and code.

use protocol::limits::{HUNT_BODY_BYTES_MAX, NAME_CHARS_MAX, REST_BODY_BYTES_MAX};
use serde_json::json;

use crate::bad_hellos::{expired, foreign, forged};
use crate::beside::Beside;
use crate::http::{Ask, ask, exchange};
use crate::stage::Stage;

/// A request with what it must be answered with.
type Row = (&'static str, Ask, u16, &'static str);

fn post(path: &str) -> Ask {
    Ask::new("POST", format!("/api/v1{path}"))
}

fn get(path: &str) -> Ask {
    Ask::new("GET", format!("/api/v1{path}"))
}

/// Sends every request, with a good client beside it.
async fn check(stage: &Stage, rows: Vec<Row>) {
    let mut beside = Beside::begin(stage).await;
    for (what, request, status, code) in rows {
        let answer = ask(stage.address(), &request).await;
        assert_eq!(answer, (status, Some(code.to_owned())), "{what}");
        beside.goes_on().await;
    }
    beside.has_lost_nothing(stage).await;
}

#[tokio::test]
async fn bad_bodies_are_bad_requests() {
    let stage = Stage::running(&[]).await;
    let session = &stage.session;
    let join = |body: &serde_json::Value| post("/join").json(body.to_string());
    let raw = |body: &[u8]| post("/join").json(body);
    let good = json!({ "session": session, "new_team": "Owls", "name": "Ana" });
    let with = |field: &str, value: serde_json::Value| {
        let mut body = good.clone();
        body[field] = value;
        join(&body)
    };
    let without_type = Ask {
        content_type: None,
        ..join(&good)
    };
    let as_form = Ask {
        content_type: Some("application/x-www-form-urlencoded"),
        ..join(&good)
    };
    let long = "x".repeat(NAME_CHARS_MAX + 1);
    let deep = "[".repeat(1_000);
    let twice = good.to_string().repeat(2);
    let rows = vec![
        ("no body", raw(b""), 400, "bad_request"),
        ("half a body", raw(br#"{"session":"#), 400, "bad_request"),
        ("no JSON", raw(b"session=KITE"), 400, "bad_request"),
        ("a list", raw(b"[]"), 400, "bad_request"),
        ("null", raw(b"null"), 400, "bad_request"),
        (
            "a thousand levels",
            raw(deep.as_bytes()),
            400,
            "bad_request",
        ),
        ("two bodies", raw(twice.as_bytes()), 400, "bad_request"),
        (
            "no UTF-8",
            raw(b"{\"session\":\"\xff\"}"),
            400,
            "bad_request",
        ),
        (
            "a number for a code",
            with("session", json!(7)),
            400,
            "bad_request",
        ),
        (
            "null for a code",
            with("session", json!(null)),
            400,
            "bad_request",
        ),
        (
            "an unknown field",
            with("colour", json!("red")),
            400,
            "bad_request",
        ),
        (
            "a team twice",
            with("team_code", json!("AAAA")),
            400,
            "bad_request",
        ),
        ("no team", with("new_team", json!(null)), 400, "bad_request"),
        (
            "an empty name",
            with("name", json!("  ")),
            400,
            "bad_request",
        ),
        ("a long name", with("name", json!(long)), 400, "bad_request"),
        (
            "a name of two lines",
            with("name", json!("A\nB")),
            400,
            "bad_request",
        ),
        ("a body of no type", without_type, 400, "bad_request"),
        ("a body of another type", as_form, 400, "bad_request"),
        (
            "an unknown session",
            with("session", json!("NOSUCH")),
            404,
            "not_found",
        ),
        (
            "an unknown team",
            join(&json!({ "session": session, "team_code": "AAAA", "name": "Ana" })),
            409,
            "unknown_team",
        ),
    ];
    check(&stage, rows).await;
}

#[tokio::test]
async fn names_that_deceive_are_refused() {
    let stage = Stage::running(&[]).await;
    let mut rows = Vec::new();
    for field in ["name", "new_team"] {
        for (what, name) in [
            ("a name that is not seen", "\u{200b}"),
            ("a name that turns the direction", "Owls \u{202e}slwO"),
        ] {
            let mut body = json!({ "session": stage.session, "new_team": "Owls", "name": "Ana" });
            body[field] = json!(name);
            let request = post("/join").json(body.to_string());
            rows.push((what, request, 400, "bad_request"));
        }
    }
    check(&stage, rows).await;
}

#[tokio::test]
async fn bodies_that_are_too_large_are_not_read() {
    let stage = Stage::running(&[]).await;
    let hunt = vec![b' '; HUNT_BODY_BYTES_MAX + 1];
    let hunts = post("/hunts").bearer(&stage.admin).json(hunt);
    let body = vec![b' '; REST_BODY_BYTES_MAX + 1];
    let rows = vec![
        ("a large hunt", hunts, 413, "too_large"),
        (
            "a large joining",
            post("/join").json(body),
            413,
            "too_large",
        ),
    ];
    check(&stage, rows).await;
}

#[tokio::test]
async fn paths_and_methods_that_do_not_exist_are_told() {
    let stage = Stage::running(&[]).await;
    let session = format!("/sessions/{}", stage.session);
    let method = |method, path: &str| Ask::new(method, format!("/api/v1{path}"));
    let dance = post(&format!("{session}/dance")).bearer(&stage.game_master);
    let strange = get("/sessions/%F0%9F%A6%89%00%2F..");
    let rows = vec![
        ("no such path", get("/dance"), 404, "not_found"),
        (
            "another version",
            Ask::new("GET", "/api/v2/join"),
            404,
            "not_found",
        ),
        ("no such order", dance, 404, "not_found"),
        ("no such session", get("/sessions/NOSUCH"), 404, "not_found"),
        ("a strange session", strange, 404, "not_found"),
        (
            "a session that is no text",
            get("/sessions/%ff"),
            400,
            "bad_request",
        ),
        (
            "a device that is no text",
            method("DELETE", &format!("{session}/devices/%c3")).bearer(&stage.game_master),
            400,
            "bad_request",
        ),
        (
            "a join that is read",
            get("/join"),
            405,
            "method_not_allowed",
        ),
        (
            "hunts that are read",
            get("/hunts"),
            405,
            "method_not_allowed",
        ),
        (
            "a session deleted",
            method("DELETE", &session),
            405,
            "method_not_allowed",
        ),
        (
            "a method that is none",
            method("DANCE", "/join"),
            405,
            "method_not_allowed",
        ),
    ];
    check(&stage, rows).await;
}

#[tokio::test]
async fn tokens_are_checked_for_every_request() {
    let stage = Stage::running(&[]).await;
    let hunts = || post("/hunts").json(r#"{"files":{}}"#);
    let sessions = post("/sessions").json(r#"{"hunt":"none"}"#);
    let session = format!("/sessions/{}", stage.session);
    let pause = || post(&format!("{session}/pause"));
    let basic = Ask {
        authorization: Some("Basic b3dsOm93bA==".to_owned()),
        ..hunts()
    };
    let (admin, late) = (&stage.admin, expired(&stage, &stage.game_master));
    let requests = [
        ("no token", hunts()),
        ("a password", basic),
        ("an empty token", hunts().bearer("")),
        ("a long token", hunts().bearer(&"x".repeat(5_000))),
        ("a forged token", hunts().bearer(&forged(admin))),
        ("a foreign token", hunts().bearer(&foreign(&stage, admin))),
        ("an expired token", hunts().bearer(&expired(&stage, admin))),
        ("a session by nobody", sessions),
        ("a pause by nobody", pause()),
        ("a pause by an expired game master", pause().bearer(&late)),
        ("an export to nobody", get(&format!("{session}/export"))),
        ("a device of nobody", post(&format!("{session}/devices"))),
    ];
    let row = |(what, request)| (what, request, 401, "unauthorized");
    check(&stage, requests.into_iter().map(row).collect()).await;
}

#[tokio::test]
async fn roles_are_checked_for_every_request() {
    let stage = Stage::running(&[]).await;
    let joined = stage.join("Owls").await;
    let other = stage.create_session().await;
    let elsewhere = stage.join_elsewhere(&other.session).await;
    let hunts = || post("/hunts").json(r#"{"files":{}}"#);
    let sessions = post("/sessions").json(r#"{"hunt":"none"}"#);
    let session = format!("/sessions/{}", stage.session);
    let pause = || post(&format!("{session}/pause"));
    let export = || get(&format!("{session}/export"));
    let devices = || post(&format!("{session}/devices"));
    let (device, game_master) = (&joined.token, &stage.game_master);
    let foreign_master = &other.game_master_token;
    let requests = [
        ("a hunt by a device", hunts().bearer(device)),
        ("a hunt by a game master", hunts().bearer(game_master)),
        ("a session by a game master", sessions.bearer(game_master)),
        ("a pause by a device", pause().bearer(device)),
        (
            "a pause by another game master",
            pause().bearer(foreign_master),
        ),
        ("an export to a device", export().bearer(device)),
        (
            "an export to another game master",
            export().bearer(foreign_master),
        ),
        ("a device of an admin", devices().bearer(&stage.admin)),
        ("a device of a game master", devices().bearer(game_master)),
        (
            "a device from elsewhere",
            devices().bearer(&elsewhere.token),
        ),
    ];
    let row = |(what, request)| (what, request, 403, "forbidden");
    check(&stage, requests.into_iter().map(row).collect()).await;
}

#[tokio::test]
async fn owners_make_mistakes_too() {
    let stage = Stage::running(&[]).await;
    let hunts =
        |body: &serde_json::Value| post("/hunts").bearer(&stage.admin).json(body.to_string());
    let sessions = |body: &serde_json::Value| {
        post("/sessions")
            .bearer(&stage.admin)
            .json(body.to_string())
    };
    let hunt = &stage.hunt;
    let start = post(&format!("/sessions/{}/start", stage.session)).bearer(&stage.game_master);
    let rows = vec![
        (
            "no files",
            hunts(&json!({ "files": {} })),
            422,
            "invalid_hunt",
        ),
        (
            "a bad hunt",
            hunts(&json!({ "files": { "hunt.toml": "[" } })),
            422,
            "invalid_hunt",
        ),
        (
            "files as a list",
            hunts(&json!({ "files": ["hunt.toml"] })),
            400,
            "bad_request",
        ),
        ("no hunt", sessions(&json!({})), 400, "bad_request"),
        (
            "an unknown hunt",
            sessions(&json!({ "hunt": "none" })),
            404,
            "not_found",
        ),
        (
            "a short code",
            sessions(&json!({ "hunt": hunt, "code": "AB" })),
            400,
            "bad_request",
        ),
        (
            "a low code",
            sessions(&json!({ "hunt": hunt, "code": "kite42" })),
            400,
            "bad_request",
        ),
        (
            "a code that is taken",
            sessions(&json!({ "hunt": hunt, "code": stage.session })),
            409,
            "code_taken",
        ),
        ("a second start", start, 409, "wrong_phase"),
    ];
    check(&stage, rows).await;
}

#[tokio::test]
async fn lists_stand_only_where_they_belong() {
    let stage = Stage::running(&[]).await;
    let session = format!("/sessions/{}", stage.session);
    let send = |path: &str, body: &serde_json::Value| {
        let path = format!("{session}{path}");
        post(&path)
            .bearer(&stage.game_master)
            .json(body.to_string())
    };
    let join = |body: &serde_json::Value| post("/join").json(body.to_string());
    let code = &stage.session;
    let requests = [
        (
            "a joining without the names of its fields",
            join(&json!([code, "Owls", null, "Ana"])),
        ),
        (
            "a list for a name",
            join(&json!({ "session": code, "new_team": "Owls", "name": ["Ana"] })),
        ),
        (
            "a clue in a list",
            send("/clues", &json!([{ "type": "everyone" }, "Look up."])),
        ),
        (
            "a target in a list",
            send("/clues", &json!({ "to": ["everyone"], "text": "Look up." })),
        ),
        (
            "a target by its number",
            send(
                "/clues",
                &json!({ "to": { "type": 0 }, "text": "Look up." }),
            ),
        ),
        (
            "an announcement in a list",
            send("/announcements", &json!(["Hello."])),
        ),
        (
            "a game master in a list",
            send("/game-masters", &json!(["Mia", ["view"]])),
        ),
        (
            "scopes that are maps",
            send(
                "/game-masters",
                &json!({ "name": "Mia", "scopes": [{ "view": null }] }),
            ),
        ),
        (
            "scopes by their numbers",
            send("/game-masters", &json!({ "name": "Mia", "scopes": [0] })),
        ),
    ];
    let row = |(what, request)| (what, request, 400, "bad_request");
    check(&stage, requests.into_iter().map(row).collect()).await;
}

#[tokio::test]
async fn a_player_has_a_bounded_number_of_devices() {
    let stage = Stage::running(&[]).await;
    let joined = stage.join("Owls").await;
    for _ in 1..5 {
        stage.add_device(&joined.token).await;
    }
    let path = format!("/sessions/{}/devices", stage.session);
    let answer = ask(stage.address(), &post(&path).bearer(&joined.token)).await;
    assert_eq!(answer, (409, Some("too_many_devices".to_owned())));
}

#[tokio::test]
async fn what_is_no_http_is_let_go() {
    let stage = Stage::running(&[]).await;
    let mut beside = Beside::begin(&stage).await;
    let long = format!("GET /{} HTTP/1.1\r\nhost: s\r\n\r\n", "x".repeat(1_000_000));
    let many = "x: y\r\n".repeat(10_000);
    for request in [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".as_slice(),
        b"DANCE\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
        long.as_bytes(),
        format!("GET / HTTP/1.1\r\n{many}\r\n").as_bytes(),
    ] {
        let answer = exchange(stage.address(), request).await;
        let answer = String::from_utf8_lossy(&answer);
        let refused = answer.is_empty() || answer.starts_with("HTTP/1.1 4");
        assert!(refused, "{answer:.200}");
        beside.goes_on().await;
    }
    beside.has_lost_nothing(&stage).await;
}
