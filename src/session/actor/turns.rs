//! The actor of one session: decides on requests in turns.
//!
//! A turn accepts a bounded number of requests from the mailbox. Each is decided on and applied at once.
//! The events of the turn go to the journal as one batch; the outputs go into the gate. Later turns run
//! while earlier batches are in flight. When a batch is durable, the gate releases, in order, the outputs
//! that depend on it. When an append fails, the actor ends and releases nothing more: its state may be
//! ahead of the journal, and a new actor recovers from there.
//!
//! Over 500 lines: every step of a turn reads or changes the same actor, and their order is what matters.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::FuturesOrdered;
use hunt::{
    Command, CommandId, Decision, DeviceId, DurationMs, Entry, Event, GameMasterId,
    GameMasterOrder, InstanceId, Issuer, NameId, PlayerId, RegistrationOrder, Rejection, State,
    TeamId, Timestamp,
};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::context::SessionContext;
use super::gate::{Gate, Output};
use super::handle::{Change, Mail};
use super::owned::OwnedSession;
use super::recovery::Recovered;
use super::snapshots::Snapshotter;
use super::usage::FinishMarker;
use crate::journal::{AppendError, Batch, PrivateKind, PrivateRecord, records};
use crate::session::delivery::{Delivery, Outcome, Refusal, View};
use crate::session::fault::InjectedFault;
use crate::session::idempotency::{IdempotencyKey, KeyUse};
use crate::session::private::PrivateData;
use crate::telemetry::metrics;

/// Most commands that are remembered because they made the rules panic, so that they are not retried.
/// Further ones are not remembered.
const QUARANTINED_MAX: usize = 1_024;

/// How an actor ended.
pub(super) enum ActorExit {
    /// It was asked to stop: everything is durable and a snapshot is stored.
    Stopped,
    /// An append failed: outputs that were not released are void.
    AppendFailed(AppendError),
}

/// The state of a session and its outputs that are not released yet.
pub(super) struct Actor<'a, D: Delivery> {
    state: State,
    private: PrivateData,
    /// Sequence number of the last event that was decided.
    head: u64,
    owned: OwnedSession,
    delivery: &'a mut D,
    gate: Gate<D>,
    context: Arc<SessionContext>,
    turn: Turn,
    in_flight: FuturesOrdered<BoxFuture<'static, Result<u64, AppendError>>>,
    snapshots: Snapshotter,
    finish: FinishMarker,
    quarantined: HashSet<CommandKey>,
}

/// Identifies a numbered command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum CommandKey {
    Player(DeviceId, CommandId),
    GameMaster(GameMasterId, InstanceId, CommandId),
}

/// What a turn has decided and not yet handed to the journal.
#[derive(Default)]
struct Turn {
    entries: Vec<Entry>,
    events: u64,
    private: Vec<PrivateRecord>,
}

impl<'a, D: Delivery> Actor<'a, D> {
    /// An actor whose journal ends with the recovered state's last event.
    pub(super) fn new(
        context: Arc<SessionContext>,
        owned: OwnedSession,
        recovered: Recovered,
        delivery: &'a mut D,
    ) -> Self {
        Self {
            state: recovered.state,
            private: recovered.private,
            head: recovered.head,
            owned,
            delivery,
            gate: Gate::new(recovered.head),
            turn: Turn::default(),
            in_flight: FuturesOrdered::new(),
            snapshots: Snapshotter::new(context.clone(), owned, recovered.snapshot_at),
            finish: FinishMarker::new(owned.session, context.usage.clone()),
            quarantined: HashSet::new(),
            context,
        }
    }

