//! Invalid REST requests: each is answered with its status and code.

use protocol::limits::{HUNT_BODY_BYTES_MAX, NAME_CHARS_MAX, REST_BODY_BYTES_MAX};
use serde_json::{Value, json};
use testkit::app::TestApp;
use testkit::app::http::{Request, connect, exchange};

use crate::bad_hellos::{expired, foreign, forged};
use crate::bystanders::Bystanders;

/// Description of a case, its request, and the status and code of the failure.
type Row = (&'static str, Request, u16, &'static str);

fn post(path: &str) -> Request {
    Request::post(format!("/api/v1{path}"))
}

fn get(path: &str) -> Request {
    Request::get(format!("/api/v1{path}"))
}

/// Sends every request, beside a correct team.
async fn check(app: &TestApp, rows: Vec<Row>) {
    let mut bystanders = Bystanders::attach(app).await;
    for (what, request, status, code) in rows {
        let failure = app.send(&request).await.failure();
        assert_eq!(failure, (status, code.to_owned()), "{what}");
        bystanders.go_on().await;
    }
    bystanders.have_lost_nothing(app).await;
}

#[tokio::test]
async fn bad_bodies_are_bad_requests() {
    let app = TestApp::running(&[]).await;
    let session = &app.code;
    let path = format!("/sessions/{session}/join");
    let join = |body: &Value| post(&path).json(body);
    let raw = |body: &[u8]| post(&path).raw_json(body);
    let good = json!({ "new_team": "Owls", "name": "Ana" });
    let with = |field: &str, value: Value| {
        let mut body = good.clone();
        body[field] = value;
        join(&body)
    };
    let mut without_type = join(&good);
    without_type.headers.remove("content-type");
    let form = "application/x-www-form-urlencoded";
    let as_form = join(&good).header("content-type", form);
    let long = "x".repeat(NAME_CHARS_MAX + 1);
    let deep = "[".repeat(1_000);
    let twice = good.to_string().repeat(2);
    let rows = vec![
        ("no body", raw(b""), 400, "bad_request"),
        ("half a body", raw(br#"{"name":"#), 400, "bad_request"),
        ("not JSON", raw(b"session=KITE"), 400, "bad_request"),
        ("a list", raw(b"[]"), 400, "bad_request"),
        ("null", raw(b"null"), 400, "bad_request"),
        (
            "a thousand levels",
            raw(deep.as_bytes()),
            400,
            "bad_request",
        ),
        ("two bodies", raw(twice.as_bytes()), 400, "bad_request"),
        ("not UTF-8", raw(b"{\"name\":\"\xff\"}"), 400, "bad_request"),
        (
            "a number for a name",
            with("name", json!(7)),
            400,
            "bad_request",
        ),
        (
            "null for a name",
            with("name", json!(null)),
            400,
            "bad_request",
        ),
        (
            "a session in the body",
            with("session", json!(session)),
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
        ("a body without a type", without_type, 400, "bad_request"),
        ("a body of another type", as_form, 400, "bad_request"),
        (
            "an unknown session",
            post("/sessions/NOSUCH/join").json(&good),
            404,
            "not_found",
        ),
        (
            "an unknown team",
            join(&json!({ "team_code": "AAAA", "name": "Ana" })),
            409,
            "unknown_team",
        ),
    ];
    check(&app, rows).await;
}

#[tokio::test]
async fn deceptive_names_are_refused() {
    let app = TestApp::running(&[]).await;
    let mut rows = Vec::new();
    for field in ["name", "new_team"] {
        for (what, name) in [
            ("an invisible name", "\u{200b}"),
            (
                "a name that changes the text direction",
                "Owls \u{202e}slwO",
            ),
        ] {
            let mut body = json!({ "new_team": "Owls", "name": "Ana" });
            body[field] = json!(name);
            let request = post(&format!("/sessions/{}/join", app.code)).json(&body);
            rows.push((what, request, 400, "bad_request"));
        }
    }
    check(&app, rows).await;
}

#[tokio::test]
async fn bodies_that_are_too_large_are_not_read() {
    let app = TestApp::running(&[]).await;
    let hunt = vec![b' '; HUNT_BODY_BYTES_MAX + 1];
    let hunts = post("/hunts").bearer(&app.admin_token).raw_json(hunt);
    let body = vec![b' '; REST_BODY_BYTES_MAX + 1];
    let rows = vec![
        ("a large hunt", hunts, 413, "too_large"),
        (
            "a large join",
            post(&format!("/sessions/{}/join", app.code)).raw_json(body),
            413,
            "too_large",
        ),
    ];
    check(&app, rows).await;
}

#[tokio::test]
async fn paths_and_methods_that_do_not_exist_are_refused() {
    let app = TestApp::running(&[]).await;
    let session = format!("/sessions/{}", app.code);
    let method = |method, path: &str| Request::new(method, format!("/api/v1{path}"));
    let dance = post(&format!("{session}/dance")).bearer(&app.game_master_token);
    let strange = get("/sessions/%F0%9F%A6%89%00%2F..");
    let rows = vec![
        ("no such path", get("/dance"), 404, "not_found"),
        (
            "another version",
            Request::get("/api/v2/join"),
            404,
            "not_found",
        ),
        ("no such order", dance, 404, "not_found"),
        ("no such session", get("/sessions/NOSUCH"), 404, "not_found"),
        ("a strange session", strange, 404, "not_found"),
        (
            "a session code that is not UTF-8",
            get("/sessions/%ff"),
            400,
            "bad_request",
        ),
        (
            "a device id that is not UTF-8",
            method("DELETE", &format!("{session}/devices/%c3")).bearer(&app.game_master_token),
            400,
            "bad_request",
        ),
        (
            "a read of join",
            get(&format!("{session}/join")),
            405,
            "method_not_allowed",
        ),
        ("a join without a session", get("/join"), 404, "not_found"),
        ("a read of hunts", get("/hunts"), 405, "method_not_allowed"),
        (
            "a session deleted",
            method("DELETE", &session),
            405,
            "method_not_allowed",
        ),
        (
            "an unknown method",
            method("DANCE", &format!("{session}/join")),
            405,
            "method_not_allowed",
        ),
    ];
    check(&app, rows).await;
}

#[tokio::test]
async fn tokens_are_checked_for_every_request() {
    let app = TestApp::running(&[]).await;
    let hunts = || post("/hunts").raw_json(r#"{"files":{}}"#);
    let sessions = post("/sessions").raw_json(r#"{"hunt":"none"}"#);
    let session = format!("/sessions/{}", app.code);
    let pause = || post(&format!("{session}/pause"));
    let basic = hunts().header("authorization", "Basic b3dsOm93bA==");
    let (admin, late) = (&app.admin_token, expired(&app, &app.game_master_token));
    let requests = [
        ("no token", hunts()),
        ("a password", basic),
        ("an empty token", hunts().bearer("")),
        ("a long token", hunts().bearer(&"x".repeat(5_000))),
        ("a forged token", hunts().bearer(&forged(admin))),
        ("a foreign token", hunts().bearer(&foreign(&app, admin))),
        ("an expired token", hunts().bearer(&expired(&app, admin))),
        ("a session without a token", sessions),
        ("a pause without a token", pause()),
        ("a pause by an expired game master", pause().bearer(&late)),
        (
            "an export without a token",
            get(&format!("{session}/export")),
        ),
        (
            "a device without a token",
            post(&format!("{session}/devices")),
        ),
    ];
    let row = |(what, request)| (what, request, 401, "unauthorized");
    check(&app, requests.into_iter().map(row).collect()).await;
}

#[tokio::test]
async fn roles_are_checked_for_every_request() {
    let app = TestApp::running(&[]).await;
    let joined = app.join("Owls").await;
    let other = app.create().await;
    let elsewhere = other.join("Elsewhere").await;
    let hunts = || post("/hunts").raw_json(r#"{"files":{}}"#);
    let sessions = post("/sessions").raw_json(r#"{"hunt":"none"}"#);
    let session = format!("/sessions/{}", app.code);
    let pause = || post(&format!("{session}/pause"));
    let export = || get(&format!("{session}/export"));
    let devices = || post(&format!("{session}/devices"));
    let (device, game_master) = (&joined.token, &app.game_master_token);
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
        ("a device of an admin", devices().bearer(&app.admin_token)),
        ("a device of a game master", devices().bearer(game_master)),
        (
            "a device from elsewhere",
            devices().bearer(&elsewhere.token),
        ),
    ];
    let row = |(what, request)| (what, request, 403, "forbidden");
    check(&app, requests.into_iter().map(row).collect()).await;
}

#[tokio::test]
async fn mistakes_of_admins_and_game_masters_are_refused() {
    let app = TestApp::running(&[]).await;
    let hunts = |body: &Value| post("/hunts").bearer(&app.admin_token).json(body);
    let sessions = |body: &Value| post("/sessions").bearer(&app.admin_token).json(body);
    let hunt = &app.hunt;
    let start = post(&format!("/sessions/{}/start", app.code)).bearer(&app.game_master_token);
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
            "a lower-case code",
            sessions(&json!({ "hunt": hunt, "code": "kite42" })),
            400,
            "bad_request",
        ),
        (
            "a code that is taken",
            sessions(&json!({ "hunt": hunt, "code": app.code })),
            409,
            "code_taken",
        ),
        ("a second start", start, 409, "wrong_phase"),
    ];
    check(&app, rows).await;
}

#[tokio::test]
async fn lists_are_refused_where_they_do_not_belong() {
    let app = TestApp::running(&[]).await;
    let session = format!("/sessions/{}", app.code);
    let send = |path: &str, body: &Value| {
        let path = format!("{session}{path}");
        post(&path).bearer(&app.game_master_token).json(body)
    };
    let join = |body: &Value| post(&format!("{session}/join")).json(body);
    let requests = [
        (
            "a join without the names of its fields",
            join(&json!(["Owls", null, "Ana"])),
        ),
        (
            "a list for a name",
            join(&json!({ "new_team": "Owls", "name": ["Ana"] })),
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
    check(&app, requests.into_iter().map(row).collect()).await;
}

#[tokio::test]
async fn a_player_has_a_bounded_number_of_devices() {
    let app = TestApp::running(&[]).await;
    let joined = app.join("Owls").await;
    for _ in 1..5 {
        app.add_device(&joined.token).await;
    }
    let refused = app.post("/devices", &joined.token, None).await;
    refused.expect_failure(409, "too_many_devices");
}

#[tokio::test]
async fn what_is_not_http_is_closed() {
    let app = TestApp::running(&[]).await;
    let mut bystanders = Bystanders::attach(&app).await;
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
        let answer = exchange(connect(app.address()).await, request).await;
        let answer = String::from_utf8_lossy(&answer);
        let refused = answer.is_empty() || answer.starts_with("HTTP/1.1 4");
        assert!(refused, "{answer:.200}");
        bystanders.go_on().await;
    }
    bystanders.have_lost_nothing(&app).await;
}
