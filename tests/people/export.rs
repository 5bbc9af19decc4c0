//! The export: readable, anonymous if asked for, and without credentials.

use std::collections::BTreeSet;

use loadtest::replay::log::{GuessLog, Source, Verdicts};
use protocol::Verdict;
use protocol::rest::{Joined, TeamCodeRotated};
use serde_json::{Value, json};

use crate::running;
use testkit::app::{ANSWER, TestApp};

const TEAM: &str = "\"Owls\", Inc.";
/// A guess that a spreadsheet would evaluate, with every character that CSV must quote.
const FORMULA: &str = "=1+1,\"x\"\r\ny";

/// A session with two teams and guesses, and every credential that was given out in it.
async fn played() -> (TestApp, Joined, Vec<String>) {
    let app = running().await;
    let ana = app.join(TEAM).await;
    let ben = app.join_team(&ana.team_code).await;
    let fox = app.join("Foxes").await;
    let mo = app.invite("Mo Muster", &[]).await;
    let mut player = app.attach(&ana.token).await;
    player.guess_as(1, "p0", FORMULA).await.expect_accepted();
    let mut mate = app.attach(&ben.token).await;
    mate.guess_as(1, "p0", ANSWER).await.expect_accepted();
    let mut other = app.attach(&fox.token).await;
    other.guess_as(1, "p1", "ß Wrong").await.expect_accepted();
    let body = json!({ "to": { "type": "team", "team": fox.team }, "text": "Look up" });
    let pushed = app.post("/clues", &app.game_master_token, Some(body)).await;
    assert_eq!(pushed.status, 201);
    let rename = json!({ "name": "Red Foxes", "reason": "Asked by phone" });
    let path = format!("/teams/{}", fox.team);
    let renamed = app.ask("PATCH", &path, &app.game_master_token, Some(rename));
    assert_eq!(renamed.await.status, 204);
    let rotated = app.post(&format!("{path}/code"), &fox.token, None).await;
    let rotated: TeamCodeRotated = rotated.read(200);
    let link: Value = app.post("/links", &ana.token, None).await.read(201);
    let link = link["link"].as_str().expect("text").to_owned();
    let restored = app
        .post("/restore", "", Some(json!({ "link": link })))
        .await;
    let restored: Joined = restored.read(201);
    let secrets = vec![
        ana.team_code.clone(),
        fox.team_code,
        rotated.team_code,
        ana.token.clone(),
        ben.token,
        fox.token,
        restored.token,
        mo.token,
        app.game_master_token.clone(),
        link,
    ];
    (app, ana, secrets)
}

async fn export(app: &TestApp, query: &str) -> String {
    let path = format!("/export{query}");
    let answer = app.get(&path, &app.game_master_token).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body
}

fn lines(body: &str) -> Vec<Value> {
    let lines = body.lines().map(serde_json::from_str);
    lines.collect::<Result<_, _>>().expect("each line is JSON")
}

/// Calls `see` for each number and text of a value.
fn visit(value: &Value, see: &mut impl FnMut(&Value)) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| visit(item, see)),
        Value::Object(fields) => fields.values().for_each(|field| visit(field, see)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => see(value),
    }
}

#[tokio::test]
async fn the_lines_name_teams_players_puzzles_and_raw_guesses() {
    let (app, ana, secrets) = played().await;
    let body = export(&app, "").await;
    let lines = lines(&body);
    let find = |kind: &str| {
        let found = lines.iter().find(|line| line["event"]["type"] == kind);
        &found.unwrap_or_else(|| panic!("{kind} is missing"))["event"]
    };
    let guess = find("guess_judged");
    let expected = json!({
        "type": "guess_judged", "team": ana.team, "team_name": TEAM, "player": ana.player,
        "player_name": "Ana", "puzzle": "p0", "guess": FORMULA, "verdict": "wrong", "points": 0,
        "normaliser": guess["normaliser"],
    });
    assert_eq!(*guess, expected);
    // An event names what it is about as of the export, and its own name.
    let renamed = find("team_renamed");
    assert_eq!(
        (&renamed["name"], &renamed["team_name"]),
        (&json!("Red Foxes"), &json!("Red Foxes"))
    );
    let founded: Vec<_> = lines
        .iter()
        .filter(|line| line["event"]["type"] == "team_created")
        .map(|line| (&line["event"]["name"], &line["event"]["team_name"]))
        .collect();
    assert_eq!(founded[1], (&json!("Foxes"), &json!("Red Foxes")));
    assert_eq!(find("game_master_invited")["name"], "Organiser");
    assert_eq!(find("clue_pushed")["team_name"], "Red Foxes");
    for line in &lines {
        visit(line, &mut |value| {
            let number = value.as_u64().unwrap_or_default();
            assert!(number < 1 << 53, "{number} stands for something: {line}");
        });
    }
    for secret in &secrets {
        assert!(!body.contains(secret), "{secret} is in the export");
    }
}

