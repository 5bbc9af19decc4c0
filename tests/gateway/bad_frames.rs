//! Frames that no honest client sends: each ends its own connection with the right code, and no
//! other.

mod table;

use protocol::limits::CLIENT_MESSAGE_BYTES_MAX;
use protocol::{CloseCode, Codec, ServerMessage};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use self::table::{
    Bad, Moment, Sent, announcing_too_much, broken_frames, continuation, message, part, with_codec,
};
use crate::beside::Beside;
use crate::device::Device;
use crate::stage::Stage;
use crate::wire::{Ended, Wire};

async fn send(wire: &mut Wire, sent: &Sent) {
    match sent {
        // The server may have closed before it has read everything.
        Sent::Frames(frames) => {
            for frame in frames {
                drop(wire.send_frame(frame.clone()).await);
            }
        }
        Sent::Raw(bytes) => wire.send_raw(bytes).await,
    }
}

/// The reason tells the code's name and what is wrong.
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
    let stage = Stage::running(&[]).await;
    let mut beside = Beside::begin(&stage).await;
    let joined = stage.join("Bad").await;
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
            let mut wire = Wire::open(stage.address(), &stage.session, codec).await;
            send(&mut wire, &sent).await;
            let ended = wire.ended().await;
            check(&ended, code, &format!("{what}, {codec:?}"));
        }
        if moment != Moment::First {
            let mut device = Device::attached(&stage, codec, &joined.token).await;
            send(device.wire(), &sent).await;
            let ended = device.ended().await;
            let at = "on an attached connection";
            check(&ended, code, &format!("{what}, {codec:?}, {at}"));
        }
        beside.goes_on().await;
    }
    beside.has_lost_nothing(&stage).await;
}

#[tokio::test]
async fn a_bad_message_is_told_what_is_wrong_with_it() {
    let stage = Stage::running(&[]).await;
    for codec in Codec::ALL {
        let mut wire = Wire::open(stage.address(), &stage.session, codec).await;
        let colourful = json!({ "type": "hello", "token": "t", "colour": 1 });
        send(&mut wire, &message(codec, &colourful)).await;
        let ended = wire.ended().await;
        let Ended::Closed { reason, .. } = &ended else {
            panic!("{ended:?}");
        };
        assert!(reason.starts_with("bad_message: "), "{reason}");
        assert!(reason.contains("colour"), "{reason}");
    }
}

#[tokio::test]
async fn a_message_may_come_in_parts_with_pings_between() {
    let stage = Stage::running(&[]).await;
    let joined = stage.join("Owls").await;
    for codec in Codec::ALL {
        let mut wire = Wire::open(stage.address(), &stage.session, codec).await;
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
            wire.send_frame(frame).await.expect("the connection holds");
        }
        let message = wire.receive().await;
        assert!(
            matches!(message, Ok(ServerMessage::Welcome(_))),
            "{message:?}"
        );
    }
}

#[tokio::test]
async fn a_message_of_exactly_the_limit_is_read() {
    let stage = Stage::running(&[]).await;
    for codec in Codec::ALL {
        let hello = |length: usize| json!({ "type": "hello", "token": "t".repeat(length) });
        let more = CLIENT_MESSAGE_BYTES_MAX - codec.encode(&hello(1_000)).len();
        let longest = hello(1_000 + more);
        assert_eq!(codec.encode(&longest).len(), CLIENT_MESSAGE_BYTES_MAX);
        let mut wire = Wire::open(stage.address(), &stage.session, codec).await;
        send(&mut wire, &message(codec, &longest)).await;
        let unauthorized = CloseCode::Unauthorized.number();
        assert_eq!(wire.ended().await.code(), Some(unauthorized), "{codec:?}");
    }
}

#[tokio::test]
async fn a_close_is_not_taken_back_by_a_reset() {
    let stage = Stage::running(&[]).await;
    let mut wire = Wire::open(stage.address(), &stage.session, Codec::MessagePack).await;
    // The header announces the 60,000 bytes that follow; they are not read as a message.
    let mut too_long = vec![0x82, 0xfe, 0xea, 0x60, 0, 0, 0, 0];
    too_long.resize(too_long.len() + 60_000, b' ');
    wire.send_raw(&too_long).await;
    let reason = b"too_large: a message has at most 16384 bytes";
    let close = [&[0x88, 46], 1009_u16.to_be_bytes().as_slice(), reason].concat();
    let rest = wire.rest_raw().await.expect("the connection is not reset");
    assert_eq!(rest, close);
}

#[tokio::test]
async fn a_connection_that_breaks_within_a_frame_is_let_go() {
    let stage = Stage::running(&[]).await;
    let mut beside = Beside::begin(&stage).await;
    for codec in Codec::ALL {
        let mut wire = Wire::open(stage.address(), &stage.session, codec).await;
        // A whole message is announced, and two bytes of it come.
        wire.send_raw(&[0x82, 0x8a, 0, 0, 0, 0, 0x82, 0xa4]).await;
        drop(wire);
        beside.goes_on().await;
    }
    beside.has_lost_nothing(&stage).await;
}
