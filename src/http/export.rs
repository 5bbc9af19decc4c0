//! Exports the journal of a session as JSON lines. Events that were moved to the archive are not included.

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use hunt::Scope;
use hyper::HeaderMap;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};

use super::body::InPath;
use super::failure::Failed;
use super::identity::Bearer;
use crate::delivery::render;
use crate::gateway::Gateway;
use crate::ids::SessionId;
use crate::journal::records::{self, RecordError};
use crate::journal::{History, ReadError, StoredBatch};

/// Batches read at a time; bounds the memory of one export.
const BATCHES_AT_A_TIME: usize = 256;
/// Header with the sequence number of the first event, if earlier events are only in the archive.
const BEGINS_AT: HeaderName = HeaderName::from_static("cluecast-journal-begins-at");

/// Streams the committed events. Events committed during the export may be included.
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
    // If more events are archived during the export, the response is truncated and the reason is logged.
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

/// The lines of the next batches after event `after`, and the sequence number of their last event.
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

/// The events of a stored batch as JSON lines, each ended by a line feed.
pub fn export_lines(batch: &StoredBatch) -> Result<Vec<u8>, RecordError> {
    let entries = records::decode_entries(&batch.events)?;
    Ok(render::export_lines(batch.first_seq, entries))
}

#[derive(Debug, thiserror::Error)]
enum ExportError {
    #[error(transparent)]
    Journal(#[from] ReadError),
    #[error(transparent)]
    Record(#[from] RecordError),
}
