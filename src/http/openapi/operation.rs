//! What the document says of one route.

use hunt::Scope;
use hyper::StatusCode;
use protocol::rest::FailureCode;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::schemas::Schemas;
use crate::http::identity::scope_name;

/// Whose token a route takes.
#[derive(Clone, Copy)]
pub(in crate::http) enum Token {
    Nobodys,
    Admins,
    /// Of a game master with the scope, or of an admin.
    GameMasters(Scope),
    Devices,
    /// Of a device, or as for [`Token::GameMasters`].
    DevicesOrGameMasters(Scope),
}

/// Adds a type to the schemas and gives the reference to it.
type AddSchema = fn(&mut Schemas) -> Value;

/// A success.
struct Success {
    status: StatusCode,
    media_type: &'static str,
    body: Option<AddSchema>,
    /// Instead of what the body's type says of itself.
    description: Option<&'static str>,
}

/// What a route takes and how it answers.
pub(in crate::http) struct Operation {
    id: &'static str,
    tag: &'static str,
    summary: &'static str,
    token: Token,
    body: Option<AddSchema>,
    success: Success,
    /// Failures that do not follow from the above.
    failures: Vec<StatusCode>,
    /// Why the answer may be 409.
    conflicts: Vec<FailureCode>,
}

/// A failure that several routes share.
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

pub(super) const FAILURES: [SharedFailure; 11] = [
    shared(
        StatusCode::BAD_REQUEST,
        "BadRequest",
        "`bad_request`: the path or the body is not what the request takes; the message says what is \
         wrong.",
    ),
    shared(
        StatusCode::UNAUTHORIZED,
        "Unauthorized",
        "`unauthorized`: the token is missing, forged or expired.",
    ),
    shared(
        StatusCode::FORBIDDEN,
        "Forbidden",
        "`forbidden`: the token is good, but not for this, or of another session, whether there is \
         one with this code or not. `revoked`: the device or game master \
         that it belongs to was revoked.",
    ),
    shared(
        StatusCode::NOT_FOUND,
        "NotFound",
        "`not_found`: no such session, hunt or id.",
    ),
    shared(
        StatusCode::METHOD_NOT_ALLOWED,
        "MethodNotAllowed",
        "`method_not_allowed`: the path does not take this method.",
    ),
    shared(
        StatusCode::REQUEST_TIMEOUT,
        "RequestTimeout",
        "`request_timeout`: the body took too long; send it again on a better connection.",
    ),
    shared(
        StatusCode::PAYLOAD_TOO_LARGE,
        "TooLarge",
        "`too_large`: the body is larger than 32 KiB, or a hunt than 8 MiB.",
    ),
    shared(
        StatusCode::UNPROCESSABLE_ENTITY,
        "InvalidHunt",
        "`invalid_hunt`: the hunt has mistakes; `mistakes` lists every one with its place.",
    ),
    shared(
        StatusCode::TOO_MANY_REQUESTS,
        "RateLimited",
        "`rate_limited`: there were too many wrong codes, or the address has founded too many teams; \
         `retry-after` tells in how many seconds to try again.",
    ),
    shared(
        StatusCode::INTERNAL_SERVER_ERROR,
        "Internal",
        "`internal`: the server failed.",
    ),
    shared(
        StatusCode::SERVICE_UNAVAILABLE,
        "Unavailable",
        "`unavailable`: the outcome is unknown or the server is busy; ask again later.",
    ),
];

