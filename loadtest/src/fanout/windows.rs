//! Layout of windows in ABBA order: when readers are impaired and what is measured.

use std::time::Duration;

use tokio::time::Instant;

use super::script::Span;

/// Before every window all clients read normally for this time, so that effects of the previous one end
/// …
const RECOVERY: Duration = Duration::from_secs(2);

/// … and then, in windows with impaired readers, those are impaired for this time before the
/// measurement.
const LEAD: Duration = Duration::from_millis(1_500);

/// After every window they stay impaired for this time: deliveries of the window arrive, and metrics are
/// read, before they drain their backlog, which would delay both.
const TAIL: Duration = Duration::from_millis(500);

/// A window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    /// What is measured.
    pub(super) measured: Span,
    /// Whether readers are impaired.
    pub(super) is_impaired: bool,
}

/// Lays out windows of pairs from `first_pair` on: AB for an even pair, BA for an odd one.
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

/// Total duration of pairs.
pub(super) fn length(pairs: u32, window: Duration) -> Duration {
    (RECOVERY + LEAD + window + TAIL) * (2 * pairs)
}

impl Window {
    /// When readers are impaired; `None` if they are not.
    pub(super) fn impaired_span(self) -> Option<Span> {
        self.is_impaired.then_some(Span {
            from: self.measured.from - LEAD,
            until: self.measured.until + TAIL,
        })
    }

    /// When no delivery of the window is in flight, and readers are still in the same mode.
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
