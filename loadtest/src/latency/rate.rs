//! Searches the maximum rate of a constant schedule that a server sustains.

use std::time::Duration;

use super::LatencyError;
use super::generator::{Answered, Outcome};
use crate::report::LatencyMs;

/// Duration of a window of the search.
pub(super) const WINDOW: Duration = Duration::from_secs(2);

/// A guess that waits longer ends its window of the search.
pub(super) const UNANSWERED_FOR_MAX: Duration = Duration::from_secs(1);

/// Maximum 99th percentile of receipts, in the window and in its last quarter: a growing backlog shows
/// in the last ones.
const KEPT_UP_MS_MAX: f64 = 50.0;

/// First rate of a search, as a fraction of a rate that is unlikely to be reached: that of a closed
/// loop, or, for solves, that of wrong guesses.
pub(super) const FIRST_SHARE: f64 = 0.5;

/// Factor between rates until one is too high; then it is halved (in the exponent) this many times.
const STEP: f64 = 1.4;
const HALVINGS: u32 = 3;

/// The search fails below this rate.
const RATE_MIN: f64 = 10.0;

/// Answered guesses per second, from the start to the last answer.
pub(super) fn answered_per_s(outcome: &Outcome) -> f64 {
    let received_at = |answered: &Answered| answered.intended_at + answered.latency;
    let last = outcome.answered.iter().map(received_at).max();
    let took = last.map_or(Duration::MAX, |last| last - outcome.began_at);
    f64::from(u32::try_from(outcome.answered.len()).unwrap_or(u32::MAX)) / took.as_secs_f64()
}

/// Searches the maximum sustained rate to a few per cent, from `first` on.
pub(super) async fn highest(
    first: f64,
    window: impl AsyncFn(f64) -> Result<Outcome, LatencyError>,
) -> Result<f64, LatencyError> {
    let mut rate = first;
    let mut step = STEP;
    let mut is_up = keeps_up(window(rate).await)?;
    let went_up = is_up;
    let mut good = is_up.then_some(rate);
    // Step until the first rate on the other side.
    while is_up == went_up {
        rate = if went_up { rate * step } else { rate / step };
        if rate < RATE_MIN {
            return Err(LatencyError::NoRate(rate));
        }
        is_up = keeps_up(window(rate).await)?;
        if is_up {
            good = Some(rate);
        }
    }
    // The highest sustained rate and the lowest unsustained one are one step apart.
    let mut highest = good.ok_or(LatencyError::NoRate(rate))?;
    for _ in 0..HALVINGS {
        step = step.sqrt();
        if keeps_up(window(highest * step).await)? {
            highest *= step;
        }
    }
    Ok(highest)
}

/// Whether a window's rate was sustained. A rejection under overload, or too few teams for the rate,
/// means that it was not.
fn keeps_up(outcome: Result<Outcome, LatencyError>) -> Result<bool, LatencyError> {
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(LatencyError::Refused(_) | LatencyError::TooFewTeams) => return Ok(false),
        Err(error) => return Err(error),
    };
    if outcome.unanswered > 0 {
        return Ok(false);
    }
    let last_quarter = outcome.began_at + WINDOW * 3 / 4;
    let is_prompt = |from| {
        let answered = outcome.answered.iter();
        let measured = answered.filter(|answered| answered.intended_at >= from);
        LatencyMs::from_durations(measured.map(|answered| answered.latency)).p99 <= KEPT_UP_MS_MAX
    };
    Ok(is_prompt(outcome.began_at) && is_prompt(last_quarter))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{Answered, LatencyError, Outcome, WINDOW, highest};

    /// A window of a server with a given capacity that answers one guess after the other.
    fn served(per_second: f64, capacity: f64) -> Outcome {
        let began_at = Instant::now();
        let outstanding = |slot: u32| f64::from(slot) / per_second;
        let slots = (0..).take_while(|slot| outstanding(*slot) < WINDOW.as_secs_f64());
        let answered = slots.map(|slot| {
            let outstanding = outstanding(slot);
            let done = (f64::from(slot + 1) / capacity).max(outstanding + 1.0 / capacity);
            Answered {
                intended_at: began_at + Duration::from_secs_f64(outstanding),
                late: Duration::ZERO,
                latency: Duration::from_secs_f64(done - outstanding),
            }
        });
        Outcome {
            began_at,
            answered: answered.collect(),
            unanswered: 0,
        }
    }

    #[tokio::test]
    async fn the_highest_rate_is_found_from_below_and_from_above() {
        for first in [150.0, 1_500.0, 20_000.0] {
            let found = highest(first, async |rate| Ok(served(rate, 2_000.0))).await;
            let found = found.expect("there is one");
            assert!((1_850.0..=2_070.0).contains(&found), "{found}");
        }
    }

    #[tokio::test]
    async fn a_server_that_answers_nothing_has_no_rate() {
        let found = highest(1_000.0, async |rate| {
            let mut outcome = served(rate, 1e6);
            outcome.unanswered = 1;
            Ok(outcome)
        });
        assert!(matches!(found.await, Err(LatencyError::NoRate(_))));
    }
}
