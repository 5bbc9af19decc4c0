//! A journal that was restored from a backup: what clients have seen may be missing in it.

use protocol::{Codec, Resume};
use tokio::process::Command;

use crate::device::Device;
use crate::stage::{ANSWER, Stage, WAIT_MAX};

async fn raise_generation(stage: &Stage) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_cluecast"))
        .args(["journal", "raise-generation", "--data-dir"])
        .arg(stage.data_dir())
        .output()
        .await
        .expect("the binary runs");
    let printed = [output.stdout, output.stderr].concat();
    let printed = String::from_utf8(printed).expect("it prints text");
    (output.status.success(), printed)
}

#[tokio::test]
async fn a_new_generation_makes_cursors_worthless() {
    let mut stage = Stage::running(&[]).await;
    let owls = stage.join("Owls").await;
    let mut device = Device::attached(&stage, Codec::Json, &owls.token).await;
    device.guess(1, "p0", ANSWER).await.expect("accepted");
    device.read_until_heads().await;
    device.cut();
    assert_eq!(device.connect(&stage).await.resume, Resume::Replay);
    device.cut();

    let (is_done, printed) = raise_generation(&stage).await;
    assert!(!is_done, "a server has the journal: {printed}");
    let stopped = stage.server.terminate(WAIT_MAX).await;
    assert_eq!(stopped.expect("it stops in time").code(), Some(0));
    let (is_done, printed) = raise_generation(&stage).await;
    assert!(is_done, "{printed}");
    assert!(printed.contains("generation 2"), "{printed}");
    stage.start_again().await;

    let welcome = device.connect(&stage).await;
    assert_eq!(welcome.generation, 2);
    assert_eq!(welcome.resume, Resume::Snapshot);
    device.guess(2, "p1", ANSWER).await.expect("accepted");
    stage.assert_unharmed();
}
