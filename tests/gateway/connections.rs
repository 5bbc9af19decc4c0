//! Joining, guessing, and what a connection is told.

use cluecast::clock::Clock;
use protocol::{
    ClientMessage, CloseCode, Codec, Event, Phase, RejectionCode, Resume, Resync, ServerMessage,
    Verdict,
};
use tokio::net::TcpStream;

use crate::device::Device;
use crate::stage::{ANSWER, PUZZLES, Stage};
use crate::wire::{Wire, handshake};

#[tokio::test]
async fn a_guess_is_shown_and_then_acknowledged() {
    for codec in Codec::ALL {
        let stage = Stage::lobby(&[]).await;
        let joined = stage.join("Owls").await;
        let mut device = Device::new(codec, &joined.token);
        let welcome = device.connect(&stage).await;
        assert_eq!(
            (welcome.resume, welcome.last_command),
            (Resume::Snapshot, 0)
        );
        let snapshot = device.snapshot.clone().expect("it was promised");
        assert_eq!(snapshot.phase, Phase::Lobby);
        assert_eq!(snapshot.team.code, joined.team_code);
        assert!(snapshot.puzzles.is_empty(), "nothing is visible yet");

        stage.order("start").await;
        let opened = |message: &ServerMessage| {
            matches!(message, ServerMessage::Update(update)
            if matches!(&update.event, Event::Unlocked { puzzles, .. } if puzzles.len() == PUZZLES))
        };
        device.read_until(opened).await;

        let seen = device.updates.len();
        let receipt = device.guess(1, "p0", "solved!").await;
        let receipt = receipt.expect("the guess is accepted");
        assert_eq!(
            (receipt.verdict, receipt.points),
            (Some(Verdict::Correct), Some(1))
        );
        let judged = device.updates[seen..]
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
    let stage = Stage::running(&[]).await;
    let ana = stage.join("Owls").await;
    let ben = stage.join_team(&ana).await;
    let mut on_message_pack = Device::attached(&stage, Codec::MessagePack, &ana.token).await;
    let mut on_json = Device::attached(&stage, Codec::Json, &ben.token).await;
    for (id, guess) in [(1, "one"), (2, "two"), (3, ANSWER)] {
        let accepted = on_json.guess(id, "p0", guess).await;
        accepted.expect("the guess is accepted");
    }
    let reached = on_json.cursor.map(|cursor| cursor.team);
    while on_message_pack.cursor.map(|cursor| cursor.team) < reached {
        on_message_pack.read().await.expect("the connection holds");
    }
    let judged = |device: &Device| {
        let mut updates = device.updates.clone();
        updates.retain(|update| matches!(update.event, Event::GuessJudged { .. }));
        updates
    };
    assert_eq!(judged(&on_json).len(), 3);
    assert_eq!(judged(&on_json), judged(&on_message_pack));
}

#[tokio::test]
async fn a_second_connection_of_a_device_replaces_the_first() {
    let stage = Stage::running(&[]).await;
    let joined = stage.join("Owls").await;
    let mut first = Device::attached(&stage, Codec::MessagePack, &joined.token).await;
    let mut second = Device::attached(&stage, Codec::Json, &joined.token).await;
    let replaced = CloseCode::Replaced.number();
    assert_eq!(first.ended().await.code(), Some(replaced));
    second.guess_wrong(1, "p0", "one").await;
    // And back again, with the cursor from before.
    let welcome = first.connect(&stage).await;
    assert_eq!(welcome.resume, Resume::Replay);
    assert_eq!(second.ended().await.code(), Some(replaced));
    first.guess_wrong(2, "p0", "two").await;
}

#[tokio::test]
async fn heads_come_again_and_again_and_show_nothing_missing() {
    for codec in Codec::ALL {
        let stage = Stage::running(&[]).await;
        let joined = stage.join("Owls").await;
        let mut device = Device::attached(&stage, codec, &joined.token).await;
        for id in 1..=5 {
            device.guess_wrong(id, "p0", &id.to_string()).await;
            // The device compares them with its cursor.
            let frame = device.read_until_heads().await;
            assert!(frame.reconnect.min_in_ms <= frame.reconnect.max_in_ms);
        }
    }
}

#[tokio::test]
async fn a_refusal_for_speed_names_a_time_that_works() {
    let settings = ["limits.commands_burst=2", "limits.commands_per_second=4"];
    for codec in Codec::ALL {
        let stage = Stage::running(&settings).await;
        let joined = stage.join("Owls").await;
        let mut device = Device::attached(&stage, codec, &joined.token).await;
        for id in 1..=3 {
            device.send_guess(id, "p0", &id.to_string()).await;
        }
        // The refusal does not wait for the others.
        let refused = device.answer(3).await.expect_err("three are too many");
        assert_eq!(refused.code, RejectionCode::RateLimited);
        let retry_at_ms = refused.retry_at_ms.expect("it names a time");
        let wait_ms = retry_at_ms.saturating_sub(Clock::System.now().0);
        assert!(
            wait_ms < 2_000,
            "a quarter of a second is due, not {wait_ms} ms"
        );
        tokio::time::sleep(std::time::Duration::from_millis(wait_ms)).await;
        device.guess_wrong(3, "p0", "3").await;
    }
}

#[tokio::test]
async fn whoever_asks_for_snapshots_without_end_is_sent_away() {
    let settings = ["limits.commands_burst=20", "limits.commands_per_second=1"];
    let stage = Stage::running(&settings).await;
    let joined = stage.join("Owls").await;
    for codec in Codec::ALL {
        let mut device = Device::attached(&stage, codec, &joined.token).await;
        for _ in 0..2 {
            device.resync(None).await;
        }
        let resync = ClientMessage::Resync(Resync { cursor: None });
        device.wire().send(&resync).await;
        let overloaded = CloseCode::Overloaded.number();
        assert_eq!(device.ended().await.code(), Some(overloaded));
    }
}

#[tokio::test]
async fn the_server_chooses_a_subprotocol_that_it_prefers() {
    let stage = Stage::running(&[]).await;
    for (offered, chosen) in [
        (Some("cluecast.v1.msgpack"), Ok(Some("cluecast.v1.msgpack"))),
        (Some("cluecast.v1.json"), Ok(Some("cluecast.v1.json"))),
        (
            Some("cluecast.v1.json, cluecast.v1.msgpack"),
            Ok(Some("cluecast.v1.msgpack")),
        ),
        (
            Some("chat,cluecast.v9.json , cluecast.v1.json"),
            Ok(Some("cluecast.v1.json")),
        ),
        (None, Err(400)),
        (Some("chat"), Err(400)),
        (Some("CLUECAST.V1.JSON"), Err(400)),
    ] {
        let stream = TcpStream::connect(stage.address()).await;
        let stream = stream.expect("it listens");
        let answer = handshake(stream, stage.address(), &stage.session, offered).await;
        let answer = answer.map(|(_socket, chosen)| chosen);
        let answer = answer.map_err(|status| status.as_u16());
        let answer = answer.as_ref().map(Option::as_deref);
        assert_eq!(answer.map_err(|status| *status), chosen, "{offered:?}");
    }
    stage.assert_unharmed();
}

#[tokio::test]
async fn whoever_says_nothing_is_told_to_hurry() {
    let stage = Stage::running(&["gateway.hello_ms_max=100"]).await;
    for codec in Codec::ALL {
        let mut wire = Wire::open(stage.address(), &stage.session, codec).await;
        let late = CloseCode::HelloTimeout.number();
        assert_eq!(wire.ended().await.code(), Some(late));
    }
    stage.assert_unharmed();
}
