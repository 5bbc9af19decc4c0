//! Seeds for fuzzing: the golden vectors, as messages and as conversations.

use std::path::{Path, PathBuf};

use protocol::Codec;
use serde_json::Value;

const MASK: [u8; 4] = [1, 2, 3, 4];

/// The bytes of every golden vector in a folder, in both codecs.
pub fn messages(golden: &Path) -> Vec<Vec<u8>> {
    let files = std::fs::read_dir(golden).expect("the golden vectors are there");
    let mut paths: Vec<PathBuf> = files
        .map(|file| file.expect("it is listed").path())
        .collect();
    paths.sort();
    let mut all = Vec::new();
    for path in paths {
        let text = std::fs::read_to_string(&path).expect("it can be read");
        let vector: Value = serde_json::from_str(&text).expect("it is JSON");
        let json = &vector["message"];
        assert!(json.is_object(), "{} has no message", path.display());
        all.push(Codec::Json.encode(json));
        all.push(Codec::MessagePack.encode(json));
    }
    all
}

/// A frame of a client.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    if let Ok(length @ 0..126) = u8::try_from(payload.len()) {
        frame.push(0x80 | length);
    } else {
        let length = u16::try_from(payload.len()).expect("golden vectors are short");
        frame.push(0xfe);
        frame.extend(length.to_be_bytes());
    }
    frame.extend(MASK);
    let masked = payload.iter().enumerate();
    frame.extend(masked.map(|(at, byte)| byte ^ MASK[at % 4]));
    frame
}

/// Conversations: whole and fragmented messages, with control frames between and within them.
pub fn conversations(golden: &Path) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for (number, message) in messages(golden).iter().enumerate() {
        let data = if number % 2 == 0 { 1 } else { 2 };
        let mut sent = vec![7, 3];
        sent.extend(frame(0x80 | data, message));
        sent.extend(frame(0x89, b"ping"));
        let (begin, end) = message.split_at(message.len() / 2);
        sent.extend(frame(data, begin));
        sent.extend(frame(0x8a, b"pong"));
        sent.extend(frame(0x80, end));
        sent.extend(frame(0x88, &1000_u16.to_be_bytes()));
        all.push(sent);
    }
    all
}
