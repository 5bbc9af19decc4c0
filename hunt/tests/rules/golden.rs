//! Golden files of the journal's encoding. A file changes only together with the format, and a new variant
//! needs a new file.
//!
//! A file contains the value's debug output, then its MessagePack with field names in hexadecimal.

use std::fmt::Debug;

use cluecast_hunt::{
    AnnouncementId, ClueId, CommandId, DeviceId, DurationMs, Entry, Event, Fingerprint,
    GameMasterId, InstanceId, NameId, NumberedCommand, Origin, PlayerId, Scope, Target, TeamId,
    Timestamp, Verdict,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

const AT: Timestamp = Timestamp(1_700_000_000_123);

const COMMAND: NumberedCommand = NumberedCommand {
    id: CommandId(41),
    fingerprint: Fingerprint(u64::MAX),
};

pub(crate) fn check<T: Serialize + DeserializeOwned + PartialEq + Debug>(golden: &str, value: &T) {
    let (shown, bytes) = golden.split_once('\n').unwrap_or_default();
    let encoded = rmp_serde::to_vec_named(value).expect("the value can be written");
    let today = format!("# {value:?}\n{}\n", hexadecimal(&encoded));
    assert_eq!(golden, today, "the encoding changed; today it is:\n{today}");
    let stored = bytes_of(bytes);
    let decoded: T = rmp_serde::from_slice(&stored).expect("what is stored can be read");
    assert_eq!(decoded, *value, "{shown}");
}

fn hexadecimal(bytes: &[u8]) -> String {
    let lines = bytes.chunks(32).map(|line| {
        let pairs: Vec<String> = line.iter().map(|byte| format!("{byte:02x}")).collect();
        pairs.join(" ")
    });
    lines.collect::<Vec<_>>().join("\n")
}

pub(crate) fn bytes_of(hexadecimal: &str) -> Vec<u8> {
    let pairs = hexadecimal.split_whitespace();
    pairs
        .map(|pair| u8::from_str_radix(pair, 16).expect("golden files hold hexadecimal"))
        .collect()
}

/// The golden file of a variant, and the example of the next variant. The match has no wildcard, so a new
/// variant does not compile without a file.
#[expect(clippy::too_many_lines, reason = "every event has its arm")]
fn golden_event(event: &Event) -> (&'static str, Option<Event>) {
    let (team, player, device) = (TeamId::from(3), PlayerId::from(70_000), DeviceId::from(8));
    let (game_master, clue) = (GameMasterId::from(2), ClueId::from(200));
    match event {
        Event::SessionStarted { .. } => (
            include_str!("../golden/event_session_started.hex"),
            Some(Event::StartScheduled { starts_at: AT }),
        ),
        Event::StartScheduled { .. } => (
            include_str!("../golden/event_start_scheduled.hex"),
            Some(Event::StartCancelled),
        ),
        Event::StartCancelled => (
            include_str!("../golden/event_start_cancelled.hex"),
            Some(Event::SessionPaused),
        ),
        Event::SessionPaused => (
            include_str!("../golden/event_session_paused.hex"),
            Some(Event::SessionResumed {
                ends_at: None,
                paused_ms: 60_000,
            }),
        ),
        Event::SessionResumed { .. } => (
            include_str!("../golden/event_session_resumed.hex"),
            Some(Event::EndMoved { ends_at: Some(AT) }),
        ),
        Event::EndMoved { .. } => (
            include_str!("../golden/event_end_moved.hex"),
            Some(Event::SessionFinished),
        ),
        Event::SessionFinished => (
            include_str!("../golden/event_session_finished.hex"),
            Some(Event::SessionReopened {
                left: Some(DurationMs(90_000)),
            }),
        ),
        Event::SessionReopened { .. } => (
            include_str!("../golden/event_session_reopened.hex"),
            Some(Event::TeamCreated {
                team,
                name: NameId(u64::MAX),
            }),
        ),
        Event::TeamCreated { .. } => (
            include_str!("../golden/event_team_created.hex"),
            Some(Event::PlayerJoined {
                team,
                player,
                name: NameId(5),
            }),
        ),
        Event::PlayerJoined { .. } => (
            include_str!("../golden/event_player_joined.hex"),
            Some(Event::DeviceAdded { player, device }),
        ),
        Event::DeviceAdded { .. } => (
            include_str!("../golden/event_device_added.hex"),
            Some(Event::UnlockedForAll {
                rounds: vec!["quay".into()],
                puzzles: vec!["flags".into(), "knots".into()],
            }),
        ),
        Event::UnlockedForAll { .. } => (
            include_str!("../golden/event_unlocked_for_all.hex"),
            Some(Event::Unlocked {
                team,
                rounds: vec!["quay".into()],
                puzzles: vec!["flags".into(), "gull-meta".into()],
            }),
        ),
        Event::Unlocked { .. } => (
            include_str!("../golden/event_unlocked.hex"),
            Some(Event::GuessJudged {
                team,
                player,
                puzzle: "flags".into(),
                guess: "Spinnaker!".to_owned(),
                normaliser: 1,
                verdict: Verdict::Correct,
                points: 10,
            }),
        ),
        Event::GuessJudged { .. } => (
            include_str!("../golden/event_guess_judged.hex"),
            Some(Event::LinkUsed {
                player,
                link: u64::MAX,
            }),
        ),
        Event::LinkUsed { .. } => (
            include_str!("../golden/event_link_used.hex"),
            Some(Event::DeviceRevoked { player, device }),
        ),
        Event::DeviceRevoked { .. } => (
            include_str!("../golden/event_device_revoked.hex"),
            Some(Event::TeamRenamed {
                team,
                name: NameId(7),
            }),
        ),
        Event::TeamRenamed { .. } => (
            include_str!("../golden/event_team_renamed.hex"),
            Some(Event::PlayerRenamed {
                team,
                player,
                name: NameId(8),
            }),
        ),
        Event::PlayerRenamed { .. } => (
            include_str!("../golden/event_player_renamed.hex"),
            Some(Event::TeamCodeRotated { team }),
        ),
        Event::TeamCodeRotated { .. } => (
            include_str!("../golden/event_team_code_rotated.hex"),
            Some(Event::GameMasterInvited {
                game_master,
                name: NameId(6),
                scopes: Scope::ALL.into(),
            }),
        ),
        Event::GameMasterInvited { .. } => (
            include_str!("../golden/event_game_master_invited.hex"),
            Some(Event::InstanceOpened {
                game_master,
                instance: InstanceId(17),
            }),
        ),
        Event::InstanceOpened { .. } => (
            include_str!("../golden/event_instance_opened.hex"),
            Some(Event::GameMasterRevoked { game_master }),
        ),
        Event::GameMasterRevoked { .. } => (
            include_str!("../golden/event_game_master_revoked.hex"),
            Some(Event::CluePushed {
                clue,
                to: Target::Team { team },
                text: "Look up \u{2191}".to_owned(),
                expires_at: Some(AT),
            }),
        ),
        Event::CluePushed { .. } => (
            include_str!("../golden/event_clue_pushed.hex"),
            Some(Event::ClueCancelled {
                clue,
                to: Target::Player { player },
            }),
        ),
        Event::ClueCancelled { .. } => (
            include_str!("../golden/event_clue_cancelled.hex"),
            Some(Event::ClueExpired {
                clue,
                to: Target::Everyone,
            }),
        ),
        Event::ClueExpired { .. } => (
            include_str!("../golden/event_clue_expired.hex"),
            Some(Event::Announced {
                announcement: AnnouncementId::from(300),
                text: "Lunch is served".to_owned(),
            }),
        ),
        Event::Announced { .. } => (include_str!("../golden/event_announced.hex"), None),
    }
}

fn golden_origin(origin: Origin) -> (&'static str, Option<Origin>) {
    let game_master = GameMasterId::from(2);
    match origin {
        Origin::Device {
            command: Some(_), ..
        } => (
            include_str!("../golden/origin_device_with_id.hex"),
            Some(Origin::Device {
                device: DeviceId::from(8),
                command: None,
            }),
        ),
        Origin::Device { command: None, .. } => (
            include_str!("../golden/origin_device_without_id.hex"),
            Some(Origin::TeamCode),
        ),
        Origin::TeamCode => (
            include_str!("../golden/origin_team_code.hex"),
            Some(Origin::Founder),
        ),
        Origin::Founder => (
            include_str!("../golden/origin_founder.hex"),
            Some(Origin::GameMaster {
                game_master,
                command: Some((InstanceId(17), COMMAND)),
            }),
        ),
        Origin::GameMaster {
            command: Some(_), ..
        } => (
            include_str!("../golden/origin_game_master_with_id.hex"),
            Some(Origin::GameMaster {
                game_master,
                command: None,
            }),
        ),
        Origin::GameMaster { command: None, .. } => (
            include_str!("../golden/origin_game_master_without_id.hex"),
            Some(Origin::Admin),
        ),
        Origin::Admin => (
            include_str!("../golden/origin_admin.hex"),
            Some(Origin::Timer),
        ),
        Origin::Timer => (include_str!("../golden/origin_timer.hex"), None),
    }
}

fn golden_verdict(verdict: Verdict) -> (&'static str, Option<Verdict>) {
    match verdict {
        Verdict::Correct => (
            include_str!("../golden/verdict_correct.hex"),
            Some(Verdict::Wrong),
        ),
        Verdict::Wrong => (include_str!("../golden/verdict_wrong.hex"), None),
    }
}

fn golden_target(target: Target) -> (&'static str, Option<Target>) {
    match target {
        Target::Everyone => (
            include_str!("../golden/target_everyone.hex"),
            Some(Target::Team {
                team: TeamId::from(3),
            }),
        ),
        Target::Team { .. } => (
            include_str!("../golden/target_team.hex"),
            Some(Target::Player {
                player: PlayerId::from(70_000),
            }),
        ),
        Target::Player { .. } => (include_str!("../golden/target_player.hex"), None),
    }
}

fn golden_scope(scope: Scope) -> (&'static str, Option<Scope>) {
    match scope {
        Scope::View => (include_str!("../golden/scope_view.hex"), Some(Scope::Hints)),
        Scope::Hints => (include_str!("../golden/scope_hints.hex"), Some(Scope::Run)),
        Scope::Run => (
            include_str!("../golden/scope_run.hex"),
            Some(Scope::Answers),
        ),
        Scope::Answers => (include_str!("../golden/scope_answers.hex"), None),
    }
}

fn from_a_device() -> Origin {
    Origin::Device {
        device: DeviceId::from(8),
        command: Some(COMMAND),
    }
}

#[test]
fn every_event_is_written_as_ever() {
    let mut next = Some(Event::SessionStarted { ends_at: Some(AT) });
    while let Some(event) = next {
        let (golden, following) = golden_event(&event);
        check(golden, &event);
        next = following;
    }
}

#[test]
fn every_origin_is_written_as_ever() {
    let mut next = Some(from_a_device());
    while let Some(origin) = next {
        let (golden, following) = golden_origin(origin);
        check(golden, &origin);
        next = following;
    }
}

#[test]
fn every_verdict_is_written_as_ever() {
    let mut next = Some(Verdict::Correct);
    while let Some(verdict) = next {
        let (golden, following) = golden_verdict(verdict);
        check(golden, &verdict);
        next = following;
    }
}

#[test]
fn an_entry_is_written_as_ever() {
    let without_reason = Entry {
        at: AT,
        origin: from_a_device(),
        reason: None,
        events: vec![Event::SessionPaused, Event::SessionFinished],
    };
    check(include_str!("../golden/entry.hex"), &without_reason);
    let with_reason = Entry {
        origin: Origin::Admin,
        reason: Some(NameId(9)),
        ..without_reason
    };
    check(
        include_str!("../golden/entry_with_reason.hex"),
        &with_reason,
    );
}

#[test]
fn every_target_is_written_as_ever() {
    let mut next = Some(Target::Everyone);
    while let Some(target) = next {
        let (golden, following) = golden_target(target);
        check(golden, &target);
        next = following;
    }
}

#[test]
fn every_scope_is_written_as_ever() {
    let mut next = Some(Scope::View);
    let mut seen = Vec::new();
    while let Some(scope) = next {
        let (golden, following) = golden_scope(scope);
        check(golden, &scope);
        seen.push(scope);
        next = following;
    }
    assert_eq!(seen, Scope::ALL);
}
