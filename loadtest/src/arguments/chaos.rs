//! The command line of `chaos`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::seconds;

const EXAMPLES: &str = "\
Examples, one for each fault and each promise:
  A look, within a minute: one node on SQLite, killed and restarted 10 times:
    cluecast-loadtest chaos

  owner-kill: the owner of 200 sessions is killed 200 times; another node takes over:
    cluecast-loadtest chaos --nodes 3 --sessions 600 --players 1200 \\
        --fault owner-kill --count 200 --json kill.json

  owner-pause: stopped past its validity, taken over, and continued, 100 times:
    cluecast-loadtest chaos --nodes 3 --sessions 60 --players 240 \\
        --fault owner-pause --count 100

  pg-kill: PostgreSQL killed and restarted 20 times:
    cluecast-loadtest chaos --fault pg-kill --count 20

  pg-freeze: PostgreSQL stands still for 10 s, three times:
    cluecast-loadtest chaos --fault pg-freeze --count 3 --lasting 10

  pg-slow: every message to and from PostgreSQL takes 100 ms longer:
    cluecast-loadtest chaos --fault pg-slow --count 3 --lasting 5

  reply-lost: 200 commits succeed, but nobody hears of it:
    cluecast-loadtest chaos --fault reply-lost --count 200

  disk-full: the disk of PostgreSQL's log fills up and is freed (needs root):
    cluecast-loadtest chaos --fault disk-full --count 3 --lasting 5

  Every command sent 10 times, over ever new connections, while owners die:
    cluecast-loadtest chaos --nodes 3 --sessions 20 --players 100 \\
        --fault owner-kill --count 10 --resend 10 --commands 10000

  Several faults in an order that the seed decides:
    cluecast-loadtest chaos --nodes 3 --fault owner-kill,owner-pause,pg-kill \\
        --count 5 --seed 7

What is counted, and what fails the run:
  lost            acknowledged commands that the journal lacks
  applied_twice   commands that the journal has more than once
  stale_rows      journal rows of an owner that had been replaced before them
  stream_gaps, stream_duplicates, updates_not_in_journal
                  what a client saw of its numbered updates
  A goal without a sample, or without anybody who watched, is missed.
";

/// Injects faults into nodes and PostgreSQL of its own while players play, then checks what was
/// promised.
///
/// It starts the nodes, if need be a PostgreSQL, on free ports with temporary folders, and
/// players who guess and note what they sent, what was acknowledged, and what they saw. Between two
/// faults it waits until every session answers again. At the end the players' notes are compared
/// with the journal: its export, and the epochs of its rows.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub struct ChaosArguments {
    /// What to inject; several, separated by commas, come in random order
    #[arg(
        long,
        value_name = "NAME[,NAME…]",
        value_delimiter = ',',
        default_value = "owner-kill"
    )]
    pub fault: Vec<Fault>,

    /// How often each of the faults
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub count: u32,

    /// How many nodes; more than one share a PostgreSQL
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=16))]
    pub nodes: u16,

    /// How many players, spread over sessions and nodes, two to a team
    #[arg(long, value_name = "N", default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub players: u32,

    /// How many sessions
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=5_000))]
    pub sessions: u32,

    /// Where the journal is; by default PostgreSQL if nodes or faults need it
    #[arg(long, value_name = "STORE")]
    pub journal: Option<JournalStore>,

    /// Send every command so many times, each time on a new connection to the next node
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub resend: u32,

    /// How many guesses a player has without an answer at most: one that waits for a second makes the next
    /// one, so that a session which pauses can say so. With --resend always 1
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=20))]
    pub outstanding: u8,

    /// Go on after the last fault until so many commands are acknowledged
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub commands: u64,

    /// How long a player thinks after a receipt, half to one and a half times
    #[arg(long, value_name = "SECONDS", default_value = "0.2", value_parser = seconds)]
    pub think: Duration,

    /// How long a fault lasts that has an end of its own; by default 10 for pg-freeze, else 5
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub lasting: Option<Duration>,

    /// The quiet time between a recovery and the next fault, half to one and a half times
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = seconds)]
    pub calm: Duration,

    /// Decides victims, order, pauses and the players' delays
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,

    /// The server to start; by default the `cluecast` beside this binary
    #[arg(long, value_name = "PATH")]
    pub server_binary: Option<PathBuf>,

    /// A setting of every node, may be repeated
    #[arg(long = "server-set", value_name = "KEY=VALUE")]
    pub server_settings: Vec<String>,

    /// Write the figures to this file
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// Give up after this time
    #[arg(long, value_name = "SECONDS", default_value = "3600", value_parser = seconds)]
    pub timeout: Duration,
}

/// What can be injected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum)]
pub enum Fault {
    /// SIGKILL to the node that owns most sessions; it is restarted a moment later
    OwnerKill,
    /// SIGSTOP to that node until others own its sessions, then SIGCONT
    OwnerPause,
    /// SIGKILL to every process of PostgreSQL, and a restart
    PgKill,
    /// SIGSTOP to every process of PostgreSQL for a while
    PgFreeze,
    /// A delay on the way to PostgreSQL and back for a while
    PgSlow,
    /// The reply to a commit is lost, and its connection cut
    ReplyLost,
    /// No room on the disk of PostgreSQL's write-ahead log for a while
    DiskFull,
}

/// Where the journal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum JournalStore {
    /// In the node's own folder
    Sqlite,
    /// In a PostgreSQL that is started for the run
    Postgres,
}

impl Fault {
    /// Every fault, in the order of the help.
    pub const ALL: [Self; 7] = [
        Self::OwnerKill,
        Self::OwnerPause,
        Self::PgKill,
        Self::PgFreeze,
        Self::PgSlow,
        Self::ReplyLost,
        Self::DiskFull,
    ];

    /// Its name on the command line and in reports.
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

    /// Where the journal is, or what contradicts what.
    pub fn store(&self) -> Result<JournalStore, String> {
        let needs_postgres = self.fault.iter().find(|fault| fault.needs_postgres());
        match (self.journal, needs_postgres) {
            (Some(JournalStore::Sqlite), Some(fault)) => {
                Err(format!("{} needs --journal postgres", fault.name()))
            }
            (Some(JournalStore::Sqlite), None) if self.nodes > 1 => {
                Err("several nodes need --journal postgres".to_owned())
            }
            _ if self.nodes == 1 && self.fault.contains(&Fault::OwnerPause) => {
                Err("owner-pause needs another node to take over: --nodes 2".to_owned())
            }
            _ if self.players < 2 * self.sessions => Err(format!(
                "each of the {} sessions needs a team of two: --players {}",
                self.sessions,
                2 * self.sessions
            )),
            (Some(store), _) => Ok(store),
            (None, Some(_)) => Ok(JournalStore::Postgres),
            (None, None) if self.nodes > 1 => Ok(JournalStore::Postgres),
            (None, None) => Ok(JournalStore::Sqlite),
        }
    }

    /// How long this fault lasts, if it has an end of its own.
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
