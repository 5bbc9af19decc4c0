//! A message that is encoded on demand, once per codec.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use protocol::{Codec, ServerMessage};

use crate::telemetry::metrics;

/// A frame in each codec in use. The first connection that needs a codec encodes it in its own task,
/// not in the session's actor.
#[derive(Debug, Default)]
pub(super) struct LazyFrames {
    message_pack: OnceLock<Bytes>,
    json: OnceLock<Bytes>,
}

impl LazyFrames {
    pub(super) fn get(&self, codec: Codec, encode: impl FnOnce(Codec) -> Vec<u8>) -> Bytes {
        let frame = match codec {
            Codec::MessagePack => &self.message_pack,
            Codec::Json => &self.json,
        };
        let encode = || {
            metrics().latest_encoded.increment(1);
            encode(codec).into()
        };
        frame.get_or_init(encode).clone()
    }
}

/// A message without versions, shared by all its receivers.
#[derive(Debug)]
pub(in crate::delivery) struct LazyMessage {
    message: ServerMessage,
    frames: LazyFrames,
}

impl LazyMessage {
    pub(super) fn new(message: ServerMessage) -> Arc<Self> {
        Arc::new(Self {
            message,
            frames: LazyFrames::default(),
        })
    }

    pub(super) fn frame(&self, codec: Codec) -> Bytes {
        self.frames.get(codec, |codec| codec.encode(&self.message))
    }
}
