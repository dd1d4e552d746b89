//! Findings: what a person should check.

use axum::Json as Body;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;

use super::query;
use crate::census::FindingKind;
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

/// Which findings, and at which instant.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct FindingQuery {
    /// A kind; all kinds if it is missing.
    kind: Option<FindingKind>,
    /// A zone's name; all zones if it is missing.
    zone: Option<String>,
    /// RFC 3339; the service's default if it is missing.
    as_of: Option<String>,
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