    /// Runs until it is stopped or an append fails. Not cancel-safe: dropping it is a failure, after which
    /// a new actor must recover.
    pub(super) async fn run(mut self, mailbox: &mut mpsc::Receiver<Mail<D>>) -> ActorExit {
        let context = self.context.clone();
        let (config, stop, lease) = (&context.services.config, &context.spec.stop, &context.lease);
        let clock = &context.services.clock;
        let mut mails = Vec::with_capacity(config.turn_requests_max);
        let mut tick = pin!(sleep_until(self.delivery.tick_due()));
        let mut has_senders = true;
        self.finish_if_due();
        loop {
            if stop.is_cancelled() && self.in_flight.is_empty() {
                self.snapshots
                    .store_last(self.head, self.state.progress())
                    .await;
                return ActorExit::Stopped;
            }
            let has_room = self.in_flight.len() < config.batches_in_flight_max;
            let has_lease = lease.is_held();
            let accepts_requests = has_room && has_lease && !stop.is_cancelled();
            let tick_due = self.delivery.tick_due();
            if tick_due < tick.deadline() {
                tick.as_mut().reset(tick_due);
            }
            tokio::select! {
                biased;
                Some(appended) = self.in_flight.next() => match appended {
                    Ok(durable) => {
                        context.backlog.batch_durable();
                        self.gate.advance(durable);
                    }
                    Err(error) => return ActorExit::AppendFailed(error),
                },
                () = stop.cancelled(), if !stop.is_cancelled() => {}
                () = self.snapshots.drive() => {}
                () = self.finish.drive() => {}
                () = tick.as_mut(), if has_lease => {
                    self.delivery.tick();
                    // Writing the mark may have failed.
                    self.finish_if_due();
                    tick.as_mut().reset(self.delivery.tick_due());
                }
                () = lease.wait_until_held(), if !has_lease || self.gate.waits_for_lease() => {}
                () = until(self.delivery.latest_due()), if accepts_requests => self.render_latest(),
                () = clock.sleep_until(self.state.next_deadline()), if accepts_requests => {
                    self.take_turn(&mut mails);
                }
                received = mailbox.recv_many(&mut mails, config.turn_requests_max),
                    if accepts_requests && has_senders =>
                {
                    has_senders = received > 0;
                    self.take_turn(&mut mails);
                }
            }
            self.release_all();
        }
    }

