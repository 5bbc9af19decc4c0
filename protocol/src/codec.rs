//! Codecs: from messages to frame payloads and back.

mod json;
mod message_pack;
mod shape;

use serde::Serialize;
use serde::de::DeserializeOwned;

use self::shape::Shape;
use crate::message::ClientMessage;
use crate::rest::BODY_LISTS;

/// How messages are written into frames; chosen by the WebSocket subprotocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// MessagePack with named fields, in binary frames.
    MessagePack,
    /// JSON, in text frames.
    Json,
}

/// The kind of frame that carries a codec's messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FrameKind {
    /// A binary frame.
    Binary,
    /// A text frame, whose payload is UTF-8.
    Text,
}

/// Why a payload is not a message.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DecodeError {
    /// The bytes are not what the codec writes, or not of a message's shape.
    #[error("not a valid message: {0}")]
    Malformed(String),
    /// A message is followed by further bytes.
    #[error("{0} bytes follow the message; send one at a time")]
    TrailingBytes(usize),
}

impl Codec {
    /// Every codec, the preferred one first.
    pub const ALL: [Self; 2] = [Self::MessagePack, Self::Json];

    /// The WebSocket subprotocol that asks for this codec.
    pub fn subprotocol(self) -> &'static str {
        match self {
            Self::MessagePack => "cluecast.v1.msgpack",
            Self::Json => "cluecast.v1.json",
        }
    }

    /// The codec that a subprotocol's name asks for.
    pub fn from_subprotocol(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|codec| codec.subprotocol() == name)
    }

    /// The kind of frame that carries its messages. The other kind is refused.
    pub fn frame_kind(self) -> FrameKind {
        match self {
            Self::MessagePack => FrameKind::Binary,
            Self::Json => FrameKind::Text,
        }
    }

    /// The payload of one frame.
    ///
    /// # Panics
    /// Never for the messages of this crate: they hold nothing that a codec cannot write.
    pub fn encode<M: Serialize>(self, message: &M) -> Vec<u8> {
        match self {
            Self::MessagePack => message_pack::encode(message),
            Self::Json => json::encode(message),
        }
    }

    /// Reads the payload of one frame, which must hold exactly one message: a map, nested at most
    /// [`MESSAGE_DEPTH_MAX`](crate::limits::MESSAGE_DEPTH_MAX) levels deep. For what servers send: what
    /// is not known is passed over, whatever it is.
    pub fn decode<M: DeserializeOwned>(self, payload: &[u8]) -> Result<M, DecodeError> {
        self.decode_as(payload, Shape::Any)
    }

    /// The same for what clients send: maps and single values only, with text for names and in `type`.
    pub fn decode_of_client(self, payload: &[u8]) -> Result<ClientMessage, DecodeError> {
        self.decode_as(payload, Shape::Strict { lists: &[] })
    }

    fn decode_as<M: DeserializeOwned>(
        self,
        payload: &[u8],
        shape: Shape,
    ) -> Result<M, DecodeError> {
        match self {
            Self::MessagePack => message_pack::decode(payload, shape),
            Self::Json => json::decode(payload, shape),
        }
    }
}

/// Reads the body of a request: one map, in which only the fields named in
/// [`BODY_LISTS`](crate::rest::BODY_LISTS) are lists.
pub fn decode_body<B: DeserializeOwned>(body: &[u8]) -> Result<B, DecodeError> {
    json::decode(body, Shape::Strict { lists: &BODY_LISTS })
}

/// A message is a map. Serde's derived types would take a list of their fields as well, which
/// would break with the next field.
fn not_a_map() -> DecodeError {
    DecodeError::Malformed("a message is a map with named fields".to_owned())
}

fn malformed(error: impl std::fmt::Display) -> DecodeError {
    DecodeError::Malformed(error.to_string())
}
