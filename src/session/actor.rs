//! The actor of one session.
//!
//! A turn takes a bounded number of requests from the mailbox. Each is decided on and applied at
//! once; the events of the turn go to the journal as one batch; the outputs go into the gate. Later
//! turns run while earlier batches are on their way. When a batch is durable, the gate lets out, in
//! order, what was decided on it. When a batch fails, the actor ends and lets nothing more out: its
//! state may be ahead of the journal, and a new actor recovers from there.

use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::FuturesOrdered;
use hunt::{By, Command, CommandId, Decision, DeviceId, Entry, GameMasterId, State, Timestamp};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::delivery::{Delivery, Outcome, Refusal, View};
use super::finish::Finish;
use super::gate::{Gate, Output};
use super::handle::Mail;
use super::snapshots::Snapshots;
use super::supervisor::SessionRun;
use crate::clock::Clock;
use crate::journal::{AppendError, Batch, Epoch, Journal, Name, SessionId};
use crate::journal::{Incarnation, records};
use crate::telemetry::metrics;

/// Commands that made the rules fail and are remembered, so that they are not tried again.
const QUARANTINED_MAX: usize = 1_024;

/// How an actor's life ended.
pub(super) enum Ended {
    /// It was asked to stop: everything is durable and a snapshot is stored.
    Stopped,
    /// A batch failed: what was not let out is void.
    Failed(AppendError),
}

/// Who writes a session, and where.
#[derive(Clone, Copy)]
pub(super) struct Ownership {
    pub(super) session: SessionId,
    pub(super) owner: Incarnation,
    pub(super) epoch: Epoch,
}

/// The state of a session and everything that is on its way out.
pub(super) struct Actor<'a, D: Delivery> {
    pub(super) state: State,
    pub(super) names: HashMap<u64, String>,
    /// The number of the last event that was decided.
    head: u64,
    ownership: Ownership,
    delivery: &'a mut D,
    gate: Gate<D>,
    journal: Arc<dyn Journal>,
    clock: Clock,
    run: SessionRun,
    turn: Turn,
    in_flight: FuturesOrdered<BoxFuture<'static, Result<u64, AppendError>>>,
    snapshots: Snapshots,
    finish: Finish,
    quarantined: HashSet<CommandKey>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum CommandKey {
    Player(DeviceId, CommandId),
    GameMaster(GameMasterId, CommandId),
}

/// What a turn has decided and not yet handed to the journal.
#[derive(Default)]
struct Turn {
    entries: Vec<Entry>,
    events: u64,
    names: Vec<Name>,
}

impl<'a, D: Delivery> Actor<'a, D> {
    /// An actor of a state that its journal holds up to event `head`.
    pub(super) fn new(
        run: SessionRun,
        ownership: Ownership,
        recovered: super::recovery::Recovered,
        delivery: &'a mut D,
    ) -> Self {
        let snapshots = Snapshots::new(run.clone(), ownership, recovered.snapshot_at);
        let finish = Finish::new(run.usage.clone());
        Self {
            state: recovered.state,
            names: recovered.names,
            head: recovered.head,
            ownership,
            delivery,
            gate: Gate::new(recovered.head),
            journal: run.journal.clone(),
            clock: run.clock.clone(),
            run,
            turn: Turn::default(),
            in_flight: FuturesOrdered::new(),
            snapshots,
            finish,
            quarantined: HashSet::new(),
        }
    }

