//! How many teams one address may found.

use crate::site::{Site, is_refused_by_address};

const SETTINGS: [&str; 3] = [
    "limits.address_new_teams_per_minute=1",
    "limits.address_new_teams_burst=2",
    "gateway.venues=[\"127.9.0.0/16\"]",
];

#[tokio::test]
async fn one_address_does_not_fill_a_session() {
    let site = Site::start(&SETTINGS).await;
    let found = async |source| {
        let asked = site.joining(Some("Owls"), None);
        site.join_from(source, &asked).await
    };
    for _ in 0..2 {
        // What names no good team is not counted.
        let asked = site.joining(Some(" "), None);
        assert_eq!(site.join_from("127.0.0.9", &asked).await.status, 400);
        assert_eq!(found("127.0.0.9").await.status, 201);
    }
    let refused = found("127.0.0.9").await;
    is_refused_by_address(&refused);
    assert_eq!(site.metric("cluecast_new_teams_refused_total").await, 1);

    assert_eq!(found("127.0.0.8").await.status, 201, "another address");
    for _ in 0..20 {
        assert_eq!(found("127.9.1.1").await.status, 201, "a venue");
    }
    // Whoever joins a team founds none.
    let founder = site.join("Ravens").await;
    let asked = site.joining(None, Some(&founder.team_code));
    assert_eq!(site.join_from("127.0.0.9", &asked).await.status, 201);
}

#[tokio::test]
async fn what_a_session_does_not_take_is_not_counted() {
    let site = Site::start(&SETTINGS).await;
    let lobby = site.create_session().await;
    let path = format!("/sessions/{}/finish", site.session);
    let finished = site.rest().post_empty(&path, Some(&site.game_master)).await;
    let _state: protocol::rest::SessionState = finished.expect("it ends");
    let mut asked = site.joining(Some("Owls"), None);
    for _ in 0..3 {
        let refused = site.join_from("127.0.0.9", &asked).await;
        assert_eq!(refused.status, 409, "{}", refused.body);
    }
    asked.session = lobby.session;
    assert_eq!(site.join_from("127.0.0.9", &asked).await.status, 201);
}
