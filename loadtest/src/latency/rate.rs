//! Looks for the highest rate of an even schedule that a server keeps up with.

use std::time::Duration;

use super::LatencyError;
use super::generator::{Answered, Outcome};
use crate::report::LatencyMs;

/// The length of a window of the search.
pub(super) const WINDOW: Duration = Duration::from_secs(2);

/// A guess of the search that waits for longer ends its window.
pub(super) const UNANSWERED_FOR_MAX: Duration = Duration::from_secs(1);

/// Within what time 99 of 100 receipts have to come, in the window and in its last quarter: with a
/// backlog that grows, the last ones would be the latest.
const KEPT_UP_MS_MAX: f64 = 50.0;

/// A search begins at this share of a rate that is not likely to be reached: a closed loop's, or for
/// solves that of wrong guesses.
pub(super) const FIRST_SHARE: f64 = 0.5;

/// The step to the next rate, until one is too high; then the steps are halved, so often.
const STEP: f64 = 1.4;
const HALVINGS: u32 = 3;

/// Below this there is something else wrong.
const RATE_MIN: f64 = 10.0;

/// Guesses a second that were answered from the begin to the last answer.
pub(super) fn answered_per_s(outcome: &Outcome) -> f64 {
    let received_at = |answered: &Answered| answered.intended_at + answered.latency;
    let last = outcome.answered.iter().map(received_at).max();
    let took = last.map_or(Duration::MAX, |last| last - outcome.began_at);
    f64::from(u32::try_from(outcome.answered.len()).unwrap_or(u32::MAX)) / took.as_secs_f64()
}

/// The highest rate whose window is kept up with, to a few per cent; the first one tried is given.
pub(super) async fn highest(
    first: f64,
    window: impl AsyncFn(f64) -> Result<Outcome, LatencyError>,
) -> Result<f64, LatencyError> {
    let mut rate = first;
    let mut step = STEP;
    let mut is_up = keeps_up(window(rate).await)?;
    let went_up = is_up;
    let mut good = is_up.then_some(rate);
    // To the first rate on the other side.
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
    // The highest good rate and the lowest bad one are one step apart.
    let mut highest = good.ok_or(LatencyError::NoRate(rate))?;
    for _ in 0..HALVINGS {
        step = step.sqrt();
        if keeps_up(window(highest * step).await)? {
            highest *= step;
        }
    }
    Ok(highest)
}

/// Whether a window was kept up with. That a server refuses what it cannot bear is an answer, and so is that
/// these teams cannot make so many guesses.
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

    /// A window of a server that answers so many a second, one after the other.
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
