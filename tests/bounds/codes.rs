//! Rate limits of wrong team codes and session codes.

use protocol::rest::FailureCode;
use protocol::{CloseCode, Codec};
use testkit::app::http::Response;
use testkit::app::{Ended, TestApp};

use crate::expect_refused_by_address;

async fn join_team(app: &TestApp, code: &str) -> Response {
    app.send(&app.join_request(None, Some(code))).await
}

#[tokio::test]
async fn wrong_team_codes_use_up_the_limit_of_the_session() {
    let settings = [
        "limits.session_wrong_codes_per_minute=1",
        "limits.session_wrong_codes_burst=3",
    ];
    let app = TestApp::running(&settings).await;
    let captain = app.join("Owls").await;
    for index in 0..3 {
        // Correct codes cost nothing.
        app.join_team(&captain.team_code).await;
        let wrong = join_team(&app, &format!("WRONG{index}")).await;
        wrong.expect_failure(409, "unknown_team");
    }
    // Now even a correct code is refused without a check; otherwise guessing could continue.
    let refused = join_team(&app, &captain.team_code).await;
    refused.expect_failure(429, "rate_limited");
    app.join("Ravens").await;
    let count = "cluecast_code_attempts_refused_total{limit=\"session\"}";
    assert_eq!(app.metric(count).await, 1);
    assert_eq!(app.metric("cluecast_wrong_codes_total").await, 3);
}

#[tokio::test]
async fn a_refusal_has_a_retry_delay() {
    let settings = [
        "limits.session_wrong_codes_per_minute=1",
        "limits.session_wrong_codes_burst=1",
    ];
    let app = TestApp::running(&settings).await;
    let wrong = join_team(&app, "WRONG").await;
    wrong.expect_failure(409, "unknown_team");
    let refused = join_team(&app, "WRONG").await;
    refused.expect_failure(429, "rate_limited");
    let seconds = refused.retry_after();
    assert!((50..=61).contains(&seconds), "{seconds}");
}

#[tokio::test]
async fn wrong_session_codes_use_up_the_limit_of_the_server() {
    let settings = [
        "limits.session_wrong_codes_per_minute=1",
        "limits.session_wrong_codes_burst=1",
        "limits.wrong_codes_per_minute=1",
        "limits.wrong_codes_burst=2",
    ];
    let app = TestApp::running(&settings).await;
    let standings = async |code: &str| app.with_code(code).get("/standings", "").await;
    assert_eq!(standings(&app.code).await.status, 200);
    standings("WRONG1").await.expect_failure(404, "not_found");
    standings("WRONG2").await.expect_failure(404, "not_found");
    let refused = standings(&app.code).await;
    refused.expect_failure(429, "rate_limited");
    let count = "cluecast_code_attempts_refused_total{limit=\"server\"}";
    assert_eq!(app.metric(count).await, 1);
    // A token needs no guessing, so the limit does not apply to its requests.
    app.order("pause").await;
}

#[tokio::test]
async fn a_token_of_another_session_does_not_reveal_which_sessions_exist() {
    let settings = [
        "limits.session_wrong_codes_per_minute=1",
        "limits.session_wrong_codes_burst=1",
        "limits.wrong_codes_per_minute=1",
        "limits.wrong_codes_burst=5",
    ];
    let app = TestApp::running(&settings).await;
    let other = app.create().await;
    let token = app.join("Owls").await.token;
    let devices = async |code: &str| {
        let answer = app.with_code(code).get("/devices", &token).await;
        let failure = (answer.status != 200).then(|| answer.error());
        failure.map(|error| (error.code, error.message))
    };
    let hello = async |code: &str| {
        let session = app.with_code(code);
        session.refused(Codec::MessagePack, &token).await
    };
    assert_eq!(devices(&app.code).await, None);
    let known = devices(&other.code).await.expect("it is refused");
    assert_eq!(known.0, FailureCode::Forbidden);
    assert_eq!(devices("WRONG1").await, Some(known));
    let known: Ended = hello(&other.code).await;
    known.clone().expect_code(CloseCode::Unauthorized);
    assert_eq!(hello("WRONG1").await, known);
    assert_eq!(app.metric("cluecast_wrong_codes_total").await, 4);
    hello("WRONG1").await;
    let refused = devices(&other.code).await.map(|refused| refused.0);
    assert_eq!(refused, Some(FailureCode::RateLimited));
    hello(&other.code).await.expect_code(CloseCode::Overloaded);
    // The token's own session is not limited.
    assert_eq!(devices(&app.code).await, None);
    app.attach(&token).await;
}

#[tokio::test]
async fn wrong_codes_from_one_address_do_not_lock_the_others_out() {
    let settings = [
        "limits.address_wrong_codes_per_minute=1",
        "limits.address_wrong_codes_burst=2",
        "limits.session_wrong_codes_per_minute=1",
        "limits.session_wrong_codes_burst=3",
        "limits.wrong_codes_per_minute=1",
        "limits.wrong_codes_burst=3",
    ];
    let app = TestApp::running(&settings).await;
    let captain = app.join("Owls").await;
    let join = async |source, code: &str| {
        let request = app.join_request(None, Some(code));
        request.send_from(source, app.address()).await
    };
    for _ in 0..2 {
        assert_eq!(join("127.0.0.9", "WRONG").await.status, 409);
    }
    for _ in 0..20 {
        let refused = join("127.0.0.9", &captain.team_code).await;
        expect_refused_by_address(&refused);
    }
    assert_eq!(join("127.0.0.8", &captain.team_code).await.status, 201);
    let count = "cluecast_code_attempts_refused_total{limit=\"address\"}";
    assert_eq!(app.metric(count).await, 20);
    // The session's own limit holds however many addresses there are.
    assert_eq!(join("127.0.0.8", "WRONG").await.status, 409);
    assert_eq!(join("127.0.0.7", &captain.team_code).await.status, 429);
    let count = "cluecast_code_attempts_refused_total{limit=\"server\"}";
    assert_eq!(app.metric(count).await, 1);
}
