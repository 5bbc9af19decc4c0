//! A journal restored from a backup, which may lack updates that clients have seen.

use protocol::{Codec, Resume};
use testkit::app::{ANSWER, TestApp};
use tokio::process::Command;

async fn raise_generation(app: &TestApp) -> (bool, String) {
    let output = Command::new(&app.command.binary)
        .args(["journal", "raise-generation", "--data-dir"])
        .arg(app.data_dir())
        .output()
        .await
        .expect("the binary runs");
    let printed = [output.stdout, output.stderr].concat();
    let printed = String::from_utf8(printed).expect("it prints text");
    (output.status.success(), printed)
}

#[tokio::test]
async fn a_new_generation_invalidates_cursors() {
    let mut app = TestApp::running(&[]).await;
    let mut player = app.team_with(Codec::Json, "Owls").await;
    player.guess("p0", ANSWER).await.expect_correct();
    player.catch_up().await;
    player.disconnect();
    assert_eq!(player.reconnect().await.resume, Resume::Replay);
    player.disconnect();

    let (is_done, printed) = raise_generation(&app).await;
    assert!(!is_done, "a server uses the journal: {printed}");
    app.stop().await;
    let (is_done, printed) = raise_generation(&app).await;
    assert!(is_done, "{printed}");
    assert!(printed.contains("generation 2"), "{printed}");
    app.start().await;

    let welcome = player.reconnect().await;
    assert_eq!(welcome.generation, 2);
    assert_eq!(welcome.resume, Resume::Snapshot);
    player.guess("p1", ANSWER).await.expect_correct();
    app.assert_healthy();
}
