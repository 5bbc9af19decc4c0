//! A player's record: what it sent, what was acknowledged and when, and which updates it received.

use std::time::Duration;

use protocol::{Audience, Event, Rejection, RejectionCode, Update, Verdict};
use tokio::time::Instant;

use crate::client::{ClientError, Tally, View};

/// Maximum number of recorded outage notices and rejections.
const NOTICES_MAX: usize = 100_000;

/// Record of one player.
#[derive(Debug)]
pub(super) struct PlayerLog {
    /// Number of the player in the run.
    pub(super) player: u32,
    /// Its commands in the order of the plan, from guess 0 on.
    pub(super) commands: Vec<LoggedCommand>,
    /// Updates that it applied.
    pub(super) updates: Vec<AppliedUpdate>,
    /// Times at which a server signalled an outage: by closing or refusing a connection, or by a
    /// temporary rejection.
    pub(super) notices: Vec<Instant>,
    /// Temporary rejections, including those of the rate limiter.
    pub(super) refusals: Vec<TemporaryRejection>,
    /// Number of resent acknowledged commands, and how many of them got another receipt.
    pub(super) resent: u64,
    pub(super) receipts_different: u64,
    /// Unexpected messages of the server, in words.
    pub(super) problems: Vec<String>,
    pub(super) tally: Tally,
    /// Final view of the player, if it finished.
    pub(super) view: Option<View>,
    /// Error that stopped the player.
    pub(super) failure: Option<ClientError>,
}

/// A command that was sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct LoggedCommand {
    pub(super) id: u64,
    pub(super) sent_at: Instant,
    /// Its receipt, if it has one.
    pub(super) acked: Option<Acked>,
}

/// A temporary rejection.
#[derive(Debug, Clone, Copy)]
pub(super) struct TemporaryRejection {
    pub(super) at: Instant,
    pub(super) code: RejectionCode,
    /// Delay until the retry time, if the rejection names one.
    pub(super) retry_after: Option<Duration>,
}

/// A receipt.
#[derive(Debug, Clone, Copy)]
pub(super) struct Acked {
    pub(super) at: Instant,
    /// When the command was sent, or, if later, when the connection of the receipt was opened.
    pub(super) asked_at: Instant,
    pub(super) verdict: Option<Verdict>,
}

/// A numbered update that was applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AppliedUpdate {
    pub(super) audience: Audience,
    pub(super) number: u64,
    /// The guess in the update; `None` for other events.
    pub(super) guess: Option<UpdateGuess>,
}

/// A guess as shown by an update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UpdateGuess {
    pub(super) puzzle: String,
    pub(super) guess: String,
    pub(super) verdict: Verdict,
}

impl PlayerLog {
    pub(super) fn new(player: u32) -> Self {
        Self {
            player,
            commands: Vec::new(),
            updates: Vec::new(),
            notices: Vec::new(),
            refusals: Vec::new(),
            resent: 0,
            receipts_different: 0,
            problems: Vec::new(),
            tally: Tally::default(),
            view: None,
            failure: None,
        }
    }

    /// Records an outage notice.
    pub(super) fn notices(&mut self, at: Instant) {
        if self.notices.len() < NOTICES_MAX && self.notices.last() != Some(&at) {
            self.notices.push(at);
        }
    }

    /// Records a temporary rejection. A rejection by the rate limiter is not an outage notice.
    pub(super) fn refused(&mut self, rejection: &Rejection, at: Instant, retry_at: Instant) {
        if rejection.code != RejectionCode::RateLimited {
            self.notices(at);
        }
        if self.refusals.len() < NOTICES_MAX {
            self.refusals.push(TemporaryRejection {
                at,
                code: rejection.code,
                retry_after: rejection.retry_at_ms.map(|_| retry_at - at),
            });
        }
    }

    /// Number of temporary rejections, without those of the rate limiter.
    pub(super) fn temporary_rejections(&self) -> u64 {
        let refusals = self.refusals.iter();
        let others = refusals.filter(|refused| refused.code != RejectionCode::RateLimited);
        others.count() as u64
    }

    /// The acknowledged commands.
    pub(super) fn acked(&self) -> impl Iterator<Item = (LoggedCommand, Acked)> {
        let commands = self.commands.iter();
        commands.filter_map(|command| Some((*command, command.acked?)))
    }
}

impl From<Update> for AppliedUpdate {
    fn from(update: Update) -> Self {
        let guess = match update.event {
            Event::GuessJudged {
                puzzle,
                guess,
                verdict,
                ..
            } => Some(UpdateGuess {
                puzzle,
                guess,
                verdict,
            }),
            Event::SessionStarted { .. }
            | Event::SessionPaused
            | Event::SessionResumed { .. }
            | Event::SessionFinished
            | Event::PlayerJoined { .. }
            | Event::DeviceAdded { .. }
            | Event::Unlocked { .. }
            | Event::DeviceRevoked { .. }
            | Event::CluePushed { .. }
            | Event::ClueCancelled { .. }
            | Event::ClueExpired { .. }
            | Event::Announced { .. }
            | Event::TeamCreated { .. }
            | Event::GameMasterInvited { .. }
            | Event::GameMasterRevoked { .. }
            | Event::Unknown => None,
        };
        Self {
            audience: update.audience,
            number: update.number,
            guess,
        }
    }
}