impl Operation {
    pub(in crate::http) fn new(id: &'static str, tag: &'static str, summary: &'static str) -> Self {
        Self {
            id,
            tag,
            summary,
            token: Token::Nobodys,
            body: None,
            success: Success {
                status: StatusCode::NO_CONTENT,
                media_type: "application/json",
                body: None,
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

    pub(in crate::http) fn takes<T: ToSchema>(mut self) -> Self {
        self.body = Some(Schemas::add::<T>);
        self
    }

    /// Answers 200 with a body.
    pub(in crate::http) fn gives<T: ToSchema>(mut self) -> Self {
        self.success.status = StatusCode::OK;
        self.success.body = Some(Schemas::add::<T>);
        self
    }

    /// Answers 200 with a JSON object that has no schema here.
    pub(in crate::http) fn gives_object(mut self, description: &'static str) -> Self {
        self.success.status = StatusCode::OK;
        self.success.body = Some(|_| json!({ "type": "object" }));
        self.success.description = Some(description);
        self
    }

    /// Answers 201 with a body.
    pub(in crate::http) fn creates<T: ToSchema>(self) -> Self {
        let mut created = self.gives::<T>();
        created.success.status = StatusCode::CREATED;
        created
    }

    /// The answer's body is of another kind than JSON.
    pub(in crate::http) fn in_media(
        mut self,
        media_type: &'static str,
        description: &'static str,
    ) -> Self {
        self.success.media_type = media_type;
        self.success.description = Some(description);
        self
    }

    /// Says what 204 means.
    pub(in crate::http) fn does(mut self, description: &'static str) -> Self {
        self.success.description = Some(description);
        self
    }

    /// May fail in a way that does not follow from its path, token and body.
    pub(in crate::http) fn fails(mut self, status: StatusCode) -> Self {
        self.failures.push(status);
        self
    }

    /// May be answered with 409 and one of these codes.
    pub(in crate::http) fn conflicts(
        mut self,
        codes: impl IntoIterator<Item = FailureCode>,
    ) -> Self {
        self.conflicts.extend(codes);
        self
    }

    /// Renders the operation of a path below the interface's prefix.
    pub(super) fn render(&self, path: &str, schemas: &mut Schemas) -> Value {
        let mut operation = json!({
            "operationId": self.id,
            "summary": self.summary,
            "tags": [self.tag],
            "security": self.security(),
            "responses": self.answers(path, schemas),
        });
        let parameters: Vec<Value> = parameters(path).map(parameter).collect();
        if !parameters.is_empty() {
            operation["parameters"] = parameters.into();
        }
        if let Some(add) = self.body {
            let schema = add(schemas);
            operation["requestBody"] = json!({
                "required": true,
                "content": { "application/json": { "schema": schema } },
            });
        }
        operation
    }

    fn security(&self) -> Value {
        match self.token {
            Token::Nobodys => json!([]),
            Token::Admins => json!([{ "admin": [] }]),
            Token::GameMasters(scope) => {
                json!([{ "game_master": [scope_name(scope)] }, { "admin": [] }])
            }
            Token::Devices => json!([{ "device": [] }]),
            Token::DevicesOrGameMasters(scope) => {
                json!([{ "device": [] }, { "game_master": [scope_name(scope)] }, { "admin": [] }])
            }
        }
    }

    fn answers(&self, path: &str, schemas: &mut Schemas) -> Map<String, Value> {
        let mut answers = Map::new();
        answers.insert(
            self.success.status.as_str().to_owned(),
            self.success.render(schemas),
        );
        for failure in FAILURES
            .iter()
            .filter(|failure| self.may_fail(path, failure.status))
        {
            let reference = format!("#/components/responses/{}", failure.name);
            answers.insert(
                failure.status.as_str().to_owned(),
                json!({ "$ref": reference }),
            );
        }
        if !self.conflicts.is_empty() {
            let names: Vec<String> = self.conflicts.iter().copied().map(code_name).collect();
            let answer = failure_answer(&format!("The reason is one of {}.", names.join(", ")));
            answers.insert(StatusCode::CONFLICT.as_str().to_owned(), answer);
        }
        answers
    }

    fn is_public(&self) -> bool {
        matches!(self.token, Token::Nobodys)
    }

    fn may_fail(&self, path: &str, status: StatusCode) -> bool {
        let by_nature = match status {
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
        by_nature || self.failures.contains(&status)
    }
}

impl Success {
    fn render(&self, schemas: &mut Schemas) -> Value {
        let Some(add) = self.body else {
            let description = self
                .description
                .expect("an answer without a body is explained");
            return json!({ "description": description });
        };
        let schema = add(schemas);
        let description = self
            .description
            .unwrap_or_else(|| schemas.description(&schema));
        json!({
            "description": description,
            "content": { self.media_type: { "schema": schema } },
        })
    }
}

/// An answer with the body of every failure.
pub(super) fn failure_answer(description: &str) -> Value {
    let schema = json!({ "$ref": "#/components/schemas/Failure" });
    json!({
        "description": description,
        "content": { "application/json": { "schema": schema } },
    })
}

fn code_name(code: FailureCode) -> String {
    let name = json!(code);
    format!("`{}`", name.as_str().expect("a code is a word"))
}

fn parameters(path: &str) -> impl Iterator<Item = &str> {
    path.split('/')
        .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
}

fn parameter(name: &str) -> Value {
    let description = match name {
        "code" => "The session's code, in any case; spaces and dashes do not matter.",
        "device" => "The device's id.",
        "player" => "The player's id.",
        "game_master" => "The game master's id.",
        "clue" => "The clue's id.",
        other => panic!("the parameter {other} is not explained"),
    };
    json!({
        "name": name,
        "in": "path",
        "required": true,
        "description": description,
        "schema": { "type": "string" },
    })
}
