//! Checks every output of a session, at the moment of its release, against what is committed then.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use cluecast::delivery::{Attach, Hub, Peer, Prepared};
use cluecast::journal::{StoredBatch, records};
use cluecast::session::{Delivery, Outcome, Refusal, View};
use hunt::text::Forms;
use hunt::{
    Audience, CommandId, Event, GameMasterId, Hunt, Rejection, State, Timestamp, UpdateNumber,
};
use tokio::time::Instant;

use crate::model::Model;

/// Reads what is committed of the session now.
pub trait Committed: Send + Sync {
    /// The batches after an event.
    fn after(&self, seq: u64) -> Vec<StoredBatch>;
}

/// The reference model of what is committed.
#[derive(Clone)]
pub struct Oracle {
    committed: Arc<dyn Committed>,
    /// Whether a node may believe for a time that it owns a session of another node. This affects which
    /// commands it rejects, never what is committed.
    has_impostors: bool,
    model: Arc<Mutex<Model>>,
    violated: Arc<AtomicBool>,
}

impl Oracle {
    pub fn new(committed: impl Committed + 'static) -> Self {
        Self {
            committed: Arc::new(committed),
            has_impostors: false,
            model: Arc::default(),
            violated: Arc::default(),
        }
    }

    /// For a session that nodes claim from each other without cause, before the owner's lease expires.
    pub fn among_impostors(committed: impl Committed + 'static) -> Self {
        Self {
            has_impostors: true,
            ..Self::new(committed)
        }
    }

    /// Whether a check within a node has failed. The node survives it, as it survives every panic of an
    /// actor; the run must not.
    pub fn is_violated(&self) -> bool {
        self.violated.load(Ordering::Relaxed)
    }

    fn check(&self, check: impl FnOnce(&Model)) {
        let checked = catch_unwind(AssertUnwindSafe(|| check(&self.model())));
        if let Err(panic) = checked {
            self.violated.store(true, Ordering::Relaxed);
            resume_unwind(panic);
        }
    }

    /// The state that a replay of all committed batches gives.
    pub fn folded(&self, hunt: Arc<Hunt>) -> State {
        let mut state = State::new(hunt);
        let mut head = 0;
        for batch in self.committed.after(0) {
            assert_eq!(batch.first_seq, head + 1, "journal and archive have a gap");
            head = batch.last_seq;
            let entries = records::decode_entries(&batch.events);
            for entry in entries.expect("written by this version") {
                state.apply_entry(&entry);
            }
        }
        state
    }

    /// The model, updated to what is committed now.
    pub fn model(&self) -> MutexGuard<'_, Model> {
        let mut model = self
            .model
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        for batch in self.committed.after(model.events) {
            assert_eq!(batch.first_seq, model.events + 1, "the journal has a gap");
            for entry in records::decode_entries(&batch.events).expect("written by this version") {
                model.fold(&entry);
            }
            assert_eq!(batch.last_seq, model.events);
        }
        model
    }
}

/// A hub whose outputs the oracle checks.
pub struct Watched {
    hub: Hub,
    oracle: Oracle,
    /// Commands that were sent, by which the sender of an outcome is found: a hub does not know devices.
    sent: Arc<Mutex<Vec<Sent>>>,
}

/// A command that a device sent.
#[derive(Debug, Clone)]
pub struct Sent {
    pub device: u32,
    pub id: u64,
    pub puzzle: String,
    pub guess: String,
    pub outbox: cluecast::delivery::Outbox,
}

impl Watched {
    pub fn new(hub: Hub, oracle: Oracle, sent: Arc<Mutex<Vec<Sent>>>) -> Self {
        Self { hub, oracle, sent }
    }

    fn sender(&self, peer: &Peer, id: CommandId) -> Sent {
        let sent = self.sent.lock().expect("one thread");
        let mine = |sent: &&Sent| sent.id == id.0 && sent.outbox.is_same(&peer.outbox);
        sent.iter()
            .rev()
            .find(mine)
            .expect("answers follow commands")
            .clone()
    }
}

/// Checks that an outcome agrees with what is committed.
fn check_answer(model: &Model, sent: &Sent, outcome: &Outcome) {
    let key = (sent.device, sent.id);
    match outcome {
        Ok(receipt) => {
            let committed = model.accepted.get(&key);
            assert_eq!(
                committed,
                Some(receipt),
                "{key:?} is acknowledged, not committed"
            );
        }
        Err(
            refusal @ (Refusal::Quarantined
            | Refusal::NameTaken
            | Refusal::TeamCodeTaken
            | Refusal::KeyReused),
        ) => panic!("no command is refused so: {refusal:?} for {sent:?}"),
        Err(Refusal::Rejected(rejection)) => {
            assert_eq!(
                model.accepted.get(&key),
                None,
                "{key:?} is accepted and refused"
            );
            check_rejection(model, sent, *rejection);
        }
    }
}

