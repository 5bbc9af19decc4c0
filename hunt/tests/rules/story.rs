//! The test session of the stories. It is driven like in the server, and every invariant is checked after
//! every step.

use std::collections::BTreeMap;
use std::sync::Arc;

use cluecast_hunt::{
    Audience, Bundle, Command, CommandId, Decision, DeviceId, DurationMs, Entry, GameMasterId,
    GameMasterOrder, Hunt, InstanceId, Issuer, NameId, PlayerId, PlayerOrder, Progress, Receipt,
    RegistrationOrder, Rejection, Scope, State, Target, Team, TeamId, Timestamp, UpdateNumber,
    Verdict, normalise_code, parse,
};

/// Milliseconds of a minute.
pub(crate) const MINUTE: u64 = 60_000;

/// A finish that the game master has confirmed.
pub(crate) const FINISH: GameMasterOrder = GameMasterOrder::Finish { confirmed: true };

/// When stories begin.
pub(crate) const DAWN: Timestamp = Timestamp(1_700_000_000_000);

/// Two rounds, an hour, and one puzzle of each kind of condition.
const HARBOUR: &str = r#"
[hunt]
title = "Harbour"
duration = "1h"

[round.quay]
[round.town]
unlock = "score >= 30"

[puzzle.flags]
round = "quay"
points = 10
answer = "Spinnaker"
aliases = ["Spinaker"]

[puzzle.knots]
round = "quay"
points = 20
answer = "Bowline"

[puzzle.bell]
round = "quay"
points = 0
answer = "Ding Dong"

[puzzle.gull]
round = "quay"
points = 50
answer = "Lighthouse"
unlock = "2 of (flags, knots, bell)"

[puzzle.plaque]
round = "town"
points = 5
answer = "1887"
unlock = "bell or gull"
"#;

/// A session and its journal.
pub(crate) struct Story {
    pub(crate) state: State,
    pub(crate) journal: Vec<Entry>,
    pub(crate) now: Timestamp,
    /// The numbers that the last entry's events were given, in order.
    pub(crate) numbers: Vec<UpdateNumber>,
    heads: BTreeMap<Audience, u64>,
    commands: u64,
    /// The teams by code, which the server keeps in private records.
    codes: BTreeMap<String, TeamId>,
    /// The client instance of each game master who numbered an order.
    instances: BTreeMap<GameMasterId, InstanceId>,
}

impl Story {
    /// The harbour hunt, in the lobby.
    pub(crate) fn in_lobby() -> Self {
        Self::of(HARBOUR)
    }

    /// The harbour hunt, running.
    pub(crate) fn running() -> Self {
        let mut story = Self::in_lobby();
        story
            .order(GameMasterOrder::Start)
            .expect("it is in the lobby");
        story
    }

    /// The hunt of a hunt file, in the lobby.
    pub(crate) fn of(toml: &str) -> Self {
        Self::with(hunt(toml))
    }

    /// A hunt, in the lobby.
    pub(crate) fn with(hunt: Hunt) -> Self {
        Self {
            state: State::new(Arc::new(hunt)),
            journal: Vec::new(),
            now: DAWN,
            numbers: Vec::new(),
            heads: BTreeMap::new(),
            commands: 0,
            codes: BTreeMap::new(),
            instances: BTreeMap::new(),
        }
    }

    /// Advances the clock and runs the timer's events that are due.
    pub(crate) fn wait(&mut self, ms: u64) {
        self.now = self.now.plus_ms(ms);
        while let Some(entry) = self.state.due_entry(self.now) {
            self.happens(entry);
        }
    }

    /// A new team with one player; the device of that player.
    pub(crate) fn team(&mut self, code: &str) -> DeviceId {
        let receipt = self.send(&create_team()).expect("there is room for a team");
        let Receipt::Joined { team, device, .. } = receipt else {
            panic!("a new team is answered by {receipt:?}");
        };
        self.codes.insert(normalise_code(code), team);
        device
    }

    /// Another player of a team; the device of that player.
    pub(crate) fn joins(&mut self, code: &str) -> Result<DeviceId, Rejection> {
        let order = RegistrationOrder::JoinTeam {
            team: self.team_with_code(code),
            player_name: NameId(3),
        };
        self.desk(order).map(joined)
    }

    /// The team with a code; a team that does not exist if no team has it.
    pub(crate) fn team_with_code(&self, code: &str) -> TeamId {
        let team = self.codes.get(&normalise_code(code));
        team.copied().unwrap_or(TeamId::from(0))
    }

    /// Another device of a device's player.
    pub(crate) fn adds_device(&mut self, by: DeviceId) -> Result<DeviceId, Rejection> {
        match self.desk(RegistrationOrder::AddDevice { by })? {
            Receipt::DeviceAdded { device } => Ok(device),
            other => panic!("adding a device is answered by {other:?}"),
        }
    }

