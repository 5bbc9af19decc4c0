use std::time::Duration;

use protocol::Verdict;

use super::{GuessLog, LogError, Mistake, Source, Verdicts, normalize_guess};

const HEADER: &str = "time_utc,team,puzzle,guess,verdict\n";
const PUZZLES: &str = "puzzle,answer\nMaze,EXIT\n\"Up, Down\",ELEVATOR\n";
const SOLVE: &str = "2020-09-19 00:00:00,owls,Maze,EXIT,Y\n";

fn read_with(guesses: &[u8], puzzles: &[u8], verdicts: &str) -> Result<GuessLog, LogError> {
    let guesses = Source {
        file: "log.csv",
        bytes: guesses,
    };
    let puzzles = Source {
        file: "puzzles.csv",
        bytes: puzzles,
    };
    let verdicts: Verdicts = verdicts.parse().expect("the verdicts are defined");
    GuessLog::read(guesses, puzzles, &verdicts)
}

fn read_bytes(guesses: &[u8]) -> Result<GuessLog, LogError> {
    read_with(guesses, PUZZLES.as_bytes(), "Y=correct,N=wrong")
}

/// Reads rows below the usual header.
fn read(rows: &str) -> Result<GuessLog, LogError> {
    read_bytes(format!("{HEADER}{rows}").as_bytes())
}

fn mistakes(result: Result<GuessLog, LogError>) -> Vec<Mistake> {
    match result {
        Err(LogError::Mistakes(mistakes)) => {
            assert_eq!(mistakes.total(), mistakes.shown().len());
            mistakes.shown().to_vec()
        }
        other => panic!("the log has mistakes: {other:?}"),
    }
}

/// Asserts that there is one mistake, in this file, line and column.
fn assert_named(
    result: Result<GuessLog, LogError>,
    place: (&str, u64, Option<&str>),
    found: &str,
    problem: &str,
) {
    let mistakes = mistakes(result);
    let [mistake] = &*mistakes else {
        panic!("one mistake: {mistakes:?}");
    };
    let at = (&*mistake.file, mistake.line, mistake.column.as_deref());
    assert_eq!(at, place, "{mistake}");
    assert_eq!(mistake.found, found, "{mistake}");
    assert!(mistake.problem.contains(problem), "{mistake}");
}

#[test]
fn guesses_are_kept_by_team_in_the_order_of_the_log() {
    let log = read(
        "2018-03-16 23:59:59,owls,Maze,WAR,N\n\
         2018-03-16 23:59:59,crows,\"Up, Down\",STAIRS,N\n\
         2018-03-17 00:00:01,owls,Maze,EXIT,Y\n",
    )
    .expect("the log is good");
    let names: Vec<&str> = log.teams.iter().map(|team| &*team.name).collect();
    assert_eq!(names, ["crows", "owls"]);
    assert_eq!((log.guesses(), log.length()), (3, Duration::from_secs(2)));
    assert_eq!(log.teams[0].guesses[0].puzzle, 1);
    let solve = &log.teams[1].guesses[1];
    assert_eq!((&*solve.guess, solve.verdict), ("EXIT", Verdict::Correct));
    assert_eq!(solve.after, Duration::from_secs(2));
    assert_eq!(log.remarks, [""; 0]);
}

#[test]
fn harmless_forms_are_read() {
    for text in [
        format!("{HEADER}{SOLVE}"),
        format!("\u{feff}{HEADER}{SOLVE}"),
        format!("{HEADER}{SOLVE}").replace('\n', "\r\n"),
        format!("{HEADER}{}", SOLVE.replace("owls", "owls ")),
        format!("{HEADER}{}", SOLVE.replace(",Y", ",y")),
        format!("{HEADER}{}", SOLVE.replace("19 00:00:00", "19T00:00:00")),
        format!("{HEADER}{}", SOLVE.replace("19 00:00:00", "19T00:00:00Z")),
        format!("{HEADER}{}", SOLVE.replace("00:00:00", "00:00:00+00:00")),
        format!("{HEADER}{}", SOLVE.replace("00:00:00", "00:00:00.123")),
    ] {
        let log = read_bytes(text.as_bytes()).expect(&text);
        assert_eq!((&*log.teams[0].name, log.guesses()), ("owls", 1), "{text}");
        assert_eq!(log.teams[0].guesses[0].verdict, Verdict::Correct, "{text}");
    }
    let puzzles = "\u{feff}puzzle,answer\r\nMaze,EXIT\r\n";
    let guesses = format!("{HEADER}{SOLVE}");
    let log = read_with(guesses.as_bytes(), puzzles.as_bytes(), "Y=correct");
    assert_eq!(log.expect("the puzzles are good").puzzles[0].title, "Maze");
}

