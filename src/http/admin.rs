//! Requests of admins: storing hunts and creating sessions. Also the random codes of sessions and teams.

use axum::Json;
use axum::extract::State;
use hyper::StatusCode;
use protocol::limits::HUNT_BODY_BYTES_MAX;
use protocol::rest::{CreateHunt, CreateSession, HuntCreated, SessionCreated};
use tokio::task::spawn_blocking;

use super::body::Body;
use super::failure::Failed;
use super::identity::Bearer;
use crate::delivery::render;
use crate::gateway::{Gateway, Grant};
use crate::ids::SessionId;
use crate::journal::CreateError;
use crate::session::{CreateSessionError, HuntError, StoredHunt, first_game_master};

/// Retries with another random code while codes collide. With a million sessions, one draw collides once in
/// 78,000.
const CODE_DRAWS_MAX: usize = 8;

/// The alphabet of random codes: letters and digits without look-alikes. Of 0 and O, 1, I and L, 5 and S,
/// 2 and Z, 8 and B, U and V, none is used.
const CODE_ALPHABET: &[u8; 23] = b"34679ACDEFGHJKMNPQRTWXY";
/// Characters of a random code: 23^8 codes, about 78 thousand million.
const CODE_LENGTH: usize = 8;

/// A random session or team code, made to be read aloud and typed.
pub fn random_code() -> String {
    let letter = |_| char::from(CODE_ALPHABET[rand::random_range(0..CODE_ALPHABET.len())]);
    (0..CODE_LENGTH).map(letter).collect()
}

pub(super) async fn create_hunt(
    State(gateway): State<Gateway>,
    bearer: Bearer,
    Body(request): Body<CreateHunt, { HUNT_BODY_BYTES_MAX }>,
) -> Result<(StatusCode, Json<HuntCreated>), Failed> {
    bearer.must_be_admin()?;
    // A large hunt takes tens of milliseconds.
    let checking = spawn_blocking(move || StoredHunt::new(&request.files));
    let stored = match checking.await.map_err(Failed::internal)? {
        Ok(stored) => stored,
        Err(HuntError::Mistakes(mistakes)) => {
            let rendered = mistakes.iter().map(ToString::to_string).collect();
            return Err(Failed::invalid_hunt(rendered));
        }
        Err(error @ (HuntError::Damaged(_) | HuntError::Panicked(_))) => {
            return Err(Failed::internal(error));
        }
    };
    gateway.sessions().put_hunt(&stored).await?;
    for puzzle in &stored.hunt.puzzles {
        if let Some(hash) = puzzle.content {
            let rendered = gateway.content().bodies.html(hash, &puzzle.body).await;
            rendered.map_err(Failed::internal)?;
        }
    }
    Ok((StatusCode::CREATED, Json(render::hunt_created(stored))))
}

pub(super) async fn create_session(
    State(gateway): State<Gateway>,
    bearer: Bearer,
    Body(request): Body<CreateSession>,
) -> Result<(StatusCode, Json<SessionCreated>), Failed> {
    bearer.must_be_admin()?;
    if request
        .code
        .as_deref()
        .is_some_and(|code| !is_session_code(code))
    {
        let message = "`code` must have 4 to 12 upper-case letters and digits.";
        return Err(Failed::bad_request(message));
    }
    let mut draws = 0;
    let session = loop {
        let code = request.code.clone().unwrap_or_else(random_code);
        let id = SessionId::new(rand::random());
        match gateway
            .sessions()
            .create(id, code, request.hunt.clone())
            .await
        {
            Ok(session) => break session,
            Err(CreateSessionError::Create(CreateError::CodeTaken))
                if request.code.is_none() && draws < CODE_DRAWS_MAX =>
            {
                draws += 1;
            }
            Err(error) => return Err(failure_of(error)),
        }
    };
    let grant = Grant::GameMaster(session.id(), first_game_master());
    let now = gateway.sessions().clock().now();
    let created = SessionCreated {
        session: session.record().code.clone(),
        game_master_token: gateway.tokens().seal(grant, now),
    };
    Ok((StatusCode::CREATED, Json(created)))
}

fn is_session_code(code: &str) -> bool {
    let letters = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    (4..=12).contains(&code.len()) && code.bytes().all(letters)
}

fn failure_of(error: CreateSessionError) -> Failed {
    match error {
        CreateSessionError::Create(CreateError::CodeTaken) => {
            Failed::code_taken("Another session has this code; choose another code, or omit it.")
        }
        CreateSessionError::Create(CreateError::UnknownHunt) => {
            Failed::not_found("No hunt has this revision; upload it first.")
        }
        CreateSessionError::Create(CreateError::Failed(error)) => error.into(),
        CreateSessionError::Hunt(error) => Failed::internal(error),
        full @ CreateSessionError::Full(_) => Failed::unavailable(format!(
            "{full}; finish sessions that are over, which the server closes when no client uses them, or \
             raise the limit."
        )),
        claim @ CreateSessionError::Claim(_) => Failed::unavailable(claim.to_string()),
        CreateSessionError::Unavailable(unavailable) => unavailable.into(),
        CreateSessionError::Refused(refusal) => refusal.into(),
    }
}
