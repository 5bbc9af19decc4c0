//! Coming back after the phone is gone: one-use links, the team's code, a game master.

use protocol::CloseCode;
use protocol::rest::{DeviceCreated, Joined, LinkCreated};
use serde_json::json;

use crate::api::Answer;
use crate::seat::Seat;
use crate::stage::Stage;

async fn make_link(stage: &Stage, token: &str) -> String {
    let created: LinkCreated = stage.post("/links", token, None).await.read(201);
    created.link
}

async fn use_link(stage: &Stage, session: &str, link: &str) -> Answer {
    let body = json!({ "session": session, "link": link });
    stage.post_to("/restore", None, Some(body)).await
}

#[tokio::test]
async fn a_link_lets_the_same_player_in_once() {
    let stage = Stage::lobby().await;
    let ana = stage.found("Owls").await;
    let link = make_link(&stage, &ana.token).await;
    let restored: Joined = use_link(&stage, &stage.session, &link).await.read(201);
    assert_eq!((&restored.player, &restored.team), (&ana.player, &ana.team));
    assert_eq!(restored.team_code, ana.team_code);
    assert_ne!(restored.device, ana.device);
    let seat = Seat::take(&stage, &restored.token).await;
    assert_eq!(seat.welcome.player, Some(ana.player));
    assert_eq!(seat.welcome.device, Some(restored.device));

    let again = use_link(&stage, &stage.session, &link).await;
    assert_eq!(again.failure(), (409, "link_used".to_owned()));
    let next = make_link(&stage, &ana.token).await;
    assert_eq!(use_link(&stage, &stage.session, &next).await.status, 201);
}

#[tokio::test]
async fn a_link_is_good_for_nothing_else() {
    let stage = Stage::lobby().await;
    let ana = stage.found("Owls").await;
    let link = make_link(&stage, &ana.token).await;
    assert_eq!(Seat::refused(&stage, &link).await, CloseCode::Unauthorized);
    for (method, path) in [
        ("GET", "/devices"),
        ("POST", "/devices"),
        ("POST", "/links"),
        ("POST", "/start"),
        ("GET", "/export"),
        ("GET", "/game-masters"),
    ] {
        let answer = stage.ask(method, path, &link, None).await;
        assert_eq!(
            answer.failure(),
            (403, "forbidden".to_owned()),
            "{method} {path}"
        );
    }
    // It is still good for what it was made for.
    assert_eq!(use_link(&stage, &stage.session, &link).await.status, 201);
}

#[tokio::test]
async fn only_a_link_into_this_session_lets_in() {
    let stage = Stage::lobby().await;
    let ana = stage.found("Owls").await;
    let other = stage.new_session().await;
    let link = make_link(&stage, &ana.token).await;
    let unauthorized = (401, "unauthorized".to_owned());
    let answer = use_link(&stage, &other.session, &link).await;
    assert_eq!(answer.failure(), unauthorized);
    for no_link in [&ana.token, &stage.organiser, &stage.admin, "", "v4.local.x"] {
        let answer = use_link(&stage, &stage.session, no_link).await;
        assert_eq!(answer.failure(), unauthorized, "{no_link:.12}");
    }
    let no_such = use_link(&stage, "NOSUCH", &link).await;
    assert_eq!(no_such.failure(), (404, "not_found".to_owned()));
    assert_eq!(use_link(&stage, &stage.session, &link).await.status, 201);
}

#[tokio::test]
async fn the_links_of_a_revoked_device_are_void() {
    let stage = Stage::lobby().await;
    let ana = stage.found("Owls").await;
    let lost = stage.add_device(&ana.token).await;
    let link = make_link(&stage, &lost.token).await;
    let revoked = stage
        .delete(&format!("/devices/{}", lost.device), &ana.token)
        .await;
    assert_eq!(revoked.status, 204);
    let answer = use_link(&stage, &stage.session, &link).await;
    assert_eq!(answer.failure(), (403, "revoked".to_owned()));
}

#[tokio::test]
async fn the_team_code_restores_whom_the_roster_names() {
    let stage = Stage::lobby().await;
    let ana = stage.found("Owls").await;
    let ben = stage.join(&ana).await;
    let fox = stage.found("Foxes").await;
    let restore = async |code: &str, player: &str| {
        let body = json!({ "session": stage.session, "team_code": code, "player": player });
        stage.post_to("/restore", None, Some(body)).await
    };
    let restored: Joined = restore(&ana.team_code, &ben.player).await.read(201);
    assert_eq!((&restored.player, &restored.team), (&ben.player, &ben.team));
    assert_eq!(
        Seat::take(&stage, &restored.token).await.welcome.player,
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
        json!({ "session": stage.session }),
        json!({ "session": stage.session, "player": ana.player }),
        json!({ "session": stage.session, "team_code": ana.team_code }),
        json!({ "session": stage.session, "team_code": ana.team_code, "player": ana.player, "link": "x" }),
    ] {
        let answer = stage.post_to("/restore", None, Some(body)).await;
        assert_eq!(answer.failure(), (400, "bad_request".to_owned()));
    }
}

#[tokio::test]
async fn a_game_master_restores_a_player() {
    let stage = Stage::lobby().await;
    let ana = stage.found("Owls").await;
    let path = format!("/players/{}/devices", ana.player);
    for token in [&stage.organiser, &stage.admin] {
        let restored: DeviceCreated = stage.post(&path, token, None).await.read(201);
        let seat = Seat::take(&stage, &restored.token).await;
        assert_eq!(seat.welcome.player.as_ref(), Some(&ana.player));
        assert_eq!(seat.welcome.device, Some(restored.device));
    }
    let nobody = stage
        .post("/players/p99/devices", &stage.organiser, None)
        .await;
    assert_eq!(nobody.failure(), (409, "unknown_player".to_owned()));
}