#[tokio::test]
async fn an_anonymous_export_has_no_names() {
    let (app, _, secrets) = played().await;
    let body = export(&app, "?anonymous=1").await;
    let anonymous = lines(&body);
    assert_eq!(anonymous.len(), lines(&export(&app, "").await).len());
    for name in [
        "Owls",
        "Foxes",
        "Ana",
        "Ben",
        "Mo Muster",
        "Organiser",
        "Asked by phone",
    ] {
        assert!(!body.contains(name), "{name}");
    }
    for secret in &secrets {
        assert!(!body.contains(secret), "{secret} is in the export");
    }
    let guesses = anonymous
        .iter()
        .filter(|line| line["event"]["type"] == "guess_judged");
    let teams: BTreeSet<&str> = guesses
        .filter_map(|line| line["event"]["team"].as_str())
        .collect();
    assert_eq!(teams.into_iter().collect::<Vec<_>>(), ["t1", "t2"]);
    let rows = export(&app, "?format=csv&anonymous=1").await;
    assert!(rows.contains("\"t1\"") && !rows.contains("Owls"), "{rows}");
}

#[tokio::test]
async fn the_guesses_are_a_guess_log_in_csv() {
    let (app, _, secrets) = played().await;
    let path = "/export?format=csv";
    let answer = app.get(path, &app.game_master_token).await;
    assert_eq!(answer.headers["content-type"], "text/csv; charset=utf-8");
    let header = "\"time_utc\",\"team\",\"puzzle\",\"guess\",\"verdict\"\r\n";
    let rows = answer.body.strip_prefix(header).expect("the header");
    // Every text is in quotes, and unchanged.
    let quoted = r#","""Owls"", Inc.","p0","=1+1,""x"""#.to_owned() + "\r\ny\",\"N\"\r\n";
    assert!(rows.contains(&quoted), "{rows}");
    for secret in &secrets {
        assert!(!answer.body.contains(secret), "{secret} is in the export");
    }
    // The replay reads it as it reads the log of any hunt.
    let puzzles = format!("puzzle,answer\np0,{ANSWER}\np1,{ANSWER}\n");
    let source = |bytes| Source {
        file: "a file of the log",
        bytes,
    };
    let verdicts: Verdicts = "Y=correct,N=wrong".parse().expect("they are well-formed");
    let log = GuessLog::read(
        source(answer.body.as_bytes()),
        source(puzzles.as_bytes()),
        &verdicts,
    );
    let log = log.expect("it is a guess log");
    let guesses: Vec<_> = log
        .teams
        .iter()
        .flat_map(|team| team.guesses.iter().map(|made| (team.name.as_str(), made)))
        .map(|(team, made)| (team, made.puzzle, made.guess.as_str(), made.verdict))
        .collect();
    assert_eq!(
        guesses,
        [
            (TEAM, 0, FORMULA, Verdict::Wrong),
            (TEAM, 0, ANSWER, Verdict::Correct),
            ("Red Foxes", 1, "ß Wrong", Verdict::Wrong),
        ]
    );
}

#[tokio::test]
async fn other_queries_are_bad_requests() {
    let (app, ..) = played().await;
    for query in [
        "?anonymous=yes",
        "?format=xlsx",
        "?names=1",
        "?format=csv&format=csv",
    ] {
        let path = format!("/export{query}");
        let refused = app.get(&path, &app.game_master_token).await;
        refused.expect_failure(400, "bad_request");
    }
}
