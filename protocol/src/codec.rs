//! Codecs: from messages to frame payloads and back.

use std::io::Cursor;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::limits::MESSAGE_DEPTH_MAX;

/// How messages are written into frames; chosen by the WebSocket subprotocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// MessagePack with named fields, in binary frames.
    MessagePack,
}

/// Why a payload is not a message.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DecodeError {
    /// The bytes are no MessagePack, or not of a message's shape.
    #[error("not a valid message: {0}")]
    Malformed(String),
    /// A message is followed by further bytes.
    #[error("{0} bytes follow the message; send one message a frame")]
    TrailingBytes(usize),
}

impl Codec {
    /// Every codec, the preferred one first.
    pub const ALL: [Self; 1] = [Self::MessagePack];

    /// The WebSocket subprotocol that asks for this codec.
    pub fn subprotocol(self) -> &'static str {
        match self {
            Self::MessagePack => "cluecast.v1.msgpack",
        }
    }

    /// The codec that a subprotocol's name asks for.
    pub fn from_subprotocol(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|codec| codec.subprotocol() == name)
    }

    /// The payload of one frame.
    ///
    /// # Panics
    /// Never for the messages of this crate: they hold nothing that a codec cannot write.
    pub fn encode<M: Serialize>(self, message: &M) -> Vec<u8> {
        match self {
            Self::MessagePack => rmp_serde::to_vec_named(message)
                .expect("messages hold only strings, numbers, lists and named fields"),
        }
    }

    /// Reads the payload of one frame, which must hold exactly one message.
    pub fn decode<M: DeserializeOwned>(self, payload: &[u8]) -> Result<M, DecodeError> {
        match self {
            Self::MessagePack => decode_message_pack(payload),
        }
    }
}

fn decode_message_pack<M: DeserializeOwned>(payload: &[u8]) -> Result<M, DecodeError> {
    let mut deserializer = rmp_serde::Deserializer::new(Cursor::new(payload));
    deserializer.set_max_depth(MESSAGE_DEPTH_MAX);
    let message = M::deserialize(&mut deserializer)
        .map_err(|error| DecodeError::Malformed(error.to_string()))?;
    let read = usize::try_from(deserializer.position()).expect("a position within the payload");
    match payload.len() - read {
        0 => Ok(message),
        trailing => Err(DecodeError::TrailingBytes(trailing)),
    }
}
