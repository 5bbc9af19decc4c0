//! What was measured, as a table and as JSON.

use std::fmt::Write;

use serde::Serialize;

use super::{BEST, Cell, Side};

/// What the writer must reach of the bare loop.
const GOAL: f64 = 0.8;

/// Everything that was measured.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    window_ms: u64,
    row_bytes: usize,
    /// Every cell, once.
    pub(super) scanned: Vec<Measured>,
    /// The best cells of either side, again.
    pub(super) again: Vec<Measured>,
    /// For each number of sessions: the best of either side, whatever the cell.
    best: Vec<Best>,
}

/// A cell's windows, in rows a second.
#[derive(Debug, Serialize)]
pub(super) struct Measured {
    #[serde(skip)]
    pub(super) cell: Cell,
    sessions: u64,
    lanes: usize,
    batch: usize,
    /// The loop of the journal's own statement.
    bare: Vec<f64>,
    /// The loop without the proof of contiguity; not measured again.
    unproven: Vec<f64>,
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
    /// The writer's worst window over the loop's best one, and the other way round.
    ratio_range: (f64, f64),
    /// Against the loop that proves nothing, from the scan.
    ratio_unproven: f64,
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
            unproven: Vec::new(),
            writer: Vec::new(),
        }
    }

    /// The windows of a side.
    pub(super) fn of(&mut self, side: Side) -> &mut Vec<f64> {
        match side {
            Side::Bare => &mut self.bare,
            Side::Unproven => &mut self.unproven,
            Side::Writer => &mut self.writer,
        }
    }

    fn bare(&self) -> f64 {
        median(&self.bare)
    }

    fn unproven(&self) -> f64 {
        median(&self.unproven)
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
        if !self.unproven.is_empty() {
            let _ = write!(line, " {:>12.0}", self.unproven());
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
            let unproven = best_cells(&self.scanned, sessions, Measured::unproven).next();
            let (Some(bare), Some(writer), Some(unproven)) =
                (best(Measured::bare), best(Measured::writer), unproven)
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
                ratio_unproven: writer.writer() / unproven.unproven(),
                goal: GOAL,
                met: ratio >= GOAL,
            });
        }
    }

    /// For people.
    pub(super) fn table(&self) -> String {
        let mut table =
            String::from("sessions lanes batch  bare rows/s      journal  ratio without proof\n");
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
                 windows {:.2} to {:.2}; {:.2} of the loop without proof), goal {GOAL}: {}",
                best.sessions,
                best.bare,
                best.bare_cell,
                best.writer,
                best.writer_cell,
                best.ratio,
                best.ratio_range.0,
                best.ratio_range.1,
                best.ratio_unproven,
                if best.met { "met" } else { "missed" }
            );
        }
        table
    }
}

/// Each number of sessions once, in the order of being measured.
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
