//! Joining, guessing, and what the server sends to a connection.

use std::time::{Duration, UNIX_EPOCH};

use protocol::{
    ClientMessage, CloseCode, Codec, Event, Phase, RejectionCode, Resume, Resync, Verdict,
};
use testkit::app::http::connect;
use testkit::app::{ANSWER, PUZZLES, Socket, TestApp, TestClient, guess, upgrade_request};

#[tokio::test]
async fn a_guess_is_shown_and_then_acknowledged() {
    for codec in Codec::ALL {
        let app = TestApp::lobby(&[]).await;
        let joined = app.join("Owls").await;
        let mut player = app.attach_with(codec, &joined.token).await;
        let welcome = &player.welcome;
        assert_eq!(
            (welcome.resume, welcome.last_command),
            (Resume::Snapshot, 0)
        );
        let snapshot = player.snapshot.clone().expect("it was promised");
        assert_eq!(snapshot.phase, Phase::Lobby);
        assert_eq!(snapshot.team.code, joined.team_code);
        assert!(snapshot.puzzles.is_empty(), "nothing is visible yet");

        app.order("start").await;
        let all_unlocked = |event: &Event| matches!(event, Event::Unlocked { puzzles, .. } if puzzles.len() == PUZZLES);
        player.expect_update(all_unlocked).await;

        let seen = player.updates.len();
        let receipt = player.guess("p0", "solved!").await.expect_correct();
        assert_eq!(receipt.points, Some(1));
        let judged = player.updates[seen..]
            .iter()
            .find_map(|update| match &update.event {
                Event::GuessJudged { guess, verdict, .. } => Some((guess.as_str(), *verdict)),
                _ => None,
            });
        assert_eq!(
            judged,
            Some((ANSWER, Verdict::Correct)),
            "before the receipt"
        );
    }
}

#[tokio::test]
async fn devices_with_different_codecs_see_the_same() {
    let app = TestApp::running(&[]).await;
    let mut on_message_pack = app.team_with(Codec::MessagePack, "Owls").await;
    let mut on_json = app.teammate_with(Codec::Json, &on_message_pack).await;
    for guess in ["one", "two", ANSWER] {
        on_json.guess("p0", guess).await.expect_accepted();
    }
    let reached = on_json.cursor.team;
    on_message_pack.until(|it| it.cursor.team >= reached).await;
    let judged = |client: &TestClient| {
        let mut updates = client.updates.clone();
        updates.retain(|update| matches!(update.event, Event::GuessJudged { .. }));
        updates
    };
    assert_eq!(judged(&on_json).len(), 3);
    assert_eq!(judged(&on_json), judged(&on_message_pack));
}

#[tokio::test]
async fn a_second_connection_of_a_device_replaces_the_first() {
    let app = TestApp::running(&[]).await;
    let joined = app.join("Owls").await;
    let mut first = app.attach(&joined.token).await;
    let mut second = app.attach_with(Codec::Json, &joined.token).await;
    first.expect_close(CloseCode::Replaced).await;
    second.guess_as(1, "p0", "one").await.expect_wrong();
    // And back again, with the cursor from before.
    assert_eq!(first.reconnect().await.resume, Resume::Replay);
    second.expect_close(CloseCode::Replaced).await;
    first.guess_as(2, "p0", "two").await.expect_wrong();
}

#[tokio::test]
async fn heads_come_repeatedly_and_show_nothing_missing() {
    for codec in Codec::ALL {
        let app = TestApp::running(&[]).await;
        let mut player = app.team_with(codec, "Owls").await;
        for number in 1..=5 {
            player.guess("p0", &number.to_string()).await.expect_wrong();
            // The client compares them with its cursor.
            let frame = player.catch_up().await;
            assert!(frame.reconnect.min_in_ms <= frame.reconnect.max_in_ms);
        }
    }
}

#[tokio::test]
async fn a_rate_limited_command_is_accepted_at_the_time_that_the_rejection_gives() {
    let settings = ["limits.commands_burst=2", "limits.commands_per_second=4"];
    for codec in Codec::ALL {
        let app = TestApp::running(&settings).await;
        let mut player = app.team_with(codec, "Owls").await;
        for number in ["1", "2", "3"] {
            player.send(guess("p0", number)).await;
        }
        // The rejection does not wait for the others.
        let answer = player.answer(3).await;
        let rejection = answer.expect_rejection(RejectionCode::RateLimited);
        let retry_at_ms = rejection.retry_at_ms.expect("it gives a time");
        let now = UNIX_EPOCH.elapsed().expect("it is after 1970");
        let wait = Duration::from_millis(retry_at_ms).saturating_sub(now);
        assert!(
            wait < Duration::from_secs(2),
            "a quarter of a second is due, not {wait:?}"
        );
        tokio::time::sleep(wait).await;
        player.guess_as(3, "p0", "3").await.expect_wrong();
    }
}

#[tokio::test]
async fn a_client_that_asks_for_too_many_snapshots_is_closed() {
    let settings = ["limits.commands_burst=20", "limits.commands_per_second=1"];
    let app = TestApp::running(&settings).await;
    let joined = app.join("Owls").await;
    for codec in Codec::ALL {
        let mut player = app.attach_with(codec, &joined.token).await;
        for _ in 0..2 {
            player.resync(None).await;
        }
        let resync = ClientMessage::Resync(Resync { cursor: None });
        player.socket().send(&resync).await;
        player.expect_close(CloseCode::Overloaded).await;
    }
}

#[tokio::test]
async fn the_server_chooses_a_subprotocol_that_it_prefers() {
    let app = TestApp::running(&[]).await;
    for (offered, chosen) in [
        (Some("cluecast.v1.msgpack"), Ok("cluecast.v1.msgpack")),
        (Some("cluecast.v1.json"), Ok("cluecast.v1.json")),
        (
            Some("cluecast.v1.json, cluecast.v1.msgpack"),
            Ok("cluecast.v1.msgpack"),
        ),
        (
            Some("chat,cluecast.v9.json , cluecast.v1.json"),
            Ok("cluecast.v1.json"),
        ),
        (None, Err(400)),
        (Some("chat"), Err(400)),
        (Some("CLUECAST.V1.JSON"), Err(400)),
    ] {
        let request = upgrade_request(&app.code, offered);
        let upgraded = Socket::upgrade_or_status(connect(app.address()).await, request).await;
        let answer = upgraded.map(|socket| socket.codec().subprotocol());
        assert_eq!(answer, chosen, "{offered:?}");
    }
    app.assert_healthy();
}

#[tokio::test]
async fn a_connection_without_hello_times_out() {
    let app = TestApp::running(&["gateway.hello_ms_max=100"]).await;
    for codec in Codec::ALL {
        let mut socket = app.socket(codec).await;
        socket.expect_close(CloseCode::HelloTimeout).await;
    }
    app.assert_healthy();
}
