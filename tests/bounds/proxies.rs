//! The address of a client behind a proxy.

use crate::http;
use crate::site::Site;
use crate::socket::{Socket, connect_from};

const PROXY: &str = "127.0.0.7";
const SETTINGS: [&str; 2] = [
    "gateway.unauthenticated_per_address_max=2",
    "gateway.proxies=[\"127.0.0.7/32\"]",
];

async fn behind(site: &Site, proxy: &'static str, told: &str) -> Result<Socket, u16> {
    let stream = connect_from(proxy, site.address()).await;
    let header = ("x-forwarded-for", told);
    let upgraded = Socket::upgrade_with(site, stream, header).await;
    upgraded.map_err(|status| status.as_u16())
}

#[tokio::test]
async fn clients_behind_a_trusted_proxy_have_a_share_each() {
    let site = Site::start(&SETTINGS).await;
    let player = site.join("Owls").await;
    let mut first = behind(&site, PROXY, "192.0.2.1").await.expect("one");
    let _second = behind(&site, PROXY, "192.0.2.1").await.expect("two");
    assert_eq!(behind(&site, PROXY, "192.0.2.1").await.err(), Some(429));
    // What the client wrote itself is not believed.
    let forged = "198.51.100.9, 192.0.2.1";
    assert_eq!(behind(&site, PROXY, forged).await.err(), Some(429));
    let _other = behind(&site, PROXY, "192.0.2.2")
        .await
        .expect("another client");
    // A subscriber of IPv6 has a network of addresses.
    let _six = behind(&site, PROXY, "2001:db8::1").await.expect("one");
    let _seven = behind(&site, PROXY, "2001:db8::2").await.expect("two");
    assert_eq!(behind(&site, PROXY, "2001:db8::3").await.err(), Some(429));
    let _elsewhere = behind(&site, PROXY, "2001:db8:0:1::3")
        .await
        .expect("another");

    first.hello(&player.token).await;
    let _third = behind(&site, PROXY, "192.0.2.1")
        .await
        .expect("one is known");
    let refused = "cluecast_connections_refused_total{reason=\"address\"}";
    assert_eq!(site.metric(refused).await, 3);
}

#[tokio::test]
async fn nobody_else_is_believed() {
    let site = Site::start(&SETTINGS).await;
    let liar = "127.0.0.8";
    let _first = behind(&site, liar, "192.0.2.1").await.expect("one");
    let _second = behind(&site, liar, "192.0.2.2").await.expect("two");
    // It is refused before it can tell an address.
    let mut third = connect_from(liar, site.address()).await;
    assert_eq!(http::read(&mut third).await.expect("an answer").status, 429);
}

#[tokio::test]
async fn a_venue_is_known_behind_a_proxy_too() {
    let settings = [
        SETTINGS[0],
        SETTINGS[1],
        "gateway.venues=[\"192.0.2.0/24\"]",
    ];
    let site = Site::start(&settings).await;
    let mut all = Vec::new();
    for _ in 0..20 {
        all.push(behind(&site, PROXY, "192.0.2.1").await.expect("a venue"));
    }
}
