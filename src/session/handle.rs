//! The way into a session's actor.

use std::sync::Arc;
use std::time::Duration;

use hunt::{
    Command, CommandId, DeviceId, GameMasterId, GameMasterOrder, Issuer, PlayerOrder,
    RegistrationOrder,
};
use tokio::sync::{mpsc, oneshot, watch};

use super::backlog::Backlog;
use super::delivery::{Delivery, Outcome, View};
use super::supervisor::Condition;
use super::usage::{InUse, Usage};
use crate::journal::{Name, SessionId, SessionRecord};
use crate::telemetry::metrics;

/// Computes a value from a state and gives the step that lets it out.
type Read = Box<dyn FnOnce(View<'_>) -> Box<dyn FnOnce() + Send> + Send>;

/// A request to a session's actor.
pub enum Mail<D: Delivery> {
    /// A numbered command that came over a connection.
    Command {
        /// Whose command, and what to do.
        command: Numbered,
        /// Who waits for the outcome.
        peer: D::Peer,
    },
    /// Anything else that changes the session.
    Order {
        /// What to do.
        command: Command,
        /// The names that it refers to.
        names: Vec<Name>,
        /// Receives the outcome once it is durable.
        reply: oneshot::Sender<Outcome>,
    },
    /// A connection that wants to attach.
    Attach(D::Attach),
    /// A question about the state.
    Read(Read),
}

/// A command with the number by which its sender knows it.
#[derive(Debug)]
pub enum Numbered {
    /// Of a player's device.
    Player(DeviceId, CommandId, PlayerOrder),
    /// Of a game master.
    GameMaster(GameMasterId, CommandId, GameMasterOrder),
}

impl Numbered {
    /// The number.
    pub fn id(&self) -> CommandId {
        match self {
            Self::Player(_, id, _) | Self::GameMaster(_, id, _) => *id,
        }
    }
}

impl From<Numbered> for Command {
    fn from(numbered: Numbered) -> Self {
        match numbered {
            Numbered::Player(device, id, order) => Self::Player { device, id, order },
            Numbered::GameMaster(by, id, order) => Self::GameMaster {
                by: Issuer::GameMaster(by),
                id: Some(id),
                order,
            },
        }
    }
}

/// The session cannot take or answer a request. Whether a request that got in has an effect is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// For the moment: its mailbox is full, its events wait for the journal for too long, or it is recovering
    /// or stopping.
    #[error("the session cannot answer now; try again in a moment")]
    ForNow,
    /// It stays closed: its actor panicked again and again, or what is stored of it cannot be read.
    #[error("the session is closed after failures; whoever runs the server has to look at it")]
    Closed,
}

impl Unavailable {
    /// When trying again may succeed.
    pub fn retry_after(self) -> Duration {
        match self {
            Self::ForNow => BUSY_RETRY,
            Self::Closed => CLOSED_RETRY,
        }
    }
}

/// A busy session has taken what waits within this.
const BUSY_RETRY: Duration = Duration::from_millis(250);
/// A closed session is open again only after somebody has acted.
const CLOSED_RETRY: Duration = Duration::from_mins(1);

/// Sends requests to a session's actor. Clones share the mailbox.
pub struct SessionHandle<D: Delivery> {
    record: Arc<SessionRecord>,
    backlog: Arc<Backlog>,
    usage: Arc<Usage>,
    /// None in the handle by which the session itself is kept.
    in_use: Option<InUse>,
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
            in_use: self.in_use.clone(),
            title: self.title.clone(),
            mailbox: self.mailbox.clone(),
            condition: self.condition.clone(),
        }
    }
}

impl<D: Delivery> SessionHandle<D> {
    /// A handle that puts requests into a mailbox.
    pub fn new(
        record: SessionRecord,
        title: &str,
        mailbox: mpsc::Sender<Mail<D>>,
        backlog: Arc<Backlog>,
        usage: Arc<Usage>,
        condition: watch::Receiver<Condition>,
    ) -> Self {
        Self {
            record: record.into(),
            backlog,
            usage,
            in_use: None,
            title: title.into(),
            mailbox,
            condition,
        }
    }

    /// Whether it stays closed before somebody acts.
    pub(super) fn is_broken(&self) -> bool {
        *self.condition.borrow() == Condition::Broken
    }

    /// The same for somebody who uses the session: while one of these or of its clones exists, the session
    /// is not closed for want of users.
    pub(super) fn in_use(&self) -> Self {
        Self {
            in_use: Some(InUse::of(&self.usage)),
            ..self.clone()
        }
    }

    /// Whether the session is finished and nobody has used it for so long.
    pub(super) fn is_over_for(&self, unused: Duration) -> bool {
        self.usage.is_over_for(unused)
    }

    fn unavailable(&self) -> Unavailable {
        if self.is_broken() {
            Unavailable::Closed
        } else {
            Unavailable::ForNow
        }
    }

    /// The session's id.
    pub fn id(&self) -> SessionId {
        self.record.id
    }

    /// The session's record.
    pub fn record(&self) -> &SessionRecord {
        &self.record
    }

    /// How long its oldest event has been waiting to become durable, or it for its recovery; zero if
    /// nothing does, or if it waits for somebody to act.
    pub(super) fn oldest_wait(&self) -> Duration {
        if self.is_broken() {
            return Duration::ZERO;
        }
        self.backlog.age()
    }

    /// The hunt's title.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// Puts a request into the mailbox, without waiting. The outcome goes to whom the request
    /// names. What would change the session is refused while its oldest event waits for too long.
    pub fn send(&self, mail: Mail<D>) -> Result<(), Unavailable> {
        if self.is_broken() {
            return Err(Unavailable::Closed);
        }
        let is_change = match mail {
            Mail::Command { .. } | Mail::Order { .. } => true,
            Mail::Attach(_) | Mail::Read(_) => false,
        };
        if is_change && self.backlog.is_too_old() {
            metrics().backlog_refusals.increment(1);
            return Err(Unavailable::ForNow);
        }
        self.mailbox.try_send(mail).map_err(|refused| {
            match refused {
                mpsc::error::TrySendError::Full(_) => metrics().mailbox_refusals.increment(1),
                // Its actor has ended: nobody is overloaded.
                mpsc::error::TrySendError::Closed(_) => {}
            }
            self.unavailable()
        })
    }

    /// Has a desk order carried out, and waits until its outcome is durable.
    pub async fn desk(
        &self,
        order: RegistrationOrder,
        names: Vec<Name>,
    ) -> Result<Outcome, Unavailable> {
        self.order(Command::Registration(order), names).await
    }

    /// Has a game master's order carried out, and waits until its outcome is durable.
    pub async fn game_master(
        &self,
        by: Issuer,
        order: GameMasterOrder,
        names: Vec<Name>,
    ) -> Result<Outcome, Unavailable> {
        let id = None;
        self.order(Command::GameMaster { by, id, order }, names)
            .await
    }

    async fn order(&self, command: Command, names: Vec<Name>) -> Result<Outcome, Unavailable> {
        let (reply, outcome) = oneshot::channel();
        self.send(Mail::Order {
            command,
            names,
            reply,
        })?;
        outcome.await.map_err(|_| self.unavailable())
    }

    /// Computes something from the state, and waits until that state is durable. The computation
    /// runs inside the actor's turn: it must be short.
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
}
