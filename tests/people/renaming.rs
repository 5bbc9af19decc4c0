//! Renaming teams and players, and replacing the codes of teams.

use protocol::rest::{Joined, Roster, TeamCodeRotated};
use protocol::{Event, Scope};
use serde_json::{Value, json};

use crate::{lobby, running};
use testkit::app::TestApp;
use testkit::app::http::{Request, Response};

async fn rename(app: &TestApp, path: &str, token: &str, name: &str) -> Response {
    let body = Some(json!({ "name": name }));
    app.ask("PATCH", path, token, body).await
}

async fn roster(app: &TestApp, code: &str) -> Roster {
    let body = Some(json!({ "team_code": code }));
    app.post("/roster", "", body).await.read(200)
}

async fn names(app: &TestApp, code: &str) -> (String, Vec<String>) {
    let roster = roster(app, code).await;
    let players = roster.players.into_iter().map(|player| player.name);
    (roster.name, players.collect())
}

#[tokio::test]
async fn captains_players_and_game_masters_rename() {
    let mut app = running().await;
    let ana = app.join("Owls").await;
    let ben = app.join_team(&ana.team_code).await;
    let fox = app.join("Foxes").await;
    let run = app.invite("Mo", &[Scope::Run]).await.token;
    let view = app.invite("Vi", &[Scope::View]).await.token;
    let mut follower = app.attach(&ben.token).await;
    let (owls, foxes) = (
        format!("/teams/{}", ana.team),
        format!("/teams/{}", fox.team),
    );
    let (bens, anas) = (
        format!("/players/{}", ben.player),
        format!("/players/{}", ana.player),
    );
    for (path, token, name, expected) in [
        (&owls, &ana.token, "Hawks", (204, "")),
        (&bens, &ben.token, "Benno", (204, "")),
        (&bens, &ana.token, "Benedict", (204, "")),
        (&anas, &run, "Anna", (204, "")),
        (&owls, &run, "Eagles", (204, "")),
        (&foxes, &app.admin_token, "Foxes 2", (204, "")),
        // Names of others are taken, also in another spelling; the own name is not.
        (&owls, &ana.token, "Eagles", (204, "")),
        (&foxes, &fox.token, "EAGLES", (409, "name_taken")),
        (&foxes, &run, "eagles", (409, "name_taken")),
        (&bens, &ben.token, "anna", (409, "name_taken")),
        (&owls, &ben.token, "Bens", (403, "forbidden")),
        (&foxes, &ana.token, "Anas", (403, "forbidden")),
        (&anas, &ben.token, "Eve", (403, "forbidden")),
        (&bens, &fox.token, "Eve", (403, "forbidden")),
        (&owls, &view, "Views", (403, "forbidden")),
        (&owls, &ana.token, "", (400, "bad_request")),
        (&owls, &run, "A\nB", (400, "bad_request")),
        (&"/teams/t99".to_owned(), &run, "No", (409, "unknown_team")),
        (&"/teams/x".to_owned(), &run, "No", (404, "not_found")),
        (
            &"/players/p99".to_owned(),
            &run,
            "No",
            (409, "unknown_player"),
        ),
    ] {
        let answer = rename(&app, path, token, name).await;
        let (status, code) = expected;
        assert_eq!(answer.failure(), (status, code.to_owned()), "{path} {name}");
    }
    follower
        .expect_update(|event| matches!(event, Event::TeamRenamed { name, .. } if name == "Eagles"))
        .await;
    let expected = ("Eagles".to_owned(), ["Anna", "Benedict"].map(str::to_owned));
    let (team, players) = names(&app, &ana.team_code).await;
    assert_eq!((team, &players[..]), (expected.0.clone(), &expected.1[..]));
    app.crash().await;
    let (team, players) = names(&app, &ana.team_code).await;
    assert_eq!((team, &players[..]), (expected.0, &expected.1[..]));
    // The previous name is free again.
    assert_eq!(rename(&app, &foxes, &run, "Owls").await.status, 204);
}

