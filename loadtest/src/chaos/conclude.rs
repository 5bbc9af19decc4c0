//! Computes the report from the records of the players, the injector and the journal.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use protocol::RejectionCode;
use protocol::rest::Joined;
use tokio::time::Instant;

use super::compare::{self, Findings, PlayerRecord};
use super::export::Export;
use super::goals::Coverage;
use super::injector::{InjectedFault, Injector};
use super::log::{PlayerLog, TemporaryRejection};
use super::report::{ChaosReport, FaultFigures, Spread};
use super::timeline::{Ack, Acks, acked_within, first_notice, latencies, latencies_before};
use crate::arguments::{Fault, JournalStore};
use crate::report::LatencyMs;

/// Length of the latency windows before and after a fault.
const WINDOW: Duration = Duration::from_secs(5);

/// Maximum number of problems described in words.
const PROBLEMS_MAX: usize = 12;

/// Everything recorded during the run.
pub(super) struct Evidence<'a> {
    pub(super) injector: &'a Injector,
    pub(super) store: JournalStore,
    /// The records of players that ended, in any order, and the session of each player.
    pub(super) logs: &'a [PlayerLog],
    pub(super) joined: &'a [Joined],
    pub(super) session_of: &'a [usize],
    /// Exports of the sessions, as far as they were read.
    pub(super) exports: &'a [Export],
    pub(super) began_at: Instant,
    pub(super) ended_at: Instant,
}

/// Acknowledged commands by session and by client.
struct Answers {
    sessions: Vec<Acks>,
    /// For each client its session and acknowledgements.
    clients: Vec<(usize, Acks)>,
}

/// Computes the report and the first problems in words.
pub(super) fn summarize(evidence: &Evidence<'_>) -> (ChaosReport, Vec<String>) {
    let findings = evidence.compare();
    let answers = evidence.acks();
    let sessions = &answers.sessions;
    let Injector {
        arguments,
        fleet,
        injected_faults,
        rows,
        witnesses,
        ..
    } = evidence.injector;
    let logs = evidence.logs;
    let sum = |figure: fn(&PlayerLog) -> u64| logs.iter().map(figure).sum::<u64>();
    let faults = evidence.fault_figures(&answers);
    let frozen = injected_faults
        .iter()
        .filter(|injected| injected.fault == Fault::PgFreeze);
    let acks_while_frozen = frozen
        .map(|injected| acked_within(sessions, injected.at, injected.over_at))
        .sum();
    let latencies = sessions.iter().flat_map(Acks::iter);
    let coverage = Coverage {
        nodes: fleet.len(),
        witnesses: witnesses.observed.witnesses,
        sessions_unclaimed: match evidence.store {
            JournalStore::Sqlite => None,
            JournalStore::Postgres => Some(sessions.len() - rows.sessions_claimed()),
        },
    };
    let report = ChaosReport {
        journal: match evidence.store {
            JournalStore::Sqlite => "SQLite",
            JournalStore::Postgres => "PostgreSQL",
        },
        nodes: fleet.len(),
        sessions: sessions.len(),
        players: evidence.joined.len(),
        seed: arguments.seed,
        acked: sum(|log| log.acked().count() as u64),
        lost: findings.lost + rows.holes + sum(|log| log.tally.forgotten_commands),
        applied_twice: findings.applied_twice,
        never_sent: findings.never_sent,
        stale_rows: rows.stale,
        claims: rows.claim_count,
        stream_gaps: findings.not_shown + sum(|log| log.tally.gaps),
        stream_duplicates: sum(|log| log.tally.repeated),
        updates_not_in_journal: findings.not_in_journal + evidence.heard_without_cause(),
        acks_while_frozen,
        stale_messages: witnesses.observed.stale,
        witnesses: witnesses.observed.witnesses,
        resent: sum(|log| log.resent),
        receipts_different: sum(|log| log.receipts_different),
        unrecovered: injected_faults
            .iter()
            .filter(|injected| !injected.is_recovered)
            .count() as u64,
        failed_players: sum(|log| u64::from(log.failure.is_some())),
        unexpected_answers: sum(|log| log.problems.len() as u64),
        refused: sum(PlayerLog::temporary_rejections),
        node_exits: fleet.exits,
        reconnects: sum(|log| log.tally.reconnects),
        rows: rows.rows,
        ack_ms: LatencyMs::from_durations(latencies.map(|ack| ack.at - ack.sent_at)),
        goals: coverage.goals(&faults),
        faults,
        seconds: (evidence.ended_at - evidence.began_at).as_secs_f64(),
    };
    (report, evidence.problems(findings))
}

