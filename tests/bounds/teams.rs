//! How many teams one address may create.

use std::sync::atomic::{AtomicU32, Ordering};

use testkit::app::http::{Request, Response};
use testkit::app::{Session, TestApp};

use crate::expect_refused_by_address;

const SETTINGS: [&str; 3] = [
    "limits.address_new_teams_per_minute=1",
    "limits.address_new_teams_burst=2",
    "gateway.venues=[\"127.9.0.0/16\"]",
];

async fn create(session: &Session, source: &str) -> Response {
    static CREATED: AtomicU32 = AtomicU32::new(1);
    let name = format!("Owls {}", CREATED.fetch_add(1, Ordering::Relaxed));
    let request = session.join_request(Some(&name), None);
    request.send_from(source, session.address()).await
}

#[tokio::test]
async fn one_address_does_not_fill_a_session() {
    let app = TestApp::running(&SETTINGS).await;
    for _ in 0..2 {
        // A request without a valid team name is not counted.
        let nameless: Request = app.join_request(Some(" "), None);
        let refused = nameless.send_from("127.0.0.9", app.address()).await;
        assert_eq!(refused.status, 400);
        assert_eq!(create(&app, "127.0.0.9").await.status, 201);
    }
    expect_refused_by_address(&create(&app, "127.0.0.9").await);
    assert_eq!(app.metric("cluecast_new_teams_refused_total").await, 1);

    let elsewhere = create(&app, "127.0.0.8").await;
    assert_eq!(elsewhere.status, 201, "another address");
    for _ in 0..20 {
        assert_eq!(create(&app, "127.9.1.1").await.status, 201, "a venue");
    }
    // Joining a team creates none.
    let captain = app.join("Ravens").await;
    let join = app.join_request(None, Some(&captain.team_code));
    let joined = join.send_from("127.0.0.9", app.address()).await;
    assert_eq!(joined.status, 201);
}

#[tokio::test]
async fn a_team_that_the_session_refuses_is_not_counted() {
    let app = TestApp::running(&SETTINGS).await;
    let lobby = app.create().await;
    app.order("finish").await;
    for _ in 0..3 {
        let refused = create(&app, "127.0.0.9").await;
        assert_eq!(refused.status, 409, "{}", refused.body);
    }
    assert_eq!(create(&lobby, "127.0.0.9").await.status, 201);
}