#[test]
fn outer_blanks_do_not_make_another_team() {
    let rows = "2020-09-19 00:00:00,owls ,Maze,DOOR,N\n2020-09-19 00:00:01,owls,Maze,EXIT,Y\n";
    let log = read(rows).expect("the log is good");
    assert_eq!((log.teams.len(), log.guesses()), (1, 2));
}

#[test]
fn team_names_are_read_as_they_are() {
    for name in ["\u{180e}".to_owned(), "Click. ".repeat(26), "x".repeat(200)] {
        let log = read(&SOLVE.replace("owls", &name)).expect(&name);
        assert_eq!(log.teams[0].name, name.trim());
    }
    let long = "x".repeat(201);
    let result = read(&SOLVE.replace("owls", &long));
    let found = format!("{}…", "x".repeat(100));
    assert_named(
        result,
        ("log.csv", 2, Some("team")),
        &found,
        "200 characters",
    );
}

#[test]
fn repeated_and_empty_guesses_are_read() {
    for rows in [
        format!("{SOLVE}2020-09-19 00:00:01,owls,Maze,DOOR,N\n"),
        "2020-09-19 00:00:00,owls,Maze,DOOR,N\n".repeat(2),
        SOLVE.replace("EXIT,Y", ",N"),
        SOLVE.replace("EXIT,Y", "???,N"),
    ] {
        assert!(read(&rows).is_ok(), "{rows}");
    }
}

#[test]
fn a_puzzle_in_other_capitals_is_read_with_a_remark() {
    let log = read(&SOLVE.replace("Maze", "maze").repeat(2)).expect("the log is good");
    assert_eq!(log.teams[0].guesses[1].puzzle, 0);
    assert_eq!(
        log.remarks,
        ["the log's puzzle \"maze\" was read as \"Maze\""]
    );
}

#[test]
fn verdicts_can_be_defined() {
    let rows = SOLVE.replace(",Y", ",F");
    assert_named(
        read(&rows),
        ("log.csv", 2, Some("verdict")),
        "F",
        "expected one of Y, N",
    );
    let guesses = format!("{HEADER}{rows}");
    let verdicts = "Y=correct,N=wrong,F=free";
    let log = read_with(guesses.as_bytes(), PUZZLES.as_bytes(), verdicts);
    let log = log.expect("F is defined");
    assert_eq!(log.teams[0].guesses[0].verdict, Verdict::Correct);
    for bad in ["", "Y", "Y=yes", "=wrong", "Y=correct,y=wrong"] {
        assert!(bad.parse::<Verdicts>().is_err(), "{bad}");
    }
}

#[test]
fn other_separators_and_missing_columns_are_named() {
    for (separator, name) in [(";", "semicolons"), ("\t", "tabs")] {
        let text = format!("{HEADER}{SOLVE}").replace(',', separator);
        let found = HEADER.trim_end().replace(',', separator);
        assert_named(
            read_bytes(text.as_bytes()),
            ("log.csv", 1, None),
            &found,
            name,
        );
    }
    let text = "time_utc,team,puzzle,guess\n2020-09-19 00:00:00,owls,Maze,EXIT\n";
    let found = "time_utc,team,puzzle,guess";
    let lacks = "the header lacks verdict";
    assert_named(
        read_bytes(text.as_bytes()),
        ("log.csv", 1, None),
        found,
        lacks,
    );
    assert_named(
        read_bytes(b""),
        ("log.csv", 1, None),
        "",
        "the file is empty",
    );
}

