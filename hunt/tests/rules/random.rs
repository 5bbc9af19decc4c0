//! Random sessions: the guarantees hold for any sequence of commands.

use std::collections::{BTreeMap, BTreeSet};

use cluecast_hunt::GameMasterOrder::{self, Finish, Pause, Resume, Start};
use cluecast_hunt::{
    Audience, Command, CommandId, DeviceId, DurationMs, Entry, Event, GameMasterId, Issuer, NameId,
    Origin, PlayerId, Receipt, RegistrationOrder, Rejection, Scope, Target, Verdict,
};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use crate::story::{
    MINUTE, Story, announcement, create_team, guess_command, invitation, replayed, restored,
};

/// A command, or the passing of time.
#[derive(Debug, Clone)]
enum Step {
    Ask(Command),
    Wait(u64),
    Restart,
}

const CODES: [&str; 4] = ["OWLS", "FOXES", "BEES", "ANTS"];
const PUZZLES: [&str; 6] = ["flags", "knots", "bell", "gull", "plaque", "unicorn"];
const GUESSES: [&str; 8] = [
    "Spinnaker",
    "spinaker",
    "BOWLINE",
    "ding, dong",
    "Lighthouse",
    "1887",
    "sail",
    "?",
];

fn guess() -> impl Strategy<Value = Command> {
    let parts = (1..8_u32, 0..60_u64, select(&PUZZLES), select(&GUESSES));
    parts.prop_map(|(device, id, puzzle, guess)| guess_command(device.into(), id, puzzle, guess))
}

fn desk_order() -> impl Strategy<Value = RegistrationOrder> {
    let code = || select(&CODES).prop_map(Into::into);
    let device = || (0..12_u32).prop_map(DeviceId::from);
    let player = || (0..8_u32).prop_map(Into::into);
    let player_name = NameId(3);
    prop_oneof![
        4 => code().prop_map(move |code| RegistrationOrder::JoinTeam { code, player_name }),
        4 => device().prop_map(|by| RegistrationOrder::AddDevice { by }),
        1 => (code(), player()).prop_map(|(code, player)| RegistrationOrder::RestorePlayer { code, player }),
        2 => (device(), 0..6_u64).prop_map(|(by, link)| RegistrationOrder::UseLink { by, link }),
        1 => (device(), device()).prop_map(|(by, device)| RegistrationOrder::RevokeDevice { by, device }),
    ]
}

fn target() -> impl Strategy<Value = Target> {
    prop_oneof![
        Just(Target::Everyone),
        (0..6_u32).prop_map(|team| Target::Team { team: team.into() }),
        (0..8_u32).prop_map(|player| Target::Player {
            player: player.into()
        }),
    ]
}

fn push_clue() -> impl Strategy<Value = GameMasterOrder> {
    let lasts = prop::option::of((0..10 * MINUTE).prop_map(DurationMs));
    let text = select(&["Look up", "Look down", " "]);
    (target(), text, lasts).prop_map(|(to, text, lasts)| GameMasterOrder::PushClue {
        to,
        text: text.to_owned(),
        lasts,
    })
}

fn game_master_order() -> impl Strategy<Value = GameMasterOrder> {
    let scopes = subsequence(&Scope::ALL, 0..=Scope::ALL.len());
    let cancel = |clue: u32| GameMasterOrder::CancelClue { clue: clue.into() };
    let restore = |player: u32| GameMasterOrder::RestorePlayer {
        player: player.into(),
    };
    let revoke_device = |device: u32| GameMasterOrder::RevokeDevice {
        device: device.into(),
    };
    let revoke_game_master = |game_master: u32| GameMasterOrder::RevokeGameMaster {
        game_master: game_master.into(),
    };
    prop_oneof![
        6 => select(&[Pause, Resume, Resume]),
        1 => select(&[Start, Finish]),
        8 => push_clue(),
        3 => (0..12_u32).prop_map(cancel),
        2 => Just(announcement("Lunch is served")),
        2 => (0..8_u32).prop_map(restore),
        1 => (0..12_u32).prop_map(revoke_device),
        4 => scopes.prop_map(|scopes| invitation(&scopes)),
        1 => (0..6_u32).prop_map(revoke_game_master),
    ]
}

fn by_game_master() -> impl Strategy<Value = Command> {
    let by = prop_oneof![
        Just(Issuer::Admin),
        (0..6_u32).prop_map(|id| Issuer::GameMaster(id.into())),
    ];
    let id = prop::option::of((0..20_u64).prop_map(CommandId));
    (by, id, game_master_order()).prop_map(|(by, id, order)| Command::GameMaster { by, id, order })
}

