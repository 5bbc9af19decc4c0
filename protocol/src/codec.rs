//! Codecs: encode messages to frame payloads and decode them.

mod json;
mod message_pack;
mod shape;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use self::shape::DecodeError;
use self::shape::Shape;
use crate::client::ClientMessage;
use crate::rest::BODY_LISTS;

/// The encoding of messages, selected by the WebSocket subprotocol.
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

impl Codec {
    /// Every codec, the preferred one first.
    pub const ALL: [Self; 2] = [Self::MessagePack, Self::Json];

    /// The WebSocket subprotocol that selects this codec.
    pub fn subprotocol(self) -> &'static str {
        match self {
            Self::MessagePack => "cluecast.v1.msgpack",
            Self::Json => "cluecast.v1.json",
        }
    }

    /// The codec that a subprotocol selects; `None` for an unknown name.
    pub fn from_subprotocol(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|codec| codec.subprotocol() == name)
    }

    /// The kind of frame that carries its messages. The server rejects the other kind.
    pub fn frame_kind(self) -> FrameKind {
        match self {
            Self::MessagePack => FrameKind::Binary,
            Self::Json => FrameKind::Text,
        }
    }

    /// Encodes a message as the payload of one frame.
    ///
    /// # Panics
    /// Never for the messages of this crate: every codec can encode all of their fields.
    pub fn encode<M: Serialize>(self, message: &M) -> Vec<u8> {
        match self {
            Self::MessagePack => message_pack::encode(message),
            Self::Json => json::encode(message),
        }
    }

    /// Decodes a server message from the payload of one frame. The payload must contain exactly one
    /// map, nested at most [`MESSAGE_DEPTH_MAX`](crate::limits::MESSAGE_DEPTH_MAX) levels deep. Unknown
    /// fields are ignored, whatever their values.
    pub fn decode<M: DeserializeOwned>(self, payload: &[u8]) -> Result<M, DecodeError> {
        self.decode_as(payload, Shape::Any)
    }

    /// Decodes a client message from the payload of one frame. Stricter than [`decode`](Self::decode):
    /// only maps and scalar values are allowed, and keys and the value of `type` must be strings.
    pub fn decode_client_message(self, payload: &[u8]) -> Result<ClientMessage, DecodeError> {
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

/// Decodes the body of a REST request: one map, in which only the fields named in
/// [`BODY_LISTS`](crate::rest::BODY_LISTS) may be lists.
pub fn decode_body<B: DeserializeOwned>(body: &[u8]) -> Result<B, DecodeError> {
    json::decode(body, Shape::Strict { lists: &BODY_LISTS })
}
