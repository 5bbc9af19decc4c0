//! The description of one route in the OpenAPI document.

use hunt::Scope;
use hyper::StatusCode;
use protocol::rest::FailureCode;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::query::QueryParameter;
use super::schemas::Schemas;
use crate::delivery::render::scope_name;
use crate::http::idempotency::key_pattern;

/// The token that a route requires.
#[derive(Clone, Copy)]
pub(in crate::http) enum Token {
    None,
    Admin,
    /// The token of a game master with the scope, or of an admin.
    GameMaster(Scope),
    Device,
    /// The token of a device, or as for [`Token::GameMaster`].
    DeviceOrGameMaster(Scope),
}

/// Adds a type to the schemas and returns the reference to it.
type AddSchema = fn(&mut Schemas) -> Value;

/// The successful response of a route.
struct Success {
    status: StatusCode,
    media_type: &'static str,
    body: Option<AddSchema>,
    /// A media type of plain text in which the response is given on request.
    text_alternative: Option<&'static str>,
    /// Overrides the description of the body's type.
    description: Option<&'static str>,
}

/// The request and the responses of a route.
pub(in crate::http) struct Operation {
    id: &'static str,
    tag: &'static str,
    summary: &'static str,
    token: Token,
    query: Vec<QueryParameter>,
    body: Option<AddSchema>,
    is_body_required: bool,
    /// Whether it takes an idempotency key.
    takes_key: bool,
    success: Success,
    /// Failures that do not follow from the path, the token and the body.
    failures: Vec<StatusCode>,
    /// The possible codes of a 409.
    conflicts: Vec<FailureCode>,
}

/// A failure response that several routes share.
pub(super) struct SharedFailure {
    pub(super) status: StatusCode,
    pub(super) name: &'static str,
    pub(super) description: &'static str,
}

const fn shared(
    status: StatusCode,
    name: &'static str,
    description: &'static str,
) -> SharedFailure {
    SharedFailure {
        status,
        name,
        description,
    }
}

/// Name of the 422 of an idempotency key; [`Operation::idempotent`] implies it.
const KEY_REUSED: &str = "KeyReused";

pub(super) const FAILURES: [SharedFailure; 12] = [
    shared(
        StatusCode::BAD_REQUEST,
        "BadRequest",
        "`bad_request`: the path or the body is malformed or has invalid values; the message says what \
         is wrong.",
    ),
    shared(
        StatusCode::UNAUTHORIZED,
        "Unauthorized",
        "`unauthorized`: the token is missing, forged or expired.",
    ),
    shared(
        StatusCode::FORBIDDEN,
        "Forbidden",
        "`forbidden`: the token is valid, but not for this request, or belongs to another session \
         (whether or not a session with this code exists). `revoked`: its device or game master was \
         revoked.",
    ),
    shared(
        StatusCode::NOT_FOUND,
        "NotFound",
        "`not_found`: no such session, hunt or id.",
    ),
    shared(
        StatusCode::METHOD_NOT_ALLOWED,
        "MethodNotAllowed",
        "`method_not_allowed`: the path does not support this method.",
    ),
    shared(
        StatusCode::REQUEST_TIMEOUT,
        "RequestTimeout",
        "`request_timeout`: the body took too long to arrive; send the request again over a faster \
         connection.",
    ),
    shared(
        StatusCode::PAYLOAD_TOO_LARGE,
        "TooLarge",
        "`too_large`: the body is larger than 32 KiB, or 8 MiB for a hunt.",
    ),
    shared(
        StatusCode::UNPROCESSABLE_ENTITY,
        "InvalidHunt",
        "`invalid_hunt`: the hunt has mistakes; `mistakes` lists each with its file and line.",
    ),
    shared(
        StatusCode::UNPROCESSABLE_ENTITY,
        KEY_REUSED,
        "`key_reused`: another request used the idempotency key; send this one with a new key.",
    ),
    shared(
        StatusCode::TOO_MANY_REQUESTS,
        "RateLimited",
        "`rate_limited`: too many wrong codes, or too many new teams from one address; `retry-after` \
         gives the seconds to wait.",
    ),
    shared(
        StatusCode::INTERNAL_SERVER_ERROR,
        "Internal",
        "`internal`: an internal error; the server's log has the cause.",
    ),
    shared(
        StatusCode::SERVICE_UNAVAILABLE,
        "Unavailable",
        "`unavailable`: the server cannot answer now, or the outcome is unknown; try again later.",
    ),
];

