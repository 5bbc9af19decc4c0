//! A game master's console: players, guesses, and what game masters did.

use axum::Json;
use axum::extract::State;
use hunt::{PlayerId, PuzzleId, Scope, TeamId};
use protocol::rest::{Audit, GuessPage, Players};
use serde::Deserialize;

use super::body::{InPath, InQuery};
use super::failure::Failed;
use super::identity::{Bearer, parse_id};
use super::newest::{PageAsked, PageQuery, Scanned, newest, rows_asked};
use crate::delivery::render::GuessesOf;
use crate::delivery::{Hub, render};
use crate::gateway::Gateway;
use crate::session::SessionHandle;

/// The query of a page of players.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PlayersQuery {
    after: Option<String>,
    limit: Option<usize>,
}

/// The query of a page of the guesses on a puzzle.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TeamGuessesQuery {
    puzzle: String,
    before: Option<u64>,
    limit: Option<usize>,
}

pub(super) async fn players(
    State(gateway): State<Gateway>,
    InPath(code): InPath<String>,
    bearer: Bearer,
    InQuery(query): InQuery<PlayersQuery>,
) -> Result<Json<Players>, Failed> {
    let session = bearer.session(&gateway, &code).await?;
    bearer.must_have(&session, Scope::View).await?;
    let limit = rows_asked(query.limit)?;
    let after = query.after.map(|after| parse_id::<PlayerId>(&after));
    let after = after.transpose()?;
    let players = session.read(move |view| render::players_after(view, after, limit));
    Ok(Json(players.await?))
}

/// The latest guesses of all teams.
pub(super) async fn guesses(
    State(gateway): State<Gateway>,
    InPath(code): InPath<String>,
    bearer: Bearer,
    InQuery(query): InQuery<PageQuery>,
) -> Result<Json<GuessPage>, Failed> {
    let session = bearer.session(&gateway, &code).await?;
    bearer.must_have(&session, Scope::View).await?;
    let asked = query.try_into()?;
    page_of_guesses(&gateway, &session, &bearer, asked, GuessesOf::All).await
}

/// The guesses of a team on a puzzle.
pub(super) async fn guesses_of_team(
    State(gateway): State<Gateway>,
    InPath((code, team)): InPath<(String, String)>,
    bearer: Bearer,
    InQuery(query): InQuery<TeamGuessesQuery>,
) -> Result<Json<GuessPage>, Failed> {
    let session = bearer.session(&gateway, &code).await?;
    bearer.must_have(&session, Scope::View).await?;
    let asked = PageAsked::new(query.before, query.limit)?;
    let team: TeamId = parse_id(&team)?;
    let puzzle = PuzzleId::from(query.puzzle.as_str());
    let known = session.read(move |view| render::unlocked_at(view, team, &query.puzzle));
    let unlocked_at = known.await?.map_err(|what| {
        Failed::not_found(format!(
            "No such {what}; list what there is and check the spelling."
        ))
    })?;
    let Some(unlocked_at) = unlocked_at else {
        return Ok(Json(GuessPage {
            guesses: Vec::new(),
            before: None,
            archived: false,
        }));
    };
    let of = GuessesOf::Team(team, puzzle, unlocked_at);
    page_of_guesses(&gateway, &session, &bearer, asked, of).await
}

async fn page_of_guesses(
    gateway: &Gateway,
    session: &SessionHandle<Hub>,
    bearer: &Bearer,
    asked: PageAsked,
    of: GuessesOf,
) -> Result<Json<GuessPage>, Failed> {
    let reads_answers = bearer.has(session, Scope::Answers).await?;
    let journal = gateway.sessions().journal();
    let page = newest(&**journal, session.id(), asked, |seq, entry| {
        if of.begin_after(entry.at) {
            return Scanned::Done;
        }
        match render::judged_guess(seq, &entry, &of, reads_answers) {
            Some(guess) => Scanned::Row(guess.seq, guess),
            None => Scanned::Other,
        }
    });
    let page = page.await?;
    Ok(Json(GuessPage {
        guesses: page.rows,
        before: page.before,
        archived: page.archived,
    }))
}

/// What game masters and admins did.
pub(super) async fn audit(
    State(gateway): State<Gateway>,
    InPath(code): InPath<String>,
    bearer: Bearer,
    InQuery(query): InQuery<PageQuery>,
) -> Result<Json<Audit>, Failed> {
    let session = bearer.session(&gateway, &code).await?;
    bearer.must_have(&session, Scope::Run).await?;
    let scan = |seq, entry| {
        if render::is_audited(&entry) {
            Scanned::Row(seq, (seq, entry))
        } else {
            Scanned::Other
        }
    };
    let journal = gateway.sessions().journal();
    let page = newest(&**journal, session.id(), query.try_into()?, scan).await?;
    // Names and reasons are private records, not part of the journal.
    let rows = page.rows;
    let orders = session.read(move |view| render::audited_orders(view, &rows));
    Ok(Json(Audit {
        orders: orders.await?,
        before: page.before,
        archived: page.archived,
    }))
}
