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
        for event in entry.events {
            let line: ExportLine<Event> = ExportLine {
                seq,
                at_ms: entry.at.0,
                by,
                device: device.map(|device| device.to_string()),
                game_master: game_master.map(|game_master| game_master.to_string()),
                command: command.map(|command| command.id.0),
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
