//! Report of `chaos`.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::goals::Goal;
use crate::report::{LatencyMs, write_outcome};

/// Report of `chaos`; its fields are the keys of the JSON file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ChaosReport {
    /// Backend of the journal.
    pub journal: &'static str,
    /// Number of nodes.
    pub nodes: usize,
    /// Number of sessions.
    pub sessions: usize,
    /// Number of players.
    pub players: usize,
    /// Seed of the run.
    pub seed: u64,
    /// Acknowledged commands.
    pub acked: u64,
    /// Acknowledged commands that the journal lacks or has with other content, gaps in the journal, and
    /// reconnects to a server that had lost an acknowledged command.
    pub lost: u64,
    /// Commands, or guesses of a team, that the journal has more than once.
    pub applied_twice: u64,
    /// Guesses in the journal that no player sent.
    pub never_sent: u64,
    /// Journal rows that an owner wrote after it was replaced.
    pub stale_rows: u64,
    /// Logged claims of sessions, each with the journal's head at that moment; stale rows are detected
    /// by them.
    pub claims: u64,
    /// Gaps in streams, and guesses in the journal that a client of the team lacks at the end.
    pub stream_gaps: u64,
    /// Updates that were received twice.
    pub stream_duplicates: u64,
    /// Guesses that a client received but that the journal lacks or has in another order.
    pub updates_not_in_journal: u64,
    /// Commands that were sent and acknowledged while PostgreSQL was frozen.
    pub acks_while_frozen: u64,
    /// Unnumbered messages that a replaced owner sent to a game master who was still connected to it: a
    /// rejection based on its old state, or heads that are behind.
    pub stale_messages: u64,
    /// Number of game masters that observed a replaced owner until it closed.
    pub witnesses: u64,
    /// Number of times that acknowledged commands were sent again.
    pub resent: u64,
    /// How many of them got another receipt.
    pub receipts_different: u64,
    /// Faults after which a session did not answer within a minute.
    pub unrecovered: u64,
    /// Players whose client failed.
    pub failed_players: u64,
    /// Answers that the plan does not expect: other verdicts, permanent rejections.
    pub unexpected_answers: u64,
    /// Temporary rejections, without those of the rate limiter.
    pub refused: u64,
    /// Number of unexpected node exits.
    pub node_exits: u64,
    /// Connections of players after their first one.
    pub reconnects: u64,
    /// Rows of the journal.
    pub rows: u64,
    /// Latency from the first send of a command to its receipt, including all faults.
    pub ack_ms: LatencyMs,
    /// Figures by the fault's name.
    pub faults: BTreeMap<&'static str, FaultFigures>,
    /// Goals of the run in time, memory and coverage.
    pub goals: Vec<Goal>,
    /// Duration from the first pause to the last recovery.
    pub seconds: f64,
}

/// The figures of one fault.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct FaultFigures {
    /// Number of injections.
    pub count: usize,
    /// Minimum number of sessions affected by one injection: those of the victim, or all.
    pub sessions_min: usize,
    /// Time until another node was seen to own one of the victim's sessions; for other faults until a
    /// client first received an outage notice.
    pub detection_ms: Spread,
    /// Time from the fault, or its end if it has a duration, to the first receipt of each client of the
    /// affected sessions, for a command that was sent after its start or on a connection that was opened
    /// after it. Includes the client's think time and reconnect delay.
    pub recovery_ms: Spread,
    /// Time from the fault, or its end, to the first receipt of any client of each session.
    pub session_recovery_ms: Spread,
    /// Longest time without a receipt in any session, for each injection.
    pub worst_pause_ms: Spread,
    /// Maximum growth of a node's resident memory during the fault; `None` if not measured.
    pub memory_growth_bytes_max: Option<u64>,
    /// 99th percentile of the latency of commands sent in the 5 s before the fault; `None` without
    /// commands.
    pub ack_p99_before_ms: Option<f64>,
    /// The same from 5 to 10 s after its end, as far as no other fault followed.
    pub ack_p99_after_ms: Option<f64>,
    /// Temporary rejections by code, from the start of the fault until the session had recovered.
    pub refused: BTreeMap<String, u64>,
    /// How many of them had no retry time.
    pub rejections_without_retry_time: u64,
    /// The longest retry delay that one of them named.
    pub retry_ms_max: f64,
    /// Number of affected sessions, summed over all injections.
    pub sessions_affected: usize,
    /// How many of them signalled a pause, by rejecting a command, or by refusing or closing a
    /// connection. Timeouts of clients do not count.
    pub sessions_paused: usize,
    /// How many of those answered again.
    pub sessions_resumed: usize,
}

