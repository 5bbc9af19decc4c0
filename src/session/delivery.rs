//! What a session asks of delivery, declared here so that the session does not depend on it.

use std::collections::HashMap;

use hunt::{CommandId, Event, NameId, Receipt, Rejection, State, Timestamp, UpdateNumber};
use tokio::time::Instant;

/// A state that something may be rendered from.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// The state.
    pub state: &'a State,
    /// The names behind the state's opaque ids.
    pub names: &'a HashMap<u64, String>,
}

/// Shown for a name that was erased.
const NAME_ERASED: &str = "(erased)";

impl View<'_> {
    /// The name behind an opaque id.
    pub fn name(&self, id: NameId) -> String {
        let name = self.names.get(&id.0);
        name.cloned().unwrap_or_else(|| NAME_ERASED.to_owned())
    }
}

/// What came of a command.
pub type Outcome = Result<Receipt, Refusal>;

/// Why a command was not carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The rules refuse it.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The rules failed on this very command; it will not be tried again.
    #[error("the server failed on this command and will not try it again; report it")]
    Quarantined,
}

/// Encodes what happens in a session and lets it out to connections.
///
/// The actor calls from one task only. Values of the associated types are what it holds in its gate
/// in between: they are made when something is decided, and given back, in order, once that is
/// durable.
pub trait Delivery: Send + 'static {
    /// The encoded updates of one event.
    type Update: Send;
    /// A connection that wants to attach, and what it has seen.
    type Attach: Send;
    /// An attachment that was prepared from a state.
    type Prepared: Send;
    /// A connection that sent a command and waits for its outcome.
    type Peer: Send;
    /// What carries no number and has changed: only the latest of it counts.
    type Latest: Send;

    /// Encodes an event. The view is the state right after it.
    fn encode(
        &mut self,
        view: View<'_>,
        at: Timestamp,
        event: &Event,
        stamp: UpdateNumber,
    ) -> Self::Update;

    /// Lets an update out to its audience, and keeps it for those who come back.
    fn release(&mut self, update: Self::Update);

    /// Keeps an update of the past for those who come back; nobody is attached yet.
    fn restore(&mut self, update: Self::Update);

    /// Prepares an attachment as of the view; none if the connection is gone already.
    fn prepare(&mut self, view: View<'_>, attach: Self::Attach) -> Option<Self::Prepared>;

    /// Attaches: from here on the connection receives what is released.
    fn attach(&mut self, prepared: Self::Prepared);

    /// Tells the outcome of a command.
    fn answer(&mut self, peer: &Self::Peer, id: CommandId, outcome: &Outcome);

    /// Whether the peer is gone, so that nobody would hear an answer.
    fn is_gone(&self, peer: &Self::Peer) -> bool;

    /// When what carries no number is to be rendered next; none while nothing of it has changed, or
    /// while nobody would be told.
    fn latest_due(&self) -> Option<Instant>;

    /// Renders what has changed of it, as of the view.
    fn render_latest(&mut self, view: View<'_>) -> Self::Latest;

    /// Lets it out to those whom it concerns.
    fn release_latest(&mut self, latest: Self::Latest);

    /// When [`tick`](Self::tick) is to be called next. Only a new attachment brings it forward.
    fn tick_due(&self) -> Instant;

    /// Does what is due from time to time: heads, and letting go of who has left.
    fn tick(&mut self);

    /// Ends every attachment with the advice to come back: the actor fails or stops.
    fn detach_all(&mut self);
}
