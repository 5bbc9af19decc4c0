//! How often codes may be guessed wrongly.

use protocol::rest::{Devices, FailureCode, Standings};
use protocol::{ClientMessage, CloseCode, Hello, RejectionCode};
use testkit::RestError;
use tokio::net::TcpStream;

use crate::site::{Site, failure, is_refused_by_address};
use crate::socket::{CODEC, Socket};

const UNKNOWN: FailureCode = FailureCode::Rejected(RejectionCode::UnknownTeam);

#[tokio::test]
async fn wrong_team_codes_use_up_the_sessions_allowance() {
    let settings = [
        "limits.session_wrong_codes_per_minute=1",
        "limits.session_wrong_codes_burst=3",
    ];
    let site = Site::start(&settings).await;
    let founder = site.join("Owls").await;
    for index in 0..3 {
        site.join_team(&founder.team_code)
            .await
            .expect("right codes are free");
        let wrong = site.join_team(&format!("WRONG{index}")).await;
        assert_eq!(wrong.err().and_then(|error| error.code()), Some(UNKNOWN));
    }
    // Not even a right one is looked at now, or trying on would be worth it.
    let refused = site.join_team(&founder.team_code).await;
    let refused = refused.err().and_then(|error| error.code());
    assert_eq!(refused, Some(FailureCode::RateLimited));
    site.join("Ravens").await;
    let count = "cluecast_code_attempts_refused_total{limit=\"session\"}";
    assert_eq!(site.metric(count).await, 1);
    assert_eq!(site.metric("cluecast_wrong_codes_total").await, 3);
}

#[tokio::test]
async fn a_refusal_tells_when_to_try_again() {
    let settings = [
        "limits.session_wrong_codes_per_minute=1",
        "limits.session_wrong_codes_burst=1",
    ];
    let site = Site::start(&settings).await;
    let wrong = site.join_team("WRONG").await.expect_err("it is wrong");
    assert_eq!(wrong.code(), Some(UNKNOWN));
    let asked = site.joining(None, Some("WRONG"));
    let answer = site.join_from("127.0.0.1", &asked).await;
    assert_eq!(answer.status, 429);
    assert_eq!(failure(&answer.body).error.code, FailureCode::RateLimited);
    let seconds: u64 = answer.headers["retry-after"].parse().expect("a number");
    assert!((50..=61).contains(&seconds), "{seconds}");
}

#[tokio::test]
async fn wrong_session_codes_use_up_the_servers_allowance() {
    let settings = [
        "limits.session_wrong_codes_per_minute=1",
        "limits.session_wrong_codes_burst=1",
        "limits.wrong_codes_per_minute=1",
        "limits.wrong_codes_burst=2",
    ];
    let site = Site::start(&settings).await;
    let standings = async |code: &str| {
        let path = format!("/sessions/{code}/standings");
        let answer: Result<Standings, RestError> = site.rest().get(&path, None).await;
        answer.err().and_then(|error| error.code())
    };
    assert_eq!(standings(&site.session).await, None);
    assert_eq!(standings("WRONG1").await, Some(FailureCode::NotFound));
    assert_eq!(standings("WRONG2").await, Some(FailureCode::NotFound));
    assert_eq!(
        standings(&site.session).await,
        Some(FailureCode::RateLimited)
    );
    let count = "cluecast_code_attempts_refused_total{limit=\"server\"}";
    assert_eq!(site.metric(count).await, 1);
    // Whoever has a token has no need of guessing, and is not in the way of this.
    let path = format!("/sessions/{}/pause", site.session);
    let paused = site.rest().post_empty(&path, Some(&site.game_master)).await;
    let _state: protocol::rest::SessionState = paused.expect("the game master is let through");
}

#[tokio::test]
async fn a_token_of_another_session_does_not_tell_which_sessions_there_are() {
    let settings = [
        "limits.session_wrong_codes_per_minute=1",
        "limits.session_wrong_codes_burst=1",
        "limits.wrong_codes_per_minute=1",
        "limits.wrong_codes_burst=5",
    ];
    let site = Site::start(&settings).await;
    let other = site.create_session().await;
    let player = site.join("Owls").await;
    let devices = async |code: &str| {
        let path = format!("/sessions/{code}/devices");
        let answer: Result<Devices, _> = site.rest().get(&path, Some(&player.token)).await;
        answer.err().map(|error| match error {
            RestError::Failed { failure, .. } => (failure.error.code, failure.error.message),
            other => panic!("{other}"),
        })
    };
    let hello = async |code: &str| {
        let stream = TcpStream::connect(site.address()).await;
        let mut socket = Socket::upgrade_to(code, stream.expect("it listens")).await;
        let socket = socket.as_mut().expect("there is room");
        let hello = ClientMessage::Hello(Hello {
            token: player.token.clone(),
            cursor: None,
        });
        socket.send(CODEC.encode(&hello)).await;
        socket.closed().await
    };
    assert_eq!(devices(&site.session).await, None);
    let known = devices(&other.session).await.expect("it is refused");
    assert_eq!(known.0, FailureCode::Forbidden);
    assert_eq!(devices("WRONG1").await, Some(known));
    let known = hello(&other.session).await;
    assert_eq!(known.0, CloseCode::Unauthorized.number());
    assert_eq!(hello("WRONG1").await, known);
    assert_eq!(site.metric("cluecast_wrong_codes_total").await, 4);
    hello("WRONG1").await;
    let refused = devices(&other.session).await.map(|refused| refused.0);
    assert_eq!(refused, Some(FailureCode::RateLimited));
    let refused = hello(&other.session).await;
    assert_eq!(refused.0, CloseCode::Overloaded.number());
    // One's own session is let through.
    assert_eq!(devices(&site.session).await, None);
    Socket::attach(&site, &player.token).await;
}

#[tokio::test]
async fn whoever_guesses_from_one_address_does_not_lock_the_others_out() {
    let settings = [
        "limits.address_wrong_codes_per_minute=1",
        "limits.address_wrong_codes_burst=2",
        "limits.session_wrong_codes_per_minute=1",
        "limits.session_wrong_codes_burst=3",
        "limits.wrong_codes_per_minute=1",
        "limits.wrong_codes_burst=3",
    ];
    let site = Site::start(&settings).await;
    let founder = site.join("Owls").await;
    let join = async |source, code: &str| {
        let asked = site.joining(None, Some(code));
        site.join_from(source, &asked).await.status
    };
    for _ in 0..2 {
        assert_eq!(join("127.0.0.9", "WRONG").await, 409);
    }
    for _ in 0..20 {
        let asked = site.joining(None, Some(&founder.team_code));
        let refused = site.join_from("127.0.0.9", &asked).await;
        is_refused_by_address(&refused);
    }
    assert_eq!(join("127.0.0.8", &founder.team_code).await, 201);
    let count = "cluecast_code_attempts_refused_total{limit=\"address\"}";
    assert_eq!(site.metric(count).await, 20);
    // The session's own limit holds however many addresses there are.
    assert_eq!(join("127.0.0.8", "WRONG").await, 409);
    assert_eq!(join("127.0.0.7", &founder.team_code).await, 429);
    let count = "cluecast_code_attempts_refused_total{limit=\"server\"}";
    assert_eq!(site.metric(count).await, 1);
}
