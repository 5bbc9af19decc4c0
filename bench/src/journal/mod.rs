//! The journal's lanes against a bare loop, for each cell of batches per flush, lanes and sessions.
//!
//! Both send the same statement with rows of the same size to the same table of the same server, with
//! synchronous commits, in alternating windows A B B A. After each window the rows in the table must equal
//! the acknowledged ones. A loop without the check that batches follow the stored head runs too, for
//! information only.
//!
//! First every cell is scanned. Then the best cells of either side are measured again, alternating, and the
//! verdict uses these windows only, because the best of many short windows is biased upwards.

mod bare;
mod report;
mod writer;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use cluecast::ids::{Epoch, Incarnation};
use cluecast::journal::{JournalError, PostgresJournal, PostgresOptions};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection};
use testkit::{Postgres, PostgresError};
use tokio::time::Instant;

use bare::Statement;
use report::{Measured, Report};

const OWNER: Incarnation = Incarnation(7);
const EPOCH: Epoch = Epoch(1);
/// The session ids of either side start here.
const BARE_FROM: u64 = 1;
const WRITER_FROM: u64 = 1_000_001;
const SESSIONS_MAX: u64 = 200;
/// Windows of a scanned cell.
const SCAN: [Side; 6] = [
    Side::Unchecked,
    Side::Bare,
    Side::Writer,
    Side::Writer,
    Side::Bare,
    Side::Unchecked,
];
/// Windows per round of a cell that is measured again.
const AGAIN: [Side; 4] = [Side::Bare, Side::Writer, Side::Writer, Side::Bare];
/// Cells that are measured again, per side and number of sessions.
const BEST: usize = 2;

