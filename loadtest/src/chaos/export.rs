//! The journal as its users get it: the export of a session over HTTP.

use std::time::Duration;

use protocol::Verdict;
use protocol::rest::{ExportLine, SessionCreated};
use serde::Deserialize;
use testkit::{Rest, RestError};
use tokio::time::sleep;

/// A node that was restarted a moment ago, or a session that moves, is asked again.
const TRIES_MAX: u32 = 40;
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(250);

/// What the export of a session tells.
#[derive(Debug, Default)]
pub(super) struct Export {
    /// The guesses, in the journal's order.
    pub(super) guesses: Vec<Journaled>,
    /// Lines that do not follow the one before.
    pub(super) holes: u64,
    last_seq: u64,
}

/// A judged guess.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Journaled {
    /// The device and the command that it came from.
    pub(super) device: String,
    pub(super) command: u64,
    pub(super) puzzle: String,
    pub(super) guess: String,
    pub(super) verdict: Verdict,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum ExportedEvent {
    GuessJudged {
        puzzle: String,
        guess: String,
        verdict: Verdict,
    },
    #[serde(other)]
    Other,
}

impl Export {
    /// Reads the export of a session from a node.
    pub(super) async fn read(rest: &Rest, session: &SessionCreated) -> Result<Self, RestError> {
        let path = format!("/sessions/{}/export", session.session);
        let token = Some(&*session.game_master_token);
        let mut tries = 0;
        loop {
            tries += 1;
            let mut export = Self::default();
            let read = rest.get_lines(&path, token, |line: ExportLine<ExportedEvent>| {
                export.take(line);
            });
            match read.await {
                Ok(_) => return Ok(export),
                Err(error) if tries == TRIES_MAX => return Err(error),
                Err(_) => sleep(TRY_AGAIN_AFTER).await,
            }
        }
    }

    pub(super) fn take(&mut self, line: ExportLine<ExportedEvent>) {
        self.holes += u64::from(line.seq != self.last_seq + 1);
        self.last_seq = line.seq;
        let ExportedEvent::GuessJudged {
            puzzle,
            guess,
            verdict,
        } = line.event
        else {
            return;
        };
        self.guesses.push(Journaled {
            // Guesses come from devices alone; one without would be found as never sent.
            device: line.device.unwrap_or_default(),
            command: line.command.unwrap_or_default(),
            puzzle,
            guess,
            verdict,
        });
    }
}
