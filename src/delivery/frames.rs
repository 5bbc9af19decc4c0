//! The encoded frames of one update, one for each codec in use.

use bytes::Bytes;
use protocol::{Codec, ServerMessage};

/// The frames of one update, each encoded once and shared by all its receivers. The JSON frame is made
/// from the MessagePack frame when the first connection needs it.
#[derive(Debug)]
pub(super) struct UpdateFrames {
    message_pack: Bytes,
    json: Option<Bytes>,
}

impl UpdateFrames {
    pub(super) fn new(message: &ServerMessage) -> Self {
        Self {
            message_pack: Codec::MessagePack.encode(message).into(),
            json: None,
        }
    }

    /// The frame for a connection with this codec.
    pub(super) fn for_codec(&mut self, codec: Codec) -> Bytes {
        match codec {
            Codec::MessagePack => self.message_pack.clone(),
            Codec::Json => self.json().clone(),
        }
    }

    /// The size of all frames that were encoded so far.
    pub(super) fn bytes(&self) -> usize {
        self.message_pack.len() + self.json.as_ref().map_or(0, Bytes::len)
    }

    fn json(&mut self) -> &Bytes {
        self.json.get_or_insert_with(|| {
            let message: ServerMessage = Codec::MessagePack
                .decode(&self.message_pack)
                .expect("this process encoded the frame");
            Codec::Json.encode(&message).into()
        })
    }
}

#[cfg(test)]
mod tests {
    use protocol::{Audience, Codec, Event, ServerMessage, Update};

    use super::UpdateFrames;

    #[test]
    fn each_codec_gets_the_same_message_and_json_is_made_on_demand() {
        let message = ServerMessage::Update(Update {
            audience: Audience::Everyone,
            number: 3,
            at_ms: 7,
            event: Event::SessionPaused,
        });
        let mut frames = UpdateFrames::new(&message);
        let message_pack = frames.for_codec(Codec::MessagePack);
        assert_eq!(frames.bytes(), message_pack.len());
        let json = frames.for_codec(Codec::Json);
        assert_eq!(frames.bytes(), message_pack.len() + json.len());
        assert_eq!(
            Codec::MessagePack.decode(&message_pack),
            Ok(message.clone())
        );
        assert_eq!(Codec::Json.decode(&json), Ok(message));
        assert_eq!(
            frames.for_codec(Codec::Json).as_ptr(),
            json.as_ptr(),
            "encoded once"
        );
    }
}
