//! Files that are accepted must work: a server starts with each of them and says that it is ready.

use cluecast::cli::Server;
use cluecast::config::{Config, Layers};
use testkit::app::http::Request;
use testkit::temporary_folder;

use crate::mutations::mutations;
use crate::{FILE, read};

/// The settings as the file has them, on a free port and in a folder of its own.
fn placed(text: &str, folder: &std::path::Path) -> Config {
    let mut layers = Layers::built_in();
    layers.add_text(FILE, text);
    layers.add_flag("server.listen=127.0.0.1:0");
    layers.add_flag(&format!("server.data_dir={}", folder.display()));
    Config::read(layers).expect("it was accepted before")
}

#[tokio::test]
async fn a_server_starts_with_every_file_that_is_accepted() {
    let mutations = mutations();
    let accepted: Vec<_> = mutations
        .iter()
        .filter(|mutation| read(&mutation.text).is_ok())
        .collect();
    assert!(
        accepted.len() >= 50,
        "{} files are accepted",
        accepted.len()
    );
    println!("{} accepted files each start a server", accepted.len());
    for mutation in accepted {
        let folder = temporary_folder().expect("a temporary folder");
        let config = placed(&mutation.text, folder.path());
        let server = Server::start(&config).await;
        let server = server.unwrap_or_else(|error| panic!("{}: {error}", mutation.name));
        let ready = Request::get("/health/ready").send(server.address()).await;
        assert_eq!(
            (ready.status, ready.body.as_str()),
            (200, "ready\n"),
            "{}",
            mutation.name
        );
        let metrics = Request::get("/metrics").send(server.address()).await;
        assert!(metrics.headers["content-type"].starts_with("text/plain"));
        server.stop().await.expect("it stops");
    }
}
