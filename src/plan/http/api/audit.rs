//! The audit trail: a page at a time by filters, or all of it as NDJSON.

use axum::Json as Body;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;

use crate::census::Timestamp;
use crate::operation;
use crate::plan::app::audit::{self, TrailPage};
use crate::plan::app::{App, May, MayHere};
use crate::plan::http::extract::Parameters;
use crate::plan::http::problem::{Problem, ProblemType};
use crate::plan::permission::ViewAudit;
use crate::plan::store::trail::TrailFilter;

/// Rows of a page where nobody says.
const LIMIT: i64 = 100;

/// What of the trail is asked for.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TrailQuery {
    /// Only of this actor, such as `person:alice`, `sensor:…`, `operator`.
    pub actor: Option<String>,
    /// Only this action, such as `plan.cancel`, `denied`.
    pub action: Option<String>,
    /// Only about this object, such as `plan/3`.
    pub object: Option<String>,
    /// Only at this instant or later (RFC 3339).
    pub from: Option<String>,
    /// Only before this instant (RFC 3339).
    pub to: Option<String>,
    /// Only rows with a smaller number: `next` of the page before.
    pub before: Option<i64>,
    /// Rows of a page: 1 to 500; 100 if it is missing. An export has no pages.
    pub limit: Option<i64>,
}

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(operation!(list, 400, 403))
        .routes(operation!(export, 400, 403))
        .routes(operation!(list_of_tenant, 400, 403))
        .routes(operation!(export_of_tenant, 400, 403))
}

/// A page of the subscription's trail, the newest first.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/audit", tag = "audit",
    params(TrailQuery), responses((status = 200, body = TrailPage)))]
async fn list(
    State(app): State<App>,
    may: May<ViewAudit>,
    Parameters(query): Parameters<TrailQuery>,
) -> Result<Body<TrailPage>, Problem> {
    page(&app, &may, query).await
}

/// The subscription's trail as one JSON object a line, the newest first.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/audit/export", tag = "audit",
    params(TrailQuery), responses((status = 200, body = String, content_type = "application/x-ndjson")))]
async fn export(
    State(app): State<App>,
    may: May<ViewAudit>,
    Parameters(query): Parameters<TrailQuery>,
) -> Result<Response, Problem> {
    stream(&app, &may, query)
}

/// A page of the installation's trail: people, subscriptions, sign-ins.
#[utoipa::path(get, path = "/api/v1/audit", tag = "audit",
    params(TrailQuery), responses((status = 200, body = TrailPage)))]
async fn list_of_tenant(
    State(app): State<App>,
    may: MayHere<ViewAudit>,
    Parameters(query): Parameters<TrailQuery>,
) -> Result<Body<TrailPage>, Problem> {
    page(&app, &may, query).await
}

/// The installation's trail as one JSON object a line, the newest first.
#[utoipa::path(get, path = "/api/v1/audit/export", tag = "audit",
    params(TrailQuery), responses((status = 200, body = String, content_type = "application/x-ndjson")))]
async fn export_of_tenant(
    State(app): State<App>,
    may: MayHere<ViewAudit>,
    Parameters(query): Parameters<TrailQuery>,
) -> Result<Response, Problem> {
    stream(&app, &may, query)
}

async fn page(
    app: &App,
    may: &dyn audit::MayViewTrail,
    query: TrailQuery,
) -> Result<Body<TrailPage>, Problem> {
    let limit = query.limit.unwrap_or(LIMIT);
    Ok(Body(audit::page(app, may, filter(query)?, limit).await?))
}

fn stream(app: &App, may: &dyn audit::MayViewTrail, query: TrailQuery) -> Result<Response, Problem> {
    let lines = audit::lines(app, may, filter(query)?);
    let kind = HeaderValue::from_static("application/x-ndjson");
    let name = HeaderValue::from_static("attachment; filename=\"audit.ndjson\"");
    let headers = [(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, name)];
    // If the store fails meanwhile, the client sees that the answer was cut.
    Ok((headers, axum::body::Body::from_stream(lines)).into_response())
}

fn filter(query: TrailQuery) -> Result<TrailFilter, Problem> {
    let instant = |name: &str, text: Option<String>| -> Result<Option<Timestamp>, Problem> {
        let wrong = |_| {
            Problem::new(
                ProblemType::InvalidRequest,
                format!("{name} is an instant such as 2026-11-22T09:00:00Z"),
            )
        };
        text.map(|text| text.parse().map_err(wrong)).transpose()
    };
    Ok(TrailFilter {
        from: instant("from", query.from)?,
        to: instant("to", query.to)?,
        actor: query.actor,
        action: query.action,
        object: query.object,
        before: query.before,
    })
}
