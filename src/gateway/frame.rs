//! From WebSocket frames to messages: those of a codec travel in frames of one kind.

use protocol::{ClientMessage, CloseCode, Codec, FrameKind};
use tokio_tungstenite::tungstenite::Message;

use super::closing::Ending;

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
