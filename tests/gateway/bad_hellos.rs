//! Tokens that are not valid for the session: each is refused with its close code.

use cluecast::clock::Clock;
use cluecast::gateway::TokenKey;
use hunt::Timestamp;
use protocol::rest::LinkCreated;
use protocol::{CloseCode, Codec};
use testkit::app::TestApp;

use crate::bystanders::Bystanders;

/// More than the lifetime of a token.
const LONG_AGO_MS: u64 = 400 * 24 * 60 * 60 * 1_000;

/// The same grant, sealed at another time.
pub(crate) fn sealed_again(app: &TestApp, token: &str, at: Timestamp) -> String {
    let key = TokenKey::from_folder(app.data_dir()).expect("the server has made it");
    let grant = key.open(token, Clock::System.now());
    key.seal(grant.expect("the token is good"), at)
}

/// The same grant, expired.
pub(crate) fn expired(app: &TestApp, token: &str) -> String {
    let now = Clock::System.now();
    sealed_again(app, token, Timestamp(now.0 - LONG_AGO_MS))
}

/// The same grant, sealed with another server's key.
pub(crate) fn foreign(app: &TestApp, token: &str) -> String {
    let key = TokenKey::from_folder(app.data_dir()).expect("the server has made it");
    let now = Clock::System.now();
    let grant = key.open(token, now).expect("the token is good");
    TokenKey::ephemeral().seal(grant, now)
}

/// The token with one character changed.
pub(crate) fn forged(token: &str) -> String {
    let middle = token.len() / 2;
    let other = if token.as_bytes()[middle] == b'A' {
        "B"
    } else {
        "A"
    };
    format!("{}{other}{}", &token[..middle], &token[middle + 1..])
}

/// Tokens that do not admit to the app's session.
async fn bad_tokens(app: &TestApp, good: &str) -> Vec<(&'static str, String)> {
    let link: LinkCreated = app.post("/links", good, None).await.read(201);
    let gone = app.add_device(good).await;
    let revoked = app.delete(&format!("/devices/{}", gone.device), good).await;
    assert_eq!(revoked.status, 204);
    let other = app.create().await;
    vec![
        ("no token", String::new()),
        ("a malformed token", "v4.local.".to_owned()),
        ("a public token", good.replace("local", "public")),
        ("a long token", "x".repeat(10_000)),
        ("a token with odd characters", "🦉\0\n".repeat(9)),
        ("a truncated token", good[..good.len() - 1].to_owned()),
        ("a forged token", forged(good)),
        ("a foreign token", foreign(app, good)),
        ("an expired token", expired(app, good)),
        ("an admin's token", app.admin_token.clone()),
        ("a link in place of a token", link.link),
        ("a revoked device", gone.token),
        (
            "a device of another session",
            other.join("Elsewhere").await.token,
        ),
        ("a game master of another session", other.game_master_token),
    ]
}

#[tokio::test]
async fn a_token_of_no_player_of_the_session_is_refused() {
    let app = TestApp::running(&[]).await;
    let mut bystanders = Bystanders::attach(&app).await;
    let good = app.join("Owls").await.token;
    let other = app.create().await;
    let tokens = bad_tokens(&app, &good).await.into_iter();
    let mut rows: Vec<_> = tokens
        .map(|(what, token)| (what, app.code.as_str(), token))
        .collect();
    for (what, code) in [
        ("another session's code", other.code.as_str()),
        ("an unknown code", "NOSUCH"),
        ("a code with odd characters", "%F0%9F%A6%89%00"),
    ] {
        rows.push((what, code, good.clone()));
    }
    for (what, code, token) in rows {
        for codec in Codec::ALL {
            let ended = app.with_code(code).refused(codec, &token).await;
            let expected = Some(CloseCode::Unauthorized.number());
            assert_eq!(ended.code(), expected, "{what}, {codec:?}: {ended:?}");
        }
        bystanders.go_on().await;
    }
    bystanders.have_lost_nothing(&app).await;
}

#[tokio::test]
async fn a_session_code_may_be_typed_in_small_letters() {
    let app = TestApp::running(&[]).await;
    let token = app.join("Owls").await.token;
    app.with_code(&app.code.to_lowercase()).attach(&token).await;
}
