//! The texts of puzzles: an unlock contains their paths, and a path alone authorises reading its files.

use protocol::{Codec, Event, Puzzle};
use serde_json::json;
use testkit::app::http::{Request, Response};
use testkit::app::{Session, TestApp};

use protocol::rest::HuntCreated;

const HUNT: &str = "[hunt]\ntitle = \"Texts\"\n[round.quay]\n\
    [puzzle.flags]\nround = \"quay\"\nbody = \"flags.md\"\nanswer = \"x\"\n\
    [puzzle.blank]\nround = \"quay\"\nanswer = \"x\"\n\
    [puzzle.bell]\nround = \"quay\"\nbody = \"bell.md\"\nanswer = \"x\"\nunlock = \"flags\"\n";
const FLAGS: &str = "Read *them* <script>alert(1)</script>\n\n![Map](map.png) [all](./)\n";
const FLAGS_HTML: &str = "<p>Read <em>them</em> </p>\n<p><img src=\"map.png\" alt=\"Map\"> \
    <a href=\"./\" rel=\"noopener noreferrer nofollow\">all</a></p>\n";
const BELL: &str = "The bell **rings**.\n";

async fn lobby(settings: &[&str]) -> TestApp {
    let mut app = TestApp::bare(settings).await;
    let files = json!({ "hunt.toml": HUNT, "flags.md": FLAGS, "bell.md": BELL });
    let uploading = app.post_to(
        "/hunts",
        Some(&app.admin_token),
        Some(json!({ "files": files })),
    );
    let uploaded = uploading.await.read::<HuntCreated>(201);
    app.hunt = uploaded.revision;
    let session = app.create().await;
    app.session = session;
    app
}

async fn running(settings: &[&str]) -> TestApp {
    let app = lobby(settings).await;
    app.order("start").await;
    app
}

async fn snapshot(session: &Session, team: &str) -> Vec<Puzzle> {
    let player = session.team_with(Codec::Json, team).await;
    player.snapshot.expect("it is new").puzzles
}

fn path_of<'p>(puzzles: &'p [Puzzle], id: &str) -> &'p str {
    let puzzle = puzzles.iter().find(|puzzle| puzzle.id == id);
    let content = puzzle.and_then(|puzzle| puzzle.content.as_deref());
    content.unwrap_or_else(|| panic!("{id} has a text"))
}

async fn get(session: &Session, path: &str) -> Response {
    session.send(&Request::get(path)).await
}

#[tokio::test]
async fn a_text_is_read_as_html_and_as_markdown() {
    let app = running(&[]).await;
    let puzzles = snapshot(&app, "Owls").await;
    let path = path_of(&puzzles, "flags");
    let html = get(&app, path).await;
    assert_eq!((html.status, html.body.as_str()), (200, FLAGS_HTML));
    let markdown = path.replace("body.html", "body.md");
    let markdown = get(&app, &markdown).await;
    assert_eq!((markdown.status, markdown.body.as_str()), (200, FLAGS));
    assert_eq!(
        markdown.headers["content-type"],
        "text/markdown; charset=utf-8"
    );
    assert_eq!(html.headers["content-type"], "text/html; charset=utf-8");
    assert_ne!(html.headers["etag"], markdown.headers["etag"]);
    for (header, value) in [
        ("cache-control", "public, max-age=31536000, immutable"),
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
        ("access-control-allow-origin", "*"),
    ] {
        assert_eq!(html.headers[header], value, "{header}");
        assert_eq!(markdown.headers[header], value, "{header}");
    }
    let policy = &html.headers["content-security-policy"];
    let strict = "default-src 'none'; img-src 'self'; style-src 'self'";
    assert!(policy.starts_with(strict), "{policy}");
    let blank = puzzles.iter().find(|puzzle| puzzle.id == "blank");
    assert_eq!(blank.map(|puzzle| puzzle.content.clone()), Some(None));
    assert_eq!(
        app.metric("cluecast_bodies_rendered_total").await,
        2,
        "at its upload"
    );
    assert_eq!(app.metric("cluecast_bodies_shared_total").await, 1);
}

#[tokio::test]
async fn a_known_tag_is_answered_without_the_text() {
    let app = running(&[]).await;
    let puzzles = snapshot(&app, "Owls").await;
    let path = path_of(&puzzles, "flags");
    let tag = get(&app, path).await.headers["etag"].clone();
    for known in [tag.clone(), format!("\"other\", W/{tag}"), "*".to_owned()] {
        let request = Request::get(path).header("if-none-match", known.as_str());
        let answer = app.send(&request).await;
        assert_eq!((answer.status, answer.body.as_str()), (304, ""), "{known}");
        assert_eq!(answer.headers["etag"], tag);
        assert!(answer.headers["cache-control"].contains("immutable"));
    }
    let other = Request::get(path).header("if-none-match", "\"other\"");
    assert_eq!(app.send(&other).await.status, 200);
}

