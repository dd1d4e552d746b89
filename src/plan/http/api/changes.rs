//! Change sets: what people changed, from what to what, and undoing it.

use axum::Json as Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;

use super::jobs;
use super::query::Trial;
use crate::operation;
use crate::plan::app::change_jobs::JobEntry;
use crate::plan::app::changes::{self, AlterationsQuery, ChangeAnswer, ChangeDetail, Changes, ChangesQuery};
use crate::plan::app::{App, May};
use crate::plan::http::extract::{Parameters, Segment};
use crate::plan::http::problem::Problem;
use crate::plan::permission::{EditDevices, View};

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(operation!(list))
        .routes(operation!(show, 404))
        .routes(operation!(undo, 404, 409))
}

/// What people changed, the newest first.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/changes", tag = "inventory", params(ChangesQuery),
    responses((status = 200, body = Changes)))]
async fn list(
    State(app): State<App>,
    may: May<View>,
    Parameters(query): Parameters<ChangesQuery>,
) -> Result<Body<Changes>, Problem> {
    Ok(Body(changes::list(&app, &may, query).await?))
}

/// One change set, with the decision before and after on each object.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/changes/{number}", tag = "inventory",
    params(("number" = u64, Path, description = "change"), AlterationsQuery),
    responses((status = 200, body = ChangeDetail)))]
async fn show(
    State(app): State<App>,
    may: May<View>,
    Segment(number): Segment<u64>,
    Parameters(query): Parameters<AlterationsQuery>,
) -> Result<Body<ChangeDetail>, Problem> {
    Ok(Body(changes::show(&app, &may, number, query).await?))
}

/// Undoes a change by a new one, which sets each of its objects back to the decision before. Refused if a later change
/// altered one of the objects.
#[utoipa::path(post, path = "/api/v1/subscriptions/{sid}/changes/{number}/undo", tag = "inventory",
    params(("number" = u64, Path, description = "change"), Trial), responses((status = 200, body = ChangeAnswer),
        (status = 202, body = JobEntry, description = "it takes long; `Location` names the job")))]
async fn undo(
    State(app): State<App>,
    may: May<EditDevices>,
    headers: HeaderMap,
    Segment(number): Segment<u64>,
) -> Result<Response, Problem> {
    let (service, caller) = (app.clone(), may.clone());
    let change = async move { changes::undo(&service, &caller, number).await };
    jobs::answer(&app, &may, &headers, "change_undo", change).await
}