impl Evidence<'_> {
    fn compare(&self) -> Findings {
        let mut findings = Findings::default();
        for (session, export) in self.exports.iter().enumerate() {
            let of_session = self.logs.iter().filter(|log| self.session(log) == session);
            let players: Vec<PlayerRecord<'_>> = of_session
                .map(|log| {
                    let joined = &self.joined[log.player as usize];
                    PlayerRecord {
                        device: &joined.device,
                        team: &joined.team,
                        log,
                    }
                })
                .collect();
            findings.add(compare::compare(&players, export));
        }
        findings
    }

    fn session(&self, log: &PlayerLog) -> usize {
        self.session_of[log.player as usize]
    }

    fn acks(&self) -> Answers {
        let mut of_sessions = vec![Vec::new(); self.injector.codes.len()];
        let mut clients = Vec::new();
        for log in self.logs {
            let of_client = log.acked().map(|(command, acked)| Ack {
                sent_at: command.sent_at,
                asked_at: acked.asked_at,
                at: acked.at,
            });
            let of_client: Vec<Ack> = of_client.collect();
            of_sessions[self.session(log)].extend_from_slice(&of_client);
            clients.push((self.session(log), Acks::new(of_client)));
        }
        Answers {
            sessions: of_sessions.into_iter().map(Acks::new).collect(),
            clients,
        }
    }

    /// Number of guesses that a replaced owner sent to a witness but that the journal lacks.
    fn heard_without_cause(&self) -> u64 {
        let observed = self.injector.witnesses.observed.guesses.iter();
        let without_cause = observed.filter(|(session, guess)| {
            let export = self.exports.get(*session);
            export.is_some_and(|export| export.guesses.iter().all(|kept| kept.guess != *guess))
        });
        without_cause.count() as u64
    }

    fn fault_figures(&self, answers: &Answers) -> BTreeMap<&'static str, FaultFigures> {
        let notices = self.logs.iter().flat_map(|log| log.notices.iter().copied());
        let mut notices: Vec<Instant> = notices.collect();
        notices.sort_unstable();
        let mut figures = BTreeMap::new();
        for fault in Fault::ALL {
            let injected_faults = self.injector.injected_faults.iter();
            let injected_faults: Vec<&InjectedFault> = injected_faults
                .filter(|injected| injected.fault == fault)
                .collect();
            if !injected_faults.is_empty() {
                let mut of_fault = figures_of(&injected_faults, answers, &notices);
                self.count_rejections(&injected_faults, &answers.sessions, &mut of_fault);
                figures.insert(fault.name(), of_fault);
            }
        }
        figures
    }

    /// Counts the rejections from the start of each fault until the session had recovered.
    fn count_rejections(
        &self,
        injected_faults: &[&InjectedFault],
        sessions: &[Acks],
        figures: &mut FaultFigures,
    ) {
        for injected in injected_faults {
            let mut notices = BTreeSet::new();
            for log in self.logs {
                let session = self.session(log);
                let end = sessions[session].first_after(injected);
                let is_within = |at: Instant| at > injected.at && end.is_none_or(|end| at <= end);
                if log.notices.iter().any(|at| is_within(*at)) {
                    notices.insert(session);
                }
                let within = |refused: &&TemporaryRejection| is_within(refused.at);
                for refused in log.refusals.iter().filter(within) {
                    *figures.refused.entry(name_of(refused.code)).or_default() += 1;
                    let retry_ms = refused
                        .retry_after
                        .map_or(0.0, |after| after.as_secs_f64() * 1e3);
                    figures.retry_ms_max = figures.retry_ms_max.max(retry_ms);
                    figures.rejections_without_retry_time +=
                        u64::from(refused.retry_after.is_none());
                }
            }
            figures.sessions_affected += injected.sessions.len();
            let went_on = |session: &&usize| sessions[**session].first_after(injected).is_some();
            figures.sessions_paused += notices.len();
            figures.sessions_resumed += notices.iter().filter(went_on).count();
        }
    }

    fn problems(&self, findings: Findings) -> Vec<String> {
        let mut problems = findings.problems;
        problems.extend(self.injector.rows.problems.iter().cloned());
        problems.extend(self.injector.witnesses.observed.problems.iter().cloned());
        for log in self.logs {
            let player = log.player;
            problems.extend(log.problems.iter().cloned());
            let fault = log.tally.first_fault.map(|fault| fault.to_string());
            let failure = log.failure.as_ref().map(ToString::to_string);
            let both = [fault, failure].into_iter().flatten();
            problems.extend(both.map(|what| format!("player {player}: {what}")));
        }
        let exit = self.injector.fleet.first_exit.as_ref();
        problems.extend(exit.map(|exit| format!("first unexpected node exit: {exit}")));
        problems.truncate(PROBLEMS_MAX);
        problems
    }
}

