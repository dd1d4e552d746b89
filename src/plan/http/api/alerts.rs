//! Alerts and recommendations, and what people decide about them.

#![expect(unused_qualifications, reason = "the attributes that describe the API expand to qualified names")]

use axum::Json as Body;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;

use super::query::Trial;
use crate::operation;
use crate::plan::app::alerts::{self, AlertFilter, AlertList, AlertRecord, RecommendationList};
use crate::plan::app::{App, May, Refusal};
use crate::plan::http::extract::{Json, Parameters, Segment};
use crate::plan::http::problem::Problem;
use crate::plan::permission::{UpdateFindings, View};
use crate::plan::store::AlertState;
use crate::security::{Severity, ocsf};

/// Which alerts are listed.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct AlertQuery {
    /// `open` (the default), `all`, or one of `new`, `active`, `closed`, `accepted`.
    state: Option<String>,
    /// This severity or a higher one: `informational`, `low`, `medium` or `high`.
    severity: Option<String>,
    /// Only alerts of this rule, such as `A-SCAN-P`.
    rule: Option<String>,
    /// Only alerts of this zone.
    zone: Option<String>,
    /// Only alerts of the device with this id.
    device: Option<String>,
}

impl AlertQuery {
    fn filter(self) -> Result<AlertFilter, Refusal> {
        let Self { state, severity, rule, zone, device } = self;
        let (state, all) = match state.as_deref() {
            None | Some("open") => (None, false),
            Some("all") => (None, true),
            Some(key) => {
                let unknown = || Refusal::invalid("state: write open, all, new, active, closed or accepted");
                (Some(AlertState::from_key(key).ok_or_else(unknown)?), false)
            }
        };
        let unknown = || Refusal::invalid("severity: write informational, low, medium or high");
        let severity = severity.map(|key| Severity::from_key(&key).ok_or_else(unknown)).transpose()?;
        Ok(AlertFilter { state, all, severity, rule, zone, device })
    }
}

/// What a person decides about an alert.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AlertVerdict {
    state: AlertState,
    /// For those who look at it later: at most 500 characters.
    note: Option<String>,
}

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(operation!(list))
        .routes(operation!(lines))
        .routes(operation!(events))
        .routes(operation!(get, 404))
        .routes(operation!(decide, 404))
        .routes(operation!(recommendations))
}

/// What devices did that a person should look at: scans, password guessing, poisoning, commands to industrial devices. Each
/// alert names what proved it. Withheld without a plan (P7).
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/alerts", tag = "security", params(AlertQuery),
    responses((status = 200, body = AlertList)))]
async fn list(
    State(app): State<App>,
    may: May<View>,
    Parameters(query): Parameters<AlertQuery>,
) -> Result<Body<AlertList>, Problem> {
    Ok(Body(alerts::list(&app, &may, &query.filter()?).await?))
}

/// The same alerts as lines of JSON, one an alert.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/alerts.ndjson", tag = "security", params(AlertQuery),
    responses((status = 200, content_type = "application/x-ndjson", body = String)))]
async fn lines(
    State(app): State<App>,
    may: May<View>,
    Parameters(query): Parameters<AlertQuery>,
) -> Result<Response, Problem> {
    let list = alerts::list(&app, &may, &query.filter()?).await?;
    let mut out = Vec::new();
    for record in &list.alerts {
        let failed = |e| Refusal::Defect(format!("an alert cannot be written: {e}"));
        serde_json::to_writer(&mut out, record).map_err(failed)?;
        out.push(b'\n');
    }
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], Bytes::from(out)).into_response())
}

/// The same alerts as events of OCSF 1.8.0 (Detection Finding, 2004), and the recommendations (Compliance Finding, 2003), one a
/// line. With a filter, alerts alone.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/alerts.ocsf.ndjson", tag = "security", params(AlertQuery),
    responses((status = 200, content_type = "application/x-ndjson", body = String)))]
async fn events(
    State(app): State<App>,
    may: May<View>,
    Parameters(query): Parameters<AlertQuery>,
) -> Result<Response, Problem> {
    let is_whole =
        query.severity.is_none() && query.rule.is_none() && query.zone.is_none() && query.device.is_none();
    let list = alerts::list(&app, &may, &query.filter()?).await?;
    let mut events: Vec<_> = list.alerts.iter().map(alerts::event).collect();
    if is_whole {
        let list = alerts::recommendations(&app, &may).await?;
        events.extend(list.recommendations.iter().flat_map(|r| ocsf::recommendation(r, list.as_of)));
    }
    let text = events.iter().fold(String::new(), |text, event| text + &event.to_string() + "\n");
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], text).into_response())
}

/// One alert, by its id or by one of its aliases.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/alerts/{id}", tag = "security",
    params(("id" = String, Path, description = "alert")), responses((status = 200, body = AlertRecord)))]
async fn get(
    State(app): State<App>,
    may: May<View>,
    Segment(id): Segment<String>,
) -> Result<Body<AlertRecord>, Problem> {
    Ok(Body(alerts::get(&app, &may, &id).await?))
}

/// Decides about an alert: that somebody looks at it (`active`), that it is done (`closed`: new again if it is seen again),
/// that it is expected (`accepted`: closed whatever is seen), or that it is open again (`new`).
#[utoipa::path(post, path = "/api/v1/subscriptions/{sid}/alerts/{id}/state", tag = "security",
    params(("id" = String, Path, description = "alert"), Trial), request_body = AlertVerdict,
    responses((status = 200, body = AlertRecord)))]
async fn decide(
    State(app): State<App>,
    may: May<UpdateFindings>,
    Segment(id): Segment<String>,
    Json(AlertVerdict { state, note }): Json<AlertVerdict>,
) -> Result<Body<AlertRecord>, Problem> {
    Ok(Body(alerts::decide(&app, &may, &id, state, note.as_deref()).await?))
}

/// Insecure ways to administer devices, as the devices' own answers proved them within 30 days: which devices are unhealthy,
/// which healthy, and how many are not assessed. Withheld without a plan (P7).
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/recommendations", tag = "security",
    responses((status = 200, body = RecommendationList)))]
async fn recommendations(
    State(app): State<App>,
    may: May<View>,
) -> Result<Body<RecommendationList>, Problem> {
    Ok(Body(alerts::recommendations(&app, &may).await?))
}
