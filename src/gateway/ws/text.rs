//! Validates text messages byte by byte as they arrive, and fails at the first byte that cannot be UTF-8.
//!
//! tungstenite validates a text frame when it is complete. RFC 6455 (section 8.1) wants the connection
//! failed as soon as the text is known to be invalid, and such a frame should not be buffered. Never here:
//! any other rule of frames; a malformed frame is only skipped here, and tungstenite rejects it.

/// Longest header: two bytes, a length of up to eight, and a mask of four (RFC 6455, section 5.2).
const HEADER_BYTES_MAX: usize = 14;
/// Longest incomplete UTF-8 character.
const TAIL_BYTES_MAX: usize = 3;
/// Bytes that are unmasked and validated at a time.
const PIECE_BYTES: usize = 256;

const FINAL: u8 = 0x80;
const RESERVED: u8 = 0x70;
const OPCODE: u8 = 0x0f;
const MASKED: u8 = 0x80;
const LENGTH: u8 = 0x7f;
const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
/// First opcode of control frames, which may come inside a fragmented message.
const FIRST_CONTROL: u8 = 8;

/// The validator of one connection's input.
#[derive(Debug, Default)]
pub(super) struct TextValidator {
    header: [u8; HEADER_BYTES_MAX],
    header_bytes: usize,
    frame: PayloadState,
    /// Whether a continuation frame continues a text.
    message_is_text: bool,
    /// Bytes of an incomplete character.
    tail: [u8; TAIL_BYTES_MAX],
    tail_bytes: usize,
}

/// The payload in progress.
#[derive(Debug, Default, Clone, Copy)]
struct PayloadState {
    left: u64,
    mask: [u8; 4],
    masked_at: usize,
    is_text: bool,
    /// Whether the text ends with this frame.
    ends_text: bool,
}

/// A text is not UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BadText {
    /// Number of valid bytes before it; they complete all earlier messages.
    pub(super) valid_bytes: usize,
}

impl TextValidator {
    /// Validates the next bytes of the connection.
    pub(super) fn validate(&mut self, bytes: &[u8]) -> Result<(), BadText> {
        let mut at = 0;
        while at < bytes.len() {
            if self.frame.left == 0 {
                self.push_header_byte(bytes[at]);
                let checked = self.check_end();
                checked.map_err(|NotUtf8| BadText { valid_bytes: at })?;
                at += 1;
                continue;
            }
            let left = usize::try_from(self.frame.left).unwrap_or(usize::MAX);
            let mut piece = left.min(bytes.len() - at);
            if self.frame.is_text {
                piece = piece.min(PIECE_BYTES);
                let checked = self.validate_text(&bytes[at..at + piece]);
                checked.map_err(|NotUtf8| BadText { valid_bytes: at })?;
            }
            self.frame.left -= piece as u64;
            let checked = self.check_end();
            checked.map_err(|NotUtf8| BadText { valid_bytes: at })?;
            at += piece;
        }
        Ok(())
    }

    fn push_header_byte(&mut self, byte: u8) {
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
        self.frame = PayloadState {
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

    /// Fails if a text has ended within a character.
    fn check_end(&self) -> Result<(), NotUtf8> {
        let has_ended = self.frame.ends_text && self.frame.left == 0;
        if has_ended && self.tail_bytes > 0 {
            return Err(NotUtf8);
        }
        Ok(())
    }

    /// Validates the next bytes of a text, at most [`PIECE_BYTES`].
    fn validate_text(&mut self, masked: &[u8]) -> Result<(), NotUtf8> {
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
