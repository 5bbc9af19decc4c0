//! When stalled and slow readers are so, and what is measured: windows in the order ABBA.

use std::time::Duration;

use tokio::time::Instant;

use super::script::Span;

/// Before every window everybody reads for so long, so that what the last one left behind is over …
const RECOVERY: Duration = Duration::from_secs(2);

/// … and then, in windows with stalled and slow readers, those are so for so long unmeasured.
const LEAD: Duration = Duration::from_millis(1_500);

/// After every window they are still so for so long: what was sent in it arrives before they read all
/// that has waited for them, and before the server is asked how it is. Both would count as delay.
const TAIL: Duration = Duration::from_millis(500);

/// A window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    /// What is measured.
    pub(super) measured: Span,
    /// Whether stalled and slow readers are so.
    pub(super) is_impaired: bool,
}

/// The windows of some pairs, the first of which has this number: AB if it is even, BA if it is odd.
pub(super) fn lay_out(from: Instant, first_pair: u32, pairs: u32, length: Duration) -> Vec<Window> {
    let order = (first_pair..first_pair + pairs).flat_map(|pair| {
        let is_odd = pair % 2 == 1;
        [is_odd, !is_odd]
    });
    let mut begin = from;
    let windows = order.map(|is_impaired| {
        let from = begin + RECOVERY + LEAD;
        let until = from + length;
        begin = until + TAIL;
        Window {
            measured: Span { from, until },
            is_impaired,
        }
    });
    windows.collect()
}

/// How long so many pairs take.
pub(super) fn length(pairs: u32, window: Duration) -> Duration {
    (RECOVERY + LEAD + window + TAIL) * (2 * pairs)
}

impl Window {
    /// When stalled and slow readers are so; none if they are not.
    pub(super) fn impaired_span(self) -> Option<Span> {
        self.is_impaired.then_some(Span {
            from: self.measured.from - LEAD,
            until: self.measured.until + TAIL,
        })
    }

    /// When nothing of the window is on its way any more, and nothing has changed since.
    pub(super) fn is_over_at(self) -> Instant {
        self.measured.until + TAIL / 2
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{RECOVERY, TAIL, lay_out, length};

    #[test]
    fn windows_alternate_and_leave_time_to_recover() {
        let from = Instant::now();
        let window = Duration::from_secs(4);
        let windows = lay_out(from, 0, 4, window);
        let order: Vec<bool> = windows.iter().map(|window| window.is_impaired).collect();
        assert_eq!(order, [false, true, true, false, false, true, true, false]);
        for pair in windows.windows(2) {
            let bad_from = pair[1]
                .impaired_span()
                .map_or(pair[1].measured.from, |span| span.from);
            assert!(bad_from >= pair[0].measured.until + TAIL + RECOVERY);
        }
        let last = windows.last().expect("there are some");
        assert_eq!(last.measured.until + TAIL, from + length(4, window));
        assert!(lay_out(from, 1, 1, window)[0].is_impaired);
    }
}