    /// Runs one turn: due timers, then the requests, then one batch for the journal.
    fn take_turn(&mut self, mails: &mut Vec<Mail<D>>) {
        let now = self.context.services.clock.now();
        while let Some(entry) = self.state.due_entry(now) {
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
                let outcome = self.decide(&command.into(), Secrets::default(), now);
                self.hold(Output::Answer { peer, id, outcome });
            }
            Mail::Order { change, key, reply } => {
                // The caller has gone and will check whether the order took effect.
                if reply.is_closed() {
                    metrics().requests_dropped.increment(1);
                    return;
                }
                let outcome = self.decide_change(change, key, now);
                self.hold(Output::Reply { reply, outcome });
            }
            Mail::Attach(attach) => {
                if let Some(game_master) = self.delivery.needs_instance(self.view(), &attach) {
                    // If it is rejected, the attachment is refused for the same reason.
                    let open = Command::OpenInstance(game_master);
                    let _ = self.decide(&open, Secrets::default(), now);
                }
                let view = View {
                    state: &self.state,
                    private: &self.private,
                };
                match self.delivery.prepare(view, attach) {
                    Some(prepared) => self.hold(Output::Attach(prepared)),
                    None => metrics().requests_dropped.increment(1),
                }
            }
            Mail::Read(compute) => {
                let answer = compute(self.view());
                self.hold(Output::Read(answer));
            }
        }
    }

    /// Renders the latest values, and holds them in the gate like every output.
    fn render_latest(&mut self) {
        let view = View {
            state: &self.state,
            private: &self.private,
        };
        let latest = self.delivery.render_latest(view);
        self.hold(Output::Latest(latest));
    }

    fn view(&self) -> View<'_> {
        View {
            state: &self.state,
            private: &self.private,
        }
    }

    /// Decides on a change, unless its idempotency key was used before. A revoked requester gets no receipt:
    /// the rules reject the change.
    fn decide_change(
        &mut self,
        change: Change,
        key: Option<IdempotencyKey>,
        now: Timestamp,
    ) -> Outcome {
        if let Some(key) = &key
            && !is_revoked(&self.state, &change)
        {
            match self.private.find_key(key, now) {
                KeyUse::New => {}
                KeyUse::Repeated(receipt) => return Ok(receipt),
                KeyUse::OtherRequest => return Err(Refusal::KeyReused),
            }
        }
        let (command, secrets) = self.resolve(change)?;
        self.decide(&command, Secrets { key, ..secrets }, now)
    }

    /// Replaces codes by what they stand for, and refuses names that are taken.
    fn resolve(&self, change: Change) -> Result<(Command, Secrets), Refusal> {
        match change {
            Change::Command(command, names) => {
                self.check_renaming(&command, &names)?;
                let secrets = Secrets {
                    names,
                    ..Secrets::default()
                };
                Ok((command, secrets))
            }
            Change::CreateTeam {
                code,
                team_name,
                player_name,
            } => {
                if self.private.team_by_code(&code).is_some() {
                    return Err(Refusal::TeamCodeTaken);
                }
                if self.private.is_team_name_taken(&team_name.text, None) {
                    return Err(Refusal::NameTaken);
                }
                let order = RegistrationOrder::CreateTeam {
                    team_name: NameId(team_name.id),
                    player_name: NameId(player_name.id),
                };
                let secrets = Secrets {
                    names: vec![team_name, player_name],
                    team_code: Some(code),
                    key: None,
                };
                Ok((Command::Registration(order), secrets))
            }
            Change::JoinTeam { code, player_name } => {
                let team = self.private.team_by_code(&code);
                let team = team.ok_or(Rejection::UnknownTeam)?;
                let name = &player_name.text;
                if self
                    .private
                    .is_player_name_taken(&self.state, team, name, None)
                {
                    return Err(Refusal::NameTaken);
                }
                let order = RegistrationOrder::JoinTeam {
                    team,
                    player_name: NameId(player_name.id),
                };
                Ok((Command::Registration(order), Secrets::names(player_name)))
            }
            Change::RestorePlayer { code, player } => {
                let team = self.private.team_by_code(&code);
                let team = team.ok_or(Rejection::UnknownTeam)?;
                let order = RegistrationOrder::RestorePlayer { team, player };
                Ok((Command::Registration(order), Secrets::default()))
            }
            Change::RotateTeamCode {
                command,
                code,
                reason,
            } => {
                if self.private.team_by_code(&code).is_some() {
                    return Err(Refusal::TeamCodeTaken);
                }
                let secrets = Secrets {
                    names: reason.into_iter().collect(),
                    team_code: Some(code),
                    key: None,
                };
                Ok((command, secrets))
            }
        }
    }

    /// Refuses a new name that is taken by another team, or by another player of the team.
    fn check_renaming(&self, command: &Command, names: &[PrivateRecord]) -> Result<(), Refusal> {
        let Some(name) = names.first().map(|name| &name.text) else {
            return Ok(());
        };
        let is_taken = match renamed(&self.state, command) {
            Some(Renamed::Team(team)) => self.private.is_team_name_taken(name, Some(team)),
            Some(Renamed::Player(team, player)) => {
                let by = Some(player);
                self.private
                    .is_player_name_taken(&self.state, team, name, by)
            }
            None => false,
        };
        if is_taken {
            return Err(Refusal::NameTaken);
        }
        Ok(())
    }

    /// Lets the rules decide on a command, and applies what they accept. If the rules panic, the state is
    /// unchanged, and the command is quarantined: it is not tried again.
    fn decide(&mut self, command: &Command, mut secrets: Secrets, now: Timestamp) -> Outcome {
        let key = command_key(command);
        if key.is_some_and(|key| self.quarantined.contains(&key)) {
            return Err(Refusal::Quarantined);
        }
        let reopens = matches!(
            command,
            Command::GameMaster {
                order: GameMasterOrder::Reopen,
                ..
            }
        );
        if reopens && self.is_final(now) {
            return Err(Rejection::TooLate.into());
        }
        let decided = catch_unwind(AssertUnwindSafe(|| self.state.decide(command, now)));
        match decided {
            Ok(Ok(Decision::Accepted(entry))) => {
                let receipt = hunt::Receipt::from_events(&entry.events);
                let key = secrets.key.take();
                let key = key.map(|key| self.private.key_record(key, entry.at, receipt));
                for record in secrets.records(&entry.events).into_iter().chain(key) {
                    self.private.put(&record);
                    self.turn.private.push(record);
                }
                self.accept(entry);
                Ok(receipt)
            }
            Ok(Ok(Decision::Repeated(receipt))) => Ok(receipt),
            Ok(Err(rejection)) => Err(rejection.into()),
            Err(_panic) => {
                tracing::error!(
                    session.id = %self.owned.session,
                    "the rules panicked on a command; it is quarantined"
                );
                metrics().commands_quarantined.increment(1);
                if self.quarantined.len() < QUARANTINED_MAX {
                    self.quarantined.extend(key);
                }
                Err(Refusal::Quarantined)
            }
        }
    }

    /// Applies an entry and holds its updates in the gate.
    fn accept(&mut self, entry: Entry) {
        for event in &entry.events {
            self.head += 1;
            self.turn.events += 1;
            self.private.index_event(&self.state, event);
            for stamp in self.state.apply(entry.at, event) {
                let view = View {
                    state: &self.state,
                    private: &self.private,
                };
                let update = self.delivery.encode(view, entry.at, event, stamp);
                self.hold(Output::Update(update));
            }
        }
        self.state.record_receipt(&entry);
        self.turn.entries.push(entry);
    }

    fn hold(&mut self, output: Output<D>) {
        if self.turn.events == 0
            && self
                .context
                .has_fault(InjectedFault::EventlessOutputUngated)
        {
            self.release(output);
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
            session: self.owned.session,
            owner: self.owned.owner,
            epoch: self.owned.epoch,
            first_seq: last_seq - turn.events + 1,
            last_seq,
            at_ms: self.state.last_at().0,
            events: records::encode_entries(&turn.entries),
            private: turn.private,
        };
        let appended = self.context.journal().append(batch);
        self.context.backlog.batch_submitted();
        let durable = async move { appended.await.map(|()| last_seq) };
        self.in_flight.push_back(durable.boxed());
        if self.context.has_fault(InjectedFault::AckBeforeDurable) {
            self.gate.advance(last_seq);
        }
    }

    /// Releases every output that the gate allows.
    fn release_all(&mut self) {
        while let Some(output) = self.gate.pop(&self.context.lease) {
            self.release(output);
        }
    }

    fn release(&mut self, output: Output<D>) {
        match output {
            Output::Update(update) => self.delivery.release(update),
            Output::Answer { peer, id, outcome } => self.delivery.answer(&peer, id, &outcome),
            // The caller may have gone; the outcome is valid nevertheless.
            Output::Reply { reply, outcome } => drop(reply.send(outcome)),
            Output::Attach(prepared) => self.delivery.attach(prepared),
            Output::Read(answer) => answer(),
            Output::Latest(latest) => self.delivery.release_latest(latest),
            Output::Snapshot(state) => self.snapshots.store(*state),
            Output::Finish => self.finish.write(&**self.context.journal()),
        }
    }

    fn finish_if_due(&mut self) {
        let is_final = self.is_final(self.context.services.clock.now());
        if self.finish.request_if_due(is_final) {
            self.hold(Output::Finish);
        }
    }

    /// Whether the session is finished and the finish can no longer be undone.
    fn is_final(&self, now: Timestamp) -> bool {
        let reopen_max = self.context.services.config.reopen_max.as_millis();
        let within = u64::try_from(reopen_max).unwrap_or(u64::MAX);
        self.state.is_final(now, DurationMs(within))
    }

    fn snapshot_if_due(&mut self) {
        if let Some(state) = self.snapshots.take_if_due(self.head, self.state.progress()) {
            if self.context.has_fault(InjectedFault::SnapshotBeforeDurable) {
                self.snapshots.store(state);
                return;
            }
            self.hold(Output::Snapshot(Box::new(state)));
        }
    }
}

