//! The bad frames, each with the code that must close its connection.

use protocol::limits::CLIENT_MESSAGE_BYTES_MAX;
use protocol::{CloseCode, Codec, FrameKind};
use serde_json::{Value, json};
use testkit::app::frame;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

/// The input of a case.
#[derive(Debug, Clone)]
pub(super) enum Sent {
    Frames(Vec<Message>),
    /// Raw bytes instead of frames.
    Raw(Vec<u8>),
}

/// When the input is sent: as the first message, on an attached connection, or both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    First,
    Later,
    Any,
}

pub(super) struct Bad {
    pub(super) what: String,
    pub(super) codec: Codec,
    pub(super) moment: Moment,
    pub(super) sent: Sent,
    pub(super) code: CloseCode,
}

/// A message as one frame of a codec.
pub(super) fn message(codec: Codec, value: &Value) -> Sent {
    Sent::Frames(vec![frame(codec, codec.encode(value))])
}

/// Any bytes as one frame of a codec's kind.
fn payload(codec: Codec, bytes: impl Into<Vec<u8>>) -> Sent {
    Sent::Frames(vec![part(codec, bytes, true)])
}

pub(super) fn part(codec: Codec, bytes: impl Into<Vec<u8>>, is_last: bool) -> Message {
    let data = match codec.frame_kind() {
        FrameKind::Binary => Data::Binary,
        FrameKind::Text => Data::Text,
    };
    Message::Frame(Frame::message(bytes.into(), OpCode::Data(data), is_last))
}

pub(super) fn continuation(bytes: impl Into<Vec<u8>>, is_last: bool) -> Message {
    let more = OpCode::Data(Data::Continue);
    Message::Frame(Frame::message(bytes.into(), more, is_last))
}

fn hello() -> Value {
    json!({ "type": "hello", "token": "t" })
}

fn command(order: &Value) -> Value {
    json!({ "type": "command", "id": 1, "do": order })
}

fn guess() -> Value {
    json!({ "type": "submit_guess", "puzzle": "p0", "guess": "sail" })
}

/// Messages that cannot be read, whatever the codec and the moment.
fn malformed_messages() -> Vec<(&'static str, Value)> {
    let cursor = json!({ "everyone": -1, "team": 0, "player": 0 });
    vec![
        ("nil", json!(null)),
        ("a number", json!(7)),
        ("a list", json!(["hello", "t"])),
        ("an empty map", json!({})),
        ("an unknown message", json!({ "type": "dance" })),
        (
            "a message of the server",
            json!({ "type": "goaway", "reconnect_in_ms": 1 }),
        ),
        ("a type that is no text", json!({ "type": 1, "token": "t" })),
        (
            "a token that is no text",
            json!({ "type": "hello", "token": 7 }),
        ),
        (
            "a token that is nil",
            json!({ "type": "hello", "token": null }),
        ),
        ("a missing token", json!({ "type": "hello" })),
        (
            "a cursor that is no map",
            json!({ "type": "hello", "token": "t", "cursor": 1 }),
        ),
        (
            "a negative cursor",
            json!({ "type": "hello", "token": "t", "cursor": cursor }),
        ),
        (
            "an unknown field of hello",
            json!({ "type": "hello", "token": "t", "colour": 1 }),
        ),
        (
            "an unknown field of resync",
            json!({ "type": "resync", "colour": 1 }),
        ),
        (
            "an unknown field of a command",
            json!({ "type": "command", "id": 1, "do": guess(), "colour": 1 }),
        ),
        (
            "an unknown field of an order",
            command(&json!({ "type": "submit_guess", "puzzle": "p0", "guess": "s", "colour": 1 })),
        ),
        ("an unknown order", command(&json!({ "type": "dance" }))),
        ("an order that is no map", command(&json!("submit_guess"))),
        (
            "a missing guess",
            command(&json!({ "type": "submit_guess", "puzzle": "p0" })),
        ),
        (
            "a guess that is no text",
            command(&json!({ "type": "submit_guess", "puzzle": "p0", "guess": 7 })),
        ),
        (
            "a command without an id",
            json!({ "type": "command", "do": guess() }),
        ),
        (
            "an order without the names of its fields",
            command(&json!(["submit_guess", "p0", "sail"])),
        ),
        ("an order by its number", command(&json!({ "type": 4 }))),
        (
            "a target by its number",
            command(&json!({ "type": "push_clue", "to": { "type": 0 }, "text": "t" })),
        ),
        (
            "a cursor without the names of its fields",
            json!({ "type": "resync", "cursor": [1, 0, 3, 1] }),
        ),
        (
            "an id that is text",
            json!({ "type": "command", "id": "1", "do": guess() }),
        ),
        (
            "an id below zero",
            json!({ "type": "command", "id": -1, "do": guess() }),
        ),
        (
            "an id with a fraction",
            json!({ "type": "command", "id": 1.5, "do": guess() }),
        ),
    ]
}