/// Distribution of durations in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Spread {
    /// Number of samples.
    pub count: usize,
    /// Median.
    pub p50: f64,
    /// 99th percentile.
    pub p99: f64,
    /// Maximum.
    pub max: f64,
}

impl Spread {
    pub(super) fn from_durations(durations: Vec<Duration>) -> Self {
        let count = durations.len();
        let LatencyMs { p50, p99, max, .. } = LatencyMs::from_durations(durations);
        Self {
            count,
            p50,
            p99,
            max,
        }
    }

    /// The 99th percentile; `None` without samples.
    pub(super) fn p99(self) -> Option<f64> {
        (self.count > 0).then_some(self.p99)
    }
}

impl ChaosReport {
    /// Counts that must all be 0, with their names.
    pub fn breaches(&self) -> [(&'static str, u64); 13] {
        [
            ("lost", self.lost),
            ("applied twice", self.applied_twice),
            ("never sent", self.never_sent),
            ("stale rows", self.stale_rows),
            ("stream gaps", self.stream_gaps),
            ("stream duplicates", self.stream_duplicates),
            ("updates not in journal", self.updates_not_in_journal),
            ("acks while frozen", self.acks_while_frozen),
            ("messages of replaced owners", self.stale_messages),
            ("different receipts on resend", self.receipts_different),
            ("faults without recovery", self.unrecovered),
            ("failed players", self.failed_players),
            ("unexpected answers", self.unexpected_answers),
        ]
    }

    /// Whether every guarantee held. Goals are not considered.
    pub fn is_safe(&self) -> bool {
        self.breaches().iter().all(|(_, count)| *count == 0)
    }

    /// Whether every guarantee held and every goal was met.
    pub fn is_good(&self) -> bool {
        self.is_safe() && self.goals.iter().all(|goal| goal.is_met)
    }
}

impl fmt::Display for ChaosReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} node(s) on {}, {} sessions, {} players, {:.0} s",
            self.nodes, self.journal, self.sessions, self.players, self.seconds
        )?;
        writeln!(f, "{:22}{:>20}", "seed", self.seed)?;
        let mut row = |name: &str, count: u64| writeln!(f, "{name:30}{count:>12}");
        row("commands acknowledged", self.acked)?;
        for (name, count) in self.breaches() {
            row(&format!("  {name}"), count)?;
        }
        row("journal rows", self.rows)?;
        row("commands resent", self.resent)?;
        row("temporary rejections", self.refused)?;
        row("reconnects", self.reconnects)?;
        row("unexpected node exits", self.node_exits)?;
        row("session claims", self.claims)?;
        row("replaced owners observed", self.witnesses)?;
        let ack = self.ack_ms;
        writeln!(
            f,
            "ack latency, ms: p50 {:.1}, p99 {:.1}, p99.9 {:.1}, max {:.1}",
            ack.p50, ack.p99, ack.p99_9, ack.max
        )?;
        for (name, figures) in &self.faults {
            figures.write(name, f)?;
        }
        for goal in &self.goals {
            writeln!(f, "{goal}")?;
        }
        let violated = self.breaches().into_iter().filter(|(_, count)| *count > 0);
        let violated = violated.map(|(name, count)| format!("{name}: {count}"));
        let missed = self.goals.iter().filter(|goal| !goal.is_met);
        let missed = missed.map(|goal| format!("goal missed: {}", goal.what));
        write_outcome(f, &violated.chain(missed).collect::<Vec<String>>())
    }
}

