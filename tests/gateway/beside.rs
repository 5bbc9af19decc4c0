//! A good client beside the bad ones: it goes on working, and loses nothing.

use protocol::{Codec, Verdict};

use crate::device::Device;
use crate::stage::{ANSWER, Stage};

/// A team's two devices, one for each codec. One guesses, both see it.
pub(crate) struct Beside {
    devices: Vec<Device>,
    guesses: u64,
}

impl Beside {
    pub(crate) async fn begin(stage: &Stage) -> Self {
        let first = stage.join("Beside").await;
        let second = stage.join_team(&first).await;
        let mut devices = Vec::new();
        for (codec, joined) in Codec::ALL.into_iter().zip([first, second]) {
            devices.push(Device::attached(stage, codec, &joined.token).await);
        }
        Self {
            devices,
            guesses: 0,
        }
    }

    /// Another guess is accepted, and everybody in the team sees it.
    pub(crate) async fn goes_on(&mut self) {
        self.guesses += 1;
        let guess = format!("WRONG{}", self.guesses);
        let [guesser, ..] = self.devices.as_mut_slice() else {
            unreachable!("there are two devices");
        };
        guesser.guess_wrong(self.guesses, "p0", &guess).await;
        let reached = guesser.cursor.map(|cursor| cursor.team);
        for device in &mut self.devices {
            while device.cursor.map(|cursor| cursor.team) < reached {
                device.read().await.expect("the connection holds");
            }
        }
    }

    /// Nothing was lost or counted twice: neither in the stream nor in the state.
    pub(crate) async fn has_lost_nothing(mut self, stage: &Stage) {
        let [guesser, ..] = self.devices.as_mut_slice() else {
            unreachable!("there are two devices");
        };
        let solved = guesser.guess(self.guesses + 1, "p0", ANSWER).await;
        let solved = solved.expect("the answer is accepted");
        assert_eq!(solved.verdict, Some(Verdict::Correct));
        for device in &mut self.devices {
            device.read_until_heads().await;
            device.resync(None).await;
            let snapshot = device.snapshot.take().expect("it was asked for");
            let puzzle = snapshot.puzzles.iter().find(|puzzle| puzzle.id == "p0");
            let made = puzzle.map(|puzzle| puzzle.guesses.len() as u64);
            assert_eq!(made, Some((self.guesses + 1).min(200)));
            assert_eq!(snapshot.team.score, 1);
        }
        stage.assert_unharmed();
    }
}
