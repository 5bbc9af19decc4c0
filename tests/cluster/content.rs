//! The texts of puzzles: a node serves those of any session from the catalogue, even if it does not know the
//! session yet and the owner has ended.

use protocol::Codec;
use protocol::rest::HuntCreated;
use serde_json::json;
use testkit::app::http::Request;

use crate::fleet::Fleet;

const HUNT: &str = "[hunt]\ntitle = \"Texts\"\n[round.quay]\n\
    [puzzle.flags]\nround = \"quay\"\nbody = \"flags.md\"\nanswer = \"x\"\n";

#[tokio::test]
async fn every_node_serves_a_text_also_without_the_owner() {
    let mut fleet = Fleet::start(2).await;
    let owner = &mut fleet.nodes[0];
    let body = json!({ "files": { "hunt.toml": HUNT, "flags.md": "Read *them*." } });
    let uploaded = owner.post_to("/hunts", Some(&owner.admin_token), Some(body));
    owner.session.hunt = uploaded.await.read::<HuntCreated>(201).revision;
    let session = fleet.session(0).await;
    let player = session.team_with(Codec::Json, "Owls").await;
    let puzzles = player.snapshot.expect("it is new").puzzles;
    let path = puzzles[0].content.clone().expect("it has a text");
    let elsewhere = session.via(&fleet.nodes[1]);
    let request = Request::get(path);
    for session in [&session, &elsewhere] {
        let html = session.send(&request).await;
        assert_eq!(
            (html.status, html.body.as_str()),
            (200, "<p>Read <em>them</em>.</p>\n")
        );
    }
    let relayed = elsewhere.metric("cluecast_requests_relayed_total").await;
    assert_eq!(relayed, 0, "it was not forwarded");
    fleet.nodes[0].kill().await;
    let html = elsewhere.send(&request).await;
    assert_eq!(html.status, 200, "while no node runs the session");
}
