//! The journal of a session as JSON lines, and its guesses as CSV.
//!
//! Every event is listed field by field, so that a new one shows nothing by default. Credentials and the
//! numbers that refer to texts are never shown.

use std::collections::{BTreeMap, BTreeSet};

use csv::{QuoteStyle, Terminator, WriterBuilder};
use hunt::{Entry, Event, NameId, Origin, PlayerId, Target, TeamId, Verdict};
use protocol::rest::{Cause, ExportLine};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use super::outcome::verdict;
use super::scope::scope;
use super::texts::target;
use crate::session::View;

/// The columns of a guess log.
pub const GUESS_COLUMNS: [&str; 5] = ["time_utc", "team", "puzzle", "guess", "verdict"];

const TIME_UTC: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day] [hour]:[minute]:[second].[subsecond digits:3]");

/// The people and texts that journal entries refer to.
#[derive(Debug, Default)]
pub struct ExportReferences {
    teams: BTreeSet<TeamId>,
    players: BTreeSet<PlayerId>,
    texts: BTreeSet<NameId>,
}

impl ExportReferences {
    /// Adds what an entry refers to.
    pub fn add(&mut self, entry: &Entry) {
        self.texts.extend(entry.reason);
        for event in &entry.events {
            let People { team, player, name } = people(event);
            self.teams.extend(team);
            self.players.extend(player);
            self.texts.extend(name);
        }
    }
}

/// The names of teams and players as of the export, and the texts that events refer to.
#[derive(Debug, Default)]
pub struct ExportNames {
    teams: BTreeMap<TeamId, String>,
    players: BTreeMap<PlayerId, String>,
    texts: BTreeMap<NameId, String>,
}

/// The names and texts behind references. O(references).
pub fn export_names(view: View<'_>, references: ExportReferences) -> ExportNames {
    let state = view.state;
    let teams = references.teams.into_iter();
    let players = references.players.into_iter();
    let texts = references.texts.into_iter();
    ExportNames {
        teams: teams
            .filter_map(|id| Some((id, view.name(state.team(id)?.name))))
            .collect(),
        players: players
            .filter_map(|id| Some((id, view.name(state.player(id)?.name))))
            .collect(),
        texts: texts.map(|id| (id, view.name(id))).collect(),
    }
}

/// The events of consecutive journal entries as JSON lines, each ended by a line feed. `first_seq` is the
/// sequence number of the first event. Without names, the lines are anonymous.
pub fn export_lines(first_seq: u64, entries: &[Entry], names: Option<&ExportNames>) -> Vec<u8> {
    let mut lines = Vec::new();
    let mut seq = first_seq;
    for entry in entries {
        let (by, device, game_master, command) = match entry.origin {
            Origin::Device { device, command } => (Cause::Device, Some(device), None, command),
            Origin::GameMaster {
                game_master,
                command,
            } => {
                let command = command.map(|(_, command)| command);
                (Cause::GameMaster, None, Some(game_master), command)
            }
            Origin::Admin => (Cause::Admin, None, None, None),
            Origin::TeamCode => (Cause::TeamCode, None, None, None),
            Origin::Founder => (Cause::Founder, None, None, None),
            Origin::Timer => (Cause::Timer, None, None, None),
        };
        for event in &entry.events {
            let reason = names.and_then(|names| names.texts.get(&entry.reason?));
            let line: ExportLine<Value> = ExportLine {
                seq,
                at_ms: entry.at.0,
                by,
                device: device.map(|device| device.to_string()),
                game_master: game_master.map(|game_master| game_master.to_string()),
                command: command.map(|command| command.id.0),
                reason: reason.cloned(),
                event: shown(event, names),
            };
            serde_json::to_writer(&mut lines, &line)
                .expect("events are maps of numbers and text, and writing to memory succeeds");
            lines.push(b'\n');
            seq += 1;
        }
    }
    lines
}

/// The header of a guess log in CSV.
pub fn guess_log_header() -> Vec<u8> {
    csv_rows([GUESS_COLUMNS.map(str::to_owned)])
}

/// The guesses of journal entries as rows of a guess log in CSV (RFC 4180). Without names, teams are shown by
/// their ids.
pub fn guess_log_rows(entries: &[Entry], names: Option<&ExportNames>) -> Vec<u8> {
    let guesses = entries.iter().flat_map(|entry| {
        let events = entry.events.iter();
        events.filter_map(|event| guess_log_row(entry, event, names))
    });
    csv_rows(guesses)
}

