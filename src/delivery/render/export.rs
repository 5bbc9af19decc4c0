//! The journal of a session as JSON lines.

use hunt::{Entry, Event, Origin};
use protocol::rest::{Cause, ExportLine};

/// The events of consecutive journal entries as JSON lines, each ended by a line feed. `first_seq` is the
/// sequence number of the first event.
pub fn export_lines(first_seq: u64, entries: Vec<Entry>) -> Vec<u8> {
    let mut lines = Vec::new();
    let mut seq = first_seq;
    for entry in entries {
        let (by, device, game_master, command) = match entry.origin {
            Origin::Device { device, command } => {
                (Cause::Device, Some(device), None, Some(command))
            }
            Origin::GameMaster {
                game_master: Some(id),
                command,
            } => (Cause::GameMaster, None, Some(id), command),
            Origin::GameMaster {
                game_master: None,
                command,
            } => (Cause::Admin, None, None, command),
            Origin::Desk => (Cause::Desk, None, None, None),
            Origin::Timer => (Cause::Timer, None, None, None),
        };
        for event in entry.events {
            let line: ExportLine<Event> = ExportLine {
                seq,
                at_ms: entry.at.0,
                by,
                device: device.map(|device| device.to_string()),
                game_master: game_master.map(|game_master| game_master.to_string()),
                command: command.map(|command| command.0),
                event,
            };
            serde_json::to_writer(&mut lines, &line)
                .expect("events are maps of numbers and text, and writing to memory succeeds");
            lines.push(b'\n');
            seq += 1;
        }
    }
    lines
}
