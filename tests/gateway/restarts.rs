//! Servers that are killed, stopped and started again.

use protocol::rest::Standings;
use protocol::{CloseCode, Codec, Resume, ServerMessage, Verdict};
use testkit::{ServerError, ServerProcess};

use crate::device::Device;
use crate::stage::{ANSWER, Stage, WAIT_MAX};
use crate::wire::Wire;

#[tokio::test]
async fn the_same_id_gives_the_same_receipt_on_any_connection_and_after_a_crash() {
    for codec in Codec::ALL {
        let mut stage = Stage::running(&[]).await;
        let joined = stage.join("Owls").await;
        let mut device = Device::attached(&stage, codec, &joined.token).await;
        let wrong = device.guess_wrong(1, "p0", "wrong").await;
        let right = device.guess(2, "p0", ANSWER).await.expect("accepted");
        let seen = device.cursor;
        for round in 0..2 {
            let welcome = device.connect(&stage).await;
            assert_eq!(welcome.last_command, 2);
            assert_eq!(device.guess(2, "p0", ANSWER).await, Ok(right.clone()));
            // The id says which command it is, not what is sent with it.
            assert_eq!(device.guess(1, "p1", ANSWER).await, Ok(wrong.clone()));
            device.read_until_heads().await;
            assert_eq!(device.cursor, seen, "nothing happened again");
            if round == 0 {
                stage.crash_and_restart().await;
            }
        }
        device.resync(None).await;
        let snapshot = device.snapshot.take().expect("it was asked for");
        assert_eq!(snapshot.team.score, 1);
    }
}

#[tokio::test]
async fn a_crash_takes_nothing_that_was_acknowledged() {
    let mut stage = Stage::running(&[]).await;
    let joined = stage.join("Owls").await;
    let mut device = Device::attached(&stage, Codec::Json, &joined.token).await;
    for id in 1..=3 {
        let guess = device.guess(id, &format!("p{id}"), ANSWER).await;
        guess.expect("the answer is accepted");
        stage.crash_and_restart().await;
        assert!(device.ended().await.code().is_none(), "nobody said goodbye");
        device.connect(&stage).await;
    }
    let path = format!("/sessions/{}/standings", stage.session);
    let standings: Standings = stage.rest().get(&path, None).await.expect("it is public");
    let row = &standings.rows[0];
    assert_eq!(
        (row.team.as_str(), row.score, row.solves),
        (joined.team.as_str(), 3, 3)
    );
}

#[tokio::test]
async fn a_stop_says_goodbye_and_a_start_goes_on() {
    let mut stage = Stage::running(&[]).await;
    let first = stage.join("Owls").await;
    let second = stage.join_team(&first).await;
    let mut devices = Vec::new();
    for (codec, token) in Codec::ALL.into_iter().zip([&first.token, &second.token]) {
        devices.push(Device::attached(&stage, codec, token).await);
    }
    let mut unknown = Wire::open(stage.address(), &stage.session, Codec::Json).await;
    devices[0].guess_wrong(1, "p0", "wrong").await;

    let (status, ()) = tokio::join!(stage.server.terminate(WAIT_MAX), async {
        let going_away = CloseCode::GoingAway.number();
        for device in &mut devices {
            let is_goodbye = |message: &ServerMessage| matches!(message, ServerMessage::Goaway(_));
            let ServerMessage::Goaway(goaway) = device.read_until(is_goodbye).await else {
                unreachable!("it is a goodbye");
            };
            assert!(
                (1_000..=3_000).contains(&goaway.reconnect_in_ms),
                "{goaway:?}"
            );
            assert_eq!(device.ended().await.code(), Some(going_away));
        }
        // Before a hello there is nothing to say but the close code.
        assert_eq!(unknown.ended().await.code(), Some(going_away));
    });
    let status = status.expect("it stops in time");
    assert_eq!(status.code(), Some(0), "{}", stage.server.stderr_tail());

    stage.start_again().await;
    for device in &mut devices {
        device.connect(&stage).await;
    }
    devices[1].guess_wrong(1, "p0", "other").await;
    let receipt = devices[0].guess(2, "p0", ANSWER).await.expect("accepted");
    assert_eq!(receipt.verdict, Some(Verdict::Correct));
    assert_eq!(devices[0].connect(&stage).await.resume, Resume::Replay);
}

#[tokio::test]
async fn two_servers_on_one_folder_are_refused() {
    let stage = Stage::running(&[]).await;
    let joined = stage.join("Owls").await;
    let mut device = Device::attached(&stage, Codec::Json, &joined.token).await;
    let second = ServerProcess::start(stage.command(), WAIT_MAX).await;
    let Err(ServerError::Exited { status, stderr }) = second else {
        panic!("a second server on the folder: {second:?}");
    };
    assert!(!status.success());
    assert!(!stderr.contains("panicked"), "{stderr}");
    let folder = stage.data_dir().display().to_string();
    assert!(stderr.contains(&folder), "it says what is in use: {stderr}");
    // The first one has not noticed.
    device.guess_wrong(1, "p0", "wrong").await;
    stage.assert_unharmed();
}