    /// A device guesses, with a command id that was never used before.
    pub(crate) fn guess(
        &mut self,
        device: DeviceId,
        puzzle: &str,
        guess: &str,
    ) -> Result<Receipt, Rejection> {
        self.commands += 1;
        self.guess_as(device, self.commands, puzzle, guess)
    }

    /// A device guesses, with this command id.
    pub(crate) fn guess_as(
        &mut self,
        device: DeviceId,
        id: u64,
        puzzle: &str,
        guess: &str,
    ) -> Result<Receipt, Rejection> {
        self.send(&guess_command(device, id, puzzle, guess))
    }

    /// A device solves a puzzle of the harbour hunt.
    pub(crate) fn solves(&mut self, device: DeviceId, puzzle: &str) {
        let hunt = self.state.hunt().clone();
        let answer = hunt.puzzle(puzzle).expect("the hunt has it").answers[0].plain();
        let receipt = self.guess(device, puzzle, answer);
        assert!(matches!(
            receipt,
            Ok(Receipt::Guess {
                verdict: Verdict::Correct,
                ..
            })
        ));
    }

    pub(crate) fn desk(&mut self, order: RegistrationOrder) -> Result<Receipt, Rejection> {
        self.send(&Command::Registration(order))
    }

    pub(crate) fn order(&mut self, order: GameMasterOrder) -> Result<Receipt, Rejection> {
        self.send(&Command::admin(order))
    }

    /// An admin invites a game master.
    pub(crate) fn invites(&mut self, scopes: &[Scope]) -> GameMasterId {
        let receipt = self.order(invitation(scopes));
        match receipt.expect("there is room for a game master") {
            Receipt::GameMasterInvited { game_master } => game_master,
            other => panic!("an invitation is answered by {other:?}"),
        }
    }

    /// A game master orders something, without a number.
    pub(crate) fn order_by(
        &mut self,
        by: GameMasterId,
        order: GameMasterOrder,
    ) -> Result<Receipt, Rejection> {
        self.send(&Command::order(Issuer::GameMaster(by), order))
    }

    /// A game master orders something, with this command id, in an instance that is opened for the
    /// first such order.
    pub(crate) fn order_as(
        &mut self,
        by: GameMasterId,
        id: u64,
        order: GameMasterOrder,
    ) -> Result<Receipt, Rejection> {
        let instance = match self.instances.get(&by) {
            Some(instance) => *instance,
            None => self.opens_instance(by).unwrap_or(InstanceId::FIRST),
        };
        self.order_in(by, instance, id, order)
    }

    /// A game master orders something in this client instance, with this command id.
    pub(crate) fn order_in(
        &mut self,
        by: GameMasterId,
        instance: InstanceId,
        id: u64,
        order: GameMasterOrder,
    ) -> Result<Receipt, Rejection> {
        self.send(&numbered_order(by, instance, id, order))
    }

    /// A game master opens a client instance.
    pub(crate) fn opens_instance(&mut self, by: GameMasterId) -> Result<InstanceId, Rejection> {
        match self.send(&Command::OpenInstance(by))? {
            Receipt::InstanceOpened { instance } => {
                self.instances.insert(by, instance);
                Ok(instance)
            }
            other => panic!("opening an instance is answered by {other:?}"),
        }
    }

    /// A command arrives now.
    pub(crate) fn send(&mut self, command: &Command) -> Result<Receipt, Rejection> {
        self.wait(0);
        let before = self.state.hash();
        let decision = self.state.decide(command, self.now);
        assert_eq!(before, self.state.hash(), "deciding changes nothing");
        match decision? {
            Decision::Repeated(receipt) => Ok(receipt),
            Decision::Accepted(entry) => {
                let receipt = Receipt::from_events(&entry.events);
                self.happens(entry);
                Ok(receipt)
            }
        }
    }

    fn happens(&mut self, entry: Entry) {
        self.numbers.clear();
        for event in &entry.events {
            let numbers: Vec<UpdateNumber> = self.state.apply(entry.at, event).collect();
            let audiences = numbers.iter().map(|number| number.audience);
            assert!(audiences.eq(event.audiences()));
            for number in numbers {
                let head = self.heads.entry(number.audience).or_default();
                *head += 1;
                assert_eq!(number.number, *head, "numbers have no holes");
                assert_eq!(number.number, self.state.head(number.audience));
                self.numbers.push(number);
            }
        }
        self.state.record_receipt(&entry);
        self.state.assert_invariants();
        self.journal.push(entry);
    }

    /// Crashes the server and recovers from a snapshot alone.
    pub(crate) fn restarts(&mut self) {
        let deadline = self.state.next_deadline();
        self.state = restored(&self.state);
        self.state.assert_invariants();
        assert_eq!(self.state.next_deadline(), deadline);
    }