/// Private records that an accepted command stores with its events.
#[derive(Default)]
struct Secrets {
    names: Vec<PrivateRecord>,
    /// The code of the team that is created, or whose code is replaced.
    team_code: Option<String>,
    /// The idempotency key of the request.
    key: Option<IdempotencyKey>,
}

impl Secrets {
    fn names(name: PrivateRecord) -> Self {
        Self {
            names: vec![name],
            ..Self::default()
        }
    }

    /// The records to store with the events.
    fn records(self, events: &[Event]) -> Vec<PrivateRecord> {
        let mut records = self.names;
        let team = events.iter().find_map(|event| match event {
            Event::TeamCreated { team, .. } | Event::TeamCodeRotated { team } => Some(*team),
            _ => None,
        });
        records.extend(team.zip(self.team_code).map(|(team, code)| PrivateRecord {
            kind: PrivateKind::TeamCode,
            id: team.number().into(),
            text: code,
        }));
        records
    }
}

/// Whether the device or game master that requests a change is revoked or unknown.
fn is_revoked(state: &State, change: &Change) -> bool {
    let command = match change {
        Change::Command(command, _) | Change::RotateTeamCode { command, .. } => command,
        Change::CreateTeam { .. } | Change::JoinTeam { .. } | Change::RestorePlayer { .. } => {
            return false;
        }
    };
    match command {
        Command::Player { device, .. } => is_device_revoked(state, *device),
        Command::Registration(order) => order
            .device()
            .is_some_and(|device| is_device_revoked(state, device)),
        Command::GameMaster {
            by: Issuer::GameMaster(id),
            ..
        }
        | Command::OpenInstance(id) => state.game_master(*id).is_none_or(|known| known.revoked),
        Command::GameMaster {
            by: Issuer::Admin, ..
        } => false,
    }
}

