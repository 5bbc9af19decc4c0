//! Logs with one oddity each, replayed against the server under test.

use std::fs;

use loadtest::replay::{Conclusion, Replayed};

use crate::harness::replay;

const HEADER: &str = "time_utc,team,puzzle,guess,verdict\n";

/// Replays rows on a puzzle `Maze` with the answer `EXIT`.
async fn replay_rows(rows: &str, options: &str) -> Replayed {
    let log = testkit::temporary_folder().expect("a temporary folder can be made");
    let guesses = format!("{HEADER}{rows}");
    fs::write(log.path().join("guess-log.csv"), guesses).expect("the log can be written");
    let puzzles = "puzzle,answer\nMaze,EXIT\n";
    fs::write(log.path().join("puzzles.csv"), puzzles).expect("the puzzles can be written");
    replay(log.path(), options).await
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_that_the_rules_do_not_judge_are_counted_apart() {
    for (rows, judged) in [
        ("2020-09-19 00:00:00,owls,Maze,,N\n", 0),
        ("2020-09-19 00:00:00,owls,Maze,???,N\n", 0),
        (
            "2020-09-19 00:00:00,owls,Maze,EXIT,Y\n2020-09-19 00:00:01,owls,Maze,DOOR,N\n",
            1,
        ),
        (
            "2020-09-19 00:00:00,owls,Maze,DOOR,N\n2020-09-19 00:00:01,owls,Maze,door,N\n\
             2020-09-19 00:00:01,owls,Maze,EXIT,Y\n",
            2,
        ),
    ] {
        let Replayed {
            report, problems, ..
        } = &replay_rows(rows, "").await;
        assert_eq!((report.guesses, report.not_judged), (judged, 1), "{rows}");
        assert!(report.is_good(), "{rows}{problems:#?}\n{report}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_verdict_is_one_mismatch() {
    let replayed = replay_rows("2020-09-19 00:00:00,owls,Maze,EXIT,N\n", "").await;
    let report = &replayed.report;
    assert_eq!(report.verdict_mismatches, 1, "{report}");
    assert_eq!(report.not_judged, 0, "{report}");
    assert_eq!(replayed.conclusion(), Conclusion::Bad);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_team_plays_under_a_stand_in_name_if_the_server_rejects_its_own() {
    let rows = "2020-09-19 00:00:00,\u{180e},Maze,EXIT,Y\n2020-09-19 00:00:00,owls,Maze,EXIT,Y\n";
    let Replayed {
        report, problems, ..
    } = &replay_rows(rows, "").await;
    assert!(report.is_good(), "{problems:#?}\n{report}");
    assert_eq!(report.guesses, 2, "{report}");
    let [remark] = &*report.remarks else {
        panic!("one name is replaced: {report}");
    };
    assert!(remark.contains("\"Team 2 of the log\""), "{remark}");
    assert!(report.to_string().contains(remark.as_str()), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_name_plays() {
    let name = "Click. ".repeat(26);
    let rows = format!("2020-09-19 00:00:00,{name},Maze,EXIT,Y\n");
    let report = replay_rows(&rows, "").await.report;
    assert!(report.is_good(), "{report}");
    assert_eq!(report.guesses, 1, "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_without_the_requested_kills_fails() {
    let row = "2020-09-19 00:00:00,owls,Maze,EXIT,Y\n";
    let replayed = replay_rows(row, "--kill-every 600").await;
    let report = &replayed.report;
    assert_eq!(report.missing_outages, ["kill"], "{report}");
    assert_eq!(replayed.conclusion().exit_status(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_data_directory_is_created() {
    let parent = testkit::temporary_folder().expect("a temporary folder can be made");
    let data_dir = parent.path().join("new/data");
    let row = "2020-09-19 00:00:00,owls,Maze,EXIT,Y\n";
    let options = format!("--data-dir {}", data_dir.display());
    let report = replay_rows(row, &options).await.report;
    assert!(report.is_good(), "{report}");
    assert!(data_dir.join("journal.sqlite").is_file());
}