/// What to measure.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Rows that one statement inserts at most, separated by commas.
    #[arg(long, value_delimiter = ',', default_value = "1,10,100,512")]
    batches: Vec<usize>,
    /// Connections that insert.
    #[arg(long, value_delimiter = ',', default_value = "1,2,4,8")]
    lanes: Vec<usize>,
    /// Sessions that the rows belong to; a session's rows go over one connection.
    #[arg(long, value_delimiter = ',', default_value = "1,200")]
    sessions: Vec<u64>,
    /// Milliseconds of each window.
    #[arg(long, default_value_t = 1000)]
    window_ms: u64,
    /// Bytes of a row's events.
    #[arg(long, default_value_t = 200)]
    bytes: usize,
    /// Times that the best cells are measured again.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Writes the report to this file as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The server failed.
    #[error(transparent)]
    Server(#[from] PostgresError),
    /// The journal failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A statement of the benchmark failed.
    #[error(transparent)]
    Statement(#[from] sqlx::Error),
    /// A batch was not appended.
    #[error(transparent)]
    Append(#[from] cluecast::journal::AppendError),
    /// The acknowledged rows are not the stored ones.
    #[error("{acknowledged} rows were acknowledged and {stored} are stored")]
    Count {
        /// Number of acknowledged rows.
        acknowledged: u64,
        /// Number of stored rows.
        stored: u64,
    },
    /// A bare statement did not write all of its rows.
    #[error("{0} sessions of a bare statement were not written")]
    NotWritten(usize),
    /// The operating system reported an error.
    #[error(transparent)]
    System(#[from] std::io::Error),
}

/// One point of the comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    sessions: u64,
    lanes: usize,
    batch: usize,
    bytes: usize,
    window: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Bare,
    Unchecked,
    Writer,
}

/// Measures, prints the report, and writes it as JSON if requested.
pub fn run(arguments: &Arguments) -> Result<(), BenchError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let report = runtime.block_on(measure(arguments))?;
    print!("{}", report.table());
    if let Some(path) = &arguments.json {
        std::fs::write(
            path,
            serde_json::to_vec_pretty(&report).map_err(std::io::Error::from)?,
        )?;
    }
    Ok(())
}

async fn measure(arguments: &Arguments) -> Result<Report, BenchError> {
    // No checkpoints during the run: one would fall into a single window.
    let settings = [("max_wal_size", "32GB"), ("checkpoint_timeout", "1h")];
    let server = Postgres::start(&testkit::PostgresOptions {
        settings: settings
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
        ..testkit::PostgresOptions::default()
    })
    .await?;
    let connect: PgConnectOptions = server.url().parse()?;
    let options = PostgresOptions::new(connect.clone().disable_statement_logging(), OWNER);
    PostgresJournal::migrate(&options).await?;
    let mut table = connect.connect().await?;
    create_sessions(&mut table).await?;

    let mut report = Report::new(arguments.window_ms, arguments.bytes);
    let cells = cells(arguments);
    for (number, &cell) in cells.iter().enumerate() {
        let mut measured = Measured::new(cell);
        for side in SCAN {
            let rate = window(&options, &mut table, cell, side).await?;
            measured.rates_mut(side).push(rate);
        }
        eprintln!(
            "scanned {}/{}: {}",
            number + 1,
            cells.len(),
            measured.line()
        );
        report.scanned.push(measured);
    }
    report.choose();
    for round in 0..arguments.rounds {
        for index in 0..report.again.len() {
            let cell = report.again[index].cell;
            for side in AGAIN {
                let rate = window(&options, &mut table, cell, side).await?;
                report.again[index].rates_mut(side).push(rate);
            }
            let so_far = report.again[index].line();
            eprintln!("round {}/{}: {so_far}", round + 1, arguments.rounds);
        }
    }
    report.finish();
    Ok(report)
}

/// Every combination with at least one session per lane.
fn cells(arguments: &Arguments) -> Vec<Cell> {
    let mut cells = Vec::new();
    for &sessions in &arguments.sessions {
        let sessions = sessions.clamp(1, SESSIONS_MAX);
        for &lanes in &arguments.lanes {
            if lanes as u64 > sessions {
                continue;
            }
            for &batch in &arguments.batches {
                cells.push(Cell {
                    sessions,
                    lanes,
                    batch,
                    bytes: arguments.bytes,
                    window: Duration::from_millis(arguments.window_ms),
                });
            }
        }
    }
    cells
}

/// Creates the sessions of both sides, owned and in their first epoch.
async fn create_sessions(table: &mut PgConnection) -> Result<(), BenchError> {
    for from in [BARE_FROM, WRITER_FROM] {
        sqlx::query(
            "INSERT INTO ownership (session_id, owner_incarnation, epoch) \
             SELECT generate_series($1, $1 + $2 - 1), $3, $4",
        )
        .bind(from.cast_signed())
        .bind(SESSIONS_MAX.cast_signed())
        .bind(OWNER.0.cast_signed())
        .bind(EPOCH.0.cast_signed())
        .execute(&mut *table)
        .await?;
    }
    Ok(())
}

/// Rows per second of one side in one window, on an empty table.
async fn window(
    options: &PostgresOptions,
    table: &mut PgConnection,
    cell: Cell,
    side: Side,
) -> Result<f64, BenchError> {
    sqlx::query("TRUNCATE journal").execute(&mut *table).await?;
    let (acknowledged, took) = match side {
        Side::Bare => bare::run(&options.connect, cell, Statement::Whole).await?,
        Side::Unchecked => bare::run(&options.connect, cell, Statement::Unchecked).await?,
        Side::Writer => writer::run(options, cell).await?,
    };
    let stored: i64 = sqlx::query_scalar("SELECT count(*) FROM journal")
        .fetch_one(table)
        .await?;
    let stored = stored.cast_unsigned();
    if stored != acknowledged {
        return Err(BenchError::Count {
            acknowledged,
            stored,
        });
    }
    #[expect(clippy::cast_precision_loss, reason = "a window has few rows")]
    let rate = acknowledged as f64 / took.as_secs_f64();
    Ok(rate)
}

/// Start and end of a window that begins now.
fn deadline(cell: Cell) -> (Instant, Instant) {
    let began = Instant::now();
    (began, began + cell.window)
}
