//! Names and credentials of a session. They are kept apart from the replayed state, so that they can be
//! erased, and are never part of an event.
//!
//! The actor owns them, resolves team codes and compares names just before the rules decide, and stores
//! changes in the append of the events that they belong to.

use std::collections::HashMap;

use hunt::text::{NameIndex, NameKey};
use hunt::{Event, NameId, PlayerId, Receipt, State, TeamId, Timestamp, normalise_code};

use super::idempotency::{IdempotencyKey, IdempotencyKeys, KeyUse};
use crate::journal::{PrivateKind, PrivateRecord};

/// Shown instead of an erased name.
const NAME_ERASED: &str = "(erased)";

/// The private records of a session by kind, with the indexes that the actor needs.
#[derive(Default)]
pub struct PrivateData {
    names: HashMap<u64, String>,
    codes: HashMap<TeamId, String>,
    teams_by_code: HashMap<String, TeamId>,
    team_names: NameIndex<TeamId>,
    keys: IdempotencyKeys,
}

impl PrivateData {
    /// The data as of a recovered state.
    pub(super) fn load(records: Vec<PrivateRecord>) -> Self {
        let mut data = Self::default();
        for record in records {
            data.put(&record);
        }
        data
    }

    /// Indexes the names of all teams. Called once, when the state is recovered. O(teams).
    pub(super) fn index_team_names(&mut self, state: &State) {
        for (id, team) in state.teams() {
            let key = NameKey::new(&self.name(team.name));
            self.team_names.insert(key, id);
        }
    }

    /// Adds a record, or replaces the one with its kind and id.
    pub(super) fn put(&mut self, record: &PrivateRecord) {
        match record.kind {
            PrivateKind::Name => drop(self.names.insert(record.id, record.text.clone())),
            PrivateKind::TeamCode => {
                let Ok(number) = u32::try_from(record.id) else {
                    return;
                };
                let team = TeamId::from(number);
                if let Some(before) = self.codes.insert(team, record.text.clone()) {
                    self.teams_by_code.remove(&before);
                }
                self.teams_by_code.insert(record.text.clone(), team);
            }
            PrivateKind::IdempotencyKey => self.keys.put(record),
            PrivateKind::DeviceNonce | PrivateKind::GameMasterNonce => {}
        }
    }

    /// The name with this id.
    pub fn name(&self, id: NameId) -> String {
        let name = self.names.get(&id.0);
        name.cloned().unwrap_or_else(|| NAME_ERASED.to_owned())
    }

    /// The code of a team; empty if it was erased.
    pub fn team_code(&self, team: TeamId) -> &str {
        self.codes.get(&team).map_or("", String::as_str)
    }

    /// The team with a code, as people type it.
    pub fn team_by_code(&self, typed: &str) -> Option<TeamId> {
        self.teams_by_code.get(&normalise_code(typed)).copied()
    }

    /// What is known about an idempotency key.
    pub(super) fn find_key(&self, key: &IdempotencyKey, now: Timestamp) -> KeyUse {
        self.keys.find(key, now)
    }

    /// The record that keeps an idempotency key with its receipt.
    pub(super) fn key_record(
        &self,
        key: IdempotencyKey,
        at: Timestamp,
        receipt: Receipt,
    ) -> PrivateRecord {
        self.keys.record(key, at, receipt)
    }

    /// Whether another team has a name that people would take for this one.
    pub(super) fn is_team_name_taken(&self, name: &str, by: Option<TeamId>) -> bool {
        let owner = self.team_names.find(&NameKey::new(name));
        owner.is_some_and(|owner| Some(owner) != by)
    }

    /// Whether another player of the team has a name that people would take for this one. O(players).
    pub(super) fn is_player_name_taken(
        &self,
        state: &State,
        team: TeamId,
        name: &str,
        by: Option<PlayerId>,
    ) -> bool {
        let key = NameKey::new(name);
        let players = state.team(team).into_iter().flat_map(|team| &team.players);
        let others = players.filter(|player| Some(**player) != by);
        let mut names = others.filter_map(|player| Some(self.name(state.player(*player)?.name)));
        names.any(|other| NameKey::new(&other).is_same_as(&key))
    }

    /// Keeps the index of names up to date. Called before the event is applied to the state.
    pub(super) fn index_event(&mut self, state: &State, event: &Event) {
        let (Event::TeamCreated { team, name } | Event::TeamRenamed { team, name }) = event else {
            return;
        };
        let (team, name) = (*team, *name);
        if let Some(before) = state.team(team) {
            let key = NameKey::new(&self.name(before.name));
            self.team_names.remove(&key, team);
        }
        let key = NameKey::new(&self.name(name));
        self.team_names.insert(key, team);
    }
}