    /// The team of a device.
    pub(crate) fn team_of(&self, device: DeviceId) -> &Team {
        self.state
            .team(self.team_id_of(device))
            .expect("players have a team")
    }

    pub(crate) fn team_id_of(&self, device: DeviceId) -> TeamId {
        self.state
            .player(self.player_of(device))
            .expect("devices have a player")
            .team
    }

    pub(crate) fn player_of(&self, device: DeviceId) -> PlayerId {
        let device = self.state.device(device);
        device.expect("the device exists").player
    }

    /// The puzzles that a device's team sees, in the hunt's order.
    pub(crate) fn sees(&self, device: DeviceId) -> Vec<&str> {
        let team = self.team_of(device);
        let puzzles = self.state.hunt().puzzles.iter();
        puzzles
            .map(|puzzle| puzzle.id.as_str())
            .filter(|id| team.puzzle(id).is_some())
            .collect()
    }

    /// The audiences of the last entry's events, in order.
    pub(crate) fn audiences(&self) -> Vec<Audience> {
        let numbers = self.numbers.iter();
        numbers.map(|number| number.audience).collect()
    }

    /// The last entry of the journal.
    pub(crate) fn last_entry(&self) -> &Entry {
        self.journal.last().expect("something was accepted")
    }

    /// The scoreboard: rank and team code.
    pub(crate) fn board(&self) -> Vec<(u32, String)> {
        let code = |team| {
            let code = self.codes.iter().find(|(_, of)| **of == team);
            code.map(|(code, _)| code.clone())
                .expect("teams have codes")
        };
        let rows = self.state.scoreboard().into_iter();
        rows.map(|row| (row.rank, code(row.team))).collect()
    }
}

pub(crate) fn guess_command(device: DeviceId, id: u64, puzzle: &str, guess: &str) -> Command {
    Command::Player {
        device,
        id: CommandId(id),
        order: PlayerOrder::SubmitGuess {
            puzzle: puzzle.into(),
            guess: guess.to_owned(),
        },
    }
}

pub(crate) fn numbered_order(
    by: GameMasterId,
    instance: InstanceId,
    id: u64,
    order: GameMasterOrder,
) -> Command {
    Command::GameMaster {
        by: Issuer::GameMaster(by),
        key: Some((instance, CommandId(id))),
        reason: None,
        order,
    }
}

pub(crate) fn create_team() -> Command {
    Command::Registration(RegistrationOrder::CreateTeam {
        team_name: NameId(1),
        player_name: NameId(2),
    })
}

pub(crate) fn invitation(scopes: &[Scope]) -> GameMasterOrder {
    GameMasterOrder::InviteGameMaster {
        name: NameId(4),
        scopes: scopes.iter().copied().collect(),
    }
}

/// A clue that stays live.
pub(crate) fn clue(to: Target, text: &str) -> GameMasterOrder {
    let text = text.to_owned();
    let lasts = None;
    GameMasterOrder::PushClue { to, text, lasts }
}

/// A clue to everyone that expires.
pub(crate) fn short_clue(lasts_ms: u64) -> GameMasterOrder {
    GameMasterOrder::PushClue {
        to: Target::Everyone,
        text: "Look up".to_owned(),
        lasts: Some(DurationMs(lasts_ms)),
    }
}

pub(crate) fn announcement(text: &str) -> GameMasterOrder {
    let text = text.to_owned();
    GameMasterOrder::Announce { text }
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "stories compare it with what a command gives"
)]
pub(crate) fn correct(points: u32) -> Result<Receipt, Rejection> {
    let verdict = Verdict::Correct;
    Ok(Receipt::Guess { verdict, points })
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "stories compare it with what a command gives"
)]
pub(crate) fn wrong() -> Result<Receipt, Rejection> {
    let verdict = Verdict::Wrong;
    Ok(Receipt::Guess { verdict, points: 0 })
}

/// A hunt without mistakes.
fn hunt(toml: &str) -> Hunt {
    let files = Bundle::from([("hunt.toml".to_owned(), toml.to_owned())]);
    parse(&files).unwrap_or_else(|mistakes| panic!("{}", mistakes[0].render()))
}

/// The state as a snapshot gives it back.
pub(crate) fn restored(state: &State) -> State {
    let bytes = rmp_serde::to_vec_named(state.progress()).expect("progress can be written");
    let progress: Progress = rmp_serde::from_slice(&bytes).expect("what was written can be read");
    State::from_progress(state.hunt().clone(), progress)
}

/// The state as the journal gives it back.
pub(crate) fn replayed(hunt: &Arc<Hunt>, journal: &[Entry]) -> State {
    let mut state = State::new(hunt.clone());
    for entry in journal {
        state.apply_entry(entry);
    }
    state
}

fn joined(receipt: Receipt) -> DeviceId {
    match receipt {
        Receipt::Joined { device, .. } => device,
        other => panic!("joining is answered by {other:?}"),
    }
}