fn guess_log_row(
    entry: &Entry,
    event: &Event,
    names: Option<&ExportNames>,
) -> Option<[String; GUESS_COLUMNS.len()]> {
    let Event::GuessJudged {
        team,
        puzzle,
        guess,
        verdict,
        ..
    } = event
    else {
        return None;
    };
    let name = names.and_then(|names| names.teams.get(team));
    let verdict = match verdict {
        Verdict::Correct => "Y",
        Verdict::Wrong => "N",
    };
    Some([
        time_utc(entry.at.0),
        name.cloned().unwrap_or_else(|| team.to_string()),
        puzzle.to_string(),
        guess.clone(),
        verdict.to_owned(),
    ])
}

/// The time in UTC; empty beyond the year 9999.
fn time_utc(at_ms: u64) -> String {
    let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at_ms) * 1_000_000);
    let at = at.ok().and_then(|at| at.format(TIME_UTC).ok());
    at.unwrap_or_default()
}

/// Every field is quoted, so that no field is read as several. The text of a field is never changed; users must
/// import the columns as text, so that a spreadsheet does not evaluate them.
fn csv_rows<const FIELDS: usize>(rows: impl IntoIterator<Item = [String; FIELDS]>) -> Vec<u8> {
    let mut writer = WriterBuilder::new()
        .quote_style(QuoteStyle::Always)
        .terminator(Terminator::CRLF)
        .from_writer(Vec::new());
    for row in rows {
        writer
            .write_record(row)
            .expect("rows have one length, and writing to memory succeeds");
    }
    writer.into_inner().expect("writing to memory succeeds")
}

/// The team, the player and the name of an event.
#[derive(Default)]
struct People {
    team: Option<TeamId>,
    player: Option<PlayerId>,
    name: Option<NameId>,
}

fn people(event: &Event) -> People {
    let nobody = People::default();
    match event {
        Event::TeamCreated { team, name } | Event::TeamRenamed { team, name } => People {
            team: Some(*team),
            name: Some(*name),
            ..nobody
        },
        Event::PlayerJoined { team, player, name }
        | Event::PlayerRenamed { team, player, name } => People {
            team: Some(*team),
            player: Some(*player),
            name: Some(*name),
        },
        Event::GuessJudged { team, player, .. } => People {
            team: Some(*team),
            player: Some(*player),
            ..nobody
        },
        Event::Unlocked { team, .. } | Event::TeamCodeRotated { team } => People {
            team: Some(*team),
            ..nobody
        },
        Event::DeviceAdded { player, .. }
        | Event::DeviceRevoked { player, .. }
        | Event::LinkUsed { player, .. } => People {
            player: Some(*player),
            ..nobody
        },
        Event::GameMasterInvited { name, .. } => People {
            name: Some(*name),
            ..nobody
        },
        Event::CluePushed { to, .. }
        | Event::ClueCancelled { to, .. }
        | Event::ClueExpired { to, .. } => match to {
            Target::Everyone => nobody,
            Target::Team { team } => People {
                team: Some(*team),
                ..nobody
            },
            Target::Player { player } => People {
                player: Some(*player),
                ..nobody
            },
        },
        Event::SessionStarted { .. }
        | Event::StartScheduled { .. }
        | Event::StartCancelled
        | Event::SessionPaused
        | Event::SessionResumed { .. }
        | Event::SessionFinished
        | Event::EndMoved { .. }
        | Event::SessionReopened { .. }
        | Event::UnlockedForAll { .. }
        | Event::InstanceOpened { .. }
        | Event::GameMasterRevoked { .. }
        | Event::Announced { .. } => nobody,
    }
}

/// An event with the ids and, if they are given, the names of its people.
fn shown(event: &Event, names: Option<&ExportNames>) -> Value {
    let mut shown = details(event);
    let People { team, player, name } = people(event);
    if let Some(team) = team {
        shown["team"] = team.to_string().into();
    }
    if let Some(player) = player {
        shown["player"] = player.to_string().into();
    }
    let Some(names) = names else {
        return shown;
    };
    let mut add = |field: &str, text: Option<&String>| {
        if let Some(text) = text {
            shown[field] = text.clone().into();
        }
    };
    add("team_name", team.and_then(|team| names.teams.get(&team)));
    add(
        "player_name",
        player.and_then(|player| names.players.get(&player)),
    );
    add("name", name.and_then(|name| names.texts.get(&name)));
    shown
}

