//! Coming back: every update once, or a snapshot that says so.

use protocol::{CloseCode, Codec, Cursor, Event, Resume};

use crate::device::Device;
use crate::stage::{PUZZLES, Stage};

/// A guess of about three kilobytes, which normalising leaves alone.
fn long_guess(number: u64) -> String {
    format!("{number}{}", "漢".repeat(980))
}

/// Two devices of one team.
async fn two_devices(stage: &Stage, codec: Codec) -> [Device; 2] {
    let ana = stage.join("Owls").await;
    let ben = stage.join_team(&ana).await;
    [
        Device::attached(stage, codec, &ana.token).await,
        Device::attached(stage, Codec::MessagePack, &ben.token).await,
    ]
}

/// The guesses that a device was shown, in order.
fn guesses(device: &Device) -> Vec<String> {
    let guess = |event: &Event| match event {
        Event::GuessJudged { guess, .. } => Some(guess.clone()),
        _ => None,
    };
    let updates = device.updates.iter();
    updates.filter_map(|update| guess(&update.event)).collect()
}

#[tokio::test]
async fn what_was_missed_is_replayed_once_and_in_order() {
    for codec in Codec::ALL {
        let stage = Stage::running(&[]).await;
        let [mut away, mut present] = two_devices(&stage, codec).await;
        let mut expected = Vec::new();
        for id in 1..=12 {
            if id % 4 == 1 {
                away.cut();
            }
            let guess = format!("G{id}");
            present.guess_wrong(id, "p0", &guess).await;
            expected.push(guess);
            if id % 4 == 3 {
                let welcome = away.connect(&stage).await;
                assert_eq!(welcome.resume, Resume::Replay);
                assert_eq!(guesses(&away), expected);
            }
        }
        away.read_until_heads().await;
        assert_eq!(guesses(&away), expected);
    }
}

#[tokio::test]
async fn a_cursor_is_good_with_any_codec() {
    let stage = Stage::running(&[]).await;
    let [mut away, mut present] = two_devices(&stage, Codec::MessagePack).await;
    for (id, codec) in [(1, Codec::Json), (2, Codec::MessagePack), (3, Codec::Json)] {
        away.cut();
        away.codec = codec;
        present.guess_wrong(id, "p0", &format!("G{id}")).await;
        assert_eq!(away.connect(&stage).await.resume, Resume::Replay);
    }
    assert_eq!(guesses(&away), ["G1", "G2", "G3"]);
}

#[tokio::test]
async fn beyond_the_ring_there_is_a_snapshot() {
    for codec in Codec::ALL {
        let stage = Stage::running(&["delivery.ring_bytes_max=65536"]).await;
        let [mut away, mut present] = two_devices(&stage, codec).await;
        away.cut();
        for id in 1..=40 {
            present.guess_wrong(id, "p0", &long_guess(id)).await;
        }
        let before = away.cursor;
        let welcome = away.connect(&stage).await;
        assert_eq!(welcome.resume, Resume::Snapshot);
        assert!(away.updates.is_empty(), "there is no half replay");
        let snapshot = away.snapshot.clone().expect("it was promised");
        let shown = snapshot.puzzles.iter().find(|puzzle| puzzle.id == "p0");
        assert_eq!(shown.map(|puzzle| puzzle.guesses.len()), Some(40));
        // From there on it goes on as ever, and what is recent can be replayed.
        present.guess_wrong(41, "p0", "G41").await;
        assert_ne!(away.cursor, before);
        assert_eq!(away.connect(&stage).await.resume, Resume::Replay);
        assert_eq!(guesses(&away), ["G41"]);
    }
}

#[tokio::test]
async fn a_cursor_of_another_stream_gives_a_snapshot() {
    let stage = Stage::running(&[]).await;
    let joined = stage.join("Owls").await;
    let mut device = Device::attached(&stage, Codec::Json, &joined.token).await;
    let good = device.cursor.expect("it has attached");
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
        device.cursor = Some(cursor);
        let welcome = device.connect(&stage).await;
        assert_eq!(welcome.resume, Resume::Snapshot, "{cursor:?}");
        assert_eq!(device.cursor, Some(good));
        let welcome = device.resync(Some(cursor)).await;
        assert_eq!(welcome.resume, Resume::Snapshot, "{cursor:?}");
        assert_eq!(device.cursor, Some(good));
    }
}

#[tokio::test]
async fn a_resync_replays_on_the_open_connection() {
    for codec in Codec::ALL {
        let stage = Stage::running(&[]).await;
        let joined = stage.join("Owls").await;
        let mut device = Device::attached(&stage, codec, &joined.token).await;
        let before = device.cursor;
        for id in 1..=3 {
            device.guess_wrong(id, "p0", &format!("G{id}")).await;
        }
        device.updates.clear();
        assert_eq!(device.resync(before).await.resume, Resume::Replay);
        assert_eq!(guesses(&device), ["G1", "G2", "G3"]);
        let seen = device.cursor;
        assert_eq!(device.resync(None).await.resume, Resume::Snapshot);
        assert_eq!(device.cursor, seen);
        // It is the same connection all the time, and it goes on.
        device.guess_wrong(4, "p0", "G4").await;
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
        let stage = Stage::running(&NARROW).await;
        let [mut away, mut present] = two_devices(&stage, codec).await;
        away.cut();
        for id in 1..=100 {
            present.guess_wrong(id, "p0", &long_guess(id)).await;
        }
        assert_eq!(away.connect(&stage).await.resume, Resume::Replay);
        let expected: Vec<String> = (1..=100).map(long_guess).collect();
        assert_eq!(guesses(&away), expected);
        let snapshot = away.resync(None).await;
        assert_eq!(snapshot.resume, Resume::Snapshot, "nor need a snapshot fit");
    }
}

#[tokio::test]
async fn a_slow_reader_is_told_to_resume_and_loses_nothing() {
    // More than the sockets' buffers on both sides take, and then the queue.
    const GUESSES: u64 = 3_000;
    let stage = Stage::running(&NARROW).await;
    let ana = stage.join("Owls").await;
    let ben = stage.join_team(&ana).await;
    let mut slow = Device::new(Codec::Json, &ana.token);
    slow.connect_narrow(&stage).await;
    let mut quick = Device::attached(&stage, Codec::MessagePack, &ben.token).await;
    for id in 1..=GUESSES {
        let puzzle = format!("p{}", id % PUZZLES as u64);
        quick.guess_wrong(id, &puzzle, &long_guess(id)).await;
    }
    let too_slow = CloseCode::SlowReader.number();
    assert_eq!(slow.ended().await.code(), Some(too_slow));
    assert!((guesses(&slow).len() as u64) < GUESSES, "some were dropped");
    assert_eq!(slow.connect(&stage).await.resume, Resume::Replay);
    let expected: Vec<String> = (1..=GUESSES).map(long_guess).collect();
    assert_eq!(guesses(&slow), expected);
    stage.assert_unharmed();
}
