//! Clues and announcements: their audiences, and when a clue stops being live.

use cluecast_hunt::GameMasterOrder::{self, Pause, Resume, Start};
use cluecast_hunt::text::TextError;
use cluecast_hunt::{
    Audience, ClueId, Command, Decision, DurationMs, Event, Origin, PlayerId, Receipt,
    RegistrationOrder, Rejection, Target, TeamId, Timestamp, limits,
};

use crate::story::{DAWN, FINISH, MINUTE, Story, announcement, clue, replayed, short_clue};

const HOUR: u64 = 60 * MINUTE;

#[expect(
    clippy::unnecessary_wraps,
    reason = "stories compare it with what a command gives"
)]
fn pushed(clue: u32) -> Result<Receipt, Rejection> {
    let clue = clue.into();
    Ok(Receipt::CluePushed { clue })
}

fn cancel(clue: u32) -> GameMasterOrder {
    let clue = clue.into();
    GameMasterOrder::CancelClue { clue }
}

fn live(story: &Story) -> Vec<u32> {
    let clues = story.state.live_clues();
    clues.map(|(clue, _)| clue.number()).collect()
}

/// The numbers of the last entry, by audience.
fn numbered(story: &Story) -> Vec<(Audience, u64)> {
    let numbers = story.numbers.iter();
    numbers
        .map(|number| (number.audience, number.number))
        .collect()
}

/// The timer's events, and their time.
fn timers(story: &Story) -> Vec<(u64, &Event)> {
    let entries = story.journal.iter();
    let timers = entries.filter(|entry| entry.origin == Origin::Timer);
    timers
        .map(|entry| {
            assert_eq!(entry.events.len(), 1);
            (entry.at.ms_since(DAWN), &entry.events[0])
        })
        .collect()
}

fn expired(clue: u32) -> Event {
    let (clue, to) = (clue.into(), Target::Everyone);
    Event::ClueExpired { clue, to }
}

#[test]
fn a_clue_reaches_only_its_target_and_the_game_masters() {
    let mut story = Story::in_lobby();
    let owl = story.team("OWLS");
    let other_owl = story.joins("OWLS").expect("the team has room");
    let fox = story.team("FOXES");
    let (owls, foxes) = (story.team_id_of(owl), story.team_id_of(fox));
    let player = story.player_of(other_owl);
    let audiences = [
        Audience::Everyone,
        Audience::Team(owls),
        Audience::Team(foxes),
        Audience::Player(story.player_of(owl)),
        Audience::Player(player),
        Audience::Player(story.player_of(fox)),
        Audience::Public,
        Audience::View,
        Audience::Hints,
        Audience::Answers,
    ];
    let mut clue_number = 0;
    for (to, audience) in [
        (Target::Everyone, Audience::Everyone),
        (Target::Team { team: owls }, Audience::Team(owls)),
        (Target::Player { player }, Audience::Player(player)),
    ] {
        clue_number += 1;
        for order in [clue(to, "Look up"), cancel(clue_number)] {
            let before = audiences.map(|audience| story.state.head(audience));
            story.order(order.clone()).expect("the target exists");
            let mut expected = Vec::new();
            for (of, head) in audiences.into_iter().zip(before) {
                let reached = [audience, Audience::View, Audience::Hints].contains(&of);
                let number = head + u64::from(reached);
                assert_eq!(story.state.head(of), number, "{order:?} and {of:?}");
                if reached {
                    expected.push((of, number));
                }
            }
            assert_eq!(numbered(&story), expected);
            let entry = story.journal.last().expect("it was accepted");
            match &entry.events[..] {
                [Event::CluePushed { to: of, .. } | Event::ClueCancelled { to: of, .. }] => {
                    assert_eq!(*of, to);
                }
                other => panic!("it caused {other:?}"),
            }
        }
    }
}

#[test]
fn an_expiry_has_the_audience_of_its_clue() {
    let mut story = Story::in_lobby();
    let owl = story.team("OWLS");
    let player = story.player_of(owl);
    let order = GameMasterOrder::PushClue {
        to: Target::Player { player },
        text: "Look up".to_owned(),
        lasts: Some(DurationMs(MINUTE)),
    };
    assert_eq!(story.order(order), pushed(1));
    let head = |audience| story.state.head(audience) + 1;
    let expected = [Audience::Player(player), Audience::View, Audience::Hints];
    let expected = expected.map(|audience| (audience, head(audience)));
    story.wait(MINUTE);
    assert_eq!(numbered(&story), expected);
}

