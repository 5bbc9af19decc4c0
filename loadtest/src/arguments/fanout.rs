//! The command line of `fanout`.

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

  10,000 players who are cut at random for up to two minutes:
    cluecast-loadtest fanout --connections 10000 --clues-per-second 2 \\
        --seconds 120 --cut-seconds 0..120 --json fanout.json

  Do readers that stall or are slow make the others wait? Alternating windows:
    cluecast-loadtest fanout --connections 1000 --clues-per-second 20 \\
        --size 2000 --stalled 0.01 --slow 0.05 --pairs 24 --starts 12

  A backlog of 8 clues that are on their way at any moment:
    cluecast-loadtest fanout --connections 1000 --backlog 8 --everyone 1

  A server that runs already, which should list the harness in gateway.venues:
    export CLUECAST_ADMIN_TOKEN=$(cluecast token admin --data-dir DIR)
    cluecast-loadtest fanout --connections 200 --server http://127.0.0.1:8080

Both processes need a file for each connection: see `ulimit -n`.
";

/// Pushes clues to many connections and checks what each of them is told.
///
/// A game master pushes clues to everyone, to teams and to single players, in random order, on a
/// fixed schedule. Every client checks its own stream: each clue that is meant for it, once, in
/// order, and none of anybody else's. Clients may be cut and come back with their cursor; stalled
/// ones stop reading for a while, slow ones read some bytes a second. At the end each must have
/// everything, from updates or from a snapshot.
///
/// A delivery's latency counts from the moment the clue was scheduled for, and only for clients that
/// read well and were there at that moment.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct FanoutArguments {
    /// How many clients, each a player's device
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub connections: u32,

    /// Clues a second, on a fixed schedule; a session takes 1,000 in all
    #[arg(long, value_name = "R", default_value_t = 2.0, value_parser = rate)]
    pub clues_per_second: f64,

    /// Instead of a schedule: keep so many clues on their way, as fast as they are acknowledged
    #[arg(long, value_name = "B", conflicts_with = "clues_per_second", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub backlog: Option<u16>,

    /// How long clues are pushed
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    pub seconds: Duration,

    /// Which share of the clues goes to everyone; half of the others to teams, half to players
    #[arg(long, value_name = "SHARE", default_value_t = 0.5, value_parser = share)]
    pub everyone: f64,

    /// Characters of a clue's text
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u16).range(32..=2000))]
    pub size: u16,

    /// How messages are written
    #[arg(long, value_name = "CODEC", default_value = "msgpack")]
    pub codec: CodecName,

    /// Which share of the clients stops reading now and then
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    pub stalled: f64,

    /// For how long they stop each time
    #[arg(long, value_name = "SECONDS", default_value = "5..30")]
    pub stall_seconds: SecondsRange,

    /// Which share of the clients reads slowly
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    pub slow: f64,

    /// How slowly
    #[arg(long, value_name = "BYTES", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(8..=1_000_000))]
    pub slow_bytes_per_second: u32,

    /// Cut every client at random moments, for so long each time
    #[arg(long, value_name = "SECONDS")]
    pub cut_seconds: Option<SecondsRange>,

    /// Measure the same load with and without the stalled and slow readers, in so many pairs of
    /// windows in the order ABBA
    #[arg(long, value_name = "N", conflicts_with_all = ["seconds", "cut_seconds", "backlog"], value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub pairs: Option<u32>,

    /// Over how many starts of the server the pairs are spread, each with a session of its own
    #[arg(long, value_name = "N", default_value_t = 3, requires = "pairs", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub starts: u32,

    /// The length of a window
    #[arg(long, value_name = "SECONDS", default_value = "4", requires = "pairs", value_parser = seconds)]
    pub window: Duration,

    /// The goal: the others' 99th percentile beside stalled and slow readers may be so many times
    /// the one without them
    #[arg(long, value_name = "TIMES", default_value_t = 1.25, requires = "pairs")]
    pub p99_max: f64,

    /// Which server to use.
    #[command(flatten)]
    pub server: ServerArguments,

    /// Players of a team
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub team_size: u32,

    /// How many clients join or connect at the same time
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub concurrency: u16,

    /// How long clients may take, once all are back, until each has everything
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    pub settle_max: Duration,

    /// Decides who gets which clue, who is cut or stalls when, and the resampling of the bootstrap
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,

    /// Write the figures to this file
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// A codec by its short name.
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

/// Durations from a shortest to a longest one, written as `0..120` or `30`, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecondsRange {
    min: Duration,
    /// At least the shortest one.
    max: Duration,
}

impl SecondsRange {
    /// Any of them, evenly spread.
    pub fn draw(self, random: &mut impl Rng) -> Duration {
        let spread_s = self.max.saturating_sub(self.min).as_secs_f64();
        self.min + Duration::from_secs_f64(spread_s * random.random::<f64>())
    }

    /// The longest one.
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
                Err("write seconds from the shortest to the longest, as in 0..120".to_owned())
            }
        }
    }
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        Ok(_) | Err(_) => Err("write a share from 0 to 1, as 0.05 for one in twenty".to_owned()),
    }
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if (0.01..=10_000.0).contains(&rate) => Ok(rate),
        Ok(_) | Err(_) => Err("write a number from 0.01 to 10000".to_owned()),
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
