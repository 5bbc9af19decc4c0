//! What paired windows prove: the median of their ratios, and how sure it is.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::Serialize;

/// Resamplings of the bootstrap.
const RESAMPLES: usize = 10_000;

/// The fewest pairs, starts and seconds of a window that give a verdict.
const PAIRS_MIN: usize = 24;
const STARTS_MIN: usize = 3;
const WINDOW_S_MIN: f64 = 4.0;

/// A median with its bootstrap 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    /// The lower end.
    pub low: f64,
    /// The median of what was measured.
    pub median: f64,
    /// The upper end.
    pub high: f64,
}

/// What a measurement says about a goal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The whole interval is within the goal.
    Met,
    /// The whole interval is outside.
    Missed,
    /// The goal lies within the interval.
    Undecided,
    /// Too few or too short windows for any of these.
    TooFew,
}

impl Verdict {
    /// Its word in the table.
    pub fn word(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::Missed => "missed",
            Self::Undecided => "undecided",
            Self::TooFew => "too few windows",
        }
    }
}

impl Estimate {
    /// The median of some figures. The seed decides the resampling.
    ///
    /// # Panics
    ///
    /// Without figures.
    pub fn bootstrap(figures: &[f64], seed: u64) -> Self {
        assert!(!figures.is_empty(), "a median needs a figure");
        let mut random = StdRng::seed_from_u64(seed);
        let mut resample = || {
            let drawn = figures
                .iter()
                .map(|_| figures[random.random_range(0..figures.len())]);
            median(drawn.collect())
        };
        let mut medians: Vec<f64> = (0..RESAMPLES).map(|_| resample()).collect();
        medians.sort_by(f64::total_cmp);
        Self {
            low: medians[RESAMPLES / 40],
            median: median(figures.to_vec()),
            high: medians[RESAMPLES - 1 - RESAMPLES / 40],
        }
    }

    /// What it says about a goal that is an upper bound.
    pub fn against(&self, max: f64) -> Verdict {
        if self.high <= max {
            Verdict::Met
        } else if self.low > max {
            Verdict::Missed
        } else {
            Verdict::Undecided
        }
    }
}

/// How much was measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    pub(crate) pairs: usize,
    pub(crate) starts: usize,
    pub(crate) window_s: f64,
}

impl Effort {
    fn is_enough(self) -> bool {
        self.pairs >= PAIRS_MIN && self.starts >= STARTS_MIN && self.window_s >= WINDOW_S_MIN
    }
}

/// A ratio of paired windows, and what it may be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Goal {
    /// The ratio.
    pub times: Estimate,
    /// What it may be.
    pub times_max: f64,
    /// What that says.
    pub verdict: Verdict,
}

impl Goal {
    /// Judges the ratios of all pairs. The seed decides the resampling.
    pub(crate) fn judge(ratios: &[f64], times_max: f64, effort: Effort, seed: u64) -> Self {
        let times = Estimate::bootstrap(ratios, seed);
        Self {
            times,
            times_max,
            verdict: if effort.is_enough() {
                times.against(times_max)
            } else {
                Verdict::TooFew
            },
        }
    }
}

/// The middle one, or the mean of the middle two.
pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    if figures.len() % 2 == 1 {
        figures[middle]
    } else {
        f64::midpoint(figures[middle - 1], figures[middle])
    }
}

#[cfg(test)]
mod tests {
    use super::{Estimate, Verdict, median};

    #[test]
    fn the_interval_decides() {
        let figures: Vec<f64> = (0..24).map(|n| 2.0 + f64::from(n % 5) / 10.0).collect();
        let estimate = Estimate::bootstrap(&figures, 1);
        assert!((estimate.median - 2.2).abs() < 1e-9, "{estimate:?}");
        assert!(estimate.low >= 2.1 && estimate.high <= 2.3, "{estimate:?}");
        assert_eq!(estimate.against(2.5), Verdict::Met);
        assert_eq!(estimate.against(1.9), Verdict::Missed);
        let wide = Estimate {
            low: 1.0,
            median: 2.0,
            high: 3.0,
        };
        assert_eq!(wide.against(2.5), Verdict::Undecided);
        assert_eq!(wide.against(1.5), Verdict::Undecided);
        assert_eq!(
            Estimate::bootstrap(&figures, 1),
            estimate,
            "the seed decides"
        );
    }

    #[test]
    fn the_median_of_an_even_number_is_between_two() {
        assert!((median(vec![4.0, 1.0, 3.0, 2.0]) - 2.5).abs() < 1e-9);
    }
}
