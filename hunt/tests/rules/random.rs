//! Random sessions: the invariants hold for any commands in any order.

mod promises;

use std::collections::BTreeMap;

use cluecast_hunt::GameMasterOrder::{self, CancelStart, Finish, Pause, Reopen, Resume, Start};
use cluecast_hunt::{
    Command, CommandId, DeviceId, DurationMs, Entry, GameMasterId, InstanceId, Issuer, NameId,
    NewEnd, Origin, Receipt, RegistrationOrder, Rejection, Scope, Target,
};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use self::promises::{Rights, assert_heads, assert_times, points_of};
use crate::story::{
    DAWN, MINUTE, Story, announcement, create_team, guess_command, invitation, replayed, restored,
};

/// A step: a command, or an advance of the clock.
#[derive(Debug, Clone)]
enum Step {
    Ask(Command),
    Wait(u64),
    Restart,
}

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
    let team = || (0..6_u32).prop_map(Into::into);
    let device = || (0..12_u32).prop_map(DeviceId::from);
    let player = || (0..8_u32).prop_map(Into::into);
    let name = NameId(3);
    let player_name = name;
    prop_oneof![
        4 => team().prop_map(move |team| RegistrationOrder::JoinTeam { team, player_name }),
        4 => device().prop_map(|by| RegistrationOrder::AddDevice { by }),
        1 => (team(), player()).prop_map(|(team, player)| RegistrationOrder::RestorePlayer { team, player }),
        2 => (device(), 0..6_u64).prop_map(|(by, link)| RegistrationOrder::UseLink { by, link }),
        1 => (device(), device()).prop_map(|(by, device)| RegistrationOrder::RevokeDevice { by, device }),
        1 => device().prop_map(move |by| RegistrationOrder::RenameTeam { by, name }),
        1 => (device(), player()).prop_map(move |(by, player)| RegistrationOrder::RenamePlayer { by, player, name }),
        1 => device().prop_map(|by| RegistrationOrder::RotateTeamCode { by }),
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

fn timing_order() -> impl Strategy<Value = GameMasterOrder> {
    let start = (0..30 * MINUTE).prop_map(|ms| GameMasterOrder::ScheduleStart {
        at: DAWN.plus_ms(ms),
    });
    let end = prop_oneof![
        (0..180 * MINUTE).prop_map(|ms| NewEnd::At(DAWN.plus_ms(ms))),
        (0..60 * MINUTE).prop_map(|ms| NewEnd::Left(DurationMs(ms))),
        Just(NewEnd::Never),
    ];
    prop_oneof![
        6 => select(&[Pause, Resume, Resume]),
        1 => Just(Start),
        1 => any::<bool>().prop_map(|confirmed| Finish { confirmed }),
        2 => Just(Reopen),
        3 => start,
        1 => Just(CancelStart),
        3 => end.prop_map(|to| GameMasterOrder::MoveEnd { to }),
    ]
}

fn renaming_order() -> impl Strategy<Value = GameMasterOrder> {
    let name = NameId(5);
    let rename_team = move |team: u32| GameMasterOrder::RenameTeam {
        team: team.into(),
        name,
    };
    let rename_player = move |player: u32| GameMasterOrder::RenamePlayer {
        player: player.into(),
        name,
    };
    let rotate = |team: u32| GameMasterOrder::RotateTeamCode { team: team.into() };
    prop_oneof![
        (0..6_u32).prop_map(rename_team),
        (0..8_u32).prop_map(rename_player),
        (0..6_u32).prop_map(rotate),
    ]
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
        12 => timing_order(),
        2 => renaming_order(),
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
    let key = (
        (0..4_u32).prop_map(InstanceId),
        (0..20_u64).prop_map(CommandId),
    );
    let reason = prop::option::of((0..3_u64).prop_map(NameId));
    let parts = (by, prop::option::of(key), reason, game_master_order());
    parts.prop_map(|(by, key, reason, order)| Command::GameMaster {
        by,
        key,
        reason,
        order,
    })
}

fn step() -> impl Strategy<Value = Step> {
    let instance = (0..4_u32).prop_map(|by| Command::OpenInstance(by.into()));
    prop_oneof![
        2 => Just(Step::Ask(create_team())),
        4 => instance.prop_map(Step::Ask),
        40 => guess().prop_map(Step::Ask),
        6 => desk_order().prop_map(|order| Step::Ask(Command::Registration(order))),
        14 => by_game_master().prop_map(Step::Ask),
        4 => (0..4 * MINUTE).prop_map(Step::Wait),
        1 => Just(Step::Restart),
    ]
}

/// A sender of numbered commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Sender {
    Device(DeviceId),
    Instance(GameMasterId, InstanceId),
}

/// The sender and the number of a command that has them.
fn numbered(command: &Command) -> Option<(Sender, CommandId)> {
    match command {
        Command::Player { device, id, .. } => Some((Sender::Device(*device), *id)),
        Command::GameMaster {
            by: Issuer::GameMaster(by),
            key: Some((instance, id)),
            ..
        } => Some((Sender::Instance(*by, *instance), *id)),
        Command::GameMaster { .. } | Command::Registration(_) | Command::OpenInstance(_) => None,
    }
}

fn is_revoked(story: &Story, sender: Sender) -> bool {
    match sender {
        Sender::Device(id) => story.state.device(id).is_some_and(|it| it.revoked),
        Sender::Instance(id, _) => story.state.game_master(id).is_some_and(|it| it.revoked),
    }
}

/// Whether two numbered commands of one sender have the same content.
fn is_same(one: &Command, other: &Command) -> bool {
    match (one, other) {
        (Command::GameMaster { order: one, .. }, Command::GameMaster { order: other, .. }) => {
            one == other
        }
        _ => one == other,
    }
}

type Receipts = BTreeMap<(Sender, CommandId), (Command, Receipt)>;

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
        assert!(only_timers, "what is refused changes nothing");
    }
    let Some(key) = sender else {
        return;
    };
    if was_revoked {
        assert_eq!(answer, Err(Rejection::Revoked));
        return;
    }
    match receipts.get(&key) {
        Some((first, receipt)) => {
            if is_same(first, command) {
                assert_eq!(answer, Ok(*receipt), "the receipt stays the same");
            } else {
                assert_eq!(answer, Err(Rejection::IdReused));
            }
            assert!(only_timers, "it is not applied again");
        }
        None => {
            if let Ok(receipt) = answer {
                receipts.insert(key, (command.clone(), receipt));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn random_sessions_keep_their_promises(
        started in any::<bool>(),
        steps in prop::collection::vec(step(), 1..200),
    ) {
        let mut story = Story::in_lobby();
        let mut receipts = BTreeMap::new();
        story.team("WASPS");
        story.invites(&Scope::ALL);
        story.invites(&[Scope::View, Scope::Run]);
        if started {
            story.order(Start).expect("it is in the lobby");
        }
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
        assert_times(&story);
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
