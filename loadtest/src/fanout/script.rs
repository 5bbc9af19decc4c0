//! What happens to a client and when, drawn before the first clue is pushed.

use std::collections::VecDeque;
use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;
use tokio::time::Instant;

use crate::arguments::SecondsRange;

/// A stalled reader reads for at most so long before it stops again.
const READS_BETWEEN_STALLS_MAX: Duration = Duration::from_secs(5);

/// What kind of reader a client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Reads whatever comes at once.
    Normal,
    /// Stops reading now and then.
    Stalls,
    /// Reads some bytes a second.
    Slow,
}

/// How a client reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    All,
    Slowly,
    Nothing,
}

/// What happens to a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// It reads in this way from now on.
    Read(Reading),
    /// Its connection is cut, and it stays away for so long.
    Cut { away: Duration },
}

/// What happens to one client, in order.
#[derive(Debug, Clone, Default)]
pub(super) struct Script {
    steps: VecDeque<(Instant, Change)>,
}

/// A span of time while clues are pushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from: Instant,
    pub(super) until: Instant,
}

impl Span {
    pub(super) fn contains(self, moment: Instant) -> bool {
        (self.from..self.until).contains(&moment)
    }

    fn length(self) -> Duration {
        self.until - self.from
    }
}

impl Kind {
    /// How a client of this kind reads when it does not read everything.
    fn worst(self) -> Reading {
        match self {
            Self::Normal => Reading::All,
            Self::Stalls => Reading::Nothing,
            Self::Slow => Reading::Slowly,
        }
    }
}

impl Script {
    /// Readers that are slow, or stall for so long each time, while clues are pushed.
    pub(super) fn reading(
        kind: Kind,
        flow: Span,
        stalls: SecondsRange,
        random: &mut StdRng,
    ) -> Self {
        let mut script = Self::default();
        match kind {
            Kind::Normal => {}
            Kind::Slow => script.impair(kind, flow),
            Kind::Stalls => {
                let first_max = READS_BETWEEN_STALLS_MAX.min(flow.length());
                let mut from = flow.from + first_max.mul_f64(random.random());
                while from < flow.until {
                    let until = from + stalls.draw(random);
                    script.impair(kind, Span { from, until });
                    from = until + READS_BETWEEN_STALLS_MAX.mul_f64(random.random());
                }
            }
        }
        script
    }

    /// Readers that are slow or stalled within these spans only.
    pub(super) fn reading_within(kind: Kind, spans: &[Span]) -> Self {
        let mut script = Self::default();
        for span in spans {
            script.impair(kind, *span);
        }
        script
    }

    /// The same with cuts at random moments: the first one while clues are pushed, and after each
    /// return another one, unless clues are no longer pushed then.
    pub(super) fn with_cuts(mut self, flow: Span, away: SecondsRange, random: &mut StdRng) -> Self {
        let mut at = flow.from;
        loop {
            at += flow.length().mul_f64(random.random());
            if at >= flow.until {
                break;
            }
            let away = away.draw(random);
            self.steps.push_back((at, Change::Cut { away }));
            at += away;
        }
        self.steps.make_contiguous().sort_by_key(|(at, _)| *at);
        self
    }

    fn impair(&mut self, kind: Kind, span: Span) {
        if kind == Kind::Normal {
            return;
        }
        self.steps
            .push_back((span.from, Change::Read(kind.worst())));
        self.steps
            .push_back((span.until, Change::Read(Reading::All)));
    }

    /// When the next thing happens.
    pub(super) fn next_at(&self) -> Option<Instant> {
        self.steps.front().map(|(at, _)| *at)
    }

    /// The next thing whose moment has come.
    pub(super) fn due(&mut self, now: Instant) -> Option<Change> {
        self.next_at().filter(|at| *at <= now)?;
        self.steps.pop_front().map(|(_, change)| change)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rand::SeedableRng;
    use rand::rngs::StdRng;
    use tokio::time::Instant;

    use super::{Change, Kind, Reading, Script, Span};
    use crate::arguments::SecondsRange;

    fn flow() -> Span {
        let from = Instant::now();
        Span {
            from,
            until: from + Duration::from_mins(1),
        }
    }

    fn range(text: &str) -> SecondsRange {
        text.parse().expect("it is a range")
    }

    fn play(mut script: Script) -> Vec<(Instant, Change)> {
        let mut played = Vec::new();
        while let Some(at) = script.next_at() {
            assert_eq!(script.due(at - Duration::from_nanos(1)), None);
            played.push((at, script.due(at).expect("its moment has come")));
        }
        played
    }

    #[test]
    fn a_stalled_reader_reads_in_between_and_at_the_end() {
        let mut random = StdRng::seed_from_u64(1);
        let script = Script::reading(Kind::Stalls, flow(), range("5..30"), &mut random);
        let played = play(script);
        assert!(played.len() >= 4, "{played:?}");
        for stall in played.chunks(2) {
            assert_eq!(stall[0].1, Change::Read(Reading::Nothing));
            assert_eq!(stall[1].1, Change::Read(Reading::All));
            let length = stall[1].0 - stall[0].0;
            assert!(length >= Duration::from_secs(5) && length <= Duration::from_secs(30));
        }
    }

    #[test]
    fn everybody_is_cut_while_clues_are_pushed() {
        for seed in 0..100 {
            let mut random = StdRng::seed_from_u64(seed);
            let flow = flow();
            let script = Script::default().with_cuts(flow, range("0..120"), &mut random);
            let played = play(script);
            assert!(!played.is_empty());
            assert!(played.iter().all(|(at, _)| flow.contains(*at)));
        }
    }

    #[test]
    fn cuts_and_stalls_come_in_their_order() {
        let mut random = StdRng::seed_from_u64(3);
        let script = Script::reading(Kind::Slow, flow(), range("5"), &mut random);
        let played = play(script.with_cuts(flow(), range("1"), &mut random));
        assert!(played.is_sorted_by_key(|(at, _)| *at), "{played:?}");
        let is_slow = |(_, change): &&(Instant, Change)| *change == Change::Read(Reading::Slowly);
        assert_eq!(played.iter().filter(is_slow).count(), 1);
    }
}
