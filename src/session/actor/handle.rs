//! The interface of a running session: sends requests to its actor's mailbox.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use hunt::{
    Command, CommandId, DeviceId, GameMasterId, GameMasterOrder, InstanceId, Issuer, PlayerId,
    PlayerOrder, RegistrationOrder,
};
use tokio::sync::{mpsc, oneshot, watch};

use super::backlog::Backlog;
use super::context::SessionContext;
use super::usage::{Usage, UseGuard};
use crate::ids::SessionId;
use crate::journal::{PrivateRecord, SessionRecord};
use crate::session::delivery::{Delivery, Outcome, View};
use crate::session::idempotency::IdempotencyKey;
use crate::telemetry::metrics;

/// Computes a value from a state and returns the step that sends it to the caller.
type Read = Box<dyn FnOnce(View<'_>) -> Box<dyn FnOnce() + Send> + Send>;

/// A request to a session's actor.
pub enum Mail<D: Delivery> {
    /// A numbered command of a connection.
    Command {
        /// The command and its sender.
        command: ClientCommand,
        /// Receives the outcome.
        peer: D::Peer,
    },
    /// Any other change of the session.
    Order {
        /// The change.
        change: Change,
        /// The idempotency key of the request.
        key: Option<IdempotencyKey>,
        /// Receives the outcome once it is durable. If it is closed before the actor's turn, the order is
        /// dropped.
        reply: oneshot::Sender<Outcome>,
    },
    /// A connection that attaches.
    Attach(D::Attach),
    /// A read of the state.
    Read(Read),
}

/// A change of the session that does not come from a connection. Names and codes are resolved by the actor,
/// just before the rules decide.
#[derive(Debug)]
pub enum Change {
    /// A command, with the names that it refers to.
    Command(Command, Vec<PrivateRecord>),
    /// Creates a team with its first player.
    CreateTeam {
        /// The team's code, drawn at random and normalised.
        code: String,
        /// The team's name.
        team_name: PrivateRecord,
        /// The player's name.
        player_name: PrivateRecord,
    },
    /// Adds a player to the team with a code.
    JoinTeam {
        /// The code as typed.
        code: String,
        /// The player's name.
        player_name: PrivateRecord,
    },
    /// Adds a device for a player whose team has a code.
    RestorePlayer {
        /// The code as typed.
        code: String,
        /// The player.
        player: PlayerId,
    },
    /// Replaces a team's code.
    RotateTeamCode {
        /// The command to do so.
        command: Command,
        /// The new code, drawn at random and normalised.
        code: String,
        /// The reason that the command refers to.
        reason: Option<PrivateRecord>,
    },
}

/// The client instance of a game master's connection. Delivery sets it when it prepares the attachment, which
/// is before the session decides on any command of the connection.
#[derive(Debug, Clone, Default)]
pub struct InstanceSlot(Arc<AtomicU32>);

impl InstanceSlot {
    /// Sets the instance.
    pub fn set(&self, instance: InstanceId) {
        self.0.store(instance.0, Ordering::Relaxed);
    }

    /// The instance; one that no game master has before it is set.
    pub fn get(&self) -> InstanceId {
        InstanceId(self.0.load(Ordering::Relaxed))
    }
}

/// A command of a connection, with the id by which its sender repeats it.
#[derive(Debug)]
pub enum ClientCommand {
    /// Sent by a player's device.
    Player(DeviceId, CommandId, PlayerOrder),
    /// Sent by a client instance of a game master.
    GameMaster(GameMasterId, InstanceSlot, CommandId, GameMasterOrder),
}

impl ClientCommand {
    /// The command's id, unique for its sender.
    pub fn id(&self) -> CommandId {
        match self {
            Self::Player(_, id, _) | Self::GameMaster(_, _, id, _) => *id,
        }
    }
}

impl From<ClientCommand> for Command {
    fn from(command: ClientCommand) -> Self {
        match command {
            ClientCommand::Player(device, id, order) => Self::Player { device, id, order },
            ClientCommand::GameMaster(by, instance, id, order) => Self::GameMaster {
                by: Issuer::GameMaster(by),
                key: Some((instance.get(), id)),
                reason: None,
                order,
            },
        }
    }
}

/// The session cannot accept or answer a request. A request that was accepted may have taken effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// Temporarily: its mailbox is full, its events wait too long for the journal, or it is recovering or
    /// stopping.
    #[error("the session is not available now; try again in a moment")]
    ForNow,
    /// Until an operator acts: its actor panicked repeatedly, or its stored data cannot be read.
    #[error("the session is closed after repeated failures; an operator must act")]
    Closed,
}

impl Unavailable {
    /// Time after which a retry may succeed.
    pub fn retry_after(self) -> Duration {
        match self {
            Self::ForNow => BUSY_RETRY,
            Self::Closed => CLOSED_RETRY,
        }
    }
}

/// Time in which a busy session works off its mailbox.
const BUSY_RETRY: Duration = Duration::from_millis(250);
/// Retry-after of a session that waits for an operator.
const CLOSED_RETRY: Duration = Duration::from_mins(1);

/// Whether a session can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    /// It is being recovered, or has exited.
    Recovering,
    /// It accepts requests.
    Open,
    /// It stays closed until an operator acts: its actor panicked repeatedly, or its stored data cannot
    /// be read. Only after the latter the recovery is retried.
    Broken,
}

/// Sends requests to a session's actor. Clones share the mailbox.
pub struct SessionHandle<D: Delivery> {
    record: Arc<SessionRecord>,
    backlog: Arc<Backlog>,
    usage: Arc<Usage>,
    /// None in the registry's own handle, which does not count as a user.
    user: Option<UseGuard>,
    title: Arc<str>,
    mailbox: mpsc::Sender<Mail<D>>,
    condition: watch::Receiver<Condition>,
}

