//! Joining: by a team's code, never by its name.

use std::collections::BTreeSet;

use protocol::rest::{Joined, Roster, SessionState, Standings};
use serde_json::json;

use crate::seat::Seat;
use crate::stage::Stage;

#[tokio::test]
async fn two_teams_of_one_name_are_two_teams() {
    let stage = Stage::running().await;
    let (one, other) = (stage.found("Owls").await, stage.found("Owls").await);
    assert_ne!(one.team, other.team);
    assert_ne!(one.team_code, other.team_code);
    let standings: Standings = stage.get("/standings", "").await.read(200);
    let names: Vec<&str> = standings.rows.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names, ["Owls", "Owls"]);

    // What one of them does is nothing to the other.
    let mut owl = Seat::take(&stage, &one.token).await;
    owl.guess(1, "hoot").await;
    let namesake = Seat::take(&stage, &other.token).await;
    let snapshot = namesake.snapshot.expect("a first connection gets one");
    assert_eq!(snapshot.team.score, 0);
    assert!(snapshot.puzzles[0].guesses.is_empty());
}

#[tokio::test]
async fn an_existing_team_is_joined_by_its_code_only() {
    let mut stage = Stage::lobby().await;
    let captain = stage.found("Owls").await;
    for wrong in ["Owls", "OWLS", "", "99999999", captain.team.as_str()] {
        let body = json!({ "session": stage.session, "team_code": wrong, "name": "Eve" });
        let answer = stage.post_to("/join", None, Some(body)).await;
        assert_eq!(
            answer.failure(),
            (409, "unknown_team".to_owned()),
            "{wrong}"
        );
        let body = json!({ "session": stage.session, "team_code": wrong });
        let answer = stage.post_to("/roster", None, Some(body)).await;
        assert_eq!(
            answer.failure(),
            (409, "unknown_team".to_owned()),
            "{wrong}"
        );
    }
    // As people type it.
    let code = captain.team_code.to_lowercase();
    let typed = format!(" {}-{} ", &code[..4], &code[4..]);
    let body =
        json!({ "session": stage.session.to_lowercase(), "team_code": typed, "name": "Ben" });
    let joined: Joined = stage.post_to("/join", None, Some(body)).await.read(201);
    assert_eq!(joined.team, captain.team);
    let code = stage.session.to_lowercase();
    let typed_session = format!(" {}-{} ", &code[..4], &code[4..]);
    let body = json!({ "session": typed_session, "team_code": typed });
    let roster: Roster = stage.post_to("/roster", None, Some(body)).await.read(200);
    let players: Vec<&str> = roster
        .players
        .iter()
        .map(|player| player.id.as_str())
        .collect();
    assert_eq!(players, [captain.player.clone(), joined.player]);
    stage.session = typed_session.replace(' ', "%20");
    let read: SessionState = stage.get("", "").await.read(200);
    assert_eq!(read.session.to_lowercase(), code);
    Seat::take(&stage, &captain.token).await;
}

#[tokio::test]
async fn a_team_code_of_another_session_is_unknown() {
    let stage = Stage::lobby().await;
    let captain = stage.found("Owls").await;
    let other = stage.new_session().await;
    let body = json!({ "session": other.session, "team_code": captain.team_code, "name": "Eve" });
    let answer = stage.post_to("/join", None, Some(body)).await;
    assert_eq!(answer.failure(), (409, "unknown_team".to_owned()));
}

#[tokio::test]
async fn codes_on_the_wire_are_those_that_are_drawn() {
    let stage = Stage::lobby().await;
    let mut codes = BTreeSet::from([stage.session.clone()]);
    for _ in 0..10 {
        codes.insert(stage.found("Owls").await.team_code);
    }
    assert_eq!(codes.len(), 11, "no two are equal: {codes:?}");
    for code in codes {
        assert!(crate::codes::is_drawn(&code), "{code}");
    }
}
