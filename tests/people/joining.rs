//! Joining: by a team's code, never by its name.

use std::collections::BTreeSet;

use protocol::rest::{Joined, Roster, SessionState};
use serde_json::json;

use crate::{lobby, running};
use testkit::app::ANSWER;
use testkit::app::http::Request;

#[tokio::test]
async fn names_that_look_the_same_are_taken() {
    let mut app = running().await;
    let owls = app.join("Owls").await;
    let taken = ["Owls", "owls", " Ｏｗｌｓ", "Öwls", "\u{41e}wls"];
    for name in taken {
        let refused = app.send(&app.join_request(Some(name), None)).await;
        refused.expect_failure(409, "name_taken");
    }
    // A joiner between Latin letters is invisible.
    let hidden = app.join_request(Some("Ow\u{200d}ls"), None);
    app.send(&hidden).await.expect_failure(400, "bad_request");
    for name in [
        "Owls 2",
        "\u{1f3f4}\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
        "☃",
    ] {
        app.join(name).await;
    }
    let ana = json!({ "team_code": owls.team_code, "name": "ana" });
    let join = Request::post(format!("/api/v1/sessions/{}/join", app.code)).json(&ana);
    app.send(&join).await.expect_failure(409, "name_taken");
    app.crash().await;
    app.send(&join).await.expect_failure(409, "name_taken");
    let refused = app.send(&app.join_request(Some("OWLS"), None)).await;
    refused.expect_failure(409, "name_taken");
}

#[tokio::test]
async fn what_one_team_does_changes_nothing_for_another() {
    let app = running().await;
    let (one, other) = (app.join("Owls").await, app.join("Foxes").await);
    assert_ne!(one.team, other.team);
    assert_ne!(one.team_code, other.team_code);
    let mut owl = app.attach(&one.token).await;
    owl.guess_as(1, "p0", ANSWER).await.expect_accepted();
    let namesake = app.attach(&other.token).await;
    let snapshot = namesake.snapshot.expect("a first connection gets one");
    assert_eq!(snapshot.team.score, 0);
    assert!(snapshot.puzzles[0].guesses.is_empty());
}

#[tokio::test]
async fn an_existing_team_is_joined_by_its_code_only() {
    let app = lobby().await;
    let captain = app.join("Owls").await;
    for wrong in ["Owls", "OWLS", "", "99999999", captain.team.as_str()] {
        let body = json!({ "team_code": wrong, "name": "Eve" });
        let answer = app.post("/join", "", Some(body)).await;
        answer.expect_failure(409, "unknown_team");
        let body = json!({ "team_code": wrong });
        let answer = app.post("/roster", "", Some(body)).await;
        answer.expect_failure(409, "unknown_team");
    }
    // As people type it.
    let code = captain.team_code.to_lowercase();
    let typed = format!(" {}-{} ", &code[..4], &code[4..]);
    let body = json!({ "team_code": typed, "name": "Ben" });
    let lower = app.with_code(&app.code.to_lowercase());
    let joined: Joined = lower.post("/join", "", Some(body)).await.read(201);
    assert_eq!(joined.team, captain.team);
    let code = app.code.to_lowercase();
    let typed_session = format!("%20{}-{}%20", &code[..4], &code[4..]);
    let spelled = app.with_code(&typed_session);
    let body = json!({ "team_code": typed });
    let roster: Roster = spelled.post("/roster", "", Some(body)).await.read(200);
    let players: Vec<&str> = roster
        .players
        .iter()
        .map(|player| player.id.as_str())
        .collect();
    assert_eq!(players, [captain.player.clone(), joined.player]);
    let read: SessionState = spelled.get("", "").await.read(200);
    assert_eq!(read.session.to_lowercase(), code);
    spelled.attach(&captain.token).await;
}

#[tokio::test]
async fn a_team_code_of_another_session_is_unknown() {
    let app = lobby().await;
    let captain = app.join("Owls").await;
    let other = app.create().await;
    let body = json!({ "team_code": captain.team_code, "name": "Eve" });
    let answer = other.post("/join", "", Some(body)).await;
    answer.expect_failure(409, "unknown_team");
}

#[tokio::test]
async fn codes_on_the_wire_have_the_drawn_form() {
    let app = lobby().await;
    let mut codes = BTreeSet::from([app.code.clone()]);
    for team in 0..10 {
        codes.insert(app.join(&format!("Owls {team}")).await.team_code);
    }
    assert_eq!(codes.len(), 11, "no two are equal: {codes:?}");
    for code in codes {
        assert!(crate::codes::is_drawn(&code), "{code}");
    }
}