impl Operation {
    pub(in crate::http) fn new(id: &'static str, tag: &'static str, summary: &'static str) -> Self {
        Self {
            id,
            tag,
            summary,
            token: Token::None,
            query: Vec::new(),
            body: None,
            is_body_required: true,
            takes_key: false,
            success: Success {
                status: StatusCode::NO_CONTENT,
                media_type: "application/json",
                body: None,
                text_alternative: None,
                description: None,
            },
            failures: Vec::new(),
            conflicts: Vec::new(),
        }
    }

    pub(in crate::http) fn token(mut self, token: Token) -> Self {
        self.token = token;
        self
    }

    /// Adds parameters in the query.
    pub(in crate::http) fn query(
        mut self,
        parameters: impl IntoIterator<Item = QueryParameter>,
    ) -> Self {
        self.query.extend(parameters);
        self
    }

    pub(in crate::http) fn request<T: ToSchema>(mut self) -> Self {
        self.body = Some(Schemas::add::<T>);
        self
    }

    /// Takes a body, or none.
    pub(in crate::http) fn optional_request<T: ToSchema>(self) -> Self {
        let mut requested = self.request::<T>();
        requested.is_body_required = false;
        requested
    }

    /// Takes an idempotency key.
    pub(in crate::http) fn idempotent(mut self) -> Self {
        self.takes_key = true;
        self
    }

    /// Responds with 200 and a body.
    pub(in crate::http) fn response<T: ToSchema>(mut self) -> Self {
        self.success.status = StatusCode::OK;
        self.success.body = Some(Schemas::add::<T>);
        self
    }

    /// Responds with 200 and a JSON object without a schema.
    pub(in crate::http) fn object_response(mut self, description: &'static str) -> Self {
        self.success.status = StatusCode::OK;
        self.success.body = Some(|_| json!({ "type": "object" }));
        self.success.description = Some(description);
        self
    }

    /// Responds with 201 and a body.
    pub(in crate::http) fn created_response<T: ToSchema>(self) -> Self {
        let mut created = self.response::<T>();
        created.success.status = StatusCode::CREATED;
        created
    }

    /// Sets a media type other than JSON for the response.
    pub(in crate::http) fn media_type(
        mut self,
        media_type: &'static str,
        description: &'static str,
    ) -> Self {
        self.success.media_type = media_type;
        self.success.description = Some(description);
        self
    }

    /// Adds a media type of plain text for the response.
    pub(in crate::http) fn text_alternative(mut self, media_type: &'static str) -> Self {
        self.success.text_alternative = Some(media_type);
        self
    }

    /// Describes the effect behind a 204.
    pub(in crate::http) fn effect(mut self, description: &'static str) -> Self {
        self.success.description = Some(description);
        self
    }

    /// Adds a failure that does not follow from the path, the token and the body.
    pub(in crate::http) fn failure(mut self, status: StatusCode) -> Self {
        self.failures.push(status);
        self
    }

    /// Adds possible codes of a 409.
    pub(in crate::http) fn conflicts(
        mut self,
        codes: impl IntoIterator<Item = FailureCode>,
    ) -> Self {
        self.conflicts.extend(codes);
        self
    }

    /// Renders the operation of a path as the document's operation object.
    pub(super) fn render(&self, path: &str, schemas: &mut Schemas) -> Value {
        let mut operation = json!({
            "operationId": self.id,
            "summary": self.summary,
            "tags": [self.tag],
            "security": self.security(),
            "responses": self.responses(path, schemas),
        });
        let in_query = self.query.iter().map(|parameter| parameter.render());
        let mut parameters: Vec<Value> = parameters(path).map(parameter).chain(in_query).collect();
        if self.takes_key {
            parameters.push(key_parameter());
        }
        if !parameters.is_empty() {
            operation["parameters"] = parameters.into();
        }
        if let Some(add) = self.body {
            let schema = add(schemas);
            operation["requestBody"] = json!({
                "required": self.is_body_required,
                "content": { "application/json": { "schema": schema } },
            });
        }
        operation
    }

