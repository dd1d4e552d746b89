//! The audit trail: a page at a time by filters, or all of it as NDJSON.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::census::Timestamp;
use crate::plan::app::App;
use crate::plan::app::Caller;
use crate::plan::http::extract::{Parameters, Path};
use crate::plan::http::problem::{Problem, ProblemType};
use crate::plan::permission::Action;
use crate::plan::store::audit::AuditEntry;
use crate::plan::store::trail::{PAGE, TrailFilter};

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
    /// Rows of a page: 1 to 500, 100 where nothing is said. An export has no pages.
    pub limit: Option<i64>,
}

/// A page of the trail.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TrailPage {
    /// The newest first.
    pub entries: Vec<AuditEntry>,
    /// The `before` of the next page, where there is one.
    pub next: Option<i64>,
}

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(export))
        .routes(routes!(list_of_tenant))
        .routes(routes!(export_of_tenant))
}

/// A page of the subscription's trail, the newest first.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/audit", extensions(("x-netcensus-action" = json!("view-audit"))), tag = "audit",
    params(("sid" = String, Path, description = "subscription"), TrailQuery),
    responses((status = 200, body = TrailPage), (status = 400, description = "problem"), (status = 403, description = "problem")))]
pub async fn list(
    State(service): State<App>,
    Path(sid): Path<String>,
    caller: Caller,
    Parameters(query): Parameters<TrailQuery>,
) -> Result<axum::Json<TrailPage>, Problem> {
    caller.may_do(&service, Action::ViewAudit, &sid).await?;
    page(&service, Some(&sid), query).await
}

/// The subscription's trail as one JSON object a line, the newest first.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/audit/export", extensions(("x-netcensus-action" = json!("view-audit"))), tag = "audit",
    params(("sid" = String, Path, description = "subscription"), TrailQuery),
    responses((status = 200, body = String, content_type = "application/x-ndjson"), (status = 400, description = "problem"), (status = 403, description = "problem")))]
pub async fn export(
    State(service): State<App>,
    Path(sid): Path<String>,
    caller: Caller,
    Parameters(query): Parameters<TrailQuery>,
) -> Result<Response, Problem> {
    caller.may_do(&service, Action::ViewAudit, &sid).await?;
    stream(service, Some(sid), query)
}

/// A page of the tenant's trail: people, subscriptions, sign-ins.
#[utoipa::path(get, path = "/api/v1/audit", extensions(("x-netcensus-action" = json!("view-audit"))), tag = "audit", params(TrailQuery),
    responses((status = 200, body = TrailPage), (status = 400, description = "problem"), (status = 403, description = "problem")))]
pub async fn list_of_tenant(
    State(service): State<App>,
    caller: Caller,
    Parameters(query): Parameters<TrailQuery>,
) -> Result<axum::Json<TrailPage>, Problem> {
    caller.may_do_here(&service, Action::ViewAudit).await?;
    page(&service, None, query).await
}

/// The tenant's trail as one JSON object a line, the newest first.
#[utoipa::path(get, path = "/api/v1/audit/export", extensions(("x-netcensus-action" = json!("view-audit"))), tag = "audit", params(TrailQuery),
    responses((status = 200, body = String, content_type = "application/x-ndjson"), (status = 400, description = "problem"), (status = 403, description = "problem")))]
pub async fn export_of_tenant(
    State(service): State<App>,
    caller: Caller,
    Parameters(query): Parameters<TrailQuery>,
) -> Result<Response, Problem> {
    caller.may_do_here(&service, Action::ViewAudit).await?;
    stream(service, None, query)
}

async fn page(
    service: &App,
    trail: Option<&str>,
    query: TrailQuery,
) -> Result<axum::Json<TrailPage>, Problem> {
    let limit = query.limit.unwrap_or(LIMIT);
    if !(1..=PAGE).contains(&limit) {
        return Err(Problem::new(ProblemType::InvalidRequest, format!("limit is 1 to {PAGE}")));
    }
    let filter = filter(query)?;
    let entries = service.store.trail(trail, &filter, limit).await?;
    let last = entries.last().map(|entry| entry.number);
    let more = match last {
        Some(number) if i64::try_from(entries.len()) == Ok(limit) => {
            let rest = TrailFilter { before: Some(number), ..filter };
            !service.store.trail(trail, &rest, 1).await?.is_empty()
        }
        _ => false,
    };
    Ok(axum::Json(TrailPage { entries, next: last.filter(|_| more) }))
}

fn stream(service: App, trail: Option<String>, query: TrailQuery) -> Result<Response, Problem> {
    let mut filter = filter(query)?;
    let lines = async_stream::stream! {
        loop {
            let entries = match service.store.trail(trail.as_deref(), &filter, PAGE).await {
                Ok(entries) => entries,
                Err(error) => {
                    tracing::error!(%error, "an export of the audit trail broke off");
                    // The client sees that the answer was cut, not a whole one that lacks rows.
                    yield Err(std::io::Error::other("the store failed"));
                    break;
                }
            };
            let Some(last) = entries.last() else { break };
            filter.before = Some(last.number);
            let mut chunk = Vec::new();
            for entry in &entries {
                if serde_json::to_writer(&mut chunk, entry).is_ok() {
                    chunk.push(b'\n');
                }
            }
            yield Ok(chunk);
        }
    };
    let kind = HeaderValue::from_static("application/x-ndjson");
    let name = HeaderValue::from_static("attachment; filename=\"audit.ndjson\"");
    let headers = [(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, name)];
    Ok((headers, Body::from_stream(lines)).into_response())
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