#[test]
fn an_announcement_reaches_everyone_in_every_phase() {
    let mut story = Story::in_lobby();
    let mut said = 0;
    for order in [None, Some(Start), Some(Pause), Some(Resume), Some(FINISH)] {
        if let Some(order) = order {
            story.order(order).expect("these orders fit");
        }
        said += 1;
        let answer = story.order(announcement("\nLunch is served\n"));
        let announcement = said.into();
        assert_eq!(answer, Ok(Receipt::Announced { announcement }));
        let audiences = [Audience::Everyone, Audience::Public, Audience::View];
        let expected = audiences.map(|audience| (audience, story.state.head(audience)));
        assert_eq!(numbered(&story), expected);
    }
    story.restarts();
    let announcements = story.state.announcements();
    let texts: Vec<_> = announcements
        .map(|(_, it)| (it.text.as_str(), it.at))
        .collect();
    assert_eq!(texts, [("Lunch is served", DAWN); 5]);
}

#[test]
fn a_clue_needs_a_target_that_exists() {
    let mut story = Story::in_lobby();
    story.team("OWLS");
    for number in [0, 2, u32::MAX] {
        let team = TeamId::from(number);
        let to_team = story.order(clue(Target::Team { team }, "Look up"));
        assert_eq!(to_team, Err(Rejection::UnknownTeam));
        let player = PlayerId::from(number);
        let to_player = story.order(clue(Target::Player { player }, "Look up"));
        assert_eq!(to_player, Err(Rejection::UnknownPlayer));
    }
    assert_eq!(live(&story), [0; 0]);
}

#[test]
fn a_text_is_neither_empty_nor_too_long() {
    let longest = "é".repeat(limits::TEXT_CHARS_MAX);
    let padded = format!(" \n{longest}  \n");
    let longer = format!("{longest}é");
    let bad = |error| Err(Rejection::BadText(error));
    let max = limits::TEXT_CHARS_MAX;
    let mut story = Story::in_lobby();
    for (text, expected) in [
        ("", bad(TextError::Empty)),
        (" \t\r\n\u{3000}", bad(TextError::Empty)),
        (&longer, bad(TextError::TooLong { max })),
        ("!", Ok("!")),
        (&longest, Ok(longest.as_str())),
        (&padded, Ok(longest.as_str())),
        ("Two\r\nlines", Ok("Two\nlines")),
        ("  An\n   indented line", Ok("  An\n   indented line")),
        ("A\rcarriage", Ok("A\ncarriage")),
        ("A\u{202e}turn", bad(TextError::Hidden('\u{202e}'))),
    ] {
        for order in [clue(Target::Everyone, text), announcement(text)] {
            let answer = story.order(order);
            assert_eq!(answer.is_ok(), expected.is_ok());
            match (answer, expected) {
                (Err(rejection), expected) => assert_eq!(Err(rejection), expected),
                (Ok(_), expected) => match &story.journal.last().expect("accepted").events[..] {
                    [Event::CluePushed { text, .. } | Event::Announced { text, .. }] => {
                        assert_eq!(Ok(text.as_str()), expected);
                    }
                    other => panic!("it caused {other:?}"),
                },
            }
        }
    }
}

#[test]
fn a_journal_with_a_clue_that_lasts_longer_replays() {
    let mut story = Story::in_lobby();
    story.order(short_clue(MINUTE)).expect("there is room");
    // As written by a version with a higher limit.
    let entry = story.journal.last_mut().expect("it was accepted");
    for event in &mut entry.events {
        if let Event::CluePushed { expires_at, .. } = event {
            *expires_at = Some(Timestamp(u64::MAX));
        }
    }
    let state = replayed(story.state.hunt(), &story.journal);
    let expires_at = state.live_clues().map(|(_, clue)| clue.expires_at);
    assert_eq!(expires_at.collect::<Vec<_>>(), [Some(Timestamp(u64::MAX))]);
}

#[test]
fn a_clue_is_taken_back_once() {
    let mut story = Story::in_lobby();
    for number in 1..=3 {
        assert_eq!(story.order(short_clue(MINUTE)), pushed(number));
    }
    assert_eq!(story.order(cancel(2)), Ok(Receipt::Done));
    assert_eq!(live(&story), [1, 3]);
    let unknown = Err(Rejection::UnknownClue);
    for number in [2, 0, 4, u32::MAX] {
        assert_eq!(story.order(cancel(number)), unknown, "c{number}");
    }
    story.wait(MINUTE);
    assert_eq!(
        timers(&story),
        [(MINUTE, &expired(1)), (MINUTE, &expired(3))]
    );
    assert_eq!(story.order(cancel(1)), unknown, "it has expired");
    assert_eq!(live(&story), [0; 0]);
}

