//! A connection that does nothing but stay.

use protocol::{ClientMessage, Hello, ServerMessage};
use tokio::sync::watch;

use crate::client::{Connection, Ended, OpenError, StreamChecker, StreamFault};

/// A client that is attached and only listens.
#[derive(Debug)]
pub(super) struct IdleClient {
    connection: Connection,
    checker: StreamChecker,
}

/// Why a connection did not stay.
#[derive(Debug, thiserror::Error)]
pub enum IdleClientError {
    /// It was not opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It ended.
    #[error("the connection ended: {0}")]
    Ended(#[from] Ended),
    /// Its stream is broken.
    #[error(transparent)]
    StreamFault(#[from] StreamFault),
}

impl IdleClient {
    /// Says hello and takes everything until the stream is whole.
    pub(super) async fn attach(
        connection: Connection,
        token: String,
    ) -> Result<Self, IdleClientError> {
        let checker = StreamChecker::default();
        let mut client = Self {
            connection,
            checker,
        };
        let hello = Hello {
            token,
            cursor: None,
        };
        client.connection.send(&ClientMessage::Hello(hello)).await?;
        while !client.checker.is_caught_up() {
            client.receive_one().await?;
        }
        Ok(client)
    }

    /// Listens until `over`; an end before that is an error.
    pub(super) async fn stay(
        mut self,
        mut over: watch::Receiver<bool>,
    ) -> Result<(), IdleClientError> {
        let listening = async {
            loop {
                self.receive_one().await?;
            }
        };
        let ended = tokio::select! {
            ended = listening => ended,
            _ = over.wait_for(|over| *over) => Ok(()),
        };
        if ended.is_ok() {
            self.connection.close().await;
        }
        ended
    }

    async fn receive_one(&mut self) -> Result<(), IdleClientError> {
        match self.connection.receive().await? {
            ServerMessage::Welcome(welcome) => self.checker.welcome(&welcome)?,
            ServerMessage::Snapshot(snapshot) => self.checker.snapshot(snapshot.heads)?,
            ServerMessage::Overview(overview) => self.checker.snapshot(overview.heads)?,
            ServerMessage::Update(update) => drop(self.checker.update(&update)?),
            ServerMessage::Heads(frame) => self.checker.heads(&frame)?,
            ServerMessage::Board(board) => self.checker.board(&board)?,
            ServerMessage::Attendance(attendance) => self.checker.attendance(&attendance)?,
            ServerMessage::Receipt(_)
            | ServerMessage::Rejection(_)
            | ServerMessage::Goaway(_)
            | ServerMessage::Standing(_)
            | ServerMessage::Presence(_)
            | ServerMessage::Unknown => {}
        }
        Ok(())
    }
}
