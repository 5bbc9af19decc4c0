//! The address of a client behind a reverse proxy.

use testkit::app::http::{Response, connect_from};
use testkit::app::{Socket, TestApp};

const PROXY: &str = "127.0.0.7";
const SETTINGS: [&str; 2] = [
    "gateway.unauthenticated_per_address_max=2",
    "gateway.proxies=[\"127.0.0.7/32\"]",
];

/// Upgrades as a client that the proxy names.
async fn behind(app: &TestApp, proxy: &'static str, forwarded: &str) -> Result<Socket, u16> {
    let stream = connect_from(proxy, app.address()).await;
    let header = ("x-forwarded-for", forwarded);
    app.try_upgrade(stream, Some(header)).await
}

#[tokio::test]
async fn clients_behind_a_trusted_proxy_have_slots_of_their_own() {
    let app = TestApp::running(&SETTINGS).await;
    let player = app.join("Owls").await;
    let first = behind(&app, PROXY, "192.0.2.1").await.expect("one");
    let _second = behind(&app, PROXY, "192.0.2.1").await.expect("two");
    assert_eq!(behind(&app, PROXY, "192.0.2.1").await.err(), Some(429));
    // Addresses that the client wrote itself are ignored.
    let forged = "198.51.100.9, 192.0.2.1";
    assert_eq!(behind(&app, PROXY, forged).await.err(), Some(429));
    let _other = behind(&app, PROXY, "192.0.2.2")
        .await
        .expect("another client");
    // An IPv6 client has a whole /64.
    let _six = behind(&app, PROXY, "2001:db8::1").await.expect("one");
    let _seven = behind(&app, PROXY, "2001:db8::2").await.expect("two");
    assert_eq!(behind(&app, PROXY, "2001:db8::3").await.err(), Some(429));
    let _elsewhere = behind(&app, PROXY, "2001:db8:0:1::3")
        .await
        .expect("another");

    let _first = app.attach_on(first, &player.token).await;
    let _third = behind(&app, PROXY, "192.0.2.1")
        .await
        .expect("one is authenticated");
    let refused = "cluecast_connections_refused_total{reason=\"address\"}";
    assert_eq!(app.metric(refused).await, 3);
}

#[tokio::test]
async fn an_untrusted_proxy_is_ignored() {
    let app = TestApp::running(&SETTINGS).await;
    let liar = "127.0.0.8";
    let _first = behind(&app, liar, "192.0.2.1").await.expect("one");
    let _second = behind(&app, liar, "192.0.2.2").await.expect("two");
    // It is refused before it can send a header.
    let mut third = connect_from(liar, app.address()).await;
    assert_eq!(
        Response::receive(&mut third)
            .await
            .expect("an answer")
            .status,
        429
    );
}

#[tokio::test]
async fn a_venue_is_recognised_behind_a_proxy_too() {
    let settings = [
        SETTINGS[0],
        SETTINGS[1],
        "gateway.venues=[\"192.0.2.0/24\"]",
    ];
    let app = TestApp::running(&settings).await;
    let mut all = Vec::new();
    for _ in 0..20 {
        all.push(behind(&app, PROXY, "192.0.2.1").await.expect("a venue"));
    }
}