#[test]
fn other_encodings_are_named() {
    let text = format!("{HEADER}{SOLVE}");
    let units = text.encode_utf16();
    let little: Vec<u8> = units.clone().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = units.flat_map(u16::to_be_bytes).collect();
    for bytes in [
        [&b"\xff\xfe"[..], &little].concat(),
        [&b"\xfe\xff"[..], &big].concat(),
        little,
    ] {
        let mistakes = mistakes(read_bytes(&bytes));
        assert_eq!(mistakes.len(), 1);
        assert!(mistakes[0].problem.contains("UTF-16"), "{}", mistakes[0]);
    }
    let rows = [
        HEADER.as_bytes(),
        b"2020-09-19 00:00:00,M\xfcnchen,Maze,EXIT,Y\n",
    ]
    .concat();
    let found = "2020-09-19 00:00:00,München,Maze,EXIT,Y";
    assert_named(
        read_bytes(&rows),
        ("log.csv", 2, None),
        found,
        "Windows-1252",
    );
}

#[test]
fn line_breaks_and_quotes_in_fields_are_named() {
    let broken = SOLVE.replace("owls", "\"ow\nls\"");
    assert_named(
        read(&broken),
        ("log.csv", 2, Some("team")),
        "ow\nls",
        "a line break",
    );
    let row = "2020-09-19 00:00:00,owls,Maze,\"he said \"hi\"\",N";
    assert_named(read(row), ("log.csv", 2, None), row, "must be doubled");
    let row = "2020-09-19 00:00:00,owls,Maze,\"open,N";
    assert_named(read(row), ("log.csv", 2, None), row, "not closed");
    let doubled = SOLVE.replace("EXIT,Y", "\"he said \"\"hi\"\"\",N");
    let log = read(&doubled).expect("the quotes are doubled");
    assert_eq!(log.teams[0].guesses[0].guess, "he said \"hi\"");
}

#[test]
fn mistakes_in_the_puzzle_list_are_named_there() {
    let guesses = format!("{HEADER}{SOLVE}");
    let read =
        |puzzles: &str| read_with(guesses.as_bytes(), puzzles.as_bytes(), "Y=correct,N=wrong");
    let place = |line, column| ("puzzles.csv", line, Some(column));
    let bad = read("puzzle,answer\nMaze,???\n");
    assert_named(bad, place(2, "answer"), "???", "no letter or digit");
    let twice = read("puzzle,answer\nMaze,EXIT\nMaze,DOOR\n");
    assert_named(
        twice,
        place(3, "puzzle"),
        "Maze",
        "already listed in line 2",
    );
}

#[test]
fn every_mistake_is_reported_at_once() {
    let rows = "2020-09-19 00:00:01,owls,Lost,WAR,N\n\
        16.3.2018,,Maze,WAR,yes\n\
        2020-09-19 00:00:00,owls,Maze,WAR,N\n\
        2020-09-19 00:00:02,owls,Maze\n";
    let mistakes = mistakes(read(rows));
    let places = mistakes.iter().map(|m| (m.line, m.column.as_deref()));
    let places: Vec<(u64, Option<&str>)> = places.collect();
    assert_eq!(
        places,
        [
            (2, Some("puzzle")),
            (3, Some("time_utc")),
            (3, Some("team")),
            (3, Some("verdict")),
            (4, Some("time_utc")),
            (5, None),
        ]
    );
    assert!(matches!(read(""), Err(LogError::Empty)));
}

#[test]
fn many_mistakes_are_counted_and_the_first_200_shown() {
    let error = read(&SOLVE.replace(",Y", ",?").repeat(300)).expect_err("every row is bad");
    let LogError::Mistakes(mistakes) = &error else {
        panic!("the log has mistakes: {error}");
    };
    assert_eq!((mistakes.total(), mistakes.shown().len()), (300, 200));
    let text = error.to_string();
    assert!(text.starts_with("300 mistakes in the log:"), "{text}");
    assert!(text.ends_with("(the first 200 are shown)"), "{text}");
}

#[test]
fn guesses_are_compared_by_their_letters() {
    assert_eq!(normalize_guess("Spin-naker 7"), "SPINNAKER7");
}