fn is_device_revoked(state: &State, device: DeviceId) -> bool {
    state.device(device).is_none_or(|known| known.revoked)
}

/// Whose name a command changes.
enum Renamed {
    Team(TeamId),
    Player(TeamId, PlayerId),
}

fn renamed(state: &State, command: &Command) -> Option<Renamed> {
    let team_of = |player: PlayerId| Some(state.player(player)?.team);
    match command {
        Command::Registration(RegistrationOrder::RenameTeam { by, .. }) => {
            Some(Renamed::Team(team_of(state.device(*by)?.player)?))
        }
        Command::Registration(RegistrationOrder::RenamePlayer { player, .. })
        | Command::GameMaster {
            order: GameMasterOrder::RenamePlayer { player, .. },
            ..
        } => Some(Renamed::Player(team_of(*player)?, *player)),
        Command::GameMaster {
            order: GameMasterOrder::RenameTeam { team, .. },
            ..
        } => Some(Renamed::Team(*team)),
        Command::Player { .. }
        | Command::Registration(_)
        | Command::GameMaster { .. }
        | Command::OpenInstance(_) => None,
    }
}

/// Waits until `moment`; without one it never returns.
async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// The key of a numbered command; none for other commands.
fn command_key(command: &Command) -> Option<CommandKey> {
    match command {
        Command::Player { device, id, .. } => Some(CommandKey::Player(*device, *id)),
        Command::GameMaster {
            by: Issuer::GameMaster(by),
            key: Some((instance, id)),
            ..
        } => Some(CommandKey::GameMaster(*by, *instance, *id)),
        Command::Registration(_) | Command::GameMaster { .. } | Command::OpenInstance(_) => None,
    }
}
