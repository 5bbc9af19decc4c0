//! Game masters: named, invited, revocable; and what each role's token allows.

use protocol::rest::{GameMasters, SessionState};
use protocol::{CloseCode, Codec, Event, RejectionCode, Scope, Target};
use serde_json::json;

use crate::scopes::requests;
use crate::{lobby, running};
use testkit::app::{ANSWER, announcement, clue, guess};

#[tokio::test]
async fn invited_game_masters_are_listed_with_name_and_scopes() {
    let app = lobby().await;
    let mut organiser = app.attach_with(Codec::Json, &app.game_master_token).await;
    let invited = app
        .invite("Mo, who hints", &[Scope::Hints, Scope::View])
        .await;
    let is_it = |event: &Event| matches!(event, Event::GameMasterInvited { game_master } if game_master.name == "Mo, who hints");
    organiser.expect_update(is_it).await;
    let listed: GameMasters = app.get("/game-masters", &invited.token).await.read(200);
    let listed: Vec<_> = listed
        .game_masters
        .iter()
        .map(|known| (known.name.as_str(), &known.scopes[..]))
        .collect();
    let all = [Scope::View, Scope::Hints, Scope::Run, Scope::Answers];
    assert_eq!(
        listed,
        [
            ("Organiser", &all[..]),
            ("Mo, who hints", &[Scope::View, Scope::Hints])
        ]
    );

    let client = app.attach(&invited.token).await;
    assert_eq!(client.welcome.game_master, Some(invited.game_master));
    assert_eq!(client.welcome.scopes, [Scope::View, Scope::Hints]);
    assert!(client.snapshot.is_none() && client.overview.is_some());
}

#[tokio::test]
async fn a_game_master_grants_only_scopes_that_it_has() {
    let app = lobby().await;
    let all = [Scope::View, Scope::Hints, Scope::Run, Scope::Answers];
    let runner = app.invite("Runner", &[Scope::Run, Scope::View]).await;
    for scope in all {
        let has_it = scope == Scope::Run || scope == Scope::View;
        for scopes in [vec![scope], vec![Scope::Run, scope]] {
            let body = json!({ "name": "Friend", "scopes": scopes });
            let answer = app.post("/game-masters", &runner.token, Some(body)).await;
            let expected = if has_it {
                (201, "")
            } else {
                (403, "forbidden")
            };
            assert_eq!(
                answer.failure(),
                (expected.0, expected.1.to_owned()),
                "{scopes:?}"
            );
        }
    }
    let body = json!({ "name": "Friend", "scopes": all });
    let by_admin = app
        .post("/game-masters", &app.admin_token, Some(body))
        .await;
    assert_eq!(by_admin.status, 201);
}

#[tokio::test]
async fn a_revoked_game_master_is_closed_and_refused_everywhere() {
    let mut app = running().await;
    let all = [Scope::View, Scope::Hints, Scope::Run, Scope::Answers];
    let mo = app.invite("Mo", &all).await;
    let mut organiser = app.attach_with(Codec::Json, &app.game_master_token).await;
    let mut client = app.attach(&mo.token).await;
    client
        .order_as(1, announcement("Before"))
        .await
        .expect_accepted();
    app.revoke(&format!("/game-masters/{}", mo.game_master))
        .await;
    client.expect_close(CloseCode::Unauthorized).await;
    let is_it = |event: &Event| matches!(event, Event::GameMasterRevoked { game_master } if *game_master == mo.game_master);
    organiser.expect_update(is_it).await;
    let again = app
        .delete(
            &format!("/game-masters/{}", mo.game_master),
            &app.game_master_token,
        )
        .await;
    again.expect_failure(409, "already_revoked");
    for _ in 0..2 {
        app.expect_unauthorized(&mo.token).await;
        for request in requests(&app).await {
            let answer = request.send(&app, &mo.token).await;
            answer.expect_failure(403, "revoked");
        }
        app.crash().await;
    }
    let listed: GameMasters = app
        .get("/game-masters", &app.game_master_token)
        .await
        .read(200);
    let revoked: Vec<bool> = listed
        .game_masters
        .iter()
        .map(|known| known.revoked)
        .collect();
    assert_eq!(revoked[..2], [false, true], "the organiser is as before");
}

#[tokio::test]
async fn an_admin_may_do_everything() {
    let app = lobby().await;
    for request in requests(&app).await {
        let answer = request.send(&app, &app.admin_token).await;
        assert!(answer.status < 300, "{request:?}: {answer:?}");
    }
    let read: SessionState = app.get("", "").await.read(200);
    assert_eq!(read.phase, protocol::Phase::Paused, "finished and reopened");
}

#[tokio::test]
async fn a_players_token_does_nothing_of_a_game_masters() {
    let app = running().await;
    let ana = app.join("Owls").await;
    for request in requests(&app).await {
        // Players may also manage their own devices.
        if request.path.starts_with("/devices") {
            continue;
        }
        let answer = request.send(&app, &ana.token).await;
        answer.expect_failure(403, "forbidden");
    }
    for path in ["/hunts", "/sessions"] {
        let body = Some(json!({ "files": {} })).filter(|_| path == "/hunts");
        let body = body.or(Some(json!({ "hunt": "none" })));
        let answer = app.post_to(path, Some(&ana.token), body.clone()).await;
        answer.expect_failure(403, "forbidden");
        let answer = app.post_to(path, Some(&app.game_master_token), body).await;
        answer.expect_failure(403, "forbidden");
    }
    let mut client = app.attach(&ana.token).await;
    for order in crate::scopes::orders().map(|(order, _)| order) {
        client
            .order_as(1, order.clone())
            .await
            .expect_rejection(RejectionCode::Forbidden);
    }
}

#[tokio::test]
async fn tokens_of_another_session_do_nothing() {
    let app = running().await;
    let other = app.create().await;
    let eve = other.join("Owls").await;
    let forbidden = (403, "forbidden".to_owned());
    for token in [&other.game_master_token, &eve.token] {
        app.expect_unauthorized(token).await;
        for request in requests(&app).await {
            let answer = request.send(&app, token).await;
            assert_eq!(answer.failure(), forbidden, "{request:?}");
        }
        for path in ["/devices", "/links"] {
            assert_eq!(
                app.post(path, token, None).await.failure(),
                forbidden,
                "{path}"
            );
        }
    }
    app.expect_unauthorized(&app.admin_token).await;
}

#[tokio::test]
async fn a_game_master_does_not_play() {
    let app = running().await;
    let mut organiser = app.attach_with(Codec::Json, &app.game_master_token).await;
    organiser
        .order_as(1, guess("p0", ANSWER))
        .await
        .expect_rejection(RejectionCode::Forbidden);
    for path in ["/devices", "/links"] {
        for token in [&app.game_master_token, &app.admin_token] {
            let answer = app.post(path, token, None).await;
            answer.expect_failure(403, "forbidden");
        }
    }
    let unknown = Target::Team {
        team: "t9".to_owned(),
    };
    let order = clue(unknown, "Look up", None);
    organiser
        .order_as(1, order)
        .await
        .expect_rejection(RejectionCode::UnknownTeam);
}