/// Name of a rejection code on the wire.
fn name_of(code: RejectionCode) -> String {
    match serde_json::to_value(code) {
        Ok(serde_json::Value::String(name)) => name,
        Ok(_) | Err(_) => format!("{code:?}"),
    }
}

fn figures_of(
    injected_faults: &[&InjectedFault],
    answers: &Answers,
    notices: &[Instant],
) -> FaultFigures {
    let sessions = &answers.sessions;
    let mut detections = Vec::new();
    let mut recoveries = Vec::new();
    let mut of_sessions = Vec::new();
    let mut pauses = Vec::new();
    let (mut before, mut after) = (Vec::new(), Vec::new());
    for injected in injected_faults {
        let noticed_at = injected
            .claimed_at
            .or_else(|| first_notice(notices, injected, sessions));
        detections.extend(noticed_at.map(|at| at - injected.at));
        let met = injected.sessions.iter().map(|session| &sessions[*session]);
        of_sessions.extend(met.filter_map(|acks| acks.recovery(injected)));
        let clients = answers.clients.iter();
        let met = clients.filter(|(session, _)| injected.sessions.contains(session));
        recoveries.extend(met.filter_map(|(_, acks)| acks.recovery(injected)));
        let worst = sessions
            .iter()
            .filter_map(|acks| acks.worst_pause(injected))
            .max();
        pauses.extend(worst);
        before.extend(latencies_before(
            sessions,
            injected.at - WINDOW,
            injected.at,
        ));
        let over_at = injected.over_at;
        after.extend(latencies(sessions, over_at + WINDOW, over_at + 2 * WINDOW));
    }
    FaultFigures {
        count: injected_faults.len(),
        sessions_min: injected_faults
            .iter()
            .map(|injected| injected.sessions.len())
            .min()
            .unwrap_or(0),
        detection_ms: Spread::from_durations(detections),
        recovery_ms: Spread::from_durations(recoveries),
        session_recovery_ms: Spread::from_durations(of_sessions),
        worst_pause_ms: Spread::from_durations(pauses),
        memory_growth_bytes_max: injected_faults
            .iter()
            .filter_map(|injected| injected.memory_growth_bytes)
            .max(),
        ack_p99_before_ms: Spread::from_durations(before).p99(),
        ack_p99_after_ms: Spread::from_durations(after).p99(),
        ..FaultFigures::default()
    }
}
