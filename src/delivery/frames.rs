//! An update's frame in each codec that somebody has asked for.

use bytes::Bytes;
use protocol::{Codec, ServerMessage};

/// Encoded once a codec, and shared by everyone who receives it. MessagePack is always there; JSON
/// is made from it when the first connection needs it, so that nobody else pays for it.
#[derive(Debug)]
pub(super) struct Frames {
    message_pack: Bytes,
    json: Option<Bytes>,
}

impl Frames {
    pub(super) fn new(message: &ServerMessage) -> Self {
        Self {
            message_pack: Codec::MessagePack.encode(message).into(),
            json: None,
        }
    }

    /// The frame for a connection with this codec.
    pub(super) fn of(&mut self, codec: Codec) -> Bytes {
        match codec {
            Codec::MessagePack => self.message_pack.clone(),
            Codec::Json => self.json().clone(),
        }
    }

    /// What all the frames that were made take.
    pub(super) fn bytes(&self) -> usize {
        self.message_pack.len() + self.json.as_ref().map_or(0, Bytes::len)
    }

    fn json(&mut self) -> &Bytes {
        self.json.get_or_insert_with(|| {
            let message: ServerMessage = Codec::MessagePack
                .decode(&self.message_pack)
                .expect("it was encoded by this process");
            Codec::Json.encode(&message).into()
        })
    }
}

#[cfg(test)]
mod tests {
    use protocol::{Audience, Codec, Event, ServerMessage, Update};

    use super::Frames;

    #[test]
    fn each_codec_gets_the_same_message_and_json_is_made_on_demand() {
        let message = ServerMessage::Update(Update {
            audience: Audience::Everyone,
            number: 3,
            at_ms: 7,
            event: Event::SessionPaused,
        });
        let mut frames = Frames::new(&message);
        let message_pack = frames.of(Codec::MessagePack);
        assert_eq!(frames.bytes(), message_pack.len());
        let json = frames.of(Codec::Json);
        assert_eq!(frames.bytes(), message_pack.len() + json.len());
        assert_eq!(
            Codec::MessagePack.decode(&message_pack),
            Ok(message.clone())
        );
        assert_eq!(Codec::Json.decode(&json), Ok(message));
        assert_eq!(frames.of(Codec::Json).as_ptr(), json.as_ptr(), "made once");
    }
}
