//! Findings: what a person should check.

use axum::Json as Body;
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;

use super::query::{self, FindingQuery};
use crate::operation;
use crate::plan::app::findings::{self, FindingFilter, FindingList};
use crate::plan::app::{App, May};
use crate::plan::http::extract::Parameters;
use crate::plan::http::problem::Problem;
use crate::plan::permission::View;

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(operation!(list))
}

/// What a person should check. Each finding has a sentence, an advice and the census rule that it is about.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/findings", tag = "inventory", params(FindingQuery),
    responses((status = 200, body = FindingList)))]
async fn list(
    State(app): State<App>,
    may: May<View>,
    Parameters(FindingQuery { kind, zone, as_of }): Parameters<FindingQuery>,
) -> Result<Body<FindingList>, Problem> {
    let as_of = query::instant(as_of.as_deref())?;
    Ok(Body(findings::list(&app, &may, &FindingFilter { kind, zone }, as_of).await?))
}
