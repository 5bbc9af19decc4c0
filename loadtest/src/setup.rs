//! Before the first connection: a hunt, a session, and players in it.

use std::num::NonZero;

use futures_util::{StreamExt, TryStreamExt, stream};
use protocol::rest::{
    CreateHunt, CreateSession, HuntCreated, Join, Joined, SessionCreated, SessionState,
};
use testkit::{Rest, RestError};

/// Uploads a hunt and creates a session of it, which is then in its lobby.
pub(crate) async fn create_session(
    rest: &Rest,
    admin_token: &str,
    hunt: &CreateHunt,
) -> Result<SessionCreated, RestError> {
    let created: HuntCreated = rest.post("/hunts", Some(admin_token), hunt).await?;
    let body = CreateSession {
        hunt: created.revision,
        code: None,
    };
    rest.post("/sessions", Some(admin_token), &body).await
}

/// Starts a session.
pub(crate) async fn start(rest: &Rest, session: &SessionCreated) -> Result<(), RestError> {
    let path = format!("/sessions/{}/start", session.session);
    let token = Some(&*session.game_master_token);
    let _: SessionState = rest.post_empty(&path, token).await?;
    Ok(())
}

/// Joins everybody, so many at the same time; gives them in the order of the joins.
pub(crate) async fn join_all(
    rest: &Rest,
    joins: impl IntoIterator<Item = Join>,
    at_a_time: NonZero<u16>,
) -> Result<Vec<Joined>, RestError> {
    let joining = joins
        .into_iter()
        .map(|join| async move { rest.post("/join", None, &join).await });
    stream::iter(joining)
        .buffered(usize::from(at_a_time.get()))
        .try_collect()
        .await
}
