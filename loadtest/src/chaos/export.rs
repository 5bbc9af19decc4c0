//! The journal as exported over HTTP.

use std::time::Duration;

use protocol::Verdict;
use protocol::rest::{ExportLine, SessionCreated};
use serde::Deserialize;
use testkit::{Rest, RestError};
use tokio::time::sleep;

/// Retries while a node restarts or a session moves.
const TRIES_MAX: u32 = 40;
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(250);

/// Guesses of a session's export.
#[derive(Debug, Default)]
pub(super) struct Export {
    /// The guesses, in the journal's order.
    pub(super) guesses: Vec<Journaled>,
    /// Number of lines whose sequence number does not follow the previous one.
    pub(super) holes: u64,
    last_seq: u64,
}

/// A judged guess.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Journaled {
    /// The device and command of the guess.
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
            // Only devices guess; a line without one is found as never sent.
            device: line.device.unwrap_or_default(),
            command: line.command.unwrap_or_default(),
            puzzle,
            guess,
            verdict,
        });
    }
}
