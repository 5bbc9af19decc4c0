//! Well-formed commands that must be rejected: each with its code, and nothing changes.

use protocol::limits::{COMMANDS_OUTSTANDING_MAX, GUESS_CHARS_MAX};
use protocol::{Codec, Order, RejectionCode, Target};
use testkit::app::{ANSWER, TestApp, TestClient, announcement, clue, guess};

use crate::bystanders::Bystanders;

/// Sends a guess that must be rejected, and checks that nothing happened.
async fn expect_rejected(
    player: &mut TestClient,
    id: u64,
    puzzle: &str,
    guess: &str,
    code: RejectionCode,
) {
    let before = player.cursor;
    let answer = player.guess_as(id, puzzle, guess).await;
    assert!(!answer.expect_rejection(code).message.is_empty());
    player.catch_up().await;
    assert_eq!(player.cursor, before, "a rejection causes no update");
}

#[tokio::test]
async fn a_bad_guess_is_rejected_and_changes_nothing() {
    let app = TestApp::running(&[]).await;
    let mut bystanders = Bystanders::attach(&app).await;
    for codec in Codec::ALL {
        let mut player = app.team_with(codec, &format!("Owls {codec:?}")).await;
        player.guess("p0", "wrong").await.expect_wrong();
        player.guess("p1", ANSWER).await.expect_correct();
        let too_long = "x".repeat(GUESS_CHARS_MAX + 1);
        let rows = [
            ("p99", "guess", RejectionCode::UnknownPuzzle),
            ("", "guess", RejectionCode::UnknownPuzzle),
            ("p0\0", "guess", RejectionCode::UnknownPuzzle),
            ("p0", "", RejectionCode::EmptyGuess),
            ("p0", " ?!\u{200b}\0", RejectionCode::EmptyGuess),
            ("p0", too_long.as_str(), RejectionCode::GuessTooLong),
            ("p0", "  Wrong! ", RejectionCode::AlreadyGuessed),
            ("p1", "again", RejectionCode::AlreadySolved),
        ];
        for (id, (puzzle, guess, code)) in (3..).zip(rows) {
            expect_rejected(&mut player, id, puzzle, guess, code).await;
            bystanders.go_on().await;
        }
        // A rejected id was not used up.
        player.guess_as(3, "p0", "another").await.expect_wrong();
    }
    bystanders.have_lost_nothing(&app).await;
}

#[tokio::test]
async fn a_guess_outside_the_running_phase_is_rejected() {
    let app = TestApp::lobby(&[]).await;
    let mut players = Vec::new();
    for codec in Codec::ALL {
        players.push(app.team_with(codec, &format!("Owls {codec:?}")).await);
    }
    for (order, code) in [
        (None, Some(RejectionCode::NotStarted)),
        (Some("start"), None),
        (Some("pause"), Some(RejectionCode::Paused)),
        (Some("resume"), None),
        (Some("finish"), Some(RejectionCode::Finished)),
    ] {
        if let Some(order) = order {
            app.order(order).await;
        }
        for player in &mut players {
            let guess = format!("after {order:?}");
            let answer = player.guess("p0", &guess).await;
            let rejected = answer.0.err().map(|rejection| rejection.code);
            assert_eq!(rejected, code, "{guess}");
        }
    }
    app.assert_healthy();
}

/// Orders that only game masters may send.
fn game_master_orders() -> Vec<Order> {
    vec![
        clue(Target::Everyone, "Look up.", None),
        Order::CancelClue {
            clue: "c1".to_owned(),
        },
        announcement("Look up."),
        Order::Start { at_ms: None },
        Order::Pause,
        Order::Resume,
        Order::Finish { confirm: true },
    ]
}

#[tokio::test]
async fn an_order_of_another_role_is_rejected() {
    let app = TestApp::running(&[]).await;
    let mut bystanders = Bystanders::attach(&app).await;
    let player = app.join("Owls").await;
    for codec in Codec::ALL {
        for (token, orders) in [
            (&player.token, game_master_orders()),
            (&app.game_master_token, vec![guess("p0", ANSWER)]),
        ] {
            let mut client = app.attach_with(codec, token).await;
            for (id, order) in (1..).zip(orders) {
                let answer = client.order_as(id, order).await;
                answer.expect_rejection(RejectionCode::Forbidden);
            }
            bystanders.go_on().await;
        }
    }
    bystanders.have_lost_nothing(&app).await;
}

#[tokio::test]
async fn ids_that_go_backwards_are_answered_or_rejected_and_never_applied_again() {
    let kept = COMMANDS_OUTSTANDING_MAX as u64;
    for codec in Codec::ALL {
        let app = TestApp::running(&[]).await;
        let mut player = app.team_with(codec, "Owls").await;
        let last = kept + 10;
        for id in 1..=last {
            let answer = player.guess_as(id, "p0", &format!("G{id}")).await;
            answer.expect_wrong();
        }
        let seen = player.cursor;
        // Kept receipts are returned again.
        for id in [last, last - 1, last - kept + 1] {
            let answer = player.guess_as(id, "p0", &format!("G{id}")).await;
            assert_eq!(answer.expect_accepted().id, id);
        }
        // Older ids are rejected, even with a guess that would be new.
        for id in [last - kept, 2, 1, 0] {
            expect_rejected(&mut player, id, "p1", "new", RejectionCode::StaleCommand).await;
        }
        player.catch_up().await;
        assert_eq!(player.cursor, seen, "nothing was applied again");
        let answer = player.guess_as(u64::MAX, "p0", "the last").await;
        answer.expect_wrong();
        app.assert_healthy();
    }
}
