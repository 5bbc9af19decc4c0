//! The output gate: holds everything that leaves a session until what it was decided on is durable.

use std::collections::VecDeque;

use hunt::CommandId;
use tokio::sync::oneshot;

use super::delivery::{Delivery, Outcome};
use super::snapshots::StateAt;
use crate::cluster::Validity;

/// Something that leaves the session.
pub(super) enum Output<D: Delivery> {
    /// An update for its audience.
    Update(D::Update),
    /// The outcome of a numbered command.
    Answer {
        peer: D::Peer,
        id: CommandId,
        outcome: Outcome,
    },
    /// The outcome of an order that came with a reply.
    Reply {
        reply: oneshot::Sender<Outcome>,
        outcome: Outcome,
    },
    /// A connection's attachment.
    Attach(D::Prepared),
    /// The answer to a question about the state.
    Read(Box<dyn FnOnce() + Send>),
    /// What carries no number.
    Latest(D::Latest),
    /// A state to store.
    Snapshot(StateAt),
}

impl<D: Delivery> Output<D> {
    /// Whether it tells only what the journal holds, so that it is true whoever owns the session.
    fn is_journaled(&self) -> bool {
        match self {
            Self::Update(_) | Self::Snapshot(_) => true,
            Self::Answer { outcome, .. } | Self::Reply { outcome, .. } => outcome.is_ok(),
            Self::Attach(_) | Self::Read(_) | Self::Latest(_) => false,
        }
    }
}

/// Outputs in the order in which they were decided, each with the number of the last event that it
/// was decided on.
///
/// Its length is bounded by the actor: it takes no more requests while the allowed number of
/// batches is under way.
pub(super) struct Gate<D: Delivery> {
    held: VecDeque<(u64, Output<D>)>,
    durable: u64,
}

impl<D: Delivery> Gate<D> {
    /// A gate of a session whose journal ends at `durable`.
    pub(super) fn new(durable: u64) -> Self {
        Self {
            held: VecDeque::new(),
            durable,
        }
    }

    /// Holds an output that was decided on the state after event `head`.
    pub(super) fn hold(&mut self, head: u64, output: Output<D>) {
        let last = self.held.back().map_or(self.durable, |(head, _)| *head);
        assert!(head >= last, "outputs are decided in order");
        self.held.push_back((head, output));
    }

    /// The journal holds every event up to `durable`.
    pub(super) fn advance(&mut self, durable: u64) {
        assert!(durable >= self.durable, "what is durable stays durable");
        self.durable = durable;
    }

    /// Whether something is durable and waits all the same, until the node may speak again.
    pub(super) fn withholds(&self) -> bool {
        let front = self.held.front();
        front.is_some_and(|(head, _)| *head <= self.durable)
    }

    /// The next output that may leave. What is not itself in the journal leaves only while the node
    /// may speak for the session: another one may own it by now.
    pub(super) fn pop(&mut self, validity: &Validity) -> Option<Output<D>> {
        let (head, output) = self.held.front()?;
        if *head > self.durable || !(output.is_journaled() || validity.holds()) {
            return None;
        }
        self.held.pop_front().map(|(_, output)| output)
    }
}