impl FaultFigures {
    fn write(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            count,
            sessions_min,
            ..
        } = self;
        writeln!(
            f,
            "{name} x {count}, each affecting at least {sessions_min} sessions"
        )?;
        writeln!(f, "  {:20}{:>10}{:>10}{:>10}", "ms", "p50", "p99", "max")?;
        for (what, spread) in [
            ("detection", self.detection_ms),
            ("client recovery", self.recovery_ms),
            ("session recovery", self.session_recovery_ms),
            ("longest pause", self.worst_pause_ms),
        ] {
            let Spread {
                count,
                p50,
                p99,
                max,
            } = spread;
            if count == 0 {
                writeln!(f, "  {what:20}{:>10}{:>10}{:>10}", "-", "-", "-")?;
            } else {
                writeln!(f, "  {what:20}{p50:>10.1}{p99:>10.1}{max:>10.1}")?;
            }
        }
        for (code, count) in &self.refused {
            writeln!(f, "  rejected as {code:16}{count:>20}")?;
        }
        if self.sessions_paused > 0 {
            let (met, paused) = (self.sessions_affected, self.sessions_paused);
            let went_on = self.sessions_resumed;
            writeln!(
                f,
                "  {paused} of {met} sessions signalled a pause, {went_on} resumed"
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::super::goals::Goal;
    use super::{ChaosReport, FaultFigures, Spread};
    use crate::report::LatencyMs;

    fn good() -> ChaosReport {
        ChaosReport {
            journal: "PostgreSQL",
            nodes: 3,
            sessions: 600,
            players: 1_200,
            seed: u64::MAX,
            acked: 10_000_000,
            lost: 0,
            applied_twice: 0,
            never_sent: 0,
            stale_rows: 0,
            claims: 1,
            stream_gaps: 0,
            stream_duplicates: 0,
            updates_not_in_journal: 0,
            acks_while_frozen: 0,
            stale_messages: 0,
            witnesses: 1,
            resent: 1,
            receipts_different: 0,
            unrecovered: 0,
            failed_players: 0,
            unexpected_answers: 0,
            refused: 1,
            node_exits: 1,
            reconnects: 1,
            rows: 1,
            ack_ms: LatencyMs::from_durations([Duration::from_mins(50)]),
            faults: BTreeMap::from([(
                "owner-pause",
                FaultFigures {
                    count: 10_000,
                    recovery_ms: Spread::from_durations(vec![Duration::from_secs(50)]),
                    ..FaultFigures::default()
                },
            )]),
            goals: vec![Goal::new(
                "owner-pause: p99 of first client ack, ms",
                Some(50_000.0),
                3_000.0,
            )],
            seconds: 3_600.0,
        }
    }

    #[test]
    fn any_single_breach_fails_the_run() {
        assert!(good().is_safe());
        assert!(!good().is_good(), "its goal is missed");
        let breaches: [fn(&mut ChaosReport) -> &mut u64; 13] = [
            |report| &mut report.lost,
            |report| &mut report.applied_twice,
            |report| &mut report.never_sent,
            |report| &mut report.stale_rows,
            |report| &mut report.stream_gaps,
            |report| &mut report.stream_duplicates,
            |report| &mut report.updates_not_in_journal,
            |report| &mut report.acks_while_frozen,
            |report| &mut report.stale_messages,
            |report| &mut report.receipts_different,
            |report| &mut report.unrecovered,
            |report| &mut report.failed_players,
            |report| &mut report.unexpected_answers,
        ];
        for breach in breaches {
            let mut report = good();
            *breach(&mut report) = 1;
            assert!(!report.is_safe(), "{report}");
        }
    }

    #[test]
    fn the_table_fits_a_terminal() {
        for line in good().to_string().lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }

    #[test]
    fn the_json_has_the_promised_keys() {
        let json = serde_json::to_value(good()).expect("a report is JSON");
        for key in [
            "acked",
            "lost",
            "applied_twice",
            "stale_rows",
            "stream_gaps",
            "stream_duplicates",
        ] {
            assert!(json[key].is_u64(), "{key}");
        }
        let fault = &json["faults"]["owner-pause"];
        assert!(fault["count"].is_u64());
        for key in ["detection_ms", "recovery_ms", "worst_pause_ms"] {
            for figure in ["p50", "p99", "max"] {
                assert!(fault[key][figure].is_f64(), "{key} {figure}");
            }
        }
    }
}
