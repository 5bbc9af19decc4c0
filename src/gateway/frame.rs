//! Between messages and WebSocket frames: the messages of a codec travel in frames of one kind.

use bytes::Bytes;
use protocol::{ClientMessage, CloseCode, Codec, FrameKind};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use super::closing::Ending;

/// The frame of an encoded message.
pub(super) fn frame(codec: Codec, payload: Bytes) -> Message {
    match codec.frame_kind() {
        FrameKind::Binary => Message::Binary(payload),
        FrameKind::Text => {
            let text = Utf8Bytes::try_from(payload);
            Message::Text(text.expect("codecs with text frames write UTF-8"))
        }
    }
}

/// The client's message in a frame; none in frames that carry no message.
pub(super) fn read(codec: Codec, frame: &Message) -> Result<Option<ClientMessage>, Ending> {
    let (payload, kind) = match frame {
        Message::Binary(payload) => (payload.as_ref(), FrameKind::Binary),
        Message::Text(text) => (text.as_bytes(), FrameKind::Text),
        Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => return Ok(None),
        Message::Close(_) => return Err(Ending::Gone),
    };
    if kind != codec.frame_kind() {
        return Err(CloseCode::WrongFrameKind.into());
    }
    match codec.decode(payload) {
        Ok(message) => Ok(Some(message)),
        Err(error) => Err(Ending::BadMessage(error)),
    }
}
