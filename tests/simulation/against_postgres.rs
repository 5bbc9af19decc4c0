//! Compares the simulated store with a real PostgreSQL: the same schedules must give the same outcomes.
//!
//! A schedule is a list of statements. Some are issued while another transaction locks the ownership row,
//! as a running append or claim does, and wait for its end.

use cluecast::ids::{Claim, Epoch, Incarnation, Ownership, SessionId};
use cluecast::journal::{
    AppendError, Batch, BatchesMax, Catalogue, ClaimError, History, Journal, Ledger,
    PostgresJournal, PostgresOptions, SessionRecord, Snapshot, Truncation,
};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, PgConnection};
use testkit::Postgres;

use crate::dice::Dice;
use crate::store::{Fence, Store};

const SCHEDULES: u64 = 40;
const STATEMENTS: usize = 40;
const OWNERS: [Incarnation; 3] = [Incarnation(1), Incarnation(2), Incarnation(3)];
/// The owner that the other transaction sets.
const THIEF: Incarnation = Incarnation(9);

/// A statement. Its arguments depend on what is stored when it is issued.
#[derive(Debug, Clone, Copy)]
enum Statement {
    Append {
        by: Writer,
        position: Position,
    },
    Claim {
        expected: Expectation,
        to: Incarnation,
    },
    Release {
        expected: Expectation,
    },
    PutSnapshot {
        ahead: u64,
        verified: bool,
    },
    /// Truncates everything before this many last events.
    Truncate {
        by: Writer,
        but: u64,
    },
    Load,
}

#[derive(Debug, Clone, Copy)]
enum Writer {
    Owner,
    OwnerInEarlierEpoch,
    Stranger,
}

#[derive(Debug, Clone, Copy)]
enum Position {
    Next,
    /// The last row again.
    Repeated,
    AfterGap,
}

#[derive(Debug, Clone, Copy)]
enum Expectation {
    Right,
    WrongOwner,
    WrongEpoch,
}

/// What another transaction does with the ownership row while a statement is issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hold {
    Nothing,
    /// A share lock, as an append takes it.
    Share,
    /// A change that commits, as a claim makes it.
    TakeAway,
    /// A change that is rolled back.
    TouchOnly,
}

type Schedule = Vec<(Statement, Hold)>;

fn schedule(seed: u64) -> Schedule {
    let dice = Dice::new(seed);
    let expected = || {
        *dice.pick(&[
            Expectation::Right,
            Expectation::Right,
            Expectation::WrongOwner,
            Expectation::WrongEpoch,
        ])
    };
    let writer = || {
        *dice.pick(&[
            Writer::Owner,
            Writer::Owner,
            Writer::OwnerInEarlierEpoch,
            Writer::Stranger,
        ])
    };
    let statement = || match dice.throw(12) {
        0..5 => Statement::Append {
            by: writer(),
            position: *dice.pick(&[
                Position::Next,
                Position::Next,
                Position::Repeated,
                Position::AfterGap,
            ]),
        },
        5..8 => Statement::Claim {
            expected: expected(),
            to: *dice.pick(&OWNERS),
        },
        8 => Statement::Release {
            expected: expected(),
        },
        9 => Statement::Truncate {
            by: writer(),
            but: dice.throw(5) as u64,
        },
        10 => Statement::Load,
        _ => Statement::PutSnapshot {
            ahead: *dice.pick(&[0, 0, 0, 1, 2]),
            verified: dice.chance(80),
        },
    };
    let holds = [Hold::Nothing, Hold::Share, Hold::TakeAway, Hold::TouchOnly];
    let steps = std::iter::repeat_with(|| (statement(), *dice.pick(&holds)));
    steps.take(STATEMENTS).collect()
}

