//! Servers that are killed, stopped and started again.

use protocol::{CloseCode, Codec, RejectionCode, Resume, ServerMessage};
use testkit::app::{ANSWER, TestApp, WAIT_MAX};
use testkit::{ServerError, ServerProcess};

#[tokio::test]
async fn the_same_id_gives_the_same_receipt_on_any_connection_and_after_a_crash() {
    for codec in Codec::ALL {
        let mut app = TestApp::running(&[]).await;
        let mut player = app.team_with(codec, "Owls").await;
        let wrong = player.guess("p0", "wrong").await.expect_wrong();
        let right = player.guess("p0", ANSWER).await.expect_correct();
        let seen = player.cursor;
        for round in 0..2 {
            assert_eq!(player.reconnect().await.last_command, 2);
            let again = player.guess_as(2, "p0", ANSWER).await;
            assert_eq!(again.expect_accepted(), right);
            let again = player.guess_as(1, "p0", "wrong").await;
            assert_eq!(again.expect_accepted(), wrong);
            // A different command with the same id changes nothing.
            let other = player.guess_as(1, "p1", ANSWER).await;
            other.expect_rejection(RejectionCode::IdReused);
            player.catch_up().await;
            assert_eq!(player.cursor, seen, "nothing happened again");
            if round == 0 {
                app.crash().await;
            }
        }
        player.resync(None).await;
        let snapshot = player.snapshot.take().expect("it was asked for");
        assert_eq!(snapshot.team.score, 1);
    }
}

#[tokio::test]
async fn a_crash_loses_nothing_that_was_acknowledged() {
    let mut app = TestApp::running(&[]).await;
    let mut player = app.team_with(Codec::Json, "Owls").await;
    for number in 1..=3 {
        let puzzle = format!("p{number}");
        player.guess(&puzzle, ANSWER).await.expect_correct();
        app.crash().await;
        assert_eq!(player.ended().await.code(), None, "a crash closes nothing");
        player.reconnect().await;
    }
    let standings = app.standings().await;
    let row = &standings.rows[0];
    assert_eq!(
        (row.team.as_str(), row.score, row.solves),
        (player.team_id(), 3, 3)
    );
}

#[tokio::test]
async fn clients_resume_after_a_graceful_restart() {
    let mut app = TestApp::running(&[]).await;
    let first = app.team_with(Codec::ALL[0], "Owls").await;
    let second = app.teammate_with(Codec::ALL[1], &first).await;
    let mut players = [first, second];
    let mut silent = app.socket(Codec::Json).await;
    players[0].guess("p0", "wrong").await.expect_wrong();

    tokio::join!(app.stop(), async {
        for player in &mut players {
            let is_goaway = |message: &ServerMessage| matches!(message, ServerMessage::Goaway(_));
            let ServerMessage::Goaway(goaway) = player.read_until(is_goaway).await else {
                unreachable!("it is a goaway");
            };
            assert!(
                (1_000..=3_000).contains(&goaway.reconnect_in_ms),
                "{goaway:?}"
            );
            player.expect_close(CloseCode::GoingAway).await;
        }
        // Before a hello there is only the close code.
        silent.expect_close(CloseCode::GoingAway).await;
    });

    app.start().await;
    for player in &mut players {
        player.reconnect().await;
    }
    players[1].guess("p0", "other").await.expect_wrong();
    players[0].guess("p0", ANSWER).await.expect_correct();
    assert_eq!(players[0].reconnect().await.resume, Resume::Replay);
}

#[tokio::test]
async fn two_servers_on_one_folder_are_refused() {
    let app = TestApp::running(&[]).await;
    let mut player = app.team("Owls").await;
    let second = ServerProcess::start(&app.command, WAIT_MAX).await;
    let Err(ServerError::Exited { status, stderr }) = second else {
        panic!("a second server on the folder: {second:?}");
    };
    assert!(!status.success());
    assert!(!stderr.contains("panicked"), "{stderr}");
    let folder = app.data_dir().display().to_string();
    assert!(
        stderr.contains(&folder),
        "it names what is in use: {stderr}"
    );
    // The first one has not noticed.
    player.guess("p0", "wrong").await.expect_wrong();
    app.assert_healthy();
}
