//! The report, as a table and as JSON.

use std::fmt::Write;

use serde::Serialize;

use super::{BEST, Cell, Side};

/// The required ratio of the journal's rate to the bare loop's.
const GOAL: f64 = 0.8;

/// All measurements.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    window_ms: u64,
    row_bytes: usize,
    /// Every cell, once.
    pub(super) scanned: Vec<Measured>,
    /// The best cells of either side, again.
    pub(super) again: Vec<Measured>,
    /// The best cell of either side, per number of sessions.
    best: Vec<Best>,
}

/// The windows of a cell, in rows per second.
#[derive(Debug, Serialize)]
pub(super) struct Measured {
    #[serde(skip)]
    pub(super) cell: Cell,
    sessions: u64,
    lanes: usize,
    batch: usize,
    /// The bare loop with the journal's statement.
    bare: Vec<f64>,
    /// The bare loop without the check of contiguity; scanned only.
    unchecked: Vec<f64>,
    writer: Vec<f64>,
}

#[derive(Debug, Serialize)]
struct Best {
    sessions: u64,
    bare: f64,
    bare_cell: String,
    writer: f64,
    writer_cell: String,
    ratio: f64,
    /// The journal's worst window over the loop's best one, and the best over the worst.
    ratio_range: (f64, f64),
    /// Ratio to the unchecked loop, from the scan.
    ratio_unchecked: f64,
    goal: f64,
    met: bool,
}

impl Measured {
    pub(super) fn new(cell: Cell) -> Self {
        Self {
            cell,
            sessions: cell.sessions,
            lanes: cell.lanes,
            batch: cell.batch,
            bare: Vec::new(),
            unchecked: Vec::new(),
            writer: Vec::new(),
        }
    }

    /// The windows of a side.
    pub(super) fn rates_mut(&mut self, side: Side) -> &mut Vec<f64> {
        match side {
            Side::Bare => &mut self.bare,
            Side::Unchecked => &mut self.unchecked,
            Side::Writer => &mut self.writer,
        }
    }

    fn bare(&self) -> f64 {
        median(&self.bare)
    }

    fn unchecked(&self) -> f64 {
        median(&self.unchecked)
    }

    fn writer(&self) -> f64 {
        median(&self.writer)
    }

    fn name(&self) -> String {
        format!("{} lanes, batches of {}", self.lanes, self.batch)
    }

    pub(super) fn line(&self) -> String {
        let mut line = format!(
            "{:>8} {:>5} {:>5} {:>12.0} {:>12.0} {:>6.2}",
            self.sessions,
            self.lanes,
            self.batch,
            self.bare(),
            self.writer(),
            self.writer() / self.bare()
        );
        if !self.unchecked.is_empty() {
            let _ = write!(line, " {:>12.0}", self.unchecked());
        }
        line
    }
}

impl Report {
    pub(super) fn new(window_ms: u64, row_bytes: usize) -> Self {
        Self {
            window_ms,
            row_bytes,
            scanned: Vec::new(),
            again: Vec::new(),
            best: Vec::new(),
        }
    }

    /// Picks the cells to measure again.
    pub(super) fn choose(&mut self) {
        for sessions in numbers_of_sessions(&self.scanned) {
            for rate in [Measured::bare, Measured::writer] {
                for best in best_cells(&self.scanned, sessions, rate).take(BEST) {
                    let is_chosen = |chosen: &Measured| chosen.cell == best.cell;
                    if !self.again.iter().any(is_chosen) {
                        self.again.push(Measured::new(best.cell));
                    }
                }
            }
        }
    }

    /// Compares the best of either side.
    pub(super) fn finish(&mut self) {
        for sessions in numbers_of_sessions(&self.again) {
            let best = |rate| best_cells(&self.again, sessions, rate).next();
            let unchecked = best_cells(&self.scanned, sessions, Measured::unchecked).next();
            let (Some(bare), Some(writer), Some(unchecked)) =
                (best(Measured::bare), best(Measured::writer), unchecked)
            else {
                continue;
            };
            let ratio = writer.writer() / bare.bare();
            self.best.push(Best {
                sessions,
                bare: bare.bare(),
                bare_cell: bare.name(),
                writer: writer.writer(),
                writer_cell: writer.name(),
                ratio,
                ratio_range: (
                    least(&writer.writer) / most(&bare.bare),
                    most(&writer.writer) / least(&bare.bare),
                ),
                ratio_unchecked: writer.writer() / unchecked.unchecked(),
                goal: GOAL,
                met: ratio >= GOAL,
            });
        }
    }

    /// The report as text.
    pub(super) fn table(&self) -> String {
        let mut table =
            String::from("sessions lanes batch  bare rows/s      journal  ratio     unchecked\n");
        for measured in &self.scanned {
            let _ = writeln!(table, "{}", measured.line());
        }
        let _ = writeln!(table, "the best of them again:");
        for measured in &self.again {
            let _ = writeln!(table, "{}", measured.line());
        }
        for best in &self.best {
            let _ = writeln!(
                table,
                "best with {} session(s): bare {:.0} rows/s ({}), journal {:.0} ({}): {:.2} (single \
                 windows {:.2} to {:.2}; {:.2} of the unchecked loop), goal {GOAL}: {}",
                best.sessions,
                best.bare,
                best.bare_cell,
                best.writer,
                best.writer_cell,
                best.ratio,
                best.ratio_range.0,
                best.ratio_range.1,
                best.ratio_unchecked,
                if best.met { "met" } else { "missed" }
            );
        }
        table
    }
}

/// Each number of sessions once, in order of measurement.
fn numbers_of_sessions(measured: &[Measured]) -> Vec<u64> {
    let mut sessions: Vec<u64> = measured.iter().map(|measured| measured.sessions).collect();
    sessions.dedup();
    sessions
}

/// The cells with so many sessions, the highest rate first.
fn best_cells(
    measured: &[Measured],
    sessions: u64,
    rate: fn(&Measured) -> f64,
) -> impl Iterator<Item = &Measured> {
    let cells = measured.iter().filter(|cell| cell.sessions == sessions);
    let mut cells: Vec<&Measured> = cells.collect();
    cells.sort_by(|a, b| rate(b).total_cmp(&rate(a)));
    cells.into_iter()
}

fn least(figures: &[f64]) -> f64 {
    figures.iter().copied().fold(f64::INFINITY, f64::min)
}

fn most(figures: &[f64]) -> f64 {
    figures.iter().copied().fold(f64::NEG_INFINITY, f64::max)
}

fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => sorted[count / 2],
        count => f64::midpoint(sorted[count / 2 - 1], sorted[count / 2]),
    }
}