fn step() -> impl Strategy<Value = Step> {
    let team = select(&CODES).prop_map(|code| create_team(code.into()));
    prop_oneof![
        2 => team.prop_map(Step::Ask),
        40 => guess().prop_map(Step::Ask),
        6 => desk_order().prop_map(|order| Step::Ask(Command::Registration(order))),
        14 => by_game_master().prop_map(Step::Ask),
        4 => (0..4 * MINUTE).prop_map(Step::Wait),
        1 => Just(Step::Restart),
    ]
}

/// A sender of commands with ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Sender {
    Device(DeviceId),
    GameMaster(GameMasterId),
}

/// The sender and the id of a command that has them.
fn numbered(command: &Command) -> Option<(Sender, CommandId)> {
    match command {
        Command::Player { device, id, .. } => Some((Sender::Device(*device), *id)),
        Command::GameMaster {
            by: Issuer::GameMaster(by),
            id: Some(id),
            ..
        } => Some((Sender::GameMaster(*by), *id)),
        Command::GameMaster { .. } | Command::Registration(_) => None,
    }
}

fn is_revoked(story: &Story, sender: Sender) -> bool {
    match sender {
        Sender::Device(id) => story.state.device(id).is_some_and(|it| it.revoked),
        Sender::GameMaster(id) => story.state.game_master(id).is_some_and(|it| it.revoked),
    }
}

type Receipts = BTreeMap<(Sender, CommandId), Receipt>;

fn take(story: &mut Story, receipts: &mut Receipts, step: &Step) {
    match step {
        Step::Ask(command) => ask(story, receipts, command),
        Step::Wait(ms) => story.wait(*ms),
        Step::Restart => story.restarts(),
    }
}

fn ask(story: &mut Story, receipts: &mut Receipts, command: &Command) {
    let entries = story.journal.len();
    let sender = numbered(command);
    let was_revoked = sender.is_some_and(|(sender, _)| is_revoked(story, sender));
    let answer = story.send(command);
    let came = &story.journal[entries..];
    let only_timers = came.iter().all(|entry| entry.origin == Origin::Timer);
    if answer.is_err() || was_revoked {
        assert!(only_timers, "a rejected command changes nothing");
    }
    let Some(key) = sender else {
        return;
    };
    if was_revoked {
        assert_eq!(answer, Err(Rejection::Revoked));
        return;
    }
    match receipts.get(&key) {
        Some(first) => {
            assert_eq!(
                answer.as_ref(),
                Ok(first),
                "a repeated command returns the same receipt"
            );
            assert!(only_timers, "a repeated command is not applied again");
        }
        None => {
            if let Ok(receipt) = answer {
                receipts.insert(key, receipt);
            }
        }
    }
}

/// The points of every team, counted from the journal with each solve once.
fn points_of(journal: &[Entry]) -> BTreeMap<u32, u32> {
    let mut solves = BTreeSet::new();
    let mut scores = BTreeMap::new();
    for event in journal.iter().flat_map(|entry| &entry.events) {
        if let Event::GuessJudged {
            team,
            puzzle,
            verdict: Verdict::Correct,
            points,
            ..
        } = event
        {
            assert!(
                solves.insert((*team, puzzle)),
                "{team} solves {puzzle} once"
            );
            *scores.entry(team.number()).or_default() += points;
        }
    }
    scores
}

/// The scope without which a game master cannot have caused an event.
fn scope_of(event: &Event) -> Scope {
    match event {
        Event::CluePushed { .. } | Event::ClueCancelled { .. } => Scope::Hints,
        Event::SessionStarted { .. }
        | Event::SessionPaused
        | Event::SessionResumed { .. }
        | Event::SessionFinished
        | Event::Unlocked { .. }
        | Event::DeviceAdded { .. }
        | Event::DeviceRevoked { .. }
        | Event::GameMasterInvited { .. }
        | Event::GameMasterRevoked { .. }
        | Event::Announced { .. } => Scope::Run,
        Event::TeamCreated { .. }
        | Event::PlayerJoined { .. }
        | Event::GuessJudged { .. }
        | Event::LinkUsed { .. }
        | Event::ClueExpired { .. } => panic!("no game master causes {event:?}"),
    }
}

/// The permissions, derived from the journal alone.
#[derive(Default)]
struct Rights {
    scopes_of: BTreeMap<GameMasterId, BTreeSet<Scope>>,
    revoked: BTreeSet<DeviceId>,
    links: BTreeSet<(PlayerId, u64)>,
}

impl Rights {
    /// Checks that every issuer had the required permission.
    fn assert_kept(journal: &[Entry]) {
        let mut rights = Self::default();
        for entry in journal {
            let scopes = rights.scopes_behind(entry.origin);
            for event in &entry.events {
                if let Some(scopes) = &scopes {
                    assert!(scopes.contains(&scope_of(event)), "{entry:?}");
                }
                rights.change(event, scopes.as_ref());
            }
        }
    }

