//! Command line of `chaos`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::seconds;

const EXAMPLES: &str = "\
Examples, one for each fault and each guarantee:
  A first run of less than a minute: one node on SQLite, killed and restarted 10 times:
    cluecast-loadtest chaos

  owner-kill: the owner of 200 sessions is killed 200 times; another node takes over:
    cluecast-loadtest chaos --nodes 3 --sessions 600 --players 1200 \\
        --fault owner-kill --count 200 --json kill.json

  owner-pause: the owner is stopped until its lease expires and other nodes take over, 100 times:
    cluecast-loadtest chaos --nodes 3 --sessions 60 --players 240 \\
        --fault owner-pause --count 100

  pg-kill: PostgreSQL killed and restarted 20 times:
    cluecast-loadtest chaos --fault pg-kill --count 20

  pg-freeze: PostgreSQL is stopped for 10 s, three times:
    cluecast-loadtest chaos --fault pg-freeze --count 3 --lasting 10

  pg-slow: 100 ms of extra latency in each direction between nodes and PostgreSQL:
    cluecast-loadtest chaos --fault pg-slow --count 3 --lasting 5

  reply-lost: 200 commits succeed, but their replies are dropped:
    cluecast-loadtest chaos --fault reply-lost --count 200

  disk-full: the disk of PostgreSQL's write-ahead log fills up and is freed (needs root):
    cluecast-loadtest chaos --fault disk-full --count 3 --lasting 5

  Every command sent 10 times, each on a new connection, while owners are killed:
    cluecast-loadtest chaos --nodes 3 --sessions 20 --players 100 \\
        --fault owner-kill --count 10 --resend 10 --commands 10000

  Several faults in an order that the seed determines:
    cluecast-loadtest chaos --nodes 3 --fault owner-kill,owner-pause,pg-kill \\
        --count 5 --seed 7

Violations that fail the run:
  lost            acknowledged commands that are missing in the journal
  applied_twice   commands that the journal contains more than once
  stale_rows      journal rows that an owner wrote after it was replaced
  stream_gaps, stream_duplicates, updates_not_in_journal
                  violations in the numbered updates that clients received
  A goal without a sample counts as missed.
";

/// Inject faults into nodes and PostgreSQL under load, then check the guarantees.
///
/// The test starts the nodes and, where needed, PostgreSQL on free ports with temporary directories. Players
/// guess and record what they sent, what was acknowledged and which updates they received. After each fault
/// the test waits until every session has recovered. At the end it compares the players' records with the
/// journal: the exported events, and the epochs of the journal's rows.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub struct ChaosArguments {
    /// Faults to inject, separated by commas; several are injected in random order
    #[arg(
        long,
        value_name = "NAME[,NAME…]",
        value_delimiter = ',',
        default_value = "owner-kill"
    )]
    pub fault: Vec<Fault>,

    /// How many times to inject each fault
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub count: u32,

    /// Number of nodes; several nodes share one PostgreSQL
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=16))]
    pub nodes: u16,

    /// Number of players, in teams of two, spread over sessions and nodes
    #[arg(long, value_name = "N", default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub players: u32,

    /// Number of sessions
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=5_000))]
    pub sessions: u32,

    /// Backend of the journal; by default PostgreSQL if --nodes or --fault require it, otherwise SQLite
    #[arg(long, value_name = "STORE")]
    pub journal: Option<JournalStore>,

    /// How many times to send every command, each time on a new connection to the next node
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub resend: u32,

    /// Maximum outstanding guesses of a player. A player sends its next guess after 1 s without an answer, so
    /// that a paused session can reject it. Always 1 with --resend
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=20))]
    pub outstanding: u8,

    /// Continue after the last fault until this many commands are acknowledged
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub commands: u64,

    /// Mean think time of a player after a receipt (uniform, 0.5 to 1.5 times)
    #[arg(long, value_name = "SECONDS", default_value = "0.2", value_parser = seconds)]
    pub think: Duration,

    /// Duration of pg-freeze, pg-slow and disk-full; by default 10 s for pg-freeze, otherwise 5 s
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub lasting: Option<Duration>,

    /// Mean pause between a recovery and the next fault (uniform, 0.5 to 1.5 times)
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = seconds)]
    pub calm: Duration,

    /// Seed of the random order of faults, pauses and player delays
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,

    /// Server binary to start; by default the `cluecast` next to this binary
    #[arg(long, value_name = "PATH")]
    pub server_binary: Option<PathBuf>,

    /// Setting of every node; may be repeated
    #[arg(long = "server-set", value_name = "KEY=VALUE")]
    pub server_settings: Vec<String>,

    /// Write the report to this file as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// Abort after this time
    #[arg(long, value_name = "SECONDS", default_value = "3600", value_parser = seconds)]
    pub timeout: Duration,
}

/// A fault that can be injected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum)]
pub enum Fault {
    /// SIGKILL to the node that owns most sessions, followed by a restart
    OwnerKill,
    /// SIGSTOP to the node that owns most sessions until other nodes own them, then SIGCONT
    OwnerPause,
    /// SIGKILL to every process of PostgreSQL, followed by a restart
    PgKill,
    /// SIGSTOP to every process of PostgreSQL, then SIGCONT
    PgFreeze,
    /// Extra latency in both directions between the nodes and PostgreSQL
    PgSlow,
    /// The reply to a commit is dropped and its connection cut
    ReplyLost,
    /// The disk of PostgreSQL's write-ahead log is full, then freed
    DiskFull,
}

