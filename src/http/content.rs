//! `GET /content/{session}/{hmac}/{file}`: the texts of puzzles. Any node answers, from the catalogue.
//!
//! The path alone authorises (a capability URL): clients that know its HMAC received it from the server, or from
//! another client that did.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use hunt::normalise_code;
use hyper::StatusCode;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};

use super::body::InPath;
use super::failure::Failed;
use super::identity::ClientSource;
use crate::content::entity_tag;
use crate::gateway::Gateway;
use crate::journal::SessionRecord;

/// The route.
pub(super) const PATH: &str = "/content/{session}/{hmac}/{file}";

/// Headers of every file. A text never changes under its path, so it is cached for ever. It may be read by
/// pages of every origin, because the path alone authorises.
const HEADERS: [(HeaderName, &str); 4] = [
    (CACHE_CONTROL, "public, max-age=31536000, immutable"),
    (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
    (REFERRER_POLICY, "no-referrer"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
];
/// The policy of the HTML when it is opened as a page.
const POLICY: &str = "default-src 'none'; img-src 'self'; style-src 'self'; base-uri 'none'; \
                      form-action 'none'";

/// The files of a text.
#[derive(Clone, Copy)]
enum File {
    Html,
    Markdown,
}

impl File {
    fn of_name(name: &str) -> Option<Self> {
        match name {
            "body.html" => Some(Self::Html),
            "body.md" => Some(Self::Markdown),
            _ => None,
        }
    }

    fn media_type(self) -> &'static str {
        match self {
            Self::Html => "text/html; charset=utf-8",
            Self::Markdown => "text/markdown; charset=utf-8",
        }
    }
}

pub(super) async fn file(
    State(gateway): State<Gateway>,
    ClientSource(source): ClientSource,
    InPath((session, hmac, name)): InPath<(String, String, String)>,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    let code = normalise_code(&session);
    let asked = Asked {
        gateway: &gateway,
        hmac: &hmac,
        name: &name,
        headers: &headers,
    };
    let known = gateway.sessions().cached_record(&code);
    if let Some(record) = &known
        && let Some(response) = asked.answer(record).await?
    {
        return Ok(response);
    }
    // A wrong path counts as a wrong code, whether the session exists or not: otherwise it would reveal
    // which sessions exist.
    let attempt = gateway.attempts().at_session(source)?;
    if known.is_none() {
        let found = gateway.sessions().find_record(&code).await;
        let answered = match found {
            Ok(Some(record)) => asked.answer(&record).await,
            Ok(None) => Ok(None),
            Err(error) => Err(error.into()),
        };
        if let Some(outcome) = answered.transpose() {
            attempt.refund();
            return outcome;
        }
    }
    drop(attempt);
    Err(no_such_file())
}

fn no_such_file() -> Failed {
    Failed::not_found("No such file; take the path from `content` of a puzzle.")
}

/// A request for a file.
struct Asked<'a> {
    gateway: &'a Gateway,
    hmac: &'a str,
    name: &'a str,
    headers: &'a HeaderMap,
}

impl Asked<'_> {
    /// The response, if the session has a text with this HMAC; fails if the text has no such file.
    async fn answer(&self, record: &Arc<SessionRecord>) -> Result<Option<Response>, Failed> {
        let content = self.gateway.content();
        let hunt = self.gateway.sessions().hunt(record).await;
        let hunt = hunt.map_err(Failed::internal)?;
        let paths = content.key.paths_of(record.id, &record.code);
        let texts = || hunt.puzzles.iter();
        let Some(hash) = paths.find(self.hmac, texts().filter_map(|puzzle| puzzle.content)) else {
            return Ok(None);
        };
        let text = texts().find(|puzzle| puzzle.content == Some(hash));
        let text = text.expect("the hash is one of a puzzle's");
        let file = File::of_name(self.name).ok_or_else(no_such_file)?;
        let tag = entity_tag(hash, self.name);
        if self.has(&tag) {
            return Ok(Some(respond(
                StatusCode::NOT_MODIFIED,
                file,
                &tag,
                Bytes::new(),
            )));
        }
        let bytes = match file {
            File::Html => {
                let html = content.bodies.html(hash, &text.body).await;
                html.map_err(Failed::internal)?
            }
            File::Markdown => text.body.clone().into(),
        };
        Ok(Some(respond(StatusCode::OK, file, &tag, bytes)))
    }

    /// Whether the client has the file with this tag already (RFC 9110, 13.1.2).
    fn has(&self, tag: &str) -> bool {
        let lists = self.headers.get_all(IF_NONE_MATCH).iter();
        let mut tags = lists
            .filter_map(|list| list.to_str().ok())
            .flat_map(|list| list.split(','))
            .map(|tag| tag.trim().trim_start_matches("W/"));
        tags.any(|known| known == tag || known == "*")
    }
}

fn respond(status: StatusCode, file: File, tag: &str, bytes: Bytes) -> Response {
    let mut response = (status, HEADERS, bytes).into_response();
    let headers = response.headers_mut();
    let tag = HeaderValue::from_str(tag).expect("a tag is ASCII");
    headers.insert(ETAG, tag);
    let media_type = HeaderValue::from_static(file.media_type());
    headers.insert(CONTENT_TYPE, media_type);
    if matches!(file, File::Html) {
        let policy = HeaderValue::from_static(POLICY);
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    response
}