impl Statement {
    /// Whether it waits for the transaction that locks the row.
    fn waits_for(self, hold: Hold) -> bool {
        match self {
            // The row of another owner does not match, so that the statement does not wait for its lock.
            Self::Append { by, .. } | Self::Truncate { by, .. } => {
                matches!(by, Writer::Owner) && matches!(hold, Hold::TakeAway | Hold::TouchOnly)
            }
            Self::Claim { expected, .. } | Self::Release { expected } => {
                matches!(expected, Expectation::Right) && hold != Hold::Nothing
            }
            Self::PutSnapshot { .. } | Self::Load => false,
        }
    }
}

/// What is stored, from which the arguments of a statement follow.
struct Found {
    ownership: Ownership,
    head: u64,
    last_row: Option<(u64, u64, Epoch, Vec<u8>)>,
}

impl Found {
    /// The owner and epoch that a writer names.
    fn name(&self, by: Writer) -> (Incarnation, Epoch) {
        let Ownership { owner, epoch, .. } = self.ownership;
        let owner = owner.unwrap_or(OWNERS[0]);
        match by {
            Writer::Owner => (owner, epoch),
            Writer::OwnerInEarlierEpoch => (owner, Epoch(epoch.0.saturating_sub(1))),
            Writer::Stranger => (Incarnation(77), epoch),
        }
    }

    fn truncation(&self, by: Writer, but: u64) -> Truncation {
        let (owner, epoch) = self.name(by);
        Truncation {
            session: self.ownership.session,
            owner,
            epoch,
            through_seq: self.head.saturating_sub(but),
            batches_max: 2,
        }
    }

    fn batch(&self, by: Writer, position: Position) -> Batch {
        let session = self.ownership.session;
        let (owner, epoch) = self.name(by);
        let next = |first_seq: u64| (first_seq, first_seq + 1, first_seq.to_string().into_bytes());
        let (first_seq, last_seq, events) = match (position, &self.last_row) {
            (Position::Repeated, Some((first, last, _, events))) => (*first, *last, events.clone()),
            (Position::Repeated | Position::Next, _) => next(self.head + 1),
            (Position::AfterGap, _) => next(self.head + 3),
        };
        Batch {
            session,
            owner,
            epoch,
            first_seq,
            last_seq,
            at_ms: 0,
            events,
            private: Vec::new(),
        }
    }

    fn expected(&self, expected: Expectation) -> Ownership {
        let mut held = self.ownership;
        match expected {
            Expectation::Right => {}
            Expectation::WrongOwner => held.owner = Some(Incarnation(88)),
            Expectation::WrongEpoch => held.epoch = Epoch(held.epoch.0 + 1),
        }
        held
    }
}

fn appended(outcome: Result<(), AppendError>) -> String {
    match outcome {
        Ok(()) => "appended".to_owned(),
        Err(error) => format!("{error:?}"),
    }
}

fn changed<T: std::fmt::Debug>(outcome: Result<T, ClaimError>) -> String {
    match outcome {
        Ok(given) => format!("{given:?}"),
        Err(error) => format!("{error:?}"),
    }
}

async fn simulated(schedule: &Schedule, session: SessionId, seed: u64) -> Vec<String> {
    let store = Store::new(session, Fence::RowLock, Dice::new(seed));
    let mut outcomes = Vec::new();
    for (statement, hold) in schedule {
        let found = found_rows(
            store.ownership(),
            store.oldest(u64::MAX, BatchesMax::UNBOUNDED),
        );
        let held = store.hold(*hold == Hold::Share).await;
        let asked = ask_simulated(&store, *statement, &found);
        let ending = async {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            if *hold == Hold::TakeAway {
                store.set_owner(THIEF);
            }
            drop(held);
        };
        // A statement that does not wait completes before the other transaction ends.
        let (outcome, ()) = if *hold == Hold::Nothing {
            drop(ending);
            (asked.await, ())
        } else {
            tokio::join!(asked, ending)
        };
        outcomes.push(outcome);
    }
    outcomes.push(format!("{:?} {:?}", store.ownership(), store.load()));
    outcomes
}

