//! Adds up what the players and the server know to the figures of the report.

use std::time::Duration;

use super::goaway_compliance;
use super::log::GuessLog;
use super::player::PlayerResult;
use super::prepare::Prepared;
use super::supervisor::{Outage, OutageKind};
use super::verify::{Findings, SentGuess, StoredSession, compare};
use crate::arguments::Speed;
use crate::report::{LatencyMs, Report};

/// How many problems are told in words.
const PROBLEMS_SHOWN_MAX: usize = 10;

/// Everything that is known at the end.
pub(super) struct Evidence<'a> {
    pub(super) log: &'a GuessLog,
    pub(super) prepared: &'a Prepared,
    pub(super) played: &'a [PlayerResult],
    pub(super) outages: &'a [Outage],
    /// None if the replay did not get so far.
    pub(super) stored: Option<&'a StoredSession>,
    pub(super) speed: Speed,
}

/// The figures, and the first problems in words.
pub(super) fn summarize(evidence: &Evidence<'_>) -> (Report, Vec<String>) {
    let played = evidence.played;
    let findings = evidence
        .stored
        .map(|stored| compare(&evidence.sent(), stored))
        .unwrap_or_default();
    let sum = |figure: fn(&PlayerResult) -> u64| played.iter().map(figure).sum::<u64>();
    let guesses = sum(|player| {
        let sent = player.record.sent.iter();
        sent.filter(|sent| sent.acknowledged.is_some()).count() as u64
    });
    let (between, length) = evidence.span();
    let seconds = length.as_secs_f64();
    let report = Report {
        guesses,
        verdict_mismatches: sum(|player| player.record.mismatches.len() as u64)
            + findings.mismatches.len() as u64,
        lost: sum(|player| player.record.not_in_view + player.tally.forgotten_commands)
            + findings.lost.len() as u64,
        duplicated: sum(|player| player.tally.repeated) + findings.duplicated.len() as u64,
        stream_gaps: sum(|player| player.tally.gaps + player.record.early_receipts),
        kills: count_outages(evidence.outages, OutageKind::Kill),
        kills_between_first_and_last_guess: count_outages(&between, OutageKind::Kill),
        stops: count_outages(evidence.outages, OutageKind::Stop),
        stops_between_first_and_last_guess: count_outages(&between, OutageKind::Stop),
        goaway_compliance: goaway_compliance::judge(evidence.played, evidence.outages),
        reconnects: sum(|player| player.tally.reconnects),
        snapshots: sum(|player| player.tally.snapshots),
        replays: sum(|player| player.tally.replays),
        rate_limited: sum(|player| player.record.rate_limited),
        ack_ms: LatencyMs::from_durations(
            played
                .iter()
                .flat_map(|player| player.record.latencies.iter().copied()),
        ),
        ack_measured_from: match evidence.speed {
            Speed::Times(_) => "intended send",
            Speed::Max => "send",
        },
        guesses_per_s: if length.is_zero() {
            0.0
        } else {
            count(guesses) / seconds
        },
        seconds,
    };
    (report, evidence.problems(findings))
}

impl Evidence<'_> {
    /// The outages that began between the first send and the last answer, and the time between the
    /// two.
    fn span(&self) -> (Vec<Outage>, Duration) {
        let records = || self.played.iter().map(|player| &player.record);
        let first = records().filter_map(|record| record.first_sent_at).min();
        let last = records().filter_map(|record| record.last_received_at).max();
        let Some((first, last)) = first.zip(last) else {
            return (Vec::new(), Duration::ZERO);
        };
        let outages = self.outages.iter().copied();
        let between = outages.filter(|outage| (first..=last).contains(&outage.began_at));
        (between.collect(), last - first)
    }

    fn sent(&self) -> Vec<SentGuess<'_>> {
        let mut all = Vec::new();
        for player in self.played {
            let joined = &self.prepared.players[player.team];
            let guesses = &self.log.teams[player.team].guesses;
            for (sent, logged) in player.record.sent.iter().zip(guesses) {
                all.push(SentGuess {
                    device: &joined.device,
                    command: sent.command,
                    team: &joined.team,
                    puzzle: &self.prepared.puzzle_ids[logged.puzzle],
                    guess: &logged.guess,
                    acknowledged: sent.acknowledged,
                });
            }
        }
        all
    }

    fn problems(&self, findings: Findings) -> Vec<String> {
        let mut problems: Vec<String> = Vec::new();
        for player in self.played {
            let team = &self.log.teams[player.team].name;
            let record = &player.record;
            problems.extend(record.mismatches.iter().cloned());
            problems.extend(
                player
                    .tally
                    .first_fault
                    .map(|fault| format!("{team}: {fault}")),
            );
            for (count, what) in [
                (
                    record.early_receipts,
                    "receipts arrived before their update",
                ),
                (
                    record.not_in_view,
                    "acknowledged guesses are missing in the team's own view",
                ),
                (
                    player.tally.forgotten_commands,
                    "reconnects found an acknowledged guess forgotten",
                ),
            ] {
                if count > 0 {
                    problems.push(format!("{team}: {count} {what}"));
                }
            }
        }
        problems.extend(findings.lost);
        problems.extend(findings.duplicated);
        problems.extend(findings.mismatches);
        problems.truncate(PROBLEMS_SHOWN_MAX);
        problems
    }
}

fn count_outages(outages: &[Outage], kind: OutageKind) -> u64 {
    outages.iter().filter(|outage| outage.kind == kind).count() as u64
}

/// Exact up to 2^53, far above any log.
#[expect(clippy::cast_precision_loss, reason = "no log has 2^53 guesses")]
fn count(guesses: u64) -> f64 {
    guesses as f64
}
