use protocol::rest::{Cause, ExportLine};
use protocol::{Audience, Verdict};
use tokio::time::Instant;

use super::super::export::{Export, ExportedEvent};
use super::super::log::{Acked, AppliedUpdate, LoggedCommand, PlayerLog, UpdateGuess};
use super::{Findings, PlayerRecord, compare};

/// A player who sent two wrong guesses, both acknowledged, and received both.
fn log() -> PlayerLog {
    let now = Instant::now();
    let mut log = PlayerLog::new(0);
    for id in 1..=2 {
        log.commands.push(LoggedCommand {
            id,
            sent_at: now,
            acked: Some(Acked {
                at: now,
                asked_at: now,
                verdict: Some(Verdict::Wrong),
            }),
        });
        log.updates.push(applied(id, id - 1));
    }
    log
}

fn applied(number: u64, guess: u64) -> AppliedUpdate {
    AppliedUpdate {
        audience: Audience::Team,
        number,
        guess: Some(UpdateGuess {
            puzzle: "well-0".to_owned(),
            guess: format!("P0N{guess}"),
            verdict: Verdict::Wrong,
        }),
    }
}

fn line(seq: u64, command: u64, guess: u64) -> ExportLine<ExportedEvent> {
    ExportLine {
        seq,
        at_ms: 0,
        by: Cause::Device,
        device: Some("d1".to_owned()),
        game_master: None,
        command: Some(command),
        reason: None,
        event: ExportedEvent::GuessJudged {
            puzzle: "well-0".to_owned(),
            guess: format!("P0N{guess}"),
            verdict: Verdict::Wrong,
        },
    }
}

/// Counts of lost, applied twice, never sent, not in the journal.
fn counts(log: &PlayerLog, lines: Vec<ExportLine<ExportedEvent>>) -> (u64, u64, u64, u64) {
    let mut export = Export::default();
    for line in lines {
        export.add_line(line);
    }
    let player = PlayerRecord {
        device: "d1",
        team: "t1",
        log,
    };
    let Findings {
        lost,
        applied_twice,
        never_sent,
        not_in_journal,
        ..
    } = compare(&[player], &export);
    (lost, applied_twice, never_sent, not_in_journal)
}

#[test]
fn what_was_kept_agrees() {
    assert_eq!(
        counts(&log(), vec![line(1, 1, 0), line(2, 2, 1)]),
        (0, 0, 0, 0)
    );
}

#[test]
fn an_acknowledged_command_that_is_missing_is_lost_and_was_shown_without_cause() {
    assert_eq!(counts(&log(), vec![line(1, 1, 0)]), (1, 0, 0, 1));
}

#[test]
fn a_command_with_another_guess_is_lost() {
    let lines = vec![line(1, 1, 1), line(2, 2, 0)];
    // Both guesses are in the journal, but with swapped commands and in the other order.
    assert_eq!(counts(&log(), lines), (2, 0, 0, 1));
}

#[test]
fn a_hole_in_the_export_is_a_loss() {
    assert_eq!(
        counts(&log(), vec![line(1, 1, 0), line(3, 2, 1)]),
        (1, 0, 0, 0)
    );
}

#[test]
fn a_command_or_a_guess_that_comes_twice_is_found() {
    let again = vec![line(1, 1, 0), line(2, 2, 1), line(3, 2, 1)];
    assert_eq!(counts(&log(), again).1, 1);
    let same_guess = vec![line(1, 1, 0), line(2, 2, 1), line(3, 3, 1)];
    let (_, applied_twice, never_sent, _) = counts(&log(), same_guess);
    assert_eq!((applied_twice, never_sent), (1, 1));
}

#[test]
fn a_command_without_a_receipt_may_be_kept_or_not() {
    let mut log = log();
    log.commands[1].acked = None;
    log.updates.pop();
    assert_eq!(counts(&log, vec![line(1, 1, 0)]), (0, 0, 0, 0));
    assert_eq!(
        counts(&log, vec![line(1, 1, 0), line(2, 2, 1)]),
        (0, 0, 0, 0)
    );
}

#[test]
fn teammates_receive_the_same_update_under_the_same_number() {
    let mut mate = PlayerLog::new(2);
    mate.updates = vec![applied(1, 1)];
    let mut export = Export::default();
    export.add_line(line(1, 1, 0));
    export.add_line(line(2, 2, 1));
    let own = log();
    let witnessed = |device, log| PlayerRecord {
        device,
        team: "t1",
        log,
    };
    let findings = compare(&[witnessed("d1", &own), witnessed("d2", &mate)], &export);
    assert_eq!(findings.not_in_journal, 1, "{findings:?}");
}