    fn security(&self) -> Value {
        match self.token {
            Token::None => json!([]),
            Token::Admin => json!([{ "admin": [] }]),
            Token::GameMaster(scope) => {
                json!([{ "game_master": [scope_name(scope)] }, { "admin": [] }])
            }
            Token::Device => json!([{ "device": [] }]),
            Token::DeviceOrGameMaster(scope) => {
                json!([{ "device": [] }, { "game_master": [scope_name(scope)] }, { "admin": [] }])
            }
        }
    }

    fn responses(&self, path: &str, schemas: &mut Schemas) -> Map<String, Value> {
        let mut responses = Map::new();
        responses.insert(
            self.success.status.as_str().to_owned(),
            self.success.render(schemas),
        );
        for failure in FAILURES.iter().filter(|failure| match failure.name {
            KEY_REUSED => self.takes_key,
            _ => self.may_fail(path, failure.status),
        }) {
            let reference = format!("#/components/responses/{}", failure.name);
            responses.insert(
                failure.status.as_str().to_owned(),
                json!({ "$ref": reference }),
            );
        }
        if !self.conflicts.is_empty() {
            let names: Vec<String> = self.conflicts.iter().copied().map(code_name).collect();
            let response = failure_response(&format!("One of the codes {}.", names.join(", ")));
            responses.insert(StatusCode::CONFLICT.as_str().to_owned(), response);
        }
        responses
    }

    fn is_public(&self) -> bool {
        matches!(self.token, Token::None)
    }

    fn may_fail(&self, path: &str, status: StatusCode) -> bool {
        let is_implied = match status {
            StatusCode::BAD_REQUEST => self.body.is_some() || parameters(path).next().is_some(),
            StatusCode::REQUEST_TIMEOUT | StatusCode::PAYLOAD_TOO_LARGE => self.body.is_some(),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => !self.is_public(),
            StatusCode::NOT_FOUND => parameters(path).next().is_some(),
            StatusCode::TOO_MANY_REQUESTS => {
                let names_session = parameters(path).next().is_some();
                names_session || self.is_public() && self.may_fail(path, StatusCode::NOT_FOUND)
            }
            StatusCode::INTERNAL_SERVER_ERROR | StatusCode::SERVICE_UNAVAILABLE => {
                self.tag != "document"
            }
            _ => false,
        };
        is_implied || self.failures.contains(&status)
    }
}

impl Success {
    fn render(&self, schemas: &mut Schemas) -> Value {
        let Some(add) = self.body else {
            let description = self
                .description
                .expect("a response without a body has a description");
            return json!({ "description": description });
        };
        let schema = add(schemas);
        let description = self
            .description
            .unwrap_or_else(|| schemas.description(&schema));
        let mut content = json!({ self.media_type: { "schema": schema } });
        if let Some(media_type) = self.text_alternative {
            content[media_type] = json!({ "schema": { "type": "string" } });
        }
        json!({ "description": description, "content": content })
    }
}

/// A response with the body that every failure has.
pub(super) fn failure_response(description: &str) -> Value {
    let schema = json!({ "$ref": "#/components/schemas/Failure" });
    json!({
        "description": description,
        "content": { "application/json": { "schema": schema } },
    })
}

fn code_name(code: FailureCode) -> String {
    let name = json!(code);
    format!(
        "`{}`",
        name.as_str().expect("a code serializes to a string")
    )
}

fn parameters(path: &str) -> impl Iterator<Item = &str> {
    path.split('/')
        .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
}

/// The header with the idempotency key.
fn key_parameter() -> Value {
    json!({
        "name": "Idempotency-Key",
        "in": "header",
        "required": false,
        "description": "A random key of this request. The same request with the same key is executed once, \
            for 24 hours; a repeat gets the same ids, with a fresh token.",
        "schema": { "type": "string", "pattern": key_pattern() },
    })
}

fn parameter(name: &str) -> Value {
    let description = match name {
        "code" => "The session's code; case, spaces and dashes are ignored.",
        "device" => "The device's id.",
        "player" => "The player's id.",
        "team" => "The team's id.",
        "game_master" => "The game master's id.",
        "clue" => "The clue's id.",
        other => panic!("the parameter {other} has no description"),
    };
    json!({
        "name": name,
        "in": "path",
        "required": true,
        "description": description,
        "schema": { "type": "string" },
    })
}