/// The fields of an event other than its people.
fn details(event: &Event) -> Value {
    match event {
        Event::SessionStarted { ends_at } => with_time("session_started", "ends_at_ms", *ends_at),
        Event::StartScheduled { starts_at } => {
            with_time("start_scheduled", "starts_at_ms", Some(*starts_at))
        }
        Event::StartCancelled => json!({ "type": "start_cancelled" }),
        Event::SessionPaused => json!({ "type": "session_paused" }),
        Event::SessionResumed { paused_ms, ends_at } => {
            let mut resumed = with_time("session_resumed", "ends_at_ms", *ends_at);
            resumed["paused_ms"] = (*paused_ms).into();
            resumed
        }
        Event::SessionFinished => json!({ "type": "session_finished" }),
        Event::EndMoved { ends_at } => with_time("end_moved", "ends_at_ms", *ends_at),
        Event::SessionReopened { left } => {
            let mut reopened = json!({ "type": "session_reopened" });
            if let Some(left) = left {
                reopened["left_ms"] = left.0.into();
            }
            reopened
        }
        Event::TeamCreated { .. } => json!({ "type": "team_created" }),
        Event::TeamRenamed { .. } => json!({ "type": "team_renamed" }),
        Event::TeamCodeRotated { .. } => json!({ "type": "team_code_rotated" }),
        Event::PlayerJoined { .. } => json!({ "type": "player_joined" }),
        Event::PlayerRenamed { .. } => json!({ "type": "player_renamed" }),
        Event::DeviceAdded { device, .. } => {
            json!({ "type": "device_added", "device": device.to_string() })
        }
        Event::DeviceRevoked { device, .. } => {
            json!({ "type": "device_revoked", "device": device.to_string() })
        }
        Event::LinkUsed { .. } => json!({ "type": "link_used" }),
        Event::UnlockedForAll { rounds, puzzles } => {
            json!({ "type": "unlocked_for_all", "rounds": rounds, "puzzles": puzzles })
        }
        Event::Unlocked {
            rounds, puzzles, ..
        } => json!({ "type": "unlocked", "rounds": rounds, "puzzles": puzzles }),
        Event::GuessJudged {
            puzzle,
            guess,
            normaliser,
            verdict: judged,
            points,
            ..
        } => json!({
            "type": "guess_judged",
            "puzzle": puzzle,
            "guess": guess,
            "normaliser": normaliser,
            "verdict": verdict(*judged),
            "points": points,
        }),
        Event::InstanceOpened {
            game_master,
            instance,
        } => json!({
            "type": "instance_opened",
            "game_master": game_master.to_string(),
            "instance": instance.0,
        }),
        Event::GameMasterInvited {
            game_master,
            scopes,
            ..
        } => json!({
            "type": "game_master_invited",
            "game_master": game_master.to_string(),
            "scopes": scopes.iter().map(|granted| scope(*granted)).collect::<Vec<_>>(),
        }),
        Event::GameMasterRevoked { game_master } => {
            json!({ "type": "game_master_revoked", "game_master": game_master.to_string() })
        }
        Event::CluePushed {
            clue,
            to,
            text,
            expires_at,
        } => {
            let mut pushed = with_time("clue_pushed", "expires_at_ms", *expires_at);
            pushed["clue"] = clue.to_string().into();
            pushed["to"] = json!(target(*to));
            pushed["text"] = text.clone().into();
            pushed
        }
        Event::ClueCancelled { clue, to } => {
            json!({ "type": "clue_cancelled", "clue": clue.to_string(), "to": target(*to) })
        }
        Event::ClueExpired { clue, to } => {
            json!({ "type": "clue_expired", "clue": clue.to_string(), "to": target(*to) })
        }
        Event::Announced { announcement, text } => json!({
            "type": "announced",
            "announcement": announcement.to_string(),
            "text": text,
        }),
    }
}

fn with_time(kind: &str, field: &str, time: Option<hunt::Timestamp>) -> Value {
    let mut event = json!({ "type": kind });
    if let Some(time) = time {
        event[field] = time.0.into();
    }
    event
}
