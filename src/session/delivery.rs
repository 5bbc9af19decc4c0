//! The interface between a session and delivery, declared here so that sessions do not depend on
//! delivery.

use hunt::{
    CommandId, Event, GameMasterId, NameId, Receipt, Rejection, State, Timestamp, UpdateNumber,
};
use tokio::time::Instant;

use super::private::PrivateData;

/// A session's state and private data, to render from.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// The state.
    pub state: &'a State,
    /// The names and codes that belong to it.
    pub private: &'a PrivateData,
}

impl View<'_> {
    /// The name with this id.
    pub fn name(&self, id: NameId) -> String {
        self.private.name(id)
    }
}

/// The result of a command.
pub type Outcome = Result<Receipt, Refusal>;

/// Why a command was not executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The rules reject it.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The rules panicked on this command; it is not tried again.
    #[error("the server failed on this command and will not try it again; report a bug")]
    Quarantined,
    /// Another team of the session, or another player of the team, has a name that looks the same.
    #[error("this name, or one that looks the same, is taken; choose another one")]
    NameTaken,
    /// The code that was drawn for a team is in use; draw another one.
    #[error("the team code is in use")]
    TeamCodeTaken,
    /// Another request used the idempotency key.
    #[error("this idempotency key was used for another request; send this one with a new key")]
    KeyReused,
}

/// Encodes the events of a session and sends them to connections.
///
/// Only the session's actor calls it, from one task. The actor holds values of the associated types in its
/// output gate: delivery makes them when something is decided, and gets them back, in the same order, once
/// that is durable.
pub trait Delivery: Send + 'static {
    /// The encoded update of one event and stamp.
    type Update: Send;
    /// A connection that attaches, with its cursors.
    type Attach: Send;
    /// An attachment that was prepared from a state.
    type Prepared: Send;
    /// A connection that sent a command and receives its outcome.
    type Peer: Send;
    /// Latest values that have changed. They carry no number, and a newer one replaces an older one.
    type Latest: Send;

    /// Encodes an event. The view is the state directly after it.
    fn encode(
        &mut self,
        view: View<'_>,
        at: Timestamp,
        event: &Event,
        stamp: UpdateNumber,
    ) -> Self::Update;

    /// Sends an update to its audience and keeps it in the ring for reconnecting clients.
    fn release(&mut self, update: Self::Update);

    /// Keeps a replayed update in the ring. Called only before the first attachment.
    fn restore(&mut self, update: Self::Update);

    /// The game master for whom a client instance must be opened before the attachment is prepared.
    fn needs_instance(&self, view: View<'_>, attach: &Self::Attach) -> Option<GameMasterId>;

    /// Prepares an attachment from the view; none if the connection has closed.
    fn prepare(&mut self, view: View<'_>, attach: Self::Attach) -> Option<Self::Prepared>;

    /// Attaches a connection: from now on it receives released updates.
    fn attach(&mut self, prepared: Self::Prepared);

    /// Sends the outcome of a command to its peer.
    fn answer(&mut self, peer: &Self::Peer, id: CommandId, outcome: &Outcome);

    /// Whether the peer's connection has closed, so that an answer could not be delivered.
    fn is_gone(&self, peer: &Self::Peer) -> bool;

    /// When latest values are to be rendered next; none while none has changed or none has a subscriber.
    fn latest_due(&self) -> Option<Instant>;

    /// Renders the latest values that have changed, from the view.
    fn render_latest(&mut self, view: View<'_>) -> Self::Latest;

    /// Sends latest values to their subscribers.
    fn release_latest(&mut self, latest: Self::Latest);

    /// When [`tick`](Self::tick) is to be called next. Only a new attachment makes it earlier.
    fn tick_due(&self) -> Instant;

    /// Does periodic work: sends heads and drops connections that have closed.
    fn tick(&mut self);

    /// Closes every attachment with advice to reconnect, because the actor failed or stops.
    fn detach_all(&mut self);
}
