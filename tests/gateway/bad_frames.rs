//! Frames that no correct client sends: each ends its own connection with the right code, and no
//! other connection.

mod table;

use protocol::limits::CLIENT_MESSAGE_BYTES_MAX;
use protocol::{CloseCode, Codec, ServerMessage};
use serde_json::json;
use testkit::app::{Ended, Socket, TestApp, WAIT_MAX};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use self::table::{
    Bad, Moment, Sent, announcing_too_much, broken_frames, continuation, message, part, with_codec,
};
use crate::bystanders::Bystanders;

async fn send(socket: &mut Socket, sent: &Sent) {
    match sent {
        // The server may have closed before it has read everything.
        Sent::Frames(frames) => {
            for frame in frames {
                drop(socket.send_frame(frame.clone()).await);
            }
        }
        Sent::Raw(bytes) => send_raw(socket, bytes).await,
    }
}

/// Sends bytes below the level of frames.
async fn send_raw(socket: &mut Socket, bytes: &[u8]) {
    let sent = socket.stream().write_all(bytes).await;
    sent.expect("the connection holds");
}

/// The reason begins with the code's name and explains it.
fn check(ended: &Ended, code: CloseCode, what: &str) {
    assert_eq!(ended.code(), Some(code.number()), "{what}: {ended:?}");
    let Ended::Closed { reason, .. } = ended else {
        panic!("{what}: {ended:?}");
    };
    let explained = reason.strip_prefix(code.name());
    let explained = explained.and_then(|rest| rest.strip_prefix(": "));
    assert!(
        explained.is_some_and(|text| text.len() > 5),
        "{what}: {reason}"
    );
}

#[tokio::test]
async fn a_bad_frame_ends_its_own_connection_and_no_other() {
    let app = TestApp::running(&[]).await;
    let mut bystanders = Bystanders::attach(&app).await;
    let joined = app.join("Bad").await;
    let mut bad: Vec<Bad> = Codec::ALL.into_iter().flat_map(with_codec).collect();
    bad.extend(announcing_too_much());
    bad.extend(broken_frames());
    for Bad {
        what,
        codec,
        moment,
        sent,
        code,
    } in bad
    {
        if moment != Moment::Later {
            let mut socket = app.socket(codec).await;
            send(&mut socket, &sent).await;
            let ended = socket.ended().await;
            check(&ended, code, &format!("{what}, {codec:?}"));
        }
        if moment != Moment::First {
            let mut player = app.attach_with(codec, &joined.token).await;
            send(player.socket(), &sent).await;
            let ended = player.ended().await;
            let at = "on an attached connection";
            check(&ended, code, &format!("{what}, {codec:?}, {at}"));
        }
        bystanders.go_on().await;
    }
    bystanders.have_lost_nothing(&app).await;
}

#[tokio::test]
async fn the_close_reason_explains_a_bad_message() {
    let app = TestApp::running(&[]).await;
    for codec in Codec::ALL {
        let mut socket = app.socket(codec).await;
        let colourful = json!({ "type": "hello", "token": "t", "colour": 1 });
        send(&mut socket, &message(codec, &colourful)).await;
        let reason = socket.expect_close(CloseCode::BadMessage).await;
        assert!(reason.starts_with("bad_message: "), "{reason}");
        assert!(reason.contains("colour"), "{reason}");
    }
}

#[tokio::test]
async fn a_message_may_come_in_parts_with_pings_between() {
    let app = TestApp::running(&[]).await;
    let joined = app.join("Owls").await;
    for codec in Codec::ALL {
        let mut socket = app.socket(codec).await;
        let hello = codec.encode(&json!({ "type": "hello", "token": joined.token }));
        let (first, rest) = hello.split_at(5);
        let (second, third) = rest.split_at(7);
        for frame in [
            Message::Ping("first".into()),
            part(codec, first, false),
            Message::Ping("between".into()),
            continuation(second, false),
            continuation(third, true),
        ] {
            socket
                .send_frame(frame)
                .await
                .expect("the connection holds");
        }
        let message = socket.receive().await;
        assert!(
            matches!(message, Ok(ServerMessage::Welcome(_))),
            "{message:?}"
        );
    }
}

#[tokio::test]
async fn a_message_of_exactly_the_limit_is_read() {
    let app = TestApp::running(&[]).await;
    for codec in Codec::ALL {
        let hello = |length: usize| json!({ "type": "hello", "token": "t".repeat(length) });
        let more = CLIENT_MESSAGE_BYTES_MAX - codec.encode(&hello(1_000)).len();
        let longest = hello(1_000 + more);
        assert_eq!(codec.encode(&longest).len(), CLIENT_MESSAGE_BYTES_MAX);
        let mut socket = app.socket(codec).await;
        send(&mut socket, &message(codec, &longest)).await;
        socket.expect_close(CloseCode::Unauthorized).await;
    }
}

#[tokio::test]
async fn a_close_frame_is_not_lost_in_a_reset() {
    let app = TestApp::running(&[]).await;
    let mut socket = app.socket(Codec::MessagePack).await;
    // The header announces the 60,000 bytes that follow; they are not read as a message.
    let mut too_long = vec![0x82, 0xfe, 0xea, 0x60, 0, 0, 0, 0];
    too_long.resize(too_long.len() + 60_000, b' ');
    send_raw(&mut socket, &too_long).await;
    let reason = b"too_large: a message has at most 16384 bytes";
    let close = [&[0x88, 46], 1009_u16.to_be_bytes().as_slice(), reason].concat();
    let mut rest = Vec::new();
    let read = timeout(WAIT_MAX, socket.stream().read_to_end(&mut rest)).await;
    let read = read.expect("the server closes");
    read.expect("the connection is not reset");
    assert_eq!(rest, close);
}

#[tokio::test]
async fn a_connection_that_breaks_within_a_frame_is_closed() {
    let app = TestApp::running(&[]).await;
    let mut bystanders = Bystanders::attach(&app).await;
    for codec in Codec::ALL {
        let mut socket = app.socket(codec).await;
        // A whole message is announced, and two bytes of it come.
        send_raw(&mut socket, &[0x82, 0x8a, 0, 0, 0, 0, 0x82, 0xa4]).await;
        drop(socket);
        bystanders.go_on().await;
    }
    bystanders.have_lost_nothing(&app).await;
}
