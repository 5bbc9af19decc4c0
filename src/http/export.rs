//! Exports the journal of a session as JSON lines, or its guesses as CSV. Events that were moved to the
//! archive are not included.

use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, StreamExt};
use hunt::{Entry, Scope};
use hyper::HeaderMap;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use serde::Deserialize;

use super::body::InPath;
use super::failure::Failed;
use super::identity::Bearer;
use crate::delivery::Hub;
use crate::delivery::render::{self, ExportNames, ExportReferences};
use crate::gateway::Gateway;
use crate::journal::records::{self, RecordError};
use crate::journal::{ReadError, StoredBatch};
use crate::session::{SessionHandle, Unavailable, View};

/// Batches read at a time; bounds the memory of one export.
const BATCHES_AT_A_TIME: usize = 256;
/// Header with the sequence number of the first event, if earlier events are only in the archive.
const BEGINS_AT: HeaderName = HeaderName::from_static("cluecast-journal-begins-at");

/// The query of an export.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExportQuery {
    anonymous: Option<Anonymous>,
    #[serde(default)]
    format: Format,
}

/// Names and reasons are left out.
#[derive(Debug, Clone, Copy, Deserialize)]
enum Anonymous {
    #[serde(rename = "1")]
    Yes,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    #[default]
    Jsonl,
    Csv,
}

impl Format {
    fn media_type(self) -> &'static str {
        match self {
            Self::Jsonl => "application/jsonl",
            Self::Csv => "text/csv; charset=utf-8",
        }
    }

    /// The bytes before the first event.
    fn header(self) -> Vec<u8> {
        match self {
            Self::Jsonl => Vec::new(),
            Self::Csv => render::guess_log_header(),
        }
    }
}

/// A running export.
struct Export {
    gateway: Gateway,
    session: SessionHandle<Hub>,
    query: ExportQuery,
}

/// Streams the committed events. Events committed during the export may be included.
pub(super) async fn export(
    State(gateway): State<Gateway>,
    InPath(code): InPath<String>,
    query: Result<Query<ExportQuery>, axum::extract::rejection::QueryRejection>,
    bearer: Bearer,
) -> Result<Response, Failed> {
    let Query(query) = query.map_err(|_| {
        Failed::bad_request("The query may have `anonymous=1`, and `format=jsonl` or `format=csv`.")
    })?;
    let session = bearer.session(&gateway, &code).await?;
    bearer.must_have(&session, Scope::Answers).await?;
    let journal = gateway.sessions().journal();
    let begins_at = match journal.read(session.id(), 0, 1).await {
        Ok(_) => 1,
        Err(ReadError::Archived { first_seq }) => first_seq,
        Err(ReadError::Failed(error)) => return Err(error.into()),
    };
    let mut headers = HeaderMap::new();
    let media_type = HeaderValue::from_static(query.format.media_type());
    headers.insert(CONTENT_TYPE, media_type);
    if begins_at > 1 {
        headers.insert(BEGINS_AT, begins_at.into());
    }
    let header = stream::iter([Ok(Bytes::from(query.format.header()))]);
    let export = Export {
        gateway,
        session,
        query,
    };
    // If more events are archived during the export, the response is truncated and the reason is logged.
    let parts = stream::try_unfold((export, begins_at - 1), async |(export, after)| {
        let part = export.part(after).await?;
        Ok::<_, ExportError>(part.map(|(bytes, last_seq)| (bytes, (export, last_seq))))
    });
    Ok((headers, Body::from_stream(header.chain(parts))).into_response())
}

impl Export {
    /// The next events after event `after`, and the sequence number of the last one.
    async fn part(&self, after: u64) -> Result<Option<(Bytes, u64)>, ExportError> {
        let journal = self.gateway.sessions().journal();
        let batches = journal.read(self.session.id(), after, BATCHES_AT_A_TIME);
        let batches = batches.await?;
        let (Some(first), Some(last)) = (batches.first(), batches.last()) else {
            return Ok(None);
        };
        let (first_seq, last_seq) = (first.first_seq, last.last_seq);
        let mut entries = Vec::new();
        for batch in &batches {
            entries.extend(records::decode_entries(&batch.events)?);
        }
        let names = match self.query.anonymous {
            Some(Anonymous::Yes) => None,
            None => Some(self.names(&entries).await?),
        };
        let bytes = match self.query.format {
            Format::Jsonl => render::export_lines(first_seq, &entries, names.as_ref()),
            Format::Csv => render::guess_log_rows(&entries, names.as_ref()),
        };
        Ok(Some((bytes.into(), last_seq)))
    }

    async fn names(&self, entries: &[Entry]) -> Result<ExportNames, Unavailable> {
        let mut references = ExportReferences::default();
        for entry in entries {
            references.add(entry);
        }
        let names = move |view: View<'_>| render::export_names(view, references);
        self.session.read(names).await
    }
}

/// The events of a stored batch as anonymous JSON lines, each ended by a line feed.
pub fn export_lines(batch: &StoredBatch) -> Result<Vec<u8>, RecordError> {
    let entries = records::decode_entries(&batch.events)?;
    Ok(render::export_lines(batch.first_seq, &entries, None))
}

#[derive(Debug, thiserror::Error)]
enum ExportError {
    #[error(transparent)]
    Journal(#[from] ReadError),
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error(transparent)]
    Session(#[from] Unavailable),
}