async fn ask_simulated(store: &Store, statement: Statement, found: &Found) -> String {
    match statement {
        Statement::Append { by, position } => {
            appended(store.append(found.batch(by, position)).await)
        }
        Statement::Claim { expected, to } => {
            changed(store.claim(found.expected(expected).claim_for(to)).await)
        }
        Statement::Release { expected } => {
            let held = found.expected(expected);
            let owner = held.owner.unwrap_or(OWNERS[0]);
            changed(store.release(owner, held.epoch).await)
        }
        Statement::PutSnapshot { ahead, verified } => {
            let snapshot = state(found.head + ahead);
            let (seq, digest) = (snapshot.seq, snapshot.digest);
            store.put_snapshot(snapshot);
            let is_marked = verified && store.mark_verified(seq, digest);
            format!("{is_marked} {:?}", store.verified_snapshots())
        }
        Statement::Truncate { by, but } => {
            format!("{:?}", store.truncate(found.truncation(by, but)).await)
        }
        Statement::Load => format!("{:?}", store.load()),
    }
}

fn state(seq: u64) -> Snapshot {
    Snapshot::new(seq, seq.to_string().into_bytes())
}

fn found_rows(ownership: Ownership, rows: Vec<cluecast::journal::StoredBatch>) -> Found {
    let last = rows.into_iter().next_back();
    Found {
        ownership,
        head: last.as_ref().map_or(0, |row| row.last_seq),
        last_row: last.map(|row| (row.first_seq, row.last_seq, row.epoch, row.events)),
    }
}

/// A real server: the journal, a connection that locks the row, and one that watches for lock waits.
struct Real {
    journal: PostgresJournal,
    holder: PgConnection,
    watcher: PgConnection,
}

impl Real {
    async fn open(connect: PgConnectOptions) -> Self {
        let options = PostgresOptions::new(connect.clone(), Incarnation(1));
        let migrated = PostgresJournal::migrate(&options).await;
        migrated.expect("the database is empty");
        let journal = PostgresJournal::open(options).await;
        Self {
            journal: journal.expect("the schema is this program's"),
            holder: connect
                .connect()
                .await
                .expect("the server accepts connections"),
            watcher: connect
                .connect()
                .await
                .expect("the server accepts connections"),
        }
    }

    async fn outcomes(&mut self, schedule: &Schedule, session: SessionId) -> Vec<String> {
        let journal = self.journal.clone();
        let hunt = journal.put_hunt("hunt".to_owned(), Vec::new()).await;
        hunt.expect("it is stored");
        let record = SessionRecord {
            id: session,
            code: session.to_string(),
            hunt_revision: "hunt".to_owned(),
            created_at_ms: 0,
        };
        journal.create_session(record).await.expect("it is new");
        let mut outcomes = Vec::new();
        for (statement, hold) in schedule {
            let ownership = journal.ownership(session).await.expect("it is read");
            let rows = journal
                .read_oldest(session, u64::MAX, BatchesMax::UNBOUNDED)
                .await
                .expect("it is read");
            let found = found_rows(ownership.expect("it was created"), rows);
            self.hold(*hold, session).await;
            let asked = ask_real(journal.clone(), *statement, found);
            let outcome = if statement.waits_for(*hold) {
                let mut asked = Box::pin(asked);
                let early = tokio::select! {
                    outcome = &mut asked => Some(outcome),
                    () = self.wait_for_lock_wait() => None,
                };
                self.end(*hold).await;
                match early {
                    Some(outcome) => outcome,
                    None => asked.await,
                }
            } else {
                let outcome = asked.await;
                self.end(*hold).await;
                outcome
            };
            outcomes.push(outcome);
        }
        let ownership = journal.ownership(session).await.expect("it is read");
        let loaded = journal.load(session).await.expect("it is read");
        let ownership = ownership.expect("it was created");
        outcomes.push(format!("{ownership:?} {loaded:?}"));
        outcomes
    }

