//! Runs the harness through its command line, within the test's process.

use std::path::Path;

use clap::Parser;
use loadtest::arguments::{Arguments, Task};
use loadtest::replay::{Conclusion, Replayed};
use tokio::sync::Mutex;

/// Tests with a server and some hundred clients run one at a time, so that kills happen during activity.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

/// More than any client sends.
const NO_LIMITS: [&str; 4] = [
    "--server-set",
    "limits.commands_per_second=1000000",
    "--server-set",
    "limits.commands_burst=1000000",
];

/// Replays the log in a folder against a server of the binary under test, with these options.
pub async fn replay(log: &Path, options: &str) -> Replayed {
    let _alone = ONE_AT_A_TIME.lock().await;
    let guesses = log.join("guess-log.csv");
    let puzzles = log.join("puzzles.csv");
    let fixed = [
        "cluecast-loadtest".as_ref(),
        "replay".as_ref(),
        "--guesses".as_ref(),
        guesses.as_os_str(),
        "--puzzles".as_ref(),
        puzzles.as_os_str(),
        "--server-binary".as_ref(),
        env!("CARGO_BIN_EXE_cluecast").as_ref(),
    ];
    let options = NO_LIMITS.into_iter().chain(options.split_whitespace());
    let line = fixed.into_iter().chain(options.map(AsRef::as_ref));
    let arguments = Arguments::try_parse_from(line).expect("the options are known");
    let Task::Replay(arguments) = arguments.task else {
        panic!("the task is a replay");
    };
    let replayed = Box::pin(loadtest::replay::replay(*arguments)).await;
    replayed.expect("the replay begins")
}

/// Asserts that every guess was acknowledged and that the report has no errors.
pub fn assert_whole(replayed: &Replayed, guesses: u64) {
    let Replayed {
        report,
        problems,
        unfinished,
    } = replayed;
    assert!(unfinished.is_none(), "{unfinished:?}\n{report}");
    let faults = [
        report.verdict_mismatches,
        report.lost,
        report.duplicated,
        report.stream_gaps,
    ];
    assert_eq!(faults, [0; 4], "{problems:#?}\n{report}");
    assert_eq!(report.guesses, guesses, "{report}");
    assert_eq!(replayed.conclusion(), Conclusion::Good);
    assert_eq!(replayed.conclusion().exit_status(), 0);
}

/// Asserts that the server was stopped, and that every client reconnected after the advised delay.
pub fn assert_goaway_compliance(replayed: &Replayed) {
    let report = &replayed.report;
    assert!(report.stops_between_first_and_last_guess >= 1, "{report}");
    let advice = report.goaway_compliance;
    assert!(advice.goaways > 0, "{report}");
    assert_eq!(advice.too_early, 0, "{report}");
    assert_eq!(advice.in_time, advice.goaways, "{report}");
}
