//! Tokens and sessions that do not go together: each is told by its close code.

use cluecast::clock::Clock;
use cluecast::gateway::TokenKey;
use hunt::Timestamp;
use protocol::{ClientMessage, CloseCode, Codec, Hello};

use crate::beside::Beside;
use crate::stage::Stage;
use crate::wire::Wire;

/// Longer than a token is good.
const LONG_AGO_MS: u64 = 400 * 24 * 60 * 60 * 1_000;

/// What `token` grants, sealed again at another time.
pub(crate) fn sealed_again(stage: &Stage, token: &str, at: Timestamp) -> String {
    let key = TokenKey::of_folder(stage.data_dir()).expect("the server has made it");
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
    let key = TokenKey::of_folder(stage.data_dir()).expect("the server has made it");
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

#[tokio::test]
async fn whoever_is_not_of_the_session_is_told_so() {
    let stage = Stage::running(&[]).await;
    let mut beside = Beside::begin(&stage).await;
    let joined = stage.join("Owls").await;
    let other = stage.create_session().await;
    let elsewhere = stage.join_elsewhere(&other.session).await;
    let (here, there) = (stage.session.as_str(), other.session.as_str());
    let good = joined.token.as_str();
    let rows = [
        ("no token", here, String::new(), CloseCode::Unauthorized),
        (
            "a token that is none",
            here,
            "v4.local.".to_owned(),
            CloseCode::Unauthorized,
        ),
        (
            "a public token",
            here,
            good.replace("local", "public"),
            CloseCode::Unauthorized,
        ),
        (
            "a long token",
            here,
            "x".repeat(10_000),
            CloseCode::Unauthorized,
        ),
        (
            "a token with odd characters",
            here,
            "🦉\0\n".repeat(9),
            CloseCode::Unauthorized,
        ),
        (
            "a token that was cut",
            here,
            good[..good.len() - 1].to_owned(),
            CloseCode::Unauthorized,
        ),
        (
            "a forged token",
            here,
            forged(good),
            CloseCode::Unauthorized,
        ),
        (
            "a foreign token",
            here,
            foreign(&stage, good),
            CloseCode::Unauthorized,
        ),
        (
            "an expired token",
            here,
            expired(&stage, good),
            CloseCode::Unauthorized,
        ),
        (
            "an admin's token",
            here,
            stage.admin.clone(),
            CloseCode::Unauthorized,
        ),
        (
            "a device of another session",
            here,
            elsewhere.token,
            CloseCode::Unauthorized,
        ),
        (
            "a game master of another session",
            here,
            other.game_master_token.clone(),
            CloseCode::Unauthorized,
        ),
        (
            "another session's code",
            there,
            good.to_owned(),
            CloseCode::Unauthorized,
        ),
        (
            "a code that is none",
            "NOSUCH",
            good.to_owned(),
            CloseCode::UnknownSession,
        ),
        (
            "a strange code",
            "%F0%9F%A6%89%00",
            good.to_owned(),
            CloseCode::UnknownSession,
        ),
    ];
    for (what, session, token, code) in rows {
        for codec in Codec::ALL {
            let mut wire = Wire::open(stage.address(), session, codec).await;
            let cursor = None;
            let token = token.clone();
            wire.send(&ClientMessage::Hello(Hello { token, cursor }))
                .await;
            let ended = wire.ended().await;
            assert_eq!(
                ended.code(),
                Some(code.number()),
                "{what}, {codec:?}: {ended:?}"
            );
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