impl<D: Delivery> Clone for SessionHandle<D> {
    fn clone(&self) -> Self {
        Self {
            record: self.record.clone(),
            backlog: self.backlog.clone(),
            usage: self.usage.clone(),
            user: self.user.clone(),
            title: self.title.clone(),
            mailbox: self.mailbox.clone(),
            condition: self.condition.clone(),
        }
    }
}

impl<D: Delivery> SessionHandle<D> {
    pub(super) fn new(
        context: &SessionContext,
        mailbox: mpsc::Sender<Mail<D>>,
        condition: watch::Receiver<Condition>,
    ) -> Self {
        Self {
            record: context.spec.record.clone(),
            backlog: context.backlog.clone(),
            usage: context.usage.clone(),
            user: None,
            title: context.spec.hunt.title.as_str().into(),
            mailbox,
            condition,
        }
    }

    /// A handle that counts as a user: while it or a clone of it exists, the session is not idle.
    pub(in crate::session) fn for_user(&self) -> Self {
        Self {
            user: Some(UseGuard::new(&self.usage)),
            ..self.clone()
        }
    }

    /// Whether the session is finished and has had no user for at least `idle`.
    pub(in crate::session) fn is_finished_and_idle_for(&self, idle: Duration) -> bool {
        self.usage.is_finished_and_idle_for(idle)
    }

    /// Whether the session stays closed until an operator acts.
    pub(in crate::session) fn is_broken(&self) -> bool {
        *self.condition.borrow() == Condition::Broken
    }

    /// Whether the session is being recovered.
    pub(in crate::session) fn is_recovering(&self) -> bool {
        // The sender is dropped when the session exits.
        let is_running = self.condition.has_changed().is_ok();
        is_running && *self.condition.borrow() == Condition::Recovering
    }

    /// Waits until the session is open or broken, or has exited.
    pub(in crate::session) async fn recovered(&self) {
        let mut condition = self.condition.clone();
        let is_settled = |condition: &Condition| *condition != Condition::Recovering;
        // An error means that the session exited, and the supervisor has logged why.
        drop(condition.wait_for(is_settled).await);
    }

    /// Age of the oldest event that is not durable, or of the running recovery; zero without either, and
    /// for a broken session.
    pub(in crate::session) fn oldest_wait(&self) -> Duration {
        if self.is_broken() {
            return Duration::ZERO;
        }
        self.backlog.age()
    }

    /// The session's id.
    pub fn id(&self) -> SessionId {
        self.record.id
    }

    /// The session's record.
    pub fn record(&self) -> &SessionRecord {
        &self.record
    }

    /// The hunt's title.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// Puts a request into the mailbox without waiting. The outcome goes to the peer or channel in the
    /// request. A change is refused while the oldest event has waited too long for the journal.
    pub fn send(&self, mail: Mail<D>) -> Result<(), Unavailable> {
        if self.is_broken() {
            return Err(Unavailable::Closed);
        }
        let is_change = match mail {
            Mail::Command { .. } | Mail::Order { .. } => true,
            Mail::Attach(_) | Mail::Read(_) => false,
        };
        if is_change && self.backlog.is_overdue() {
            metrics().backlog_refusals.increment(1);
            return Err(Unavailable::ForNow);
        }
        self.mailbox.try_send(mail).map_err(|refused| {
            match refused {
                mpsc::error::TrySendError::Full(_) => metrics().mailbox_refusals.increment(1),
                // The session has exited, which is no overload.
                mpsc::error::TrySendError::Closed(_) => {}
            }
            self.unavailable()
        })
    }

    /// Submits a registration order and waits until its outcome is durable.
    pub async fn submit_registration(
        &self,
        order: RegistrationOrder,
        names: Vec<PrivateRecord>,
    ) -> Result<Outcome, Unavailable> {
        self.submit(Change::Command(Command::Registration(order), names))
            .await
    }

    /// Submits an order of a game master or an admin and waits until its outcome is durable.
    pub async fn submit_order(
        &self,
        by: Issuer,
        order: GameMasterOrder,
        names: Vec<PrivateRecord>,
    ) -> Result<Outcome, Unavailable> {
        self.submit(Change::Command(Command::order(by, order), names))
            .await
    }

    /// Submits a change and waits until its outcome is durable.
    pub async fn submit(&self, change: Change) -> Result<Outcome, Unavailable> {
        self.submit_with_key(change, None).await
    }

    /// Submits a change and waits until its outcome is durable. A change whose key was used before is not
    /// made again: it gets the receipt of the first one, or is refused if its content differs.
    pub async fn submit_with_key(
        &self,
        change: Change,
        key: Option<IdempotencyKey>,
    ) -> Result<Outcome, Unavailable> {
        let (reply, outcome) = oneshot::channel();
        self.send(Mail::Order { change, key, reply })?;
        outcome.await.map_err(|_| self.unavailable())
    }

    /// Computes a value from the state and waits until that state is durable. `compute` runs within the
    /// actor's turn, so it must be short.
    pub async fn read<T: Send + 'static>(
        &self,
        compute: impl FnOnce(View<'_>) -> T + Send + 'static,
    ) -> Result<T, Unavailable> {
        let (reply, answer) = oneshot::channel();
        let read: Read = Box::new(move |view| {
            if reply.is_closed() {
                metrics().requests_dropped.increment(1);
                return Box::new(|| ());
            }
            let value = compute(view);
            Box::new(move || drop(reply.send(value)))
        });
        self.send(Mail::Read(read))?;
        answer.await.map_err(|_| self.unavailable())
    }

    fn unavailable(&self) -> Unavailable {
        if self.is_broken() {
            Unavailable::Closed
        } else {
            Unavailable::ForNow
        }
    }
}