pub(super) fn with_codec(codec: Codec) -> Vec<Bad> {
    use CloseCode::{BadMessage, TooLarge, WrongFrameKind};
    use Moment::{Any, First, Later};

    let whole = codec.encode(&hello());
    let half = &whole[..whole.len() / 2];
    let twice = [whole.as_slice(), &whole].concat();
    let too_long = json!({ "type": "hello", "token": "t".repeat(CLIENT_MESSAGE_BYTES_MAX) });
    let far_too_long = json!({ "type": "hello", "token": "t".repeat(4_000_000) });
    let thousand = 1_000;
    let deep = match codec {
        Codec::MessagePack => [&[0x82, 0xa1, b'x'], vec![0x91; thousand].as_slice()].concat(),
        Codec::Json => format!("{{\"x\":{}", "[".repeat(thousand)).into_bytes(),
    };
    let mut not_utf_8 = codec.encode(&json!({ "type": "hello", "token": "AAAA" }));
    let last = not_utf_8.iter().rposition(|byte| *byte == b'A');
    not_utf_8[last.expect("the token is there")] = 0xff;
    let in_parts = Sent::Frames(vec![
        part(codec, vec![b' '; CLIENT_MESSAGE_BYTES_MAX - 10], false),
        continuation(vec![b' '; CLIENT_MESSAGE_BYTES_MAX - 10], true),
    ]);
    let other_kind = match codec.frame_kind() {
        FrameKind::Binary => Message::text(r#"{"type":"hello","token":"t"}"#),
        FrameKind::Text => Message::binary(Codec::MessagePack.encode(&hello())),
    };
    let mut rows = vec![
        ("nothing", Any, payload(codec, []), BadMessage),
        ("half a message", Any, payload(codec, half), BadMessage),
        (
            "two messages in one frame",
            Any,
            payload(codec, twice),
            BadMessage,
        ),
        (
            "a message that is too long",
            Any,
            message(codec, &too_long),
            TooLarge,
        ),
        (
            "a message of megabytes",
            Any,
            message(codec, &far_too_long),
            TooLarge,
        ),
        ("parts that are too long together", Any, in_parts, TooLarge),
        ("a thousand levels", Any, payload(codec, deep), BadMessage),
        (
            "bytes that are no UTF-8",
            Any,
            payload(codec, not_utf_8),
            BadMessage,
        ),
        (
            "the other kind of frame",
            Any,
            Sent::Frames(vec![other_kind]),
            WrongFrameKind,
        ),
        (
            "a command first",
            First,
            message(codec, &command(&guess())),
            BadMessage,
        ),
        (
            "a resync first",
            First,
            message(codec, &json!({ "type": "resync" })),
            BadMessage,
        ),
        (
            "a second hello",
            Later,
            message(codec, &hello()),
            BadMessage,
        ),
    ];
    for (what, value) in malformed_messages() {
        rows.push((what, Any, message(codec, &value), BadMessage));
    }
    rows.into_iter()
        .map(|(what, moment, sent, code)| Bad {
            what: what.to_owned(),
            codec,
            moment,
            sent,
            code,
        })
        .collect()
}

/// Headers that announce four thousand million elements, bare and where any value may stand.
pub(super) fn announcing_too_much() -> Vec<Bad> {
    let headers = [
        (0xdd, "array"),
        (0xdf, "map"),
        (0xdb, "string"),
        (0xc6, "bytes"),
        (0xc9, "extension"),
    ];
    let mut rows = Vec::new();
    for (header, what) in headers {
        let bare = vec![header, 0xff, 0xff, 0xff, 0xff];
        let field = [&[0x82, 0xa1, b'x'], bare.as_slice()].concat();
        for (bytes, place) in [(bare, "alone"), (field, "in a field")] {
            rows.push(Bad {
                what: format!("the header of a vast {what}, {place}"),
                codec: Codec::MessagePack,
                moment: Moment::Any,
                sent: payload(Codec::MessagePack, bytes),
                code: CloseCode::BadMessage,
            });
        }
    }
    rows
}

/// Bytes that break RFC 6455, and a header that announces more than the limit.
pub(super) fn broken_frames() -> Vec<Bad> {
    use CloseCode::{BadMessage, ProtocolError, TooLarge, WrongFrameKind};
    use Codec::{Json, MessagePack};
    let masked = |first: u8, length: u8| {
        let payload = usize::from(length & 0x7f);
        let mut bytes = vec![first, 0x80 | length, 0, 0, 0, 0];
        bytes.extend(vec![b' '; payload]);
        bytes
    };
    let length = 0x3fff_ffff_ffff_ffff_u64.to_be_bytes();
    let vast = [&[0x82, 0xff], length.as_slice(), &[0; 4]];
    let long = [
        &[0x89, 0xfe, 0x00, 0x80, 0, 0, 0, 0],
        [b' '; 128].as_slice(),
    ];
    let close = |code: u16, reason: &[u8]| {
        let length = u8::try_from(2 + reason.len()).expect("it is short");
        let [high, low] = code.to_be_bytes();
        [&[0x88, 0x80 | length, 0, 0, 0, 0, high, low], reason].concat()
    };
    let half_a_character = [&masked(0x01, 1)[..], &[0x80, 0x81, 0, 0, 0, 0, 0xc3]].concat();
    let rows = [
        (
            "a frame without a mask",
            vec![0x82, 0x01, 0xc0],
            ProtocolError,
        ),
        (
            "a close code that is not to be sent",
            close(1005, b""),
            ProtocolError,
        ),
        ("a close code below all", close(999, b""), ProtocolError),
        (
            "a close reason that is no text",
            close(1000, b"\xff"),
            ProtocolError,
        ),
        (
            "a close frame of one byte",
            vec![0x88, 0x81, 0, 0, 0, 0, 3],
            ProtocolError,
        ),
        ("a reserved opcode", masked(0x83, 1), ProtocolError),
        ("a reserved control opcode", masked(0x8b, 1), ProtocolError),
        ("a reserved bit", masked(0xc2, 1), ProtocolError),
        ("a ping in parts", masked(0x09, 1), ProtocolError),
        ("a ping that is too long", long.concat(), ProtocolError),
        ("a continuation of nothing", masked(0x80, 1), ProtocolError),
        ("a frame of 2^62 bytes", vast.concat(), TooLarge),
    ];
    let not_text = [0x81, 0x81, 0, 0, 0, 0, 0xff].to_vec();
    let texts = [
        (
            "half a character",
            half_a_character.clone(),
            Json,
            BadMessage,
        ),
        (
            "half a character",
            half_a_character,
            MessagePack,
            WrongFrameKind,
        ),
        ("a text that is none", not_text.clone(), Json, BadMessage),
        ("a text that is none", not_text, MessagePack, WrongFrameKind),
    ];
    let row = |(what, bytes, codec, code): (&str, Vec<u8>, Codec, CloseCode)| Bad {
        what: what.to_owned(),
        codec,
        moment: Moment::Any,
        sent: Sent::Raw(bytes),
        code,
    };
    let frames = rows.into_iter();
    let frames = frames.map(|(what, bytes, code)| (what, bytes, MessagePack, code));
    frames.chain(texts).map(row).collect()
}