#[tokio::test]
async fn other_paths_are_not_found_and_say_nothing() {
    let app = running(&[
        "limits.address_wrong_codes_burst=8",
        "limits.address_wrong_codes_per_minute=1",
    ])
    .await;
    let other = app.create().await;
    other.order("start").await;
    let puzzles = snapshot(&app, "Owls").await;
    let elsewhere = snapshot(&other, "Owls").await;
    let path = path_of(&puzzles, "flags").to_owned();
    let [_, _, code, hmac, _] = path.split('/').collect::<Vec<_>>()[..] else {
        panic!("{path}");
    };
    assert_eq!(code, app.code);
    let foreign = path_of(&elsewhere, "flags");
    assert!(!foreign.contains(hmac), "the other session has other paths");
    let zeros = "0".repeat(hmac.len());
    // A file that the text does not have costs nothing: a text may show a picture that is missing.
    for _ in 0..20 {
        let missing = get(&app, &path.replace("body.html", "map.png")).await;
        missing.expect_failure(404, "not_found");
    }
    let mut answers = Vec::new();
    for wrong in [
        path.replace(hmac, &zeros),
        path.replace(hmac, "x"),
        path.replace(code, "NOSUCH"),
        path.replace(code, &other.code),
        foreign.replace(&other.code, code),
    ] {
        let answer = get(&app, &wrong).await;
        answer.expect_failure(404, "not_found");
        answers.push(answer.body);
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    // Wrong paths count as wrong codes; a correct one is served nevertheless.
    for _ in 0..3 {
        get(&app, &path.replace(hmac, &zeros))
            .await
            .expect_failure(404, "not_found");
    }
    for wrong in [path.replace(hmac, &zeros), path.replace(code, "NOSUCH")] {
        get(&app, &wrong).await.expect_failure(429, "rate_limited");
    }
    assert_eq!(get(&app, &path).await.status, 200);
    let post = Request::post(path.as_str());
    app.send(&post)
        .await
        .expect_failure(405, "method_not_allowed");
}

#[tokio::test]
async fn every_path_comes_with_its_unlock_and_is_the_same_for_all() {
    let app = running(&[]).await;
    let mut owls = app.team_with(Codec::Json, "Owls").await;
    let mut terns = app.team_with(Codec::MessagePack, "Terns").await;
    let before = owls.snapshot.clone().expect("it is new");
    assert_eq!(before.puzzles.len(), 2, "the bell is locked");
    let mut paths = Vec::new();
    for player in [&mut owls, &mut terns] {
        player.guess("flags", "x").await.expect_correct();
        let unlocked = player
            .updates
            .iter()
            .find_map(|update| match &update.event {
                Event::Unlocked { puzzles, .. } => {
                    puzzles.iter().find(|puzzle| puzzle.id == "bell")
                }
                _ => None,
            });
        let bell = unlocked.expect("the update precedes the receipt");
        paths.push(bell.content.clone().expect("it has a text"));
    }
    assert_eq!(paths[0], paths[1], "both teams have the same path");
    assert_eq!(
        get(&app, &paths[0]).await.body,
        "<p>The bell <strong>rings</strong>.</p>\n"
    );
    let known = serde_json::to_string(&before).expect("it is JSON");
    assert!(!known.contains(&paths[0]), "{known}");
    assert!(!known.contains("bell"), "{known}");
}

#[tokio::test]
async fn paths_survive_a_restart() {
    let mut app = running(&[]).await;
    let before = snapshot(&app, "Owls").await;
    app.crash().await;
    let after = snapshot(&app, "Terns").await;
    let path = path_of(&before, "flags");
    assert_eq!(path_of(&after, "flags"), path);
    assert_eq!(get(&app, path).await.body, FLAGS_HTML);
}

#[tokio::test]
async fn a_listed_origin_gets_the_same_answer_as_any_other() {
    let app = running(&["gateway.origins=[\"https://play.example.org\"]"]).await;
    let puzzles = snapshot(&app, "Owls").await;
    let path = path_of(&puzzles, "flags");
    for origin in ["https://play.example.org", "https://other.example.org"] {
        let answer = app.send(&Request::get(path).header("origin", origin)).await;
        assert_eq!(
            answer.headers["access-control-allow-origin"], "*",
            "{origin}"
        );
        assert!(!answer.headers.contains_key("vary"), "{answer:?}");
    }
}