/// Backend of the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum JournalStore {
    /// A SQLite file in the node's data directory
    Sqlite,
    /// A PostgreSQL that the harness starts for the run
    Postgres,
}

impl Fault {
    /// All faults, in the order of the help text.
    pub const ALL: [Self; 7] = [
        Self::OwnerKill,
        Self::OwnerPause,
        Self::PgKill,
        Self::PgFreeze,
        Self::PgSlow,
        Self::ReplyLost,
        Self::DiskFull,
    ];

    /// Name on the command line and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::OwnerKill => "owner-kill",
            Self::OwnerPause => "owner-pause",
            Self::PgKill => "pg-kill",
            Self::PgFreeze => "pg-freeze",
            Self::PgSlow => "pg-slow",
            Self::ReplyLost => "reply-lost",
            Self::DiskFull => "disk-full",
        }
    }

    fn needs_postgres(self) -> bool {
        match self {
            Self::OwnerKill => false,
            Self::OwnerPause
            | Self::PgKill
            | Self::PgFreeze
            | Self::PgSlow
            | Self::ReplyLost
            | Self::DiskFull => true,
        }
    }
}

impl ChaosArguments {
    pub(crate) fn outstanding_max(&self) -> usize {
        match self.resend {
            1 => usize::from(self.outstanding),
            _ => 1,
        }
    }

    /// Selects the journal backend, or returns why the options contradict each other.
    pub fn store(&self) -> Result<JournalStore, String> {
        let needs_postgres = self.fault.iter().find(|fault| fault.needs_postgres());
        match (self.journal, needs_postgres) {
            (Some(JournalStore::Sqlite), Some(fault)) => Err(format!(
                "{} requires PostgreSQL: use --journal postgres, or leave --journal out",
                fault.name()
            )),
            (Some(JournalStore::Sqlite), None) if self.nodes > 1 => Err(
                "several nodes require PostgreSQL: use --journal postgres, or leave --journal out"
                    .to_owned(),
            ),
            _ if self.nodes == 1 && self.fault.contains(&Fault::OwnerPause) => Err(
                "owner-pause requires another node to take over: use --nodes 2 or more".to_owned(),
            ),
            _ if self.players < 2 * self.sessions => Err(format!(
                "each of the {} sessions requires a team of two: use --players {} or more, or fewer \
                 --sessions",
                self.sessions,
                2 * self.sessions
            )),
            (Some(store), _) => Ok(store),
            (None, Some(_)) => Ok(JournalStore::Postgres),
            (None, None) if self.nodes > 1 => Ok(JournalStore::Postgres),
            (None, None) => Ok(JournalStore::Sqlite),
        }
    }

    /// Duration of a fault that ends by itself.
    pub fn lasting(&self, fault: Fault) -> Duration {
        let default = match fault {
            Fault::PgFreeze => Duration::from_secs(10),
            Fault::OwnerKill
            | Fault::OwnerPause
            | Fault::PgKill
            | Fault::PgSlow
            | Fault::ReplyLost
            | Fault::DiskFull => Duration::from_secs(5),
        };
        self.lasting.unwrap_or(default)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::{ChaosArguments, Fault, JournalStore};
    use crate::arguments::{Arguments, Task};

    fn chaos(options: &str) -> ChaosArguments {
        let line = format!("cluecast-loadtest chaos {options}");
        let arguments = Arguments::try_parse_from(line.split_whitespace());
        match arguments.expect("the options are known").task {
            Task::Chaos(arguments) => *arguments,
            Task::Replay(_)
            | Task::Idle(_)
            | Task::Latency(_)
            | Task::Fanout(_)
            | Task::Abuse(_)
            | Task::Churn(_) => {
                panic!("the task is chaos")
            }
        }
    }

    #[test]
    fn every_fault_has_its_name() {
        for fault in Fault::ALL {
            let options = format!("--nodes 2 --fault {}", fault.name());
            assert_eq!(chaos(&options).fault, [fault]);
        }
        let several = chaos("--nodes 2 --fault pg-kill,owner-pause");
        assert_eq!(several.fault, [Fault::PgKill, Fault::OwnerPause]);
    }

    #[test]
    fn the_store_follows_from_nodes_and_faults() {
        let store = |options| chaos(options).store();
        assert_eq!(store(""), Ok(JournalStore::Sqlite));
        assert_eq!(store("--nodes 2"), Ok(JournalStore::Postgres));
        assert_eq!(store("--fault pg-slow"), Ok(JournalStore::Postgres));
        assert_eq!(store("--journal postgres"), Ok(JournalStore::Postgres));
        for contradiction in [
            "--journal sqlite --nodes 2",
            "--journal sqlite --fault pg-kill",
            "--fault owner-pause",
            "--players 7 --sessions 4",
        ] {
            assert!(store(contradiction).is_err(), "{contradiction}");
        }
    }
}
