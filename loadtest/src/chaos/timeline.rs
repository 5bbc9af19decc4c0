//! Computes from the players' records how soon each fault was detected, how soon each client and session
//! recovered, and how long the longest pause was.

use std::time::Duration;

use tokio::time::Instant;

use super::injector::InjectedFault;

/// An acknowledged command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ack {
    pub(super) sent_at: Instant,
    /// When it was sent, or, if later, when the connection of the receipt was opened.
    pub(super) asked_at: Instant,
    pub(super) at: Instant,
}

/// Acknowledged commands of a session or client, in the order of their receipts.
#[derive(Debug, Clone, Default)]
pub(super) struct Acks(Vec<Ack>);

impl Acks {
    pub(super) fn new(mut acks: Vec<Ack>) -> Self {
        acks.sort_unstable_by_key(|ack| ack.at);
        Self(acks)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Ack> {
        self.0.iter().copied()
    }

    /// First receipt after the end of the fault, for a command that was sent, or on a connection that
    /// was opened, after its start: a receipt in flight at that moment does not show a recovery.
    pub(super) fn first_after(&self, injected: &InjectedFault) -> Option<Instant> {
        let from = self.0.partition_point(|ack| ack.at <= injected.over_at);
        let after = self.0[from..].iter();
        let mut answers = after.filter(|ack| ack.asked_at > injected.at);
        answers.next().map(|ack| ack.at)
    }

    /// Time from the end of the fault to the first receipt; `None` without one.
    pub(super) fn recovery(&self, injected: &InjectedFault) -> Option<Duration> {
        Some(self.first_after(injected)? - injected.over_at)
    }

    /// Longest time without a receipt, from the last one before the fault until the recovery.
    pub(super) fn worst_pause(&self, injected: &InjectedFault) -> Option<Duration> {
        let end = self.first_after(injected)?;
        let begin = self.0.partition_point(|ack| ack.at <= injected.at);
        let begin = begin.saturating_sub(1);
        let acks = self.0[begin..].iter().map(|ack| ack.at);
        let acks: Vec<Instant> = acks.take_while(|at| *at <= end).collect();
        let pauses = acks.windows(2).map(|pair| pair[1] - pair[0]);
        pauses.max()
    }
}

/// When a client first received an outage notice for the fault. `notices` is sorted. Notices after every
/// session had recovered do not belong to this fault.
pub(super) fn first_notice(
    notices: &[Instant],
    injected: &InjectedFault,
    sessions: &[Acks],
) -> Option<Instant> {
    let answered = sessions
        .iter()
        .filter_map(|acks| acks.first_after(injected));
    let end = answered.max()?;
    let first = notices.partition_point(|at| *at <= injected.at);
    notices.get(first).copied().filter(|at| *at <= end)
}

/// Maximum transit time of a receipt that left before a freeze.
const ON_ITS_WAY_MAX: Duration = Duration::from_secs(1);

/// Number of receipts sent between these moments: for commands sent in between, or so late that they
/// cannot have been in flight before.
pub(super) fn acked_within(sessions: &[Acks], from: Instant, to: Instant) -> u64 {
    let acks = sessions.iter().flat_map(Acks::iter);
    let is_of_then = |ack: &Ack| ack.sent_at > from || ack.at > from + ON_ITS_WAY_MAX;
    let within = acks.filter(|ack| ack.at < to && is_of_then(ack));
    within.count() as u64
}

/// Latencies of commands that were both sent and acknowledged between these moments, so that delays by a
/// fault at the end are excluded.
pub(super) fn latencies_before(sessions: &[Acks], from: Instant, to: Instant) -> Vec<Duration> {
    let acks = sessions.iter().flat_map(Acks::iter);
    let within = acks.filter(|ack| ack.sent_at >= from && ack.at <= to);
    within.map(|ack| ack.at - ack.sent_at).collect()
}

/// Latencies of commands that were sent between these moments.
pub(super) fn latencies(sessions: &[Acks], from: Instant, to: Instant) -> Vec<Duration> {
    let acks = sessions.iter().flat_map(Acks::iter);
    let within = acks.filter(|ack| ack.sent_at >= from && ack.sent_at < to);
    within.map(|ack| ack.at - ack.sent_at).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::super::injector::InjectedFault;
    use super::{Ack, Acks, acked_within, first_notice, latencies, latencies_before};
    use crate::arguments::Fault;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Receipts by send and arrival time, and a fault from 100 to `over`.
    fn stage(acks: &[(u64, u64)], over: u64) -> (Instant, Acks, InjectedFault) {
        let begin = Instant::now();
        let acks = acks.iter().map(|(sent, at)| Ack {
            sent_at: begin + ms(*sent),
            asked_at: begin + ms(*sent),
            at: begin + ms(*at),
        });
        let injected = InjectedFault {
            fault: Fault::PgFreeze,
            at: begin + ms(100),
            over_at: begin + ms(over),
            sessions: vec![0],
            claimed_at: None,
            is_recovered: true,
            memory_growth_bytes: None,
        };
        (begin, Acks::new(acks.collect()), injected)
    }

    #[test]
    fn a_receipt_that_was_on_its_way_is_no_recovery() {
        let (_, acks, injected) = stage(&[(50, 60), (90, 105), (120, 400)], 100);
        assert_eq!(acks.recovery(&injected), Some(ms(300)));
        // From 105, when the last receipt before the recovery arrived.
        assert_eq!(acks.worst_pause(&injected), Some(ms(295)));
    }

    #[test]
    fn a_receipt_of_a_command_that_was_sent_again_is_a_recovery() {
        let (begin, mut acks, injected) = stage(&[(50, 60), (90, 400)], 100);
        assert_eq!(acks.recovery(&injected), None);
        acks.0[1].asked_at = begin + ms(150);
        assert_eq!(acks.recovery(&injected), Some(ms(300)));
    }

    #[test]
    fn a_recovery_counts_from_the_end_of_the_fault() {
        let (begin, acks, injected) = stage(&[(50, 60), (90, 470), (150, 480)], 400);
        assert_eq!(acks.recovery(&injected), Some(ms(80)));
        assert_eq!(acks.worst_pause(&injected), Some(ms(410)));
        let sessions = [acks];
        let frozen = acked_within(&sessions, injected.at, injected.over_at);
        assert_eq!(frozen, 0);
        let longer = acked_within(&sessions, injected.at, begin + ms(481));
        assert_eq!(longer, 1, "the one that was sent meanwhile");
        let latencies = latencies(&sessions, begin + ms(50), begin + ms(150));
        assert_eq!(latencies, [ms(10), ms(380)]);
        let before = latencies_before(&sessions, begin + ms(50), injected.at);
        assert_eq!(before, [ms(10)], "what the fault held up is none of it");
    }

    #[test]
    fn a_receipt_in_the_middle_of_a_freeze_counts_whenever_its_command_was_sent() {
        let (_, acks, injected) = stage(&[(90, 105), (95, 1_500)], 10_000);
        assert_eq!(acked_within(&[acks], injected.at, injected.over_at), 1);
    }

    #[test]
    fn who_never_answers_again_has_no_figures() {
        let (_, acks, injected) = stage(&[(50, 60), (90, 470)], 400);
        assert_eq!(
            (acks.recovery(&injected), acks.worst_pause(&injected)),
            (None, None)
        );
    }

    #[test]
    fn the_first_notice_between_fault_and_recovery_counts() {
        let (begin, acks, injected) = stage(&[(50, 60), (150, 480)], 400);
        let notices = |at: &[u64]| {
            let notices: Vec<Instant> = at.iter().map(|at| begin + ms(*at)).collect();
            first_notice(&notices, &injected, std::slice::from_ref(&acks)).map(|at| at - begin)
        };
        assert_eq!(notices(&[90, 130, 140]), Some(ms(130)));
        assert_eq!(notices(&[90, 600]), None);
    }
}
