//! Tokens and sessions that do not go together: each is told by its close code.

use cluecast::clock::Clock;
use cluecast::gateway::TokenKey;
use hunt::Timestamp;
use protocol::rest::LinkCreated;
use protocol::{ClientMessage, CloseCode, Codec, Hello};

use crate::beside::Beside;
use crate::stage::Stage;
use crate::wire::Wire;

/// Longer than a token is good.
const LONG_AGO_MS: u64 = 400 * 24 * 60 * 60 * 1_000;

/// What `token` grants, sealed again at another time.
pub(crate) fn sealed_again(stage: &Stage, token: &str, at: Timestamp) -> String {
    let key = TokenKey::from_folder(stage.data_dir()).expect("the server has made it");
    let grant = key.open(token, Clock::System.now());
    key.seal(grant.expect("the token is good"), at)
}

/// What `token` granted, but it is over.
pub(crate) fn expired(stage: &Stage, token: &str) -> String {
    let now = Clock::System.now();
    sealed_again(stage, token, Timestamp(now.0 - LONG_AGO_MS))
}

/// The same grant, sealed with another server's key.
pub(crate) fn foreign(stage: &Stage, token: &str) -> String {
    let key = TokenKey::from_folder(stage.data_dir()).expect("the server has made it");
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

/// Tokens that let nobody into the stage's session.
async fn bad_tokens(stage: &Stage, good: &str) -> Vec<(&'static str, String)> {
    let path = format!("/sessions/{}/links", stage.session);
    let link: Result<LinkCreated, _> = stage.rest().post_empty(&path, Some(good)).await;
    let gone = stage.add_device(good).await;
    stage.revoke_device(good, &gone.device).await;
    let other = stage.create_session().await;
    let elsewhere = stage.join_elsewhere(&other.session).await;
    vec![
        ("no token", String::new()),
        ("a token that is none", "v4.local.".to_owned()),
        ("a public token", good.replace("local", "public")),
        ("a long token", "x".repeat(10_000)),
        ("a token with odd characters", "🦉\0\n".repeat(9)),
        ("a token that was cut", good[..good.len() - 1].to_owned()),
        ("a forged token", forged(good)),
        ("a foreign token", foreign(stage, good)),
        ("an expired token", expired(stage, good)),
        ("an admin's token", stage.admin.clone()),
        ("a link in place of a token", link.expect("it is hers").link),
        ("a device that was revoked", gone.token),
        ("a device of another session", elsewhere.token),
        ("a game master of another session", other.game_master_token),
    ]
}

#[tokio::test]
async fn whoever_is_not_of_the_session_is_told_so() {
    let stage = Stage::running(&[]).await;
    let mut beside = Beside::begin(&stage).await;
    let joined = stage.join("Owls").await;
    let other = stage.create_session().await;
    let here = stage.session.as_str();
    let tokens = bad_tokens(&stage, &joined.token).await.into_iter();
    let mut rows: Vec<(&str, &str, String, CloseCode)> = tokens
        .map(|(what, token)| (what, here, token, CloseCode::Unauthorized))
        .collect();
    for (what, session, code) in [
        (
            "another session's code",
            other.session.as_str(),
            CloseCode::Unauthorized,
        ),
        ("a code that is none", "NOSUCH", CloseCode::Unauthorized),
        ("a strange code", "%F0%9F%A6%89%00", CloseCode::Unauthorized),
    ] {
        rows.push((what, session, joined.token.clone(), code));
    }
    for (what, session, token, code) in rows {
        for codec in Codec::ALL {
            let mut wire = Wire::open(stage.address(), session, codec).await;
            let (token, cursor) = (token.clone(), None);
            wire.send(&ClientMessage::Hello(Hello { token, cursor }))
                .await;
            let ended = wire.ended().await;
            let told = ended.code();
            assert_eq!(told, Some(code.number()), "{what}, {codec:?}: {ended:?}");
        }
        beside.goes_on().await;
    }
    beside.has_lost_nothing(&stage).await;
}

#[tokio::test]
async fn a_sessions_code_may_be_typed_in_small_letters() {
    let stage = Stage::running(&[]).await;
    let joined = stage.join("Owls").await;
    let code = stage.session.to_lowercase();
    let mut wire = Wire::open(stage.address(), &code, Codec::Json).await;
    let token = joined.token;
    wire.send(&ClientMessage::Hello(Hello {
        token,
        cursor: None,
    }))
    .await;
    wire.receive().await.expect("it is welcome");
}
