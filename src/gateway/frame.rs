//! From WebSocket frames to messages: those of a codec travel in frames of one kind.

use protocol::{ClientMessage, Codec};

use super::closing::Ending;
use super::socket::Received;

/// The client's message in what was received; none in frames that carry no message.
pub(super) fn read(codec: Codec, received: &Received) -> Result<Option<ClientMessage>, Ending> {
    let (kind, payload) = match received {
        Received::Message(kind, payload) => (*kind, payload),
        Received::Control => return Ok(None),
        Received::Close => return Err(Ending::Gone),
    };
    if kind != codec.frame_kind() {
        return Err(Ending::wrong_frame_kind(codec));
    }
    match codec.decode_client_message(payload) {
        Ok(message) => Ok(Some(message)),
        Err(error) => Err(Ending::bad_message(error)),
    }
}
