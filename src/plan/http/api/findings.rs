//! Findings: what a person should check, and closing it.

use axum::Json as Body;
use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

use super::query::{self, FindingQuery, Trial};
use crate::operation;
use crate::plan::app::findings::{self, FindingFilter, FindingList};
use crate::plan::app::{App, May};
use crate::plan::finding_ledger::FindingRecord;
use crate::plan::http::extract::{Json, Parameters, Segment};
use crate::plan::http::problem::Problem;
use crate::plan::permission::{UpdateFindings, View};

/// A note for those who look at the finding later. The body may be null or left out.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct FindingNote {
    /// At most 500 characters.
    note: Option<String>,
}

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(operation!(list))
        .routes(operation!(close, 404))
        .routes(operation!(reopen, 404))
}

/// What a person should check. Each finding has a sentence, an advice and the census rule that it is about. A finding
/// stays until a person closes it, or closes by itself if it describes a present state. With `as_of`, the list has what
/// the facts show at that instant, each finding in its present state.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/findings", tag = "inventory", params(FindingQuery),
    responses((status = 200, body = FindingList)))]
async fn list(
    State(app): State<App>,
    may: May<View>,
    Parameters(FindingQuery { kind, zone, state, as_of }): Parameters<FindingQuery>,
) -> Result<Body<FindingList>, Problem> {
    let as_of = query::instant(as_of.as_deref())?;
    let filter = FindingFilter { kind, zone, state: state.unwrap_or_default() };
    Ok(Body(findings::list(&app, &may, &filter, as_of).await?))
}

/// Closes a finding. It opens again if newer frames show it. Closing a closed finding changes nothing.
#[utoipa::path(post, path = "/api/v1/subscriptions/{sid}/findings/{id}/close", tag = "inventory",
    params(("id" = String, Path, description = "finding"), Trial), request_body = Option<FindingNote>,
    responses((status = 200, body = FindingRecord)))]
async fn close(
    State(app): State<App>,
    may: May<UpdateFindings>,
    Segment(id): Segment<String>,
    body: Option<Json<Option<FindingNote>>>,
) -> Result<Body<FindingRecord>, Problem> {
    let note = body.and_then(|Json(body)| body?.note);
    Ok(Body(findings::close(&app, &may, &id, note.as_deref()).await?))
}

/// Opens a closed finding again. Opening an open finding changes nothing.
#[utoipa::path(post, path = "/api/v1/subscriptions/{sid}/findings/{id}/reopen", tag = "inventory",
    params(("id" = String, Path, description = "finding"), Trial), request_body = Option<FindingNote>,
    responses((status = 200, body = FindingRecord)))]
async fn reopen(
    State(app): State<App>,
    may: May<UpdateFindings>,
    Segment(id): Segment<String>,
    body: Option<Json<Option<FindingNote>>>,
) -> Result<Body<FindingRecord>, Problem> {
    let note = body.and_then(|Json(body)| body?.note);
    Ok(Body(findings::reopen(&app, &may, &id, note.as_deref()).await?))
}
