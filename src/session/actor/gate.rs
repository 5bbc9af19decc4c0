//! The output gate: holds every output of a session until the events that it depends on are durable.

use std::collections::VecDeque;

use hunt::{CommandId, Progress};
use tokio::sync::oneshot;

use crate::cluster::Lease;
use crate::session::delivery::{Delivery, Outcome};

/// An output of a session.
pub(super) enum Output<D: Delivery> {
    /// An update for its audience.
    Update(D::Update),
    /// The outcome of a numbered command.
    Answer {
        peer: D::Peer,
        id: CommandId,
        outcome: Outcome,
    },
    /// The outcome of an order that came with a reply channel.
    Reply {
        reply: oneshot::Sender<Outcome>,
        outcome: Outcome,
    },
    /// A connection's attachment.
    Attach(D::Prepared),
    /// The result of a read of the state; calling it sends the result.
    Read(Box<dyn FnOnce() + Send>),
    /// Latest values, which carry no number.
    Latest(D::Latest),
    /// A state to store as a snapshot.
    Snapshot(Box<StateAt>),
    /// The mark that the session is finished.
    Finish,
}

/// A session's state as of an event.
pub(super) struct StateAt {
    pub(super) seq: u64,
    pub(super) progress: Progress,
}

impl<D: Delivery> Output<D> {
    /// Whether the output follows from the journal alone, so that it is true no matter which node owns
    /// the session.
    fn is_journaled(&self) -> bool {
        match self {
            Self::Update(_) | Self::Snapshot(_) | Self::Finish => true,
            Self::Answer { outcome, .. } | Self::Reply { outcome, .. } => outcome.is_ok(),
            Self::Attach(_) | Self::Read(_) | Self::Latest(_) => false,
        }
    }
}

/// Outputs in the order in which they were decided, each with the sequence number of the last event that
/// it depends on.
///
/// The actor bounds its length: it accepts no more requests while the allowed number of batches is in
/// flight.
pub(super) struct Gate<D: Delivery> {
    held: VecDeque<(u64, Output<D>)>,
    /// The journal holds every event up to this one.
    durable: u64,
}

impl<D: Delivery> Gate<D> {
    /// An empty gate of a session whose journal ends with event `durable`.
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

    /// Records that the journal holds every event up to `durable`.
    pub(super) fn advance(&mut self, durable: u64) {
        assert!(durable >= self.durable, "durable events stay durable");
        self.durable = durable;
    }

    /// Whether the next output is durable and waits only for the node's lease.
    pub(super) fn waits_for_lease(&self) -> bool {
        let front = self.held.front();
        front.is_some_and(|(head, _)| *head <= self.durable)
    }

    /// Removes the next output that may be released. An output that does not follow from the journal is
    /// released only while the node holds its lease: otherwise another node may own the session.
    pub(super) fn pop(&mut self, lease: &Lease) -> Option<Output<D>> {
        let (head, output) = self.held.front()?;
        if *head > self.durable || !(output.is_journaled() || lease.is_held()) {
            return None;
        }
        self.held.pop_front().map(|(_, output)| output)
    }
}

#[cfg(test)]
mod tests {
    use hunt::{CommandId, Event, GameMasterId, Receipt, Rejection, Timestamp, UpdateNumber};
    use tokio::sync::oneshot;
    use tokio::time::Instant;

    use super::{Gate, Output};
    use crate::cluster::Lease;
    use crate::session::delivery::{Delivery, Outcome, View};

    /// A delivery of which the gate uses only the types.
    struct NoDelivery;

    impl Delivery for NoDelivery {
        type Update = ();
        type Attach = ();
        type Prepared = ();
        type Peer = ();
        type Latest = ();

        fn encode(&mut self, _: View<'_>, _: Timestamp, _: &Event, _: UpdateNumber) {}
        fn release(&mut self, (): ()) {}
        fn restore(&mut self, (): ()) {}
        fn needs_instance(&self, _: View<'_>, (): &()) -> Option<GameMasterId> {
            None
        }
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

    fn answer(outcome: Outcome) -> Output<NoDelivery> {
        let id = CommandId(1);
        let peer = ();
        Output::Answer { peer, id, outcome }
    }

    fn reply(outcome: Outcome) -> Output<NoDelivery> {
        let (reply, _) = oneshot::channel();
        Output::Reply { reply, outcome }
    }

    fn rejected() -> Outcome {
        Err(Rejection::NotStarted.into())
    }

    /// Whether a gate releases an output whose events are all durable.
    fn is_released(output: Output<NoDelivery>, lease: &Lease) -> bool {
        let mut gate = Gate::new(7);
        gate.hold(7, output);
        let is_released = gate.pop(lease).is_some();
        assert_eq!(gate.waits_for_lease(), !is_released);
        is_released
    }

    #[test]
    fn unjournaled_output_is_released_only_under_a_lease() {
        type Make = fn() -> Output<NoDelivery>;
        let journaled: [Make; 3] = [
            || Output::Update(()),
            || answer(Ok(Receipt::Done)),
            || reply(Ok(Receipt::Done)),
        ];
        let unjournaled: [Make; 5] = [
            || answer(rejected()),
            || reply(rejected()),
            || Output::Attach(()),
            || Output::Read(Box::new(|| ())),
            || Output::Latest(()),
        ];
        for make in journaled {
            assert!(is_released(make(), &Lease::expired()));
        }
        for make in unjournaled {
            assert!(!is_released(make(), &Lease::expired()));
            assert!(is_released(make(), &Lease::unlimited()));
        }
    }

    #[test]
    fn no_output_overtakes_one_that_waits_for_the_lease() {
        let mut gate = Gate::<NoDelivery>::new(7);
        gate.hold(7, Output::Latest(()));
        gate.hold(8, Output::Update(()));
        gate.advance(8);
        assert!(gate.pop(&Lease::expired()).is_none());
        let mut pop = || gate.pop(&Lease::unlimited());
        assert!(matches!(pop(), Some(Output::Latest(()))));
        assert!(matches!(pop(), Some(Output::Update(()))));
        assert!(pop().is_none());
    }

    #[test]
    fn no_output_is_released_before_its_events_are_durable() {
        let mut gate = Gate::new(7);
        gate.hold(8, Output::<NoDelivery>::Update(()));
        assert!(gate.pop(&Lease::unlimited()).is_none());
        assert!(!gate.waits_for_lease(), "it waits for the journal");
        gate.advance(8);
        assert!(gate.pop(&Lease::unlimited()).is_some());
    }
}
