//! Command line of `fanout`.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, ValueEnum};
use protocol::Codec;
use rand::{Rng, RngExt};

use super::{ServerArguments, seconds};

const EXAMPLES: &str = "\
Examples:
  1,000 players, 10 clues a second for half a minute:
    cluecast-loadtest fanout --connections 1000 --clues-per-second 10

  10,000 players, each disconnected at random for up to two minutes:
    cluecast-loadtest fanout --connections 10000 --clues-per-second 2 \\
        --seconds 120 --cut-seconds 0..120 --json fanout.json

  Effect of stalled and slow readers on the other clients, in alternating windows:
    cluecast-loadtest fanout --connections 1000 --clues-per-second 20 \\
        --size 2000 --stalled 0.01 --slow 0.05 --pairs 24 --starts 12

  Closed loop with 8 unacknowledged clues at any moment:
    cluecast-loadtest fanout --connections 1000 --backlog 8 --everyone 1

  A running server, whose gateway.venues should include the address of the harness:
    export CLUECAST_ADMIN_TOKEN=$(cluecast token admin --data-dir DIR)
    cluecast-loadtest fanout --connections 200 --server http://127.0.0.1:8080

Both processes need one file descriptor per connection: see `ulimit -n`.
";

/// Push clues to many connections, some slow, stalled or cut, and check every delivery.
///
/// A game master pushes clues to everyone, to teams and to single players, in random order, on a
/// fixed schedule. Every client checks its own stream: it must receive each clue addressed to it exactly
/// once and in order, and no other clue. Clients can be cut and resume with their cursor; stalled
/// clients stop reading temporarily, slow clients read a few bytes per second. At the end each client must
/// have all of its clues, from updates or from a snapshot.
///
/// Latency is measured from the scheduled time of a clue, for normally reading clients that were attached
/// at that time.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct FanoutArguments {
    /// Number of clients, each the device of one player
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub connections: u32,

    /// Clues per second, on a fixed schedule; a session accepts 1,000 in total
    #[arg(long, value_name = "R", default_value_t = 2.0, value_parser = rate)]
    pub clues_per_second: f64,

    /// Closed loop instead of a schedule: keep this many clues unacknowledged
    #[arg(long, value_name = "B", conflicts_with = "clues_per_second", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub backlog: Option<u16>,

    /// Duration of the push
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    pub seconds: Duration,

    /// Fraction of clues to everyone; of the others half go to teams and half to players
    #[arg(long, value_name = "SHARE", default_value_t = 0.5, value_parser = share)]
    pub everyone: f64,

    /// Characters in a clue's text
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u16).range(32..=2000))]
    pub size: u16,

    /// Encoding of messages
    #[arg(long, value_name = "CODEC", default_value = "msgpack")]
    pub codec: CodecName,

    /// Fraction of clients that stop reading from time to time
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    pub stalled: f64,

    /// Duration of each stall
    #[arg(long, value_name = "SECONDS", default_value = "5..30")]
    pub stall_seconds: SecondsRange,

    /// Fraction of clients that read slowly
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    pub slow: f64,

    /// Read rate of slow clients
    #[arg(long, value_name = "BYTES", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(8..=1_000_000))]
    pub slow_bytes_per_second: u32,

    /// Disconnect every client at random times, for a duration from this range
    #[arg(long, value_name = "SECONDS")]
    pub cut_seconds: Option<SecondsRange>,

    /// Compare the same load with and without stalled and slow readers, in this many pairs of windows in
    /// ABBA order
    #[arg(long, value_name = "N", conflicts_with_all = ["seconds", "cut_seconds", "backlog"], value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub pairs: Option<u32>,

    /// Number of server starts over which the pairs are spread, each with a new session
    #[arg(long, value_name = "N", default_value_t = 3, requires = "pairs", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub starts: u32,

    /// Duration of a window
    #[arg(long, value_name = "SECONDS", default_value = "4", requires = "pairs", value_parser = seconds)]
    pub window: Duration,

    /// Goal: maximum ratio of the other clients' p99 with stalled and slow readers to their p99 without
    #[arg(long, value_name = "TIMES", default_value_t = 1.25, requires = "pairs")]
    pub p99_max: f64,

    /// The server under test.
    #[command(flatten)]
    pub server: ServerArguments,

    /// Players per team
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub team_size: u32,

    /// Maximum number of concurrent joins or connection attempts
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub concurrency: u16,

    /// Timeout for clients to catch up after all have reconnected
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    pub settle_max: Duration,

    /// Seed of the clue audiences, cuts, stalls and the bootstrap
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,

    /// Write the report to this file as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// Encoding of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CodecName {
    /// MessagePack.
    Msgpack,
    /// JSON.
    Json,
}

impl From<CodecName> for Codec {
    fn from(name: CodecName) -> Self {
        match name {
            CodecName::Msgpack => Self::MessagePack,
            CodecName::Json => Self::Json,
        }
    }
}

/// Range of durations, written as `0..120` or `30`, in seconds. Both bounds are inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecondsRange {
    min: Duration,
    /// Not less than `min`.
    max: Duration,
}

impl SecondsRange {
    /// Draws a duration, uniformly distributed.
    pub fn draw(self, random: &mut impl Rng) -> Duration {
        let spread_s = self.max.saturating_sub(self.min).as_secs_f64();
        self.min + Duration::from_secs_f64(spread_s * random.random::<f64>())
    }

    /// Upper bound.
    pub fn max(self) -> Duration {
        self.max
    }
}

impl FromStr for SecondsRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (min, max) = text.split_once("..").unwrap_or((text, text));
        let bound = |text: &str| {
            let seconds = text.trim().parse().ok();
            seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        };
        match (bound(min), bound(max)) {
            (Some(min), Some(max)) if min <= max => Ok(Self { min, max }),
            (Some(_) | None, Some(_) | None) => {
                Err("expected a range of seconds, such as 0..120 or 30".to_owned())
            }
        }
    }
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        Ok(_) | Err(_) => Err("expected a fraction from 0 to 1, such as 0.05 for 5 %".to_owned()),
    }
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if (0.01..=10_000.0).contains(&rate) => Ok(rate),
        Ok(_) | Err(_) => Err("expected a number from 0.01 to 10000".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::{SecondsRange, share};

    #[test]
    fn ranges_are_read_and_drawn_from() {
        let range: SecondsRange = "0.5..2".parse().expect("it is a range");
        let mut random = StdRng::seed_from_u64(1);
        for _ in 0..100 {
            let drawn = range.draw(&mut random).as_secs_f64();
            assert!((0.5..=2.0).contains(&drawn), "{drawn}");
        }
        let single: SecondsRange = "3".parse().expect("it is a range");
        assert_eq!(single.draw(&mut random), Duration::from_secs(3));
        for bad in ["2..1", "-1..2", "..", "a", "1..2..3", "NaN..1"] {
            assert!(bad.parse::<SecondsRange>().is_err(), "{bad}");
        }
    }

    #[test]
    fn shares_are_at_most_all() {
        assert_eq!(share("0.05"), Ok(0.05));
        for bad in ["-0.1", "1.1", "5%", "NaN"] {
            assert!(share(bad).is_err(), "{bad}");
        }
    }
}