    async fn hold(&mut self, hold: Hold, session: SessionId) {
        let id = session.number();
        let statement = match hold {
            Hold::Nothing => return,
            Hold::Share => format!("SELECT 1 FROM ownership WHERE session_id = {id} FOR SHARE"),
            Hold::TakeAway | Hold::TouchOnly => format!(
                "UPDATE ownership SET owner_incarnation = {}, epoch = epoch + 1 WHERE session_id = {id}",
                THIEF.0
            ),
        };
        execute(&mut self.holder, format!("BEGIN; {statement}")).await;
    }

    async fn end(&mut self, hold: Hold) {
        let statement = match hold {
            Hold::Nothing => return,
            Hold::Share | Hold::TakeAway => "COMMIT",
            Hold::TouchOnly => "ROLLBACK",
        };
        execute(&mut self.holder, statement.to_owned()).await;
    }

    /// Waits until a statement waits for a lock.
    async fn wait_for_lock_wait(&mut self) {
        let waits = "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted)";
        loop {
            let waits: bool = sqlx::query_scalar(waits)
                .fetch_one(&mut self.watcher)
                .await
                .expect("the server answers");
            if waits {
                return;
            }
        }
    }
}

async fn execute(connection: &mut PgConnection, statements: String) {
    let statements = sqlx::raw_sql(AssertSqlSafe(statements));
    let executed = statements.execute(connection).await;
    executed.expect("the statement is right");
}

async fn ask_real(journal: PostgresJournal, statement: Statement, found: Found) -> String {
    let session = found.ownership.session;
    match statement {
        Statement::Append { by, position } => {
            appended(journal.append(found.batch(by, position)).await)
        }
        Statement::Claim { expected, to } => {
            let claim: Claim = found.expected(expected).claim_for(to);
            changed(journal.claim(claim).await)
        }
        Statement::Release { expected } => {
            let held = found.expected(expected);
            let owner = held.owner.unwrap_or(OWNERS[0]);
            changed(journal.release(session, owner, held.epoch).await)
        }
        Statement::PutSnapshot { ahead, verified } => {
            let snapshot = state(found.head + ahead);
            let (seq, digest) = (snapshot.seq, snapshot.digest);
            let stored = journal.put_snapshot(session, snapshot).await;
            stored.expect("it is stored");
            let is_marked = verified && {
                let marked = journal.mark_verified(session, seq, digest).await;
                marked.expect("it is marked")
            };
            let all = journal.verified_snapshots(session).await;
            format!("{is_marked} {:?}", all.expect("they are listed"))
        }
        Statement::Truncate { by, but } => {
            let truncated = journal.truncate(found.truncation(by, but)).await;
            format!("{truncated:?}")
        }
        Statement::Load => format!("{:?}", journal.load(session).await.expect("it is read")),
    }
}

#[test]
fn the_simulated_store_does_what_postgres_does() {
    let schedules: Vec<(u64, Schedule)> =
        (0..SCHEDULES).map(|seed| (seed, schedule(seed))).collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let real: Vec<Vec<String>> = runtime.block_on(async {
        let server = Postgres::start(&testkit::PostgresOptions::default()).await;
        let server = server.expect("PostgreSQL is installed");
        let connect = server
            .url()
            .parse()
            .expect("the spawner's address is right");
        let mut real = Real::open(connect).await;
        let mut all = Vec::new();
        for (seed, schedule) in &schedules {
            all.push(real.outcomes(schedule, SessionId::new(seed + 1)).await);
        }
        real.journal.close().await.expect("it closes");
        all
    });
    for ((seed, schedule), real) in schedules.iter().zip(real) {
        let simulated = simulated(schedule, SessionId::new(seed + 1), *seed);
        let simulated = crate::paused_runtime().block_on(simulated);
        let steps = schedule
            .iter()
            .map(|(statement, hold)| format!("{statement:?} under {hold:?}"));
        let steps = steps.chain(["the end".to_owned()]);
        for ((step, real), simulated) in steps.zip(real).zip(simulated) {
            assert_eq!(simulated, real, "schedule {seed}: {step}");
        }
    }
}
