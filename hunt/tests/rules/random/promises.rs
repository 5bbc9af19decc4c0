//! Invariants of a session, checked against its journal alone.

use std::collections::{BTreeMap, BTreeSet};

use cluecast_hunt::{
    Audience, ClueId, DeviceId, DurationMs, Entry, Event, GameMasterId, Origin, PlayerId, Scope,
    Target, Timestamp, Verdict,
};

use crate::story::{MINUTE, Story};

/// Every team's points, counted from the journal, each solve once.
pub(super) fn points_of(journal: &[Entry]) -> BTreeMap<u32, u32> {
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
fn scope_of(event: &Event) -> Option<Scope> {
    match event {
        Event::CluePushed { .. } | Event::ClueCancelled { .. } => Some(Scope::Hints),
        Event::SessionStarted { .. }
        | Event::StartScheduled { .. }
        | Event::StartCancelled
        | Event::SessionPaused
        | Event::SessionResumed { .. }
        | Event::SessionFinished
        | Event::SessionReopened { .. }
        | Event::EndMoved { .. }
        | Event::UnlockedForAll { .. }
        | Event::TeamRenamed { .. }
        | Event::PlayerRenamed { .. }
        | Event::TeamCodeRotated { .. }
        | Event::DeviceAdded { .. }
        | Event::DeviceRevoked { .. }
        | Event::GameMasterInvited { .. }
        | Event::GameMasterRevoked { .. }
        | Event::Announced { .. } => Some(Scope::Run),
        Event::InstanceOpened { .. } => None,
        Event::TeamCreated { .. }
        | Event::PlayerJoined { .. }
        | Event::Unlocked { .. }
        | Event::GuessJudged { .. }
        | Event::LinkUsed { .. }
        | Event::ClueExpired { .. } => panic!("no game master causes {event:?}"),
    }
}

/// Permissions as derived from the journal alone.
#[derive(Default)]
pub(super) struct Rights {
    scopes_of: BTreeMap<GameMasterId, BTreeSet<Scope>>,
    revoked: BTreeSet<DeviceId>,
    links: BTreeSet<(PlayerId, u64)>,
}

impl Rights {
    /// Asserts that every event's origin was authorized.
    pub(super) fn assert_kept(journal: &[Entry]) {
        let mut rights = Self::default();
        for entry in journal {
            let scopes = rights.scopes_behind(entry.origin);
            for event in &entry.events {
                if let Some(scopes) = &scopes {
                    let scope = scope_of(event);
                    assert!(
                        scope.is_none_or(|scope| scopes.contains(&scope)),
                        "{entry:?}"
                    );
                }
                rights.change(event, scopes.as_ref());
            }
        }
    }

    /// The scopes of the game master who acts, if it is one.
    fn scopes_behind(&self, origin: Origin) -> Option<BTreeSet<Scope>> {
        match origin {
            Origin::Device { device, .. } => {
                assert!(!self.revoked.contains(&device), "{device} was revoked");
                None
            }
            Origin::GameMaster { game_master, .. } => {
                let scopes = self.scopes_of.get(&game_master);
                Some(scopes.expect("it may act").clone())
            }
            Origin::TeamCode | Origin::Founder | Origin::Admin | Origin::Timer => None,
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

/// The times of a session, counted from the journal alone.
#[derive(Default)]
struct Times {
    starts_at: Option<Timestamp>,
    ends_at: Option<Timestamp>,
    paused_at: Option<Timestamp>,
    finished: Option<(Timestamp, Option<DurationMs>)>,
    clues: BTreeMap<ClueId, (Target, Option<Timestamp>)>,
}

impl Times {
    fn change(&mut self, entry: &Entry, event: &Event) {
        let at = entry.at;
        let by_timer = entry.origin == Origin::Timer;
        match event {
            Event::StartScheduled { starts_at } => {
                assert!(*starts_at > at);
                self.starts_at = Some(*starts_at);
            }
            Event::StartCancelled => {
                assert!(self.starts_at.take().is_some());
            }
            Event::SessionStarted { ends_at } => {
                assert!(!by_timer || self.starts_at == Some(at));
                (self.starts_at, self.ends_at) = (None, *ends_at);
            }
            Event::SessionPaused => self.paused_at = Some(at),
            Event::SessionResumed { ends_at, .. } => {
                self.end_pause(at);
                assert_eq!(self.ends_at, *ends_at);
            }
            Event::EndMoved { ends_at } => self.ends_at = *ends_at,
            Event::SessionFinished => {
                self.end_pause(at);
                assert!(!by_timer || self.ends_at == Some(at));
                let left = self.ends_at.take().map(|ends_at| ends_at.ms_since(at));
                self.finished = Some((at, left.filter(|left| *left > 0).map(DurationMs)));
                self.starts_at = None;
            }
            Event::SessionReopened { left } => {
                let (finished_at, before) = self.finished.take().expect("it was finished");
                assert!(at.ms_since(finished_at) <= 15 * MINUTE);
                assert_eq!(*left, before);
                self.paused_at = Some(at);
                self.ends_at = left.map(|left| at.plus_ms(left.0));
            }
            _ => self.change_clues(at, event),
        }
    }

    /// The end and the clues are postponed by the length of the pause.
    fn end_pause(&mut self, at: Timestamp) {
        let Some(paused_at) = self.paused_at.take() else {
            return;
        };
        let clues = self.clues.values_mut().map(|(_, expires_at)| expires_at);
        for time in clues.chain([&mut self.ends_at]).flatten() {
            *time = time.plus_ms(at.ms_since(paused_at));
        }
    }

    fn change_clues(&mut self, at: Timestamp, event: &Event) {
        if let Event::CluePushed {
            clue,
            to,
            expires_at,
            ..
        } = event
        {
            self.clues.insert(*clue, (*to, *expires_at));
        }
        if let Event::ClueCancelled { clue, to } = event {
            let (of, _) = self
                .clues
                .remove(clue)
                .expect("only live ones are cancelled");
            assert_eq!(*to, of);
        }
        if let Event::ClueExpired { clue, to } = event {
            assert!(self.paused_at.is_none(), "clues stand still in a pause");
            assert_eq!(self.clues.remove(clue), Some((*to, Some(at))));
        }
    }
}

/// Asserts, from the journal alone, which clues are live, when scheduled events are due, and that each
/// happened at its time.
pub(super) fn assert_times(story: &Story) {
    let mut times = Times::default();
    for entry in &story.journal {
        for event in &entry.events {
            times.change(entry, event);
        }
    }
    let state = &story.state;
    let live = state.live_clues();
    let live = live.map(|(id, clue)| (id, (clue.to, clue.expires_at)));
    assert_eq!(live.collect::<BTreeMap<_, _>>(), times.clues);
    assert_eq!(state.starts_at(), times.starts_at);
    let left = times.paused_at.and_then(|paused_at| {
        let ends_at = times.ends_at?;
        Some(DurationMs(ends_at.ms_since(paused_at)))
    });
    assert_eq!(state.time_left(), left);
    let expiries = times
        .clues
        .values()
        .filter_map(|(_, expires_at)| *expires_at);
    let all = expiries.chain(times.starts_at).chain(times.ends_at);
    let next = all.min().filter(|_| times.paused_at.is_none());
    assert_eq!(state.next_deadline(), next);
    assert!(next.is_none_or(|next| next > story.now));
}

/// Asserts that each audience's head is its number of updates in the journal.
pub(super) fn assert_heads(story: &Story) {
    let mut heads = BTreeMap::<Audience, u64>::new();
    for event in story.journal.iter().flat_map(|entry| &entry.events) {
        let audiences: Vec<_> = event.audiences().collect();
        let distinct: BTreeSet<_> = audiences.iter().copied().collect();
        assert_eq!(
            distinct.len(),
            audiences.len(),
            "no audience sees {event:?} twice"
        );
        for audience in audiences {
            *heads.entry(audience).or_default() += 1;
        }
    }
    for (audience, head) in heads {
        assert_eq!(story.state.head(audience), head, "{audience:?}");
    }
}
