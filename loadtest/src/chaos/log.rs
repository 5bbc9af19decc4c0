//! What a player notes down: what it sent, what was acknowledged and when, and what it was shown.

use std::time::Duration;

use protocol::{Audience, Event, Rejection, RejectionCode, Update, Verdict};
use tokio::time::Instant;

use crate::client::{ClientError, Tally, View};

/// Times at which a player was told of trouble; later ones are not noted.
const NOTICES_MAX: usize = 100_000;

/// A player's notes.
#[derive(Debug)]
pub(super) struct PlayerLog {
    /// The player's number in the run.
    pub(super) player: u32,
    /// Its commands, in the order of the plan: the first one is guess 0.
    pub(super) commands: Vec<LoggedCommand>,
    /// The updates that it applied.
    pub(super) updates: Vec<AppliedUpdate>,
    /// When a server said that it does not go on for now: by closing or refusing a connection, or by
    /// refusing a command for the moment.
    pub(super) notices: Vec<Instant>,
    /// Refusals for the moment, the rate limiter's too.
    pub(super) refusals: Vec<TemporaryRejection>,
    /// Further sendings of acknowledged commands, and how many of those were answered otherwise.
    pub(super) resent: u64,
    pub(super) receipts_different: u64,
    /// What a server should not have said, in words.
    pub(super) problems: Vec<String>,
    pub(super) tally: Tally,
    /// What it knew at the end, if it came to an end.
    pub(super) view: Option<View>,
    /// Why it did not play to the end.
    pub(super) failure: Option<ClientError>,
}

/// A command that was sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct LoggedCommand {
    pub(super) id: u64,
    pub(super) sent_at: Instant,
    /// When and how it was acknowledged.
    pub(super) acked: Option<Acked>,
}

/// A refusal for the moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct TemporaryRejection {
    pub(super) at: Instant,
    pub(super) code: RejectionCode,
    /// In what time the server said to try again, if it said so.
    pub(super) retry_after: Option<Duration>,
}

/// A receipt.
#[derive(Debug, Clone, Copy)]
pub(super) struct Acked {
    pub(super) at: Instant,
    /// When its command was sent, or later the connection opened on which this came.
    pub(super) asked_at: Instant,
    pub(super) verdict: Option<Verdict>,
}

/// A numbered update that was applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AppliedUpdate {
    pub(super) audience: Audience,
    pub(super) number: u64,
    /// The guess that it tells of; none for an update of another kind.
    pub(super) guess: Option<UpdateGuess>,
}

/// A guess as an update tells it.
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

    /// Notes that something was amiss at that moment.
    pub(super) fn notices(&mut self, at: Instant) {
        if self.notices.len() < NOTICES_MAX && self.notices.last() != Some(&at) {
            self.notices.push(at);
        }
    }

    /// Notes a refusal for the moment. The rate limiter's is no sign of trouble.
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

    /// Refusals for the moment other than by the rate limiter.
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