    /// Runs until it is stopped or a batch fails. Not cancel-safe: dropping it is a failure, after
    /// which a new actor must recover.
    pub(super) async fn run(
        mut self,
        mailbox: &mut mpsc::Receiver<Mail<D>>,
        stop: &CancellationToken,
    ) -> Ended {
        let config = self.run.config;
        let mut mails = Vec::with_capacity(config.turn_requests_max);
        let mut tick = pin!(sleep_until(self.delivery.tick_due()));
        let mut reachable = true;
        self.finish_if_due();
        loop {
            if stop.is_cancelled() && self.in_flight.is_empty() {
                self.snapshots
                    .finish(self.head, self.state.progress())
                    .await;
                return Ended::Stopped;
            }
            let has_room = self.in_flight.len() < config.batches_in_flight_max;
            let speaks = self.run.validity.holds();
            let takes_mail = has_room && speaks && !stop.is_cancelled();
            let tick_due = self.delivery.tick_due();
            if tick_due < tick.deadline() {
                tick.as_mut().reset(tick_due);
            }
            tokio::select! {
                biased;
                Some(appended) = self.in_flight.next() => match appended {
                    Ok(durable) => {
                        self.run.backlog.durable();
                        self.gate.advance(durable);
                    }
                    Err(error) => return Ended::Failed(error),
                },
                () = stop.cancelled(), if !stop.is_cancelled() => {}
                () = self.snapshots.go_on() => {}
                () = self.finish.noted(self.ownership.session) => {}
                () = tick.as_mut(), if speaks => {
                    self.delivery.tick();
                    // Its note may have failed.
                    self.finish_if_due();
                    tick.as_mut().reset(self.delivery.tick_due());
                }
                () = self.run.validity.wait(), if !speaks || self.gate.withholds() => {}
                () = reached(self.delivery.latest_due()), if takes_mail => self.render_latest(),
                () = self.clock.sleep_until(self.state.next_deadline()), if takes_mail => {
                    self.take_turn(&mut mails);
                }
                received = mailbox.recv_many(&mut mails, config.turn_requests_max),
                    if takes_mail && reachable =>
                {
                    reachable = received > 0;
                    self.take_turn(&mut mails);
                }
            }
            self.release();
        }
    }

    /// One turn: due timers, then the requests, then one batch for the journal.
    fn take_turn(&mut self, mails: &mut Vec<Mail<D>>) {
        let now = self.clock.now();
        while let Some(entry) = self.state.due(now) {
            self.accept(entry);
        }
        for mail in mails.drain(..) {
            self.handle(mail, now);
        }
        self.submit();
        self.snapshot_if_due();
        self.finish_if_due();
    }

    fn handle(&mut self, mail: Mail<D>, now: Timestamp) {
        match mail {
            Mail::Command { command, peer } => {
                if self.delivery.is_gone(&peer) {
                    metrics().requests_dropped.increment(1);
                    return;
                }
                let id = command.id();
                let outcome = self.decide(&command.into(), Vec::new(), now);
                self.hold(Output::Answer { peer, id, outcome });
            }
            Mail::Order {
                command,
                names,
                reply,
            } => {
                // Nobody waits for it any more: whoever asked will look whether it was done.
                if reply.is_closed() {
                    metrics().requests_dropped.increment(1);
                    return;
                }
                let outcome = self.decide(&command, names, now);
                self.hold(Output::Reply { reply, outcome });
            }
            Mail::Attach(attach) => {
                let view = View {
                    state: &self.state,
                    names: &self.names,
                };
                match self.delivery.prepare(view, attach) {
                    Some(prepared) => self.hold(Output::Attach(prepared)),
                    None => metrics().requests_dropped.increment(1),
                }
            }
            Mail::Read(compute) => {
                let view = View {
                    state: &self.state,
                    names: &self.names,
                };
                let answer = compute(view);
                self.hold(Output::Read(answer));
            }
        }
    }

    /// Renders what carries no number. It waits in the gate as everything does.
    fn render_latest(&mut self) {
        let view = View {
            state: &self.state,
            names: &self.names,
        };
        let latest = self.delivery.render_latest(view);
        self.hold(Output::Latest(latest));
    }

