//! What was measured, as a table and as JSON.

use std::fmt::Write;

use serde::Serialize;

/// What the writer must reach of the bare loop.
const GOAL: f64 = 0.8;

/// Everything that was measured.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    window_ms: u64,
    row_bytes: usize,
    cells: Vec<Measured>,
    /// For each number of sessions: the best of either side, whatever the cell.
    best: Vec<Best>,
}

/// A cell's windows, in rows a second.
#[derive(Debug, Serialize)]
pub(super) struct Measured {
    sessions: u64,
    lanes: usize,
    batch: usize,
    pub(super) bare: Vec<f64>,
    pub(super) writer: Vec<f64>,
}

#[derive(Debug, Serialize)]
struct Best {
    sessions: u64,
    bare: f64,
    bare_cell: String,
    writer: f64,
    writer_cell: String,
    ratio: f64,
    goal: f64,
    met: bool,
}

impl Measured {
    pub(super) fn new(sessions: u64, lanes: usize, batch: usize) -> Self {
        let (bare, writer) = (Vec::new(), Vec::new());
        Self {
            sessions,
            lanes,
            batch,
            bare,
            writer,
        }
    }

    fn ratio(&self) -> f64 {
        median(&self.writer) / median(&self.bare)
    }

    fn name(&self) -> String {
        format!("{} lanes, batches of {}", self.lanes, self.batch)
    }

    pub(super) fn line(&self) -> String {
        format!(
            "{:>8} {:>5} {:>5} {:>12.0} {:>12.0} {:>6.2}",
            self.sessions,
            self.lanes,
            self.batch,
            median(&self.bare),
            median(&self.writer),
            self.ratio()
        )
    }
}

impl Report {
    pub(super) fn new(window_ms: u64, row_bytes: usize) -> Self {
        Self {
            window_ms,
            row_bytes,
            cells: Vec::new(),
            best: Vec::new(),
        }
    }

    /// Adds a cell's windows to what was measured of it before.
    pub(super) fn add(&mut self, measured: Measured) {
        let key = |cell: &Measured| (cell.sessions, cell.lanes, cell.batch);
        match self
            .cells
            .iter_mut()
            .find(|cell| key(cell) == key(&measured))
        {
            Some(cell) => {
                cell.bare.extend(measured.bare);
                cell.writer.extend(measured.writer);
            }
            None => self.cells.push(measured),
        }
    }

    /// Compares the best of either side.
    pub(super) fn finish(&mut self) {
        let mut sessions: Vec<u64> = self.cells.iter().map(|cell| cell.sessions).collect();
        sessions.dedup();
        for sessions in sessions {
            let cells = || self.cells.iter().filter(|cell| cell.sessions == sessions);
            let best_of =
                |rate: fn(&Measured) -> f64| cells().max_by(|a, b| rate(a).total_cmp(&rate(b)));
            let bare = best_of(|cell| median(&cell.bare));
            let writer = best_of(|cell| median(&cell.writer));
            if let (Some(bare), Some(writer)) = (bare, writer) {
                let ratio = median(&writer.writer) / median(&bare.bare);
                self.best.push(Best {
                    sessions,
                    bare: median(&bare.bare),
                    bare_cell: bare.name(),
                    writer: median(&writer.writer),
                    writer_cell: writer.name(),
                    ratio,
                    goal: GOAL,
                    met: ratio >= GOAL,
                });
            }
        }
    }

    /// For people.
    pub(super) fn table(&self) -> String {
        let mut table = String::from("sessions lanes batch  bare rows/s  journal      ratio\n");
        for cell in &self.cells {
            let _ = writeln!(table, "{}", cell.line());
        }
        for best in &self.best {
            let _ = writeln!(
                table,
                "best with {} session(s): bare {:.0} rows/s ({}), journal {:.0} ({}): {:.2}, goal {GOAL}: {}",
                best.sessions,
                best.bare,
                best.bare_cell,
                best.writer,
                best.writer_cell,
                best.ratio,
                if best.met { "met" } else { "missed" }
            );
        }
        table
    }
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