#[tokio::test]
async fn a_team_code_is_replaced() {
    let mut app = lobby().await;
    let ana = app.join("Owls").await;
    let ben = app.join_team(&ana.team_code).await;
    let fox = app.join("Foxes").await;
    let path = format!("/teams/{}/code", ana.team);
    for token in [&ben.token, &fox.token] {
        let refused = app.post(&path, token, None).await;
        refused.expect_failure(403, "forbidden");
    }
    let unknown = app.post("/teams/t99/code", &app.admin_token, None).await;
    unknown.expect_failure(409, "unknown_team");
    let mut codes = vec![ana.team_code.clone()];
    for token in [&ana.token, &app.game_master_token.clone()] {
        let request = Request::post(format!("/api/v1/sessions/{}{path}", app.code));
        let request = request.bearer(token);
        let key = format!("a-random-key-of-its-own-{}", codes.len());
        let request = request.header("idempotency-key", key);
        let rotated: TeamCodeRotated = app.send(&request).await.read(200);
        // A repeat does not replace it again, also after a crash.
        app.crash().await;
        let again: TeamCodeRotated = app.send(&request).await.read(200);
        assert_eq!(again, rotated);
        codes.push(rotated.team_code);
    }
    let newest = codes.pop().expect("the last one");
    for old in &codes {
        assert_ne!(*old, newest);
        let body = json!({ "team_code": old, "name": "Eve" });
        let refused = app.post("/join", "", Some(body)).await;
        refused.expect_failure(409, "unknown_team");
    }
    let body = json!({ "team_code": newest, "name": "Cid" });
    let joined: Joined = app.post("/join", "", Some(body)).await.read(201);
    assert_eq!((joined.team, &joined.team_code), (ana.team, &newest));
    app.attach(&ana.token).await;
}

#[tokio::test]
async fn a_reason_of_a_game_master_is_kept() {
    let app = running().await;
    let ana = app.join("Owls").await;
    let spare = app.add_device(&ana.token).await;
    let gone = app.invite("Gone", &[]).await;
    let run = app.game_master_token.clone();
    let team = format!("/teams/{}", ana.team);
    let player = format!("/players/{}", ana.player);
    let code = format!("{team}/code");
    let device = format!("/devices/{}", spare.device);
    let game_master = format!("/game-masters/{}", gone.game_master);
    let requests = [
        ("PATCH", &team, json!({ "name": "Hawks" }), "team_renamed"),
        (
            "PATCH",
            &player,
            json!({ "name": "Anna" }),
            "player_renamed",
        ),
        ("POST", &code, json!({}), "team_code_rotated"),
        ("DELETE", &device, json!({}), "device_revoked"),
        ("DELETE", &game_master, json!({}), "game_master_revoked"),
        (
            "POST",
            &"/finish".to_owned(),
            json!({ "confirm": true }),
            "session_finished",
        ),
    ];
    for (method, path, body, event) in &requests {
        let with = |reason: &str| {
            let mut body = body.clone();
            body["reason"] = reason.into();
            Some(body)
        };
        let long = "x".repeat(201);
        for malformed in ["", "A\nB", &long] {
            let answer = app.ask(method, path, &run, with(malformed)).await;
            answer.expect_failure(400, "bad_request");
        }
        if *event != "session_finished" && *event != "game_master_revoked" {
            let answer = app.ask(method, path, &ana.token, with("Mine")).await;
            answer.expect_failure(400, "bad_request");
        }
        let answer = app.ask(method, path, &run, with(event)).await;
        assert!(answer.status < 300, "{method} {path}: {answer:?}");
    }
    let lines = app.get("/export", &run).await.lines();
    for (_, _, _, event) in &requests {
        let line = lines.iter().find(|line| line["event"]["type"] == *event);
        assert_eq!(line.expect("it is exported")["reason"], *event);
    }
    let given = lines.iter().filter(|line| line["reason"] != Value::Null);
    assert_eq!(given.count(), requests.len());
}
