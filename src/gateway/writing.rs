//! Writes messages to a socket, past tungstenite's own buffer.
//!
//! tungstenite copies every message into a buffer of the connection that never shrinks: after a large
//! snapshot an idle connection would keep as much for good. Here the shared payloads go to the
//! operating system as they are, behind their headers. tungstenite still writes what is its own,
//! pongs and the closing handshake.

use std::io::{Error, ErrorKind, IoSlice};

use bytes::Bytes;
use futures_util::SinkExt;
use protocol::{Codec, FrameKind};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

/// The longest header of a frame to a client, which is not masked (RFC 6455, section 5.2).
const HEADER_BYTES_MAX: usize = 10;

/// Writes messages, each as one frame. Not cancel-safe: when it is dropped, the last frame may be cut
/// off, and the connection is of no more use.
pub(super) async fn write(
    socket: &mut WebSocketStream<TcpStream>,
    codec: Codec,
    payloads: &[Bytes],
) -> Result<(), tungstenite::Error> {
    // What tungstenite has begun to write must be whole before something else follows it.
    socket.flush().await?;
    let mut headers = Vec::with_capacity(payloads.len() * HEADER_BYTES_MAX);
    let mut ends = Vec::with_capacity(payloads.len());
    for payload in payloads {
        header(codec).format(payload.len() as u64, &mut headers)?;
        ends.push(headers.len());
    }
    let mut slices = Vec::with_capacity(payloads.len() * 2);
    let mut begin = 0;
    for (payload, end) in payloads.iter().zip(ends) {
        slices.push(IoSlice::new(&headers[begin..end]));
        slices.push(IoSlice::new(payload));
        begin = end;
    }
    Ok(write_all(socket.get_mut(), &mut slices).await?)
}

fn header(codec: Codec) -> FrameHeader {
    let data = match codec.frame_kind() {
        FrameKind::Binary => Data::Binary,
        FrameKind::Text => Data::Text,
    };
    FrameHeader {
        opcode: OpCode::Data(data),
        ..FrameHeader::default()
    }
}

async fn write_all(stream: &mut TcpStream, mut slices: &mut [IoSlice<'_>]) -> Result<(), Error> {
    while !slices.is_empty() {
        let written = stream.write_vectored(slices).await?;
        if written == 0 {
            return Err(ErrorKind::WriteZero.into());
        }
        IoSlice::advance_slices(&mut slices, written);
    }
    Ok(())
}
