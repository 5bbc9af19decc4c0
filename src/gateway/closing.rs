//! How a connection ends.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use protocol::CloseCode;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::error::{CapacityError, Error};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

/// How long the other side may take to answer a close frame.
const ANSWER_WAIT: Duration = Duration::from_secs(1);

/// Why a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// The server closes it with a code.
    Close(CloseCode),
    /// The other side closed it, or it is broken: there is nobody to tell.
    Gone,
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
pub(super) async fn close(socket: &mut WebSocketStream<TcpStream>, code: CloseCode) {
    let frame = CloseFrame {
        code: code.number().into(),
        reason: code.name().into(),
    };
    let farewell = async {
        socket.send(Message::Close(Some(frame))).await?;
        read_out(socket).await
    };
    if let Ok(Err(error)) = tokio::time::timeout(ANSWER_WAIT, farewell).await {
        tracing::debug!(%error, "a connection ended before its closing handshake");
    }
}

/// Lets the socket answer a close frame of the other side, if there was one.
pub(super) async fn answer_close(socket: &mut WebSocketStream<TcpStream>) {
    if let Ok(Err(error)) = tokio::time::timeout(ANSWER_WAIT, read_out(socket)).await {
        tracing::debug!(%error, "a connection ended without a closing handshake");
    }
}

/// Reads to the end, which the closing handshake brings; whatever still comes is of no interest.
async fn read_out(socket: &mut WebSocketStream<TcpStream>) -> Result<(), Error> {
    while let Some(received) = socket.next().await {
        received?;
    }
    Ok(())
}
