//! Injected faults that the harness must detect.

use loadtest::replay::Conclusion;

use crate::harness::replay;
use crate::synthetic_log::Log;

#[tokio::test(flavor = "multi_thread")]
async fn a_verdict_that_differs_from_the_log_is_detected() {
    let mut log = Log::of_seed(5);
    let wrong = log.lines.iter_mut().find(|line| !line.is_correct);
    wrong.expect("most guesses are wrong").is_correct = true;
    let replayed = replay(log.write().path(), "--speed max").await;
    assert_eq!(replayed.report.verdict_mismatches, 1, "{replayed:?}");
    assert_eq!(replayed.conclusion(), Conclusion::Bad);
    assert_eq!(replayed.conclusion().exit_status(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_loses_data_is_detected() {
    let log = Log::of_seed(6).write();
    let options = "--speed 200 --kill-every 1 --reconnect-max 0.2 \
                   --server-set journal.backend=memory";
    let replayed = replay(log.path(), options).await;
    assert!(replayed.report.lost > 0, "{replayed:?}");
    assert_eq!(replayed.conclusion(), Conclusion::Bad);
    assert_eq!(replayed.conclusion().exit_status(), 1);
}
