//! The journal of a session as JSON lines, for those who run it. What an archive has taken is not in it.

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use hunt::{Event, Origin, Scope};
use hyper::HeaderMap;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use protocol::rest::{Cause, ExportLine};

use super::answers::{Failed, InPath};
use super::identity::Bearer;
use crate::gateway::Gateway;
use crate::journal::records::{self, RecordError};
use crate::journal::{History, ReadError, SessionId, StoredBatch};

/// Batches read at a time: what one export keeps in memory.
const BATCHES_AT_A_TIME: usize = 256;
/// Names the first event that is there, if those before it are only in the archive.
const BEGINS_AT: HeaderName = HeaderName::from_static("cluecast-journal-begins-at");

/// Streams what is committed; what is committed meanwhile may be part of it.
pub(super) async fn export(
    State(gateway): State<Gateway>,
    InPath(code): InPath<String>,
    bearer: Bearer,
) -> Result<Response, Failed> {
    let session = bearer.session(&gateway, &code).await?;
    bearer.must_have(&session, Scope::Answers).await?;
    let journal = gateway.sessions().journal().clone();
    let id = session.id();
    let begins_at = match journal.read(id, 0, 1).await {
        Ok(_) => 1,
        Err(ReadError::Archived { first_seq }) => first_seq,
        Err(ReadError::Failed(error)) => return Err(error.into()),
    };
    // If more is archived meanwhile, the answer breaks off and says so in the log.
    let lines = stream::try_unfold(begins_at - 1, move |after| {
        let journal = journal.clone();
        async move { next_lines(&*journal, id, after).await }
    });
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/jsonl"));
    if begins_at > 1 {
        headers.insert(BEGINS_AT, begins_at.into());
    }
    Ok((headers, Body::from_stream(lines)).into_response())
}

/// The lines of the batches after event `after`, and the last event of them.
async fn next_lines(
    journal: &dyn History,
    session: SessionId,
    after: u64,
) -> Result<Option<(Bytes, u64)>, ExportError> {
    let batches = journal.read(session, after, BATCHES_AT_A_TIME).await?;
    let Some(last) = batches.last() else {
        return Ok(None);
    };
    let last_seq = last.last_seq;
    let mut lines = Vec::new();
    for batch in &batches {
        lines.extend(export_lines(batch)?);
    }
    Ok(Some((lines.into(), last_seq)))
}

/// The events of a batch as lines of JSON, each with its end.
pub fn export_lines(batch: &StoredBatch) -> Result<Vec<u8>, RecordError> {
    let mut lines = Vec::new();
    let mut seq = batch.first_seq;
    for entry in records::decode_entries(&batch.events)? {
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
            serde_json::to_writer(&mut lines, &line).expect("events are numbers and text");
            lines.push(b'\n');
            seq += 1;
        }
    }
    Ok(lines)
}

#[derive(Debug, thiserror::Error)]
enum ExportError {
    #[error(transparent)]
    Journal(#[from] ReadError),
    #[error(transparent)]
    Record(#[from] RecordError),
}
