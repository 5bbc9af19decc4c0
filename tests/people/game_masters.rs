//! Game masters: named, invited, revocable; and whose tokens are good for what.

use protocol::rest::{GameMasters, Joined, SessionState};
use protocol::{CloseCode, Event, Order, RejectionCode, Scope, Target};
use serde_json::json;

use crate::scopes::requests;
use crate::seat::Seat;
use crate::stage::Stage;

#[tokio::test]
async fn invited_game_masters_are_listed_with_name_and_scopes() {
    let stage = Stage::lobby().await;
    let mut organiser = Seat::take_json(&stage, &stage.organiser).await;
    let invited = stage
        .invite("Mo, who hints", &[Scope::Hints, Scope::View])
        .await;
    let is_it = |event: &Event| matches!(event, Event::GameMasterInvited { game_master } if game_master.name == "Mo, who hints");
    organiser.sees(is_it).await;
    let listed: GameMasters = stage.get("/game-masters", &invited.token).await.read(200);
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

    let seat = Seat::take(&stage, &invited.token).await;
    assert_eq!(seat.welcome.game_master, Some(invited.game_master));
    assert_eq!(seat.welcome.scopes, [Scope::View, Scope::Hints]);
    assert!(seat.snapshot.is_none() && seat.overview.is_some());
}

#[tokio::test]
async fn nobody_gives_scopes_that_they_lack() {
    let stage = Stage::lobby().await;
    let all = [Scope::View, Scope::Hints, Scope::Run, Scope::Answers];
    let runner = stage.invite("Runner", &[Scope::Run, Scope::View]).await;
    for scope in all {
        let has_it = scope == Scope::Run || scope == Scope::View;
        for scopes in [vec![scope], vec![Scope::Run, scope]] {
            let body = json!({ "name": "Friend", "scopes": scopes });
            let answer = stage.post("/game-masters", &runner.token, Some(body)).await;
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
    let by_admin = stage.post("/game-masters", &stage.admin, Some(body)).await;
    assert_eq!(by_admin.status, 201);
}

#[tokio::test]
async fn a_revoked_game_master_is_closed_and_refused_everywhere() {
    let mut stage = Stage::running().await;
    let all = [Scope::View, Scope::Hints, Scope::Run, Scope::Answers];
    let mo = stage.invite("Mo", &all).await;
    let mut organiser = Seat::take_json(&stage, &stage.organiser).await;
    let mut seat = Seat::take(&stage, &mo.token).await;
    let text = "Before".to_owned();
    seat.ordered(1, Order::Announce { text }).await;
    stage
        .revoke(&format!("/game-masters/{}", mo.game_master))
        .await;
    assert_eq!(seat.closed().await, CloseCode::Unauthorized);
    let is_it = |event: &Event| matches!(event, Event::GameMasterRevoked { game_master } if *game_master == mo.game_master);
    organiser.sees(is_it).await;
    let again = stage
        .delete(
            &format!("/game-masters/{}", mo.game_master),
            &stage.organiser,
        )
        .await;
    assert_eq!(again.failure(), (409, "already_revoked".to_owned()));
    for _ in 0..2 {
        assert_eq!(
            Seat::refused(&stage, &mo.token).await,
            CloseCode::Unauthorized
        );
        for request in requests(&stage).await {
            let answer = request.send(&stage, &mo.token).await;
            assert_eq!(answer.failure(), (403, "revoked".to_owned()), "{request:?}");
        }
        stage.crash_and_restart().await;
    }
    let listed: GameMasters = stage.get("/game-masters", &stage.organiser).await.read(200);
    let revoked: Vec<bool> = listed
        .game_masters
        .iter()
        .map(|known| known.revoked)
        .collect();
    assert_eq!(revoked[..2], [false, true], "the organiser is as before");
}

#[tokio::test]
async fn an_admin_may_do_everything() {
    let stage = Stage::lobby().await;
    for request in requests(&stage).await {
        let answer = request.send(&stage, &stage.admin).await;
        assert!(answer.status < 300, "{request:?}: {answer:?}");
    }
    let read: SessionState = stage.get("", "").await.read(200);
    assert_eq!(read.phase, protocol::Phase::Finished);
}

#[tokio::test]
async fn a_players_token_does_nothing_of_a_game_masters() {
    let stage = Stage::running().await;
    let ana = stage.found("Owls").await;
    for request in requests(&stage).await {
        // Devices are a player's own business too.
        if request.path.starts_with("/devices") {
            continue;
        }
        let answer = request.send(&stage, &ana.token).await;
        assert_eq!(
            answer.failure(),
            (403, "forbidden".to_owned()),
            "{request:?}"
        );
    }
    for path in ["/hunts", "/sessions"] {
        let body = Some(json!({ "files": {} })).filter(|_| path == "/hunts");
        let body = body.or(Some(json!({ "hunt": "none" })));
        let answer = stage.post_to(path, Some(&ana.token), body.clone()).await;
        assert_eq!(answer.failure(), (403, "forbidden".to_owned()), "{path}");
        let answer = stage.post_to(path, Some(&stage.organiser), body).await;
        assert_eq!(answer.failure(), (403, "forbidden".to_owned()), "{path}");
    }
    let mut seat = Seat::take(&stage, &ana.token).await;
    for order in crate::scopes::orders().map(|(order, _)| order) {
        let refused = seat.order(1, order.clone()).await;
        assert_eq!(
            refused.expect_err("not hers").code,
            RejectionCode::Forbidden,
            "{order:?}"
        );
    }
}

#[tokio::test]
async fn tokens_of_another_session_do_nothing() {
    let stage = Stage::running().await;
    let other = stage.new_session().await;
    let body = json!({ "session": other.session, "new_team": "Owls", "name": "Eve" });
    let eve: Joined = stage.post_to("/join", None, Some(body)).await.read(201);
    let forbidden = (403, "forbidden".to_owned());
    for token in [&other.game_master_token, &eve.token] {
        assert_eq!(Seat::refused(&stage, token).await, CloseCode::Unauthorized);
        for request in requests(&stage).await {
            let answer = request.send(&stage, token).await;
            assert_eq!(answer.failure(), forbidden, "{request:?}");
        }
        for path in ["/devices", "/links"] {
            assert_eq!(
                stage.post(path, token, None).await.failure(),
                forbidden,
                "{path}"
            );
        }
    }
    assert_eq!(
        Seat::refused(&stage, &stage.admin).await,
        CloseCode::Unauthorized
    );
}

#[tokio::test]
async fn a_game_master_does_not_play() {
    let stage = Stage::running().await;
    let mut organiser = Seat::take_json(&stage, &stage.organiser).await;
    let (puzzle, guess) = (crate::stage::PUZZLE.to_owned(), "hoot".to_owned());
    let refused = organiser
        .order(1, Order::SubmitGuess { puzzle, guess })
        .await;
    assert_eq!(
        refused.expect_err("not theirs").code,
        RejectionCode::Forbidden
    );
    for path in ["/devices", "/links"] {
        for token in [&stage.organiser, &stage.admin] {
            let answer = stage.post(path, token, None).await;
            assert_eq!(answer.failure(), (403, "forbidden".to_owned()), "{path}");
        }
    }
    let nobody = Target::Team {
        team: "t9".to_owned(),
    };
    let text = "Look up".to_owned();
    let order = Order::PushClue {
        to: nobody,
        text,
        lasts_ms: None,
    };
    let refused = organiser.order(1, order).await;
    assert_eq!(
        refused.expect_err("no such team").code,
        RejectionCode::UnknownTeam
    );
}
