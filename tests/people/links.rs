//! Restoring a player on a new phone: one-use links, the team's code, a game master.

use protocol::rest::{DeviceCreated, Joined, LinkCreated};
use serde_json::json;

use crate::lobby;
use testkit::app::TestApp;
use testkit::app::http::Response;

async fn make_link(app: &TestApp, token: &str) -> String {
    let created: LinkCreated = app.post("/links", token, None).await.read(201);
    created.link
}

async fn use_link(app: &TestApp, session: &str, link: &str) -> Response {
    let body = json!({ "link": link });
    app.with_code(session)
        .post("/restore", "", Some(body))
        .await
}

#[tokio::test]
async fn a_link_restores_its_player_once() {
    let app = lobby().await;
    let ana = app.join("Owls").await;
    let link = make_link(&app, &ana.token).await;
    let restored: Joined = use_link(&app, &app.code, &link).await.read(201);
    assert_eq!((&restored.player, &restored.team), (&ana.player, &ana.team));
    assert_eq!(restored.team_code, ana.team_code);
    assert_ne!(restored.device, ana.device);
    let client = app.attach(&restored.token).await;
    assert_eq!(client.welcome.player, Some(ana.player));
    assert_eq!(client.welcome.device, Some(restored.device));

    let again = use_link(&app, &app.code, &link).await;
    again.expect_failure(409, "link_used");
    let next = make_link(&app, &ana.token).await;
    assert_eq!(use_link(&app, &app.code, &next).await.status, 201);
}

#[tokio::test]
async fn a_link_grants_nothing_else() {
    let app = lobby().await;
    let ana = app.join("Owls").await;
    let link = make_link(&app, &ana.token).await;
    app.expect_unauthorized(&link).await;
    for (method, path) in [
        ("GET", "/devices"),
        ("POST", "/devices"),
        ("POST", "/links"),
        ("POST", "/start"),
        ("GET", "/export"),
        ("GET", "/game-masters"),
    ] {
        let answer = app.ask(method, path, &link, None).await;
        answer.expect_failure(403, "forbidden");
    }
    // It still restores its player.
    assert_eq!(use_link(&app, &app.code, &link).await.status, 201);
}

#[tokio::test]
async fn only_a_link_of_this_session_is_accepted() {
    let app = lobby().await;
    let ana = app.join("Owls").await;
    let other = app.create().await;
    let link = make_link(&app, &ana.token).await;
    let unauthorized = (401, "unauthorized".to_owned());
    let answer = use_link(&app, &other.code, &link).await;
    assert_eq!(answer.failure(), unauthorized);
    for no_link in [
        &ana.token,
        &app.game_master_token,
        &app.admin_token,
        "",
        "v4.local.x",
    ] {
        let answer = use_link(&app, &app.code, no_link).await;
        assert_eq!(answer.failure(), unauthorized, "{no_link:.12}");
    }
    let no_such = use_link(&app, "NOSUCH", &link).await;
    no_such.expect_failure(404, "not_found");
    assert_eq!(use_link(&app, &app.code, &link).await.status, 201);
}

#[tokio::test]
async fn the_links_of_a_revoked_device_are_refused() {
    let app = lobby().await;
    let ana = app.join("Owls").await;
    let lost = app.add_device(&ana.token).await;
    let link = make_link(&app, &lost.token).await;
    let revoked = app
        .delete(&format!("/devices/{}", lost.device), &ana.token)
        .await;
    assert_eq!(revoked.status, 204);
    let answer = use_link(&app, &app.code, &link).await;
    answer.expect_failure(403, "revoked");
}

#[tokio::test]
async fn the_team_code_restores_the_players_of_the_roster() {
    let app = lobby().await;
    let ana = app.join("Owls").await;
    let ben = app.join_team(&ana.team_code).await;
    let fox = app.join("Foxes").await;
    let restore = async |code: &str, player: &str| {
        let body = json!({ "team_code": code, "player": player });
        app.post("/restore", "", Some(body)).await
    };
    let restored: Joined = restore(&ana.team_code, &ben.player).await.read(201);
    assert_eq!((&restored.player, &restored.team), (&ben.player, &ben.team));
    assert_eq!(
        app.attach(&restored.token).await.welcome.player,
        Some(ben.player)
    );
    for (code, player, failure) in [
        (&ana.team_code, &fox.player, (409, "unknown_player")),
        (&ana.team_code, &"p99".to_owned(), (409, "unknown_player")),
        (&"99999999".to_owned(), &ana.player, (409, "unknown_team")),
        (&ana.team, &ana.player, (409, "unknown_team")),
        (&ana.team_code, &"Ana".to_owned(), (404, "not_found")),
    ] {
        let answer = restore(code, player).await;
        assert_eq!(
            answer.failure(),
            (failure.0, failure.1.to_owned()),
            "{code} {player}"
        );
    }
    for body in [
        json!({}),
        json!({ "player": ana.player }),
        json!({ "team_code": ana.team_code }),
        json!({ "team_code": ana.team_code, "player": ana.player, "link": "x" }),
    ] {
        let answer = app.post("/restore", "", Some(body)).await;
        answer.expect_failure(400, "bad_request");
    }
}

#[tokio::test]
async fn a_game_master_restores_a_player() {
    let app = lobby().await;
    let ana = app.join("Owls").await;
    let path = format!("/players/{}/devices", ana.player);
    for token in [&app.game_master_token, &app.admin_token] {
        let restored: DeviceCreated = app.post(&path, token, None).await.read(201);
        let client = app.attach(&restored.token).await;
        assert_eq!(client.welcome.player.as_ref(), Some(&ana.player));
        assert_eq!(client.welcome.device, Some(restored.device));
    }
    let unknown = app
        .post("/players/p99/devices", &app.game_master_token, None)
        .await;
    unknown.expect_failure(409, "unknown_player");
}
