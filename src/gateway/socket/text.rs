//! Watches text messages as their bytes arrive, and tells at the first byte that cannot be UTF-8.
//!
//! tungstenite looks at a text frame when it is whole. RFC 6455 (section 8.1) wants the connection
//! failed as soon as it is clear that the text is bad, and whoever sends such a frame should not have
//! it buffered. Never here: any other rule of frames; what is no proper frame is tungstenite's to
//! refuse, and is only stepped over.

/// Two bytes, a length of up to eight, and a mask of four (RFC 6455, section 5.2).
const HEADER_BYTES_MAX: usize = 14;
/// What a character may lack its last byte of.
const TAIL_BYTES_MAX: usize = 3;
/// Unmasked and looked at in one go.
const PIECE_BYTES: usize = 256;

const FINAL: u8 = 0x80;
const RESERVED: u8 = 0x70;
const OPCODE: u8 = 0x0f;
const MASKED: u8 = 0x80;
const LENGTH: u8 = 0x7f;
const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
/// From this opcode on frames are control frames, which may come inside a message.
const FIRST_CONTROL: u8 = 8;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct TextWatch {
    header: [u8; HEADER_BYTES_MAX],
    header_bytes: usize,
    frame: Frame,
    /// Whether the message that a continuation frame goes on with is text.
    message_is_text: bool,
    /// The begin of a character whose end has not come.
    tail: [u8; TAIL_BYTES_MAX],
    tail_bytes: usize,
}

/// The payload that is being read.
#[derive(Debug, Default, Clone, Copy)]
struct Frame {
    left: u64,
    mask: [u8; 4],
    masked_at: usize,
    is_text: bool,
    /// Whether a text is over with it.
    ends_text: bool,
}

/// Some text is not UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BadText {
    /// How many bytes before it can be passed on: with them all earlier messages are whole.
    pub(super) good_bytes: usize,
}

impl TextWatch {
    /// Looks at the next bytes of the connection.
    pub(super) fn look(&mut self, bytes: &[u8]) -> Result<(), BadText> {
        let mut at = 0;
        while at < bytes.len() {
            if self.frame.left == 0 {
                self.header_byte(bytes[at]);
                let is_whole = self.is_whole();
                is_whole.map_err(|NotUtf8| BadText { good_bytes: at })?;
                at += 1;
                continue;
            }
            let left = usize::try_from(self.frame.left).unwrap_or(usize::MAX);
            let mut piece = left.min(bytes.len() - at);
            if self.frame.is_text {
                piece = piece.min(PIECE_BYTES);
                let is_good = self.text(&bytes[at..at + piece]);
                is_good.map_err(|NotUtf8| BadText { good_bytes: at })?;
            }
            self.frame.left -= piece as u64;
            let is_whole = self.is_whole();
            is_whole.map_err(|NotUtf8| BadText { good_bytes: at })?;
            at += piece;
        }
        Ok(())
    }

    fn header_byte(&mut self, byte: u8) {
        self.header[self.header_bytes] = byte;
        self.header_bytes += 1;
        if self.header_bytes < 2 {
            return;
        }
        let extended = match self.header[1] & LENGTH {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let mask = if self.header[1] & MASKED == 0 { 0 } else { 4 };
        if self.header_bytes == 2 + extended + mask {
            self.begin_frame(extended);
            self.header_bytes = 0;
        }
    }

    fn begin_frame(&mut self, extended: usize) {
        let first = self.header[0];
        let opcode = first & OPCODE;
        let mut mask = [0; 4];
        if self.header[1] & MASKED != 0 {
            mask.copy_from_slice(&self.header[2 + extended..2 + extended + 4]);
        }
        let length = &self.header[2..2 + extended];
        let left = if length.is_empty() {
            u64::from(self.header[1] & LENGTH)
        } else {
            let add = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
            length.iter().fold(0, add)
        };
        let is_control = opcode >= FIRST_CONTROL;
        if !is_control && opcode != CONTINUATION {
            self.message_is_text = opcode == TEXT && first & RESERVED == 0;
            self.tail_bytes = 0;
        }
        self.frame = Frame {
            left,
            mask,
            masked_at: 0,
            is_text: !is_control && self.message_is_text,
            ends_text: !is_control && self.message_is_text && first & FINAL != 0,
        };
        if !is_control && first & FINAL != 0 {
            self.message_is_text = false;
        }
    }

    /// A text that is over does not end within a character.
    fn is_whole(&self) -> Result<(), NotUtf8> {
        let is_over = self.frame.ends_text && self.frame.left == 0;
        if is_over && self.tail_bytes > 0 {
            return Err(NotUtf8);
        }
        Ok(())
    }

    /// Goes on with a text by at most [`PIECE_BYTES`].
    fn text(&mut self, masked: &[u8]) -> Result<(), NotUtf8> {
        let mut text = [0; TAIL_BYTES_MAX + PIECE_BYTES];
        text[..self.tail_bytes].copy_from_slice(&self.tail[..self.tail_bytes]);
        let length = self.tail_bytes + masked.len();
        for (into, byte) in text[self.tail_bytes..length].iter_mut().zip(masked) {
            *into = byte ^ self.frame.mask[self.frame.masked_at % 4];
            self.frame.masked_at += 1;
        }
        let text = &text[..length];
        let Err(error) = std::str::from_utf8(text) else {
            self.tail_bytes = 0;
            return Ok(());
        };
        if error.error_len().is_some() {
            return Err(NotUtf8);
        }
        let tail = &text[error.valid_up_to()..];
        self.tail[..tail.len()].copy_from_slice(tail);
        self.tail_bytes = tail.len();
        Ok(())
    }
}

struct NotUtf8;
