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
    /// The session is finished.
    Finish,
}

impl<D: Delivery> Output<D> {
    /// Whether it tells only what the journal holds, so that it is true whoever owns the session.
    fn is_journaled(&self) -> bool {
        match self {
            Self::Update(_) | Self::Snapshot(_) | Self::Finish => true,
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

#[cfg(test)]
mod tests {
    use hunt::{CommandId, Event, Receipt, Rejection, Timestamp, UpdateNumber};
    use tokio::sync::oneshot;
    use tokio::time::Instant;

    use super::{Delivery, Gate, Output};
    use crate::cluster::Validity;
    use crate::session::delivery::{Outcome, View};

    /// A gate asks nothing of it but its types.
    struct Unasked;

    impl Delivery for Unasked {
        type Update = ();
        type Attach = ();
        type Prepared = ();
        type Peer = ();
        type Latest = ();

        fn encode(&mut self, _: View<'_>, _: Timestamp, _: &Event, _: UpdateNumber) {}
        fn release(&mut self, (): ()) {}
        fn restore(&mut self, (): ()) {}
        fn prepare(&mut self, _: View<'_>, (): ()) -> Option<()> {
            None
        }
        fn attach(&mut self, (): ()) {}
        fn answer(&mut self, (): &(), _: CommandId, _: &Outcome) {}
        fn is_gone(&self, (): &()) -> bool {
            true
        }
        fn latest_due(&self) -> Option<Instant> {
            None
        }
        fn render_latest(&mut self, _: View<'_>) {}
        fn release_latest(&mut self, (): ()) {}
        fn tick_due(&self) -> Instant {
            Instant::now()
        }
        fn tick(&mut self) {}
        fn detach_all(&mut self) {}
    }

    fn answer(outcome: Outcome) -> Output<Unasked> {
        let id = CommandId(1);
        let peer = ();
        Output::Answer { peer, id, outcome }
    }

    fn reply(outcome: Outcome) -> Output<Unasked> {
        let (reply, _) = oneshot::channel();
        Output::Reply { reply, outcome }
    }

    fn refused() -> Outcome {
        Err(Rejection::NotStarted.into())
    }

    /// Whether an output leaves a gate whose journal has all that it was decided on.
    fn leaves(output: Output<Unasked>, validity: &Validity) -> bool {
        let mut gate = Gate::new(7);
        gate.hold(7, output);
        let left = gate.pop(validity).is_some();
        assert_eq!(gate.withholds(), !left);
        left
    }

    #[test]
    fn what_is_not_journaled_leaves_only_while_the_node_may_speak() {
        type Make = fn() -> Output<Unasked>;
        let journaled: [Make; 3] = [
            || Output::Update(()),
            || answer(Ok(Receipt::Done)),
            || reply(Ok(Receipt::Done)),
        ];
        let others: [Make; 5] = [
            || answer(refused()),
            || reply(refused()),
            || Output::Attach(()),
            || Output::Read(Box::new(|| ())),
            || Output::Latest(()),
        ];
        for make in journaled {
            assert!(leaves(make(), &Validity::over()));
        }
        for make in others {
            assert!(!leaves(make(), &Validity::over()));
            assert!(leaves(make(), &Validity::for_ever()));
        }
    }

    #[test]
    fn nothing_overtakes_what_waits_for_the_validity() {
        let mut gate = Gate::<Unasked>::new(7);
        gate.hold(7, Output::Latest(()));
        gate.hold(8, Output::Update(()));
        gate.advance(8);
        assert!(gate.pop(&Validity::over()).is_none());
        let mut pop = || gate.pop(&Validity::for_ever());
        assert!(matches!(pop(), Some(Output::Latest(()))));
        assert!(matches!(pop(), Some(Output::Update(()))));
        assert!(pop().is_none());
    }

    #[test]
    fn nothing_leaves_before_it_is_durable() {
        let mut gate = Gate::new(7);
        gate.hold(8, Output::<Unasked>::Update(()));
        assert!(gate.pop(&Validity::for_ever()).is_none());
        assert!(!gate.withholds(), "it waits for the journal");
        gate.advance(8);
        assert!(gate.pop(&Validity::for_ever()).is_some());
    }
}