    /// Has the rules decide and applies what they accept. A failure of the rules is the fault of
    /// this one command: the state is as before, and the command is not tried again.
    fn decide(&mut self, command: &Command, names: Vec<Name>, now: Timestamp) -> Outcome {
        let key = command_key(command);
        if key.is_some_and(|key| self.quarantined.contains(&key)) {
            return Err(Refusal::Quarantined);
        }
        let decided = catch_unwind(AssertUnwindSafe(|| self.state.decide(command, now)));
        match decided {
            Ok(Ok(Decision::Accepted(entry))) => {
                let receipt = hunt::Receipt::of(&entry.events);
                for name in &names {
                    self.names.insert(name.id, name.text.clone());
                }
                self.turn.names.extend(names);
                self.accept(entry);
                Ok(receipt)
            }
            Ok(Ok(Decision::Repeated(receipt))) => Ok(receipt),
            Ok(Err(rejection)) => Err(rejection.into()),
            Err(_panic) => {
                tracing::error!(session.id = %self.ownership.session, "the rules failed on a command");
                metrics().commands_quarantined.increment(1);
                if self.quarantined.len() < QUARANTINED_MAX {
                    self.quarantined.extend(key);
                }
                Err(Refusal::Quarantined)
            }
        }
    }

    /// Applies an entry and holds its updates.
    fn accept(&mut self, entry: Entry) {
        for event in &entry.events {
            self.head += 1;
            self.turn.events += 1;
            for stamp in self.state.apply(entry.at, event) {
                let view = View {
                    state: &self.state,
                    names: &self.names,
                };
                let update = self.delivery.encode(view, entry.at, event, stamp);
                self.hold(Output::Update(update));
            }
        }
        self.state.keep_receipt(&entry);
        self.turn.entries.push(entry);
    }

    fn hold(&mut self, output: Output<D>) {
        if self.run.planted.lets_eventless_output_out() && self.turn.events == 0 {
            self.let_out(output);
            return;
        }
        self.gate.hold(self.head, output);
    }

    /// Hands the turn's events to the journal.
    fn submit(&mut self) {
        if self.turn.entries.is_empty() {
            return;
        }
        let turn = std::mem::take(&mut self.turn);
        let last_seq = self.head;
        let batch = Batch {
            session: self.ownership.session,
            owner: self.ownership.owner,
            epoch: self.ownership.epoch,
            first_seq: last_seq - turn.events + 1,
            last_seq,
            at_ms: self.state.last_at().0,
            events: records::encode_entries(&turn.entries),
            names: turn.names,
        };
        let appended = self.journal.append(batch);
        self.run.backlog.submitted();
        let durable = async move { appended.await.map(|()| last_seq) };
        self.in_flight.push_back(durable.boxed());
        if self.run.planted.acks_before_durable() {
            self.gate.advance(last_seq);
        }
    }

    /// Lets out what may leave.
    fn release(&mut self) {
        while let Some(output) = self.gate.pop(&self.run.validity) {
            self.let_out(output);
        }
    }

    fn let_out(&mut self, output: Output<D>) {
        match output {
            Output::Update(update) => self.delivery.release(update),
            Output::Answer { peer, id, outcome } => self.delivery.answer(&peer, id, &outcome),
            // Whoever asked may be gone; the outcome stands all the same.
            Output::Reply { reply, outcome } => drop(reply.send(outcome)),
            Output::Attach(prepared) => self.delivery.attach(prepared),
            Output::Read(answer) => answer(),
            Output::Latest(latest) => self.delivery.release_latest(latest),
            Output::Snapshot(state) => self.snapshots.store(state),
            Output::Finish => self.finish.note(&*self.journal, self.ownership.session),
        }
    }

    fn finish_if_due(&mut self) {
        if self.finish.is_due(self.state.phase()) {
            self.hold(Output::Finish);
        }
    }

    fn snapshot_if_due(&mut self) {
        if let Some(state) = self.snapshots.due(self.head, self.state.progress()) {
            if self.run.planted.stores_before_durable() {
                self.snapshots.store(state);
                return;
            }
            self.hold(Output::Snapshot(state));
        }
    }
}

/// Returns at or after a moment; for `None` it never returns.
async fn reached(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// By which a numbered command is known again.
fn command_key(command: &Command) -> Option<CommandKey> {
    match command {
        Command::Player { device, id, .. } => Some(CommandKey::Player(*device, *id)),
        Command::GameMaster {
            by: By::GameMaster(by),
            id: Some(id),
            ..
        } => Some(CommandKey::GameMaster(*by, *id)),
        Command::Desk(_) | Command::GameMaster { .. } => None,
    }
}