/// Checks that a rejection follows from a committed state, which may be older than the present one.
fn check_rejection(model: &Model, sent: &Sent, rejection: Rejection) {
    let team = model.team_of(sent.device);
    let guesses = team.guesses.get(&sent.puzzle);
    let guess = Forms::new(&sent.guess);
    let made = guesses.is_some_and(|made| made.iter().any(|(text, _)| Forms::new(text) == guess));
    let holds = match rejection {
        // Every session starts in the lobby with all puzzles locked.
        Rejection::NotStarted | Rejection::UnknownPuzzle => true,
        Rejection::Paused => model.was_paused,
        Rejection::Finished => model.phase == hunt::Phase::Finished,
        Rejection::AlreadySolved => team.solved.contains(&sent.puzzle),
        Rejection::AlreadyGuessed => made,
        Rejection::EmptyGuess => guess.is_empty(),
        _ => false,
    };
    assert!(
        holds,
        "{rejection:?} of {sent:?} is not true of what is committed"
    );
}

/// The heads that a board rendered from the view covers.
fn known_heads(view: View<'_>) -> Vec<(Audience, u64)> {
    let teams = view.state.teams().map(|(id, _)| Audience::Team(id));
    let audiences = std::iter::once(Audience::Everyone).chain(teams);
    audiences
        .map(|audience| (audience, view.state.head(audience)))
        .collect()
}

impl Delivery for Watched {
    type Update = (UpdateNumber, <Hub as Delivery>::Update);
    type Attach = Attach;
    type Prepared = Prepared;
    type Peer = Peer;
    type Latest = (Vec<(Audience, u64)>, <Hub as Delivery>::Latest);

    fn encode(
        &mut self,
        view: View<'_>,
        at: Timestamp,
        event: &Event,
        stamp: UpdateNumber,
    ) -> Self::Update {
        (stamp, self.hub.encode(view, at, event, stamp))
    }

    fn release(&mut self, (stamp, update): Self::Update) {
        self.oracle.check(|model| {
            let head = model.head(stamp.audience);
            assert!(
                stamp.number <= head,
                "{stamp:?} leaves, and only {head} are committed"
            );
        });
        self.hub.release(update);
    }

    fn restore(&mut self, (_, update): Self::Update) {
        self.hub.restore(update);
    }

    fn needs_instance(&self, view: View<'_>, attach: &Attach) -> Option<GameMasterId> {
        self.hub.needs_instance(view, attach)
    }

    fn prepare(&mut self, view: View<'_>, attach: Attach) -> Option<Prepared> {
        self.hub.prepare(view, attach)
    }

    fn attach(&mut self, prepared: Prepared) {
        if let Prepared::Subscriber { heads, .. } = &prepared {
            let everyone = heads.everyone;
            self.oracle.check(|model| {
                let committed = model.head(Audience::Everyone);
                assert!(
                    everyone <= committed,
                    "an attachment shows {everyone} of {committed}"
                );
            });
        }
        self.hub.attach(prepared);
    }

    fn answer(&mut self, peer: &Peer, id: CommandId, outcome: &Outcome) {
        let is_true_in_any_case = outcome.is_ok() || !self.oracle.has_impostors;
        if is_true_in_any_case && !peer.outbox.is_gone() {
            let sent = self.sender(peer, id);
            self.oracle
                .check(|model| check_answer(model, &sent, outcome));
        }
        self.hub.answer(peer, id, outcome);
    }

    fn is_gone(&self, peer: &Peer) -> bool {
        self.hub.is_gone(peer)
    }

    fn latest_due(&self) -> Option<Instant> {
        self.hub.latest_due()
    }

    fn render_latest(&mut self, view: View<'_>) -> Self::Latest {
        let heads = known_heads(view);
        (heads, self.hub.render_latest(view))
    }

    fn release_latest(&mut self, (heads, latest): Self::Latest) {
        self.oracle.check(|model| {
            for (audience, head) in heads {
                let committed = model.head(audience);
                assert!(
                    head <= committed,
                    "a board shows {head} of {audience:?}, and only {committed} are committed"
                );
            }
        });
        self.hub.release_latest(latest);
    }

    fn tick_due(&self) -> Instant {
        self.hub.tick_due()
    }

    fn tick(&mut self) {
        self.hub.tick();
    }

    fn detach_all(&mut self) {
        self.hub.detach_all();
    }
}