    /// The scopes of the game master who caused the entry, if there is one.
    fn scopes_behind(&self, origin: Origin) -> Option<BTreeSet<Scope>> {
        match origin {
            Origin::Device { device, .. } => {
                assert!(!self.revoked.contains(&device), "{device} was revoked");
                None
            }
            Origin::GameMaster { game_master, .. } => {
                game_master.map(|id| self.scopes_of.get(&id).expect("it may act").clone())
            }
            Origin::Desk | Origin::Timer => None,
        }
    }

    fn change(&mut self, event: &Event, scopes_behind: Option<&BTreeSet<Scope>>) {
        if let Event::GameMasterInvited {
            game_master,
            scopes,
            ..
        } = event
        {
            assert!(scopes_behind.is_none_or(|own| scopes.is_subset(own)));
            self.scopes_of.insert(*game_master, scopes.clone());
        }
        if let Event::GameMasterRevoked { game_master } = event {
            let before = self.scopes_of.remove(game_master);
            assert!(before.is_some(), "{game_master} is revoked once");
        }
        if let Event::DeviceRevoked { device, .. } = event {
            assert!(self.revoked.insert(*device), "{device} is revoked once");
        }
        if let Event::LinkUsed { player, link } = event {
            assert!(self.links.insert((*player, *link)), "it is used once");
        }
    }
}

/// Derives the live clues from the journal alone, and checks that each ended once and at its time.
fn assert_clues(story: &Story) {
    let mut live = BTreeMap::new();
    for entry in &story.journal {
        for event in &entry.events {
            if let Event::CluePushed {
                clue,
                to,
                expires_at,
                ..
            } = event
            {
                live.insert(*clue, (*to, *expires_at));
            }
            if let Event::ClueCancelled { clue, to } = event {
                let (of, _) = live.remove(clue).expect("only live clues are cancelled");
                assert_eq!(*to, of);
            }
            if let Event::ClueExpired { clue, to } = event {
                assert_eq!(live.remove(clue), Some((*to, Some(entry.at))));
            }
        }
    }
    let told = story.state.live_clues();
    let told = told.map(|(id, clue)| (id, (clue.to, clue.expires_at)));
    assert_eq!(told.collect::<BTreeMap<_, _>>(), live);
    let expiries = live.values().filter_map(|(_, expires_at)| *expires_at);
    let next = expiries.min();
    assert!(next.is_none_or(|expires_at| expires_at > story.now));
}

/// Counts the updates of each audience from the journal alone.
fn assert_heads(story: &Story) {
    let mut heads = BTreeMap::<Audience, u64>::new();
    for event in story.journal.iter().flat_map(|entry| &entry.events) {
        let audiences: Vec<_> = event.audiences().collect();
        let distinct: BTreeSet<_> = audiences.iter().copied().collect();
        assert_eq!(
            distinct.len(),
            audiences.len(),
            "nobody sees {event:?} twice"
        );
        for audience in audiences {
            *heads.entry(audience).or_default() += 1;
        }
    }
    for (audience, head) in heads {
        assert_eq!(story.state.head(audience), head, "{audience:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn random_sessions_keep_their_promises(steps in prop::collection::vec(step(), 1..200)) {
        let mut story = Story::in_lobby();
        let mut receipts = BTreeMap::new();
        story.team("WASPS");
        story.invites(&Scope::ALL);
        story.invites(&[Scope::View, Scope::Run]);
        story.order(Start).expect("it is in the lobby");
        for step in &steps {
            take(&mut story, &mut receipts, step);
        }
        story.wait(0);

        let scores = points_of(&story.journal);
        for (id, team) in story.state.teams() {
            let counted = scores.get(&id.number()).copied().unwrap_or_default();
            prop_assert_eq!(team.score, counted);
        }
        Rights::assert_kept(&story.journal);
        assert_clues(&story);
        assert_heads(&story);
        let hunt = story.state.hunt();
        prop_assert_eq!(replayed(hunt, &story.journal).hash(), story.state.hash());
        prop_assert_eq!(restored(&story.state).hash(), story.state.hash());
    }

    #[test]
    fn a_snapshot_and_the_tail_give_the_same_state(
        steps in prop::collection::vec(step(), 1..80),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut story = Story::running();
        let mut receipts = BTreeMap::new();
        for step in &steps {
            take(&mut story, &mut receipts, step);
        }
        let bytes = rmp_serde::to_vec_named(&story.journal).expect("entries can be written");
        let journal: Vec<Entry> = rmp_serde::from_slice(&bytes).expect("entries can be read");
        prop_assert_eq!(&journal, &story.journal);

        let (head, tail) = journal.split_at(cut.index(journal.len()));
        let mut state = restored(&replayed(story.state.hunt(), head));
        for entry in tail {
            state.apply_entry(entry);
        }
        prop_assert_eq!(state.hash(), story.state.hash());
    }
}
