//! The first message of a connection: authenticates the client and attaches it to the session.

use std::sync::Arc;

use hunt::InstanceId;
use protocol::{ClientMessage, CloseCode, Codec, Cursor, Watch};
use tokio::time::timeout;

use super::closing::{Ending, ending_of};
use super::commands::{AttachedClient, decode};
use crate::delivery::{Hub, Identity, OutboxReader, outbox};
use crate::gateway::Gateway;
use crate::gateway::admission::message_rate::MessageRateLimiter;
use crate::gateway::admission::slots::ConnectionSlot;
use crate::gateway::net::stream::Stream;
use crate::gateway::tokens::Grant;
use crate::gateway::ws::Socket;
use crate::session::{InstanceSlot, SessionHandle};

/// A client that has not sent its first message yet.
pub(super) struct NewClient {
    pub(super) gateway: Gateway,
    pub(super) codec: Codec,
    pub(super) session_code: String,
    pub(super) slot: Arc<ConnectionSlot>,
}

/// The contents of the first message, resolved.
struct Identified {
    session: SessionHandle<Hub>,
    identity: Identity,
    instance: InstanceSlot,
    cursor: Option<Cursor>,
}

impl NewClient {
    /// Waits for `hello` or `watch` and attaches to the session.
    pub(super) async fn attach(
        &self,
        socket: &mut Socket<Stream>,
    ) -> Result<(AttachedClient, OutboxReader), Ending> {
        let Identified {
            session,
            identity,
            instance,
            cursor,
        } = self.identify(socket).await?;
        let lease = self.gateway.sessions.lease_for_output();
        // After the lease has expired, queued messages may be wrong; those that are journaled are sent again.
        socket.send_while(move || lease.is_held());
        let (outbox, frames) = outbox(&self.gateway.delivery, self.codec);
        let client = AttachedClient {
            gateway: self.gateway.clone(),
            session,
            identity,
            instance,
            codec: self.codec,
            outbox,
            limiter: MessageRateLimiter::new(&self.gateway.limits),
        };
        client.attach(cursor)?;
        Ok((client, frames))
    }

    async fn identify(&self, socket: &mut Socket<Stream>) -> Result<Identified, Ending> {
        let stop = self.gateway.stop.clone();
        let hello = timeout(self.gateway.config.hello_max, self.first_message(socket));
        let first = match stop.run_until_cancelled(hello).await {
            None => return Err(CloseCode::GoingAway.into()),
            Some(Err(_elapsed)) => return Err(CloseCode::HelloTimeout.into()),
            Some(Ok(first)) => first?,
        };
        match first {
            ClientMessage::Hello(hello) => {
                let (session, identity) = self.authenticate(&hello.token).await?;
                self.slot.mark_authenticated();
                let instance = InstanceSlot::default();
                if let Some(number) = hello.instance {
                    instance.set(InstanceId(number));
                }
                Ok(Identified {
                    session,
                    identity,
                    instance,
                    cursor: hello.cursor,
                })
            }
            // A spectator shows no token, so its connection stays in its address's quota.
            ClientMessage::Watch(Watch { cursor }) => {
                let (key, code) = (self.slot.subscriber_key(), &self.session_code);
                let session = self.gateway.public_session(key, code).await?;
                Ok(Identified {
                    session,
                    identity: Identity::Spectator,
                    instance: InstanceSlot::default(),
                    cursor,
                })
            }
            ClientMessage::Command(_) | ClientMessage::Resync(_) => Err(Ending::bad_message(
                "the first message must be `hello` or `watch`",
            )),
        }
    }

    /// The identity that a token grants in the requested session.
    async fn authenticate(&self, token: &str) -> Result<(SessionHandle<Hub>, Identity), Ending> {
        let now = self.gateway.sessions.clock().now();
        let (granted_session, identity) = match self.gateway.tokens().open(token, now) {
            Ok(Grant::Device(session, device)) => (session, Identity::Device(device)),
            Ok(Grant::GameMaster(session, game_master)) => {
                (session, Identity::GameMaster(game_master))
            }
            Ok(Grant::Link(..) | Grant::Admin) | Err(_) => {
                return Err(CloseCode::Unauthorized.into());
            }
        };
        let (key, code) = (self.slot.subscriber_key(), &self.session_code);
        let session = self.gateway.session_of_token(key, granted_session, code);
        Ok((session.await?, identity))
    }

    /// The first message; control frames may precede it.
    async fn first_message(&self, socket: &mut Socket<Stream>) -> Result<ClientMessage, Ending> {
        loop {
            let received = socket.next().await;
            let received = received.map_err(|error| ending_of(self.codec, &error))?;
            if let Some(message) = decode(self.codec, &received)? {
                return Ok(message);
            }
        }
    }
}
