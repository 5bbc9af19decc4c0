//! Reconnecting: a client receives every missed update once, or a client snapshot instead.

use protocol::{CloseCode, Codec, Cursor, Event, Resume};
use testkit::app::{PUZZLES, TestApp, TestClient};

/// A guess of about three kilobytes, which normalising leaves alone.
fn long_guess(number: u64) -> String {
    format!("{number}{}", "漢".repeat(980))
}

/// Two players of one team.
async fn two_players(app: &TestApp, codec: Codec) -> [TestClient; 2] {
    let away = app.team_with(codec, "Owls").await;
    let present = app.teammate(&away).await;
    [away, present]
}

/// The guesses that a player has seen, in order.
fn guesses(player: &TestClient) -> Vec<String> {
    let guess = |event: &Event| match event {
        Event::GuessJudged { guess, .. } => guess.clone(),
        _ => None,
    };
    let updates = player.updates.iter();
    updates.filter_map(|update| guess(&update.event)).collect()
}

#[tokio::test]
async fn what_was_missed_is_replayed_once_and_in_order() {
    for codec in Codec::ALL {
        let app = TestApp::running(&[]).await;
        let [mut away, mut present] = two_players(&app, codec).await;
        let mut expected = Vec::new();
        for id in 1..=12 {
            if id % 4 == 1 {
                away.disconnect();
            }
            let guess = format!("G{id}");
            present.guess("p0", &guess).await.expect_wrong();
            expected.push(guess);
            if id % 4 == 3 {
                assert_eq!(away.reconnect().await.resume, Resume::Replay);
                assert_eq!(guesses(&away), expected);
            }
        }
        away.catch_up().await;
        assert_eq!(guesses(&away), expected);
    }
}

#[tokio::test]
async fn a_cursor_is_good_with_any_codec() {
    let app = TestApp::running(&[]).await;
    let [mut away, mut present] = two_players(&app, Codec::MessagePack).await;
    for (id, codec) in [(1, Codec::Json), (2, Codec::MessagePack), (3, Codec::Json)] {
        away.disconnect();
        present.guess("p0", &format!("G{id}")).await.expect_wrong();
        assert_eq!(away.reconnect_with(codec).await.resume, Resume::Replay);
    }
    assert_eq!(guesses(&away), ["G1", "G2", "G3"]);
}

#[tokio::test]
async fn beyond_the_ring_there_is_a_snapshot() {
    for codec in Codec::ALL {
        let app = TestApp::running(&["delivery.ring_bytes_max=65536"]).await;
        let [mut away, mut present] = two_players(&app, codec).await;
        away.disconnect();
        for id in 1..=40 {
            present.guess("p0", &long_guess(id)).await.expect_wrong();
        }
        let before = away.cursor;
        assert_eq!(away.reconnect().await.resume, Resume::Snapshot);
        assert!(away.updates.is_empty(), "there is no half replay");
        let snapshot = away.snapshot.clone().expect("it was promised");
        let shown = snapshot.puzzles.iter().find(|puzzle| puzzle.id == "p0");
        assert_eq!(shown.map(|puzzle| puzzle.guesses.len()), Some(40));
        // The stream continues after the snapshot, and recent updates can be replayed.
        present.guess("p0", "G41").await.expect_wrong();
        assert_ne!(away.cursor, before);
        assert_eq!(away.reconnect().await.resume, Resume::Replay);
        assert_eq!(guesses(&away), ["G41"]);
    }
}

#[tokio::test]
async fn a_cursor_of_another_stream_gives_a_snapshot() {
    let app = TestApp::running(&[]).await;
    let mut player = app.team_with(Codec::Json, "Owls").await;
    let good = player.cursor;
    let wrong = [
        Cursor {
            generation: good.generation + 1,
            ..good
        },
        Cursor {
            generation: 0,
            ..good
        },
        Cursor {
            team: good.team + 1,
            ..good
        },
        Cursor {
            everyone: u64::MAX,
            ..good
        },
    ];
    for cursor in wrong {
        player.cursor = cursor;
        let resume = player.reconnect().await.resume;
        assert_eq!(resume, Resume::Snapshot, "{cursor:?}");
        assert_eq!(player.cursor, good);
        let resume = player.resync(Some(cursor)).await.resume;
        assert_eq!(resume, Resume::Snapshot, "{cursor:?}");
        assert_eq!(player.cursor, good);
    }
}

#[tokio::test]
async fn a_resync_replays_on_the_open_connection() {
    for codec in Codec::ALL {
        let app = TestApp::running(&[]).await;
        let mut player = app.team_with(codec, "Owls").await;
        let before = player.cursor;
        for id in 1..=3 {
            player.guess("p0", &format!("G{id}")).await.expect_wrong();
        }
        player.updates.clear();
        assert_eq!(player.resync(Some(before)).await.resume, Resume::Replay);
        assert_eq!(guesses(&player), ["G1", "G2", "G3"]);
        let seen = player.cursor;
        assert_eq!(player.resync(None).await.resume, Resume::Snapshot);
        assert_eq!(player.cursor, seen);
        // The connection stays open and continues to work.
        player.guess("p0", "G4").await.expect_wrong();
    }
}

/// The smallest queues that the settings allow.
const NARROW: [&str; 4] = [
    "delivery.outbound_bytes_max=65536",
    "delivery.outbound_frames_max=64",
    // As long as a slow machine may need until the slow reader begins to read.
    "gateway.write_ms_max=120000",
    "server.stop_ms_max=130000",
];

#[tokio::test]
async fn a_replay_may_be_longer_than_the_queue() {
    for codec in Codec::ALL {
        let app = TestApp::running(&NARROW).await;
        let [mut away, mut present] = two_players(&app, codec).await;
        away.disconnect();
        for id in 1..=100 {
            present.guess("p0", &long_guess(id)).await.expect_wrong();
        }
        assert_eq!(away.reconnect().await.resume, Resume::Replay);
        let expected: Vec<String> = (1..=100).map(long_guess).collect();
        assert_eq!(guesses(&away), expected);
        let resume = away.resync(None).await.resume;
        assert_eq!(resume, Resume::Snapshot, "nor need a snapshot fit");
    }
}

#[tokio::test]
async fn a_slow_reader_is_closed_and_loses_nothing() {
    // More than the sockets' buffers on both sides take, and then the queue.
    const GUESSES: u64 = 3_000;
    let app = TestApp::running(&NARROW).await;
    let joined = app.join("Owls").await;
    let socket = app.narrow_socket(Codec::Json).await;
    let mut slow = app.attach_on(socket, &joined.token).await;
    let mut quick = app.teammate(&slow).await;
    for id in 1..=GUESSES {
        let puzzle = format!("p{}", id % PUZZLES as u64);
        quick.guess(&puzzle, &long_guess(id)).await.expect_wrong();
    }
    slow.expect_close(CloseCode::SlowReader).await;
    assert!((guesses(&slow).len() as u64) < GUESSES, "some were dropped");
    assert_eq!(slow.reconnect().await.resume, Resume::Replay);
    let expected: Vec<String> = (1..=GUESSES).map(long_guess).collect();
    assert_eq!(guesses(&slow), expected);
    app.assert_healthy();
}