#[test]
fn a_clue_may_stay_live_for_ever() {
    let mut story = Story::in_lobby();
    assert_eq!(story.order(clue(Target::Everyone, "Look up")), pushed(1));
    assert_eq!(story.state.next_deadline(), None);
    assert_eq!(story.state.due_entry(Timestamp(u64::MAX)), None);
    assert_eq!(live(&story), [1]);
}

#[test]
fn a_clue_expires_to_the_millisecond() {
    let mut story = Story::in_lobby();
    story.order(short_clue(MINUTE)).expect("there is room");
    assert_eq!(story.state.next_deadline(), Some(DAWN.plus_ms(MINUTE)));
    story.wait(MINUTE - 1);
    assert_eq!(live(&story), [1]);
    story.restarts();
    story.wait(1);
    assert_eq!(live(&story), [0; 0]);
    assert_eq!(story.state.next_deadline(), None);
}

#[test]
fn the_shortest_and_the_longest_life_of_a_clue() {
    let mut story = Story::in_lobby();
    let (min, max) = (limits::CLUE_LASTS_MS_MIN, limits::CLUE_LASTS_MS_MAX);
    for lasts in [0, 1, min - 1, max + 1, u64::MAX] {
        let answer = story.order(short_clue(lasts));
        assert_eq!(answer, Err(Rejection::BadDuration), "{lasts}");
    }
    assert_eq!(story.order(short_clue(min)), pushed(1));
    assert_eq!(story.state.next_deadline(), Some(DAWN.plus_ms(min)));
    assert_eq!(story.order(short_clue(max)), pushed(2));
    story.wait(min);
    assert_eq!(timers(&story), [(min, &expired(1))]);
    story.wait(max - min - 1);
    assert_eq!(live(&story), [2]);
    story.wait(1);
    assert_eq!(live(&story), [0; 0]);
}

#[test]
fn deadlines_keep_their_own_time_and_order_however_late_they_are_asked_for() {
    let mut story = Story::running();
    for lasts in [90 * MINUTE, 5 * MINUTE, HOUR, 5 * MINUTE, 30 * MINUTE] {
        story.order(short_clue(lasts)).expect("there is room");
    }
    story.order(cancel(5)).expect("it is live");
    story.wait(3 * HOUR);
    assert_eq!(
        timers(&story),
        [
            (5 * MINUTE, &expired(2)),
            (5 * MINUTE, &expired(4)),
            (HOUR, &expired(3)),
            (HOUR, &Event::SessionFinished),
            (90 * MINUTE, &expired(1)),
        ]
    );
    assert_eq!(story.state.next_deadline(), None);
}

#[test]
fn asking_often_or_late_gives_the_same_journal() {
    let session = |step: u64| {
        let mut story = Story::running();
        for lasts in [90 * MINUTE, 5 * MINUTE, HOUR, 7 * MINUTE] {
            story.order(short_clue(lasts)).expect("there is room");
        }
        for _ in 0..2 * HOUR / step {
            story.wait(step);
        }
        (story.state.hash(), story.journal)
    };
    assert_eq!(session(MINUTE), session(2 * HOUR));
}

#[test]
fn an_order_comes_after_what_is_due() {
    let mut story = Story::running();
    story.order(short_clue(MINUTE)).expect("there is room");
    story.now = DAWN.plus_ms(MINUTE);
    assert_eq!(story.order(cancel(1)), Err(Rejection::UnknownClue));
    assert_eq!(timers(&story), [(MINUTE, &expired(1))]);
}

#[test]
fn an_expiry_is_not_dated_before_what_happened_already() {
    let mut story = Story::running();
    story.order(short_clue(MINUTE)).expect("there is room");
    let owls = story.team("OWLS");
    story.wait(MINUTE - 1);
    let phone = story.adds_device(owls).expect("the player has room");
    // Judged by a clock that is ahead, before the timer's events were requested.
    let order = RegistrationOrder::AddDevice { by: phone };
    let ahead = DAWN.plus_ms(2 * MINUTE);
    let decision = story.state.decide(&Command::Registration(order), ahead);
    match decision {
        Ok(Decision::Accepted(entry)) => story.state.apply_entry(&entry),
        other => panic!("the player has room, but: {other:?}"),
    }
    let due = story.state.due_entry(ahead).expect("the clue has expired");
    assert_eq!(due.at, ahead);
    assert_eq!(due.events, [expired(1)]);
}

