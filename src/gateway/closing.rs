//! How a connection ends.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use protocol::{CloseCode, DecodeError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::error::{CapacityError, Error};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

/// How long the other side may take to answer a close frame.
const ANSWER_WAIT: Duration = Duration::from_secs(1);
/// What a close frame holds besides its code (RFC 6455, section 5.5).
const REASON_BYTES_MAX: usize = 123;

/// What is read at a time when it is thrown away.
const DRAIN_BYTES: usize = 4 * 1024;

/// Why a connection ends.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The server closes it with a code.
    Close(CloseCode),
    /// The server closes it with [`CloseCode::BadMessage`] and says what is wrong.
    BadMessage(DecodeError),
    /// The other side closed it, or it is broken: there is nobody to tell.
    Gone,
}

impl Ending {
    /// The code that the server closes with.
    pub(super) fn code(&self) -> Option<CloseCode> {
        match self {
            Self::Close(code) => Some(*code),
            Self::BadMessage(_) => Some(CloseCode::BadMessage),
            Self::Gone => None,
        }
    }
}

impl From<CloseCode> for Ending {
    fn from(code: CloseCode) -> Self {
        Self::Close(code)
    }
}

/// What a failure of the socket means for the connection.
pub(super) fn ending_of(error: &Error) -> Ending {
    match error {
        Error::Capacity(CapacityError::MessageTooLong { .. }) => CloseCode::TooLarge.into(),
        Error::Protocol(_) => CloseCode::ProtocolError.into(),
        Error::Utf8(_) => CloseCode::BadMessage.into(),
        _ => Ending::Gone,
    }
}

/// Sends a close frame and waits a moment for the answer, so that what was written before arrives.
pub(super) async fn close(
    socket: &mut WebSocketStream<TcpStream>,
    code: CloseCode,
    why: Option<&str>,
) {
    let frame = CloseFrame {
        code: code.number().into(),
        reason: reason(code, why).into(),
    };
    let farewell = async {
        socket.send(Message::Close(Some(frame))).await?;
        // After a frame that broke the rules the socket reads no more, not even an answer.
        if !read_out(socket).await? {
            drain(socket.get_mut()).await?;
        }
        Ok::<(), Error>(())
    };
    if let Ok(Err(error)) = tokio::time::timeout(ANSWER_WAIT, farewell).await {
        tracing::debug!(%error, "a connection ended before its closing handshake");
    }
}

/// The code's name, and after it as much of the explanation as there is room for.
fn reason(code: CloseCode, why: Option<&str>) -> String {
    let mut reason = code.name().to_owned();
    if let Some(why) = why {
        reason.push_str(": ");
        reason.push_str(why);
        reason.truncate(reason.floor_char_boundary(REASON_BYTES_MAX));
    }
    reason
}

/// Lets the socket answer a close frame of the other side, if there was one.
pub(super) async fn answer_close(socket: &mut WebSocketStream<TcpStream>) {
    if let Ok(Err(error)) = tokio::time::timeout(ANSWER_WAIT, read_out(socket)).await {
        tracing::debug!(%error, "a connection ended without a closing handshake");
    }
}

/// Reads to the end; whatever still comes is of no interest. Gives whether it was the end that the
/// closing handshake brings.
async fn read_out(socket: &mut WebSocketStream<TcpStream>) -> Result<bool, Error> {
    let mut is_answered = false;
    while let Some(received) = socket.next().await {
        is_answered |= received?.is_close();
    }
    Ok(is_answered)
}

/// Reads to the end what may be no frames. Closing over unread bytes would reset the connection, and that
/// may take the close frame away from the other side.
async fn drain(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.shutdown().await?;
    let mut unread = vec![0; DRAIN_BYTES];
    while stream.read(&mut unread).await? > 0 {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use protocol::CloseCode;

    use super::{REASON_BYTES_MAX, reason};

    #[test]
    fn a_reason_begins_with_the_codes_name_and_fits_into_a_frame() {
        assert_eq!(reason(CloseCode::Replaced, None), "replaced");
        let why = "é".repeat(REASON_BYTES_MAX);
        let reason = reason(CloseCode::BadMessage, Some(&why));
        assert!(reason.starts_with("bad_message: é"));
        assert!(reason.len() <= REASON_BYTES_MAX, "{} bytes", reason.len());
    }
}