#[test]
fn a_clue_stands_still_in_a_pause() {
    let mut story = Story::running();
    story.order(short_clue(2_000)).expect("there is room");
    story.order(Pause).expect("it is running");
    assert_eq!(story.state.next_deadline(), None);
    story.wait(3 * HOUR);
    story.restarts();
    assert_eq!(live(&story), [1]);
    story.order(Resume).expect("it is paused");
    let expires_at = DAWN.plus_ms(3 * HOUR + 2_000);
    assert_eq!(story.state.next_deadline(), Some(expires_at));
    let (_, clue) = story.state.live_clues().next().expect("it is live");
    assert_eq!(clue.expires_at, Some(expires_at));
    story.wait(1_999);
    assert_eq!(live(&story), [1]);
    story.wait(1);
    assert_eq!(timers(&story), [(3 * HOUR + 2_000, &expired(1))]);
}

#[test]
fn a_clue_that_is_pushed_in_a_pause_lives_from_the_resume_on() {
    let mut story = Story::running();
    story.wait(MINUTE);
    story.order(Pause).expect("it is running");
    story.wait(HOUR);
    assert_eq!(story.order(short_clue(2_000)), pushed(1));
    assert_eq!(story.order(short_clue(2_000)), pushed(2));
    story.order(cancel(2)).expect("it is live");
    story.wait(HOUR);
    assert_eq!(live(&story), [1]);
    story.restarts();
    story.order(Resume).expect("it is paused");
    let resumed = MINUTE + 2 * HOUR;
    story.wait(1_999);
    assert_eq!(live(&story), [1]);
    story.wait(1);
    assert_eq!(timers(&story), [(resumed + 2_000, &expired(1))]);
}

#[test]
fn pauses_add_up_for_clues_and_the_end_alike() {
    let mut story = Story::running();
    story.order(short_clue(20 * MINUTE)).expect("there is room");
    for _ in 0..2 {
        story.wait(5 * MINUTE);
        story.order(Pause).expect("it is running");
        story.wait(HOUR);
        story.order(Resume).expect("it is paused");
        story.restarts();
    }
    story.wait(3 * HOUR);
    assert_eq!(
        timers(&story),
        [
            (2 * HOUR + 20 * MINUTE, &expired(1)),
            (3 * HOUR, &Event::SessionFinished),
        ]
    );
}

#[test]
fn a_finish_in_a_pause_ends_the_pause_for_clues() {
    let mut story = Story::running();
    story.order(short_clue(MINUTE)).expect("there is room");
    story.order(Pause).expect("it is running");
    story.wait(HOUR);
    story.order(FINISH).expect("it is paused");
    story.restarts();
    story.wait(MINUTE);
    assert_eq!(timers(&story), [(HOUR + MINUTE, &expired(1))]);
}

#[test]
fn a_session_has_so_many_clues_live_or_not() {
    let mut story = Story::in_lobby();
    for number in 1..=limits::CLUES_MAX {
        let number = u32::try_from(number).expect("it is small");
        assert_eq!(story.order(short_clue(MINUTE)), pushed(number));
    }
    let full = Err(Rejection::TooManyTexts);
    assert_eq!(story.order(short_clue(MINUTE)), full);
    story.order(cancel(1)).expect("it is live");
    story.wait(MINUTE);
    assert_eq!(live(&story), [0; 0]);
    assert_eq!(story.order(short_clue(MINUTE)), full);
    assert!(story.order(announcement("Lunch is served")).is_ok());
}

#[test]
fn a_session_has_so_many_announcements() {
    let mut story = Story::in_lobby();
    for _ in 0..limits::ANNOUNCEMENTS_MAX {
        let said = story.order(announcement("Lunch is served"));
        assert!(said.is_ok());
    }
    let full = story.order(announcement("Lunch is served"));
    assert_eq!(full, Err(Rejection::TooManyTexts));
    assert_eq!(story.order(clue(Target::Everyone, "Look up")), pushed(1));
}

#[test]
fn live_clues_are_listed_as_they_were_pushed() {
    let mut story = Story::in_lobby();
    story.wait(MINUTE);
    story.order(short_clue(HOUR)).expect("there is room");
    story.restarts();
    let (id, clue) = story.state.live_clues().next().expect("it is live");
    assert_eq!(id, ClueId::from(1));
    assert_eq!(clue.to, Target::Everyone);
    assert_eq!(clue.text, "Look up");
    assert_eq!(clue.pushed_at, DAWN.plus_ms(MINUTE));
    assert_eq!(clue.expires_at, Some(DAWN.plus_ms(MINUTE + HOUR)));
}
