//! Alerts and recommendations.

#![expect(unused_qualifications, reason = "the attributes that describe the API expand to qualified names")]

use axum::Json as Body;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;

use super::exports::attached;
use crate::operation;
use crate::plan::alert_life::AlertState;
use crate::plan::app::alert_record::{self, AlertHistory, LedgerPage, LedgerQuery, WithdrawnList};
use crate::plan::app::alerts::{self, AlertFilter, AlertList, AlertRecord, RecommendationList};
use crate::plan::app::{App, May, Refusal, alert_sheet};
use crate::plan::http::conditional::tagged_by;
use crate::plan::http::extract::{Parameters, Segment};
use crate::plan::http::problem::Problem;
use crate::plan::permission::{Export, View};
use crate::security::{Severity, ocsf};

/// Which alerts are listed.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct AlertQuery {
    /// `open` (the default: `new`, `active` and `reopened`), `all`, or one of `new`, `active`, `reopened`, `muted`, `resolved`,
    /// `closed`, `accepted`.
    state: Option<String>,
    /// This severity or a higher one: `informational`, `low`, `medium` or `high`.
    severity: Option<String>,
    /// Only alerts of this rule, such as `A-SCAN-P`.
    rule: Option<String>,
    /// Only alerts of this zone.
    zone: Option<String>,
    /// Only alerts of the device with this id.
    device: Option<String>,
    /// Only alerts on which this person works; empty: on which nobody does.
    assignee: Option<String>,
}

impl AlertQuery {
    fn filter(self) -> Result<AlertFilter, Refusal> {
        let Self { state, severity, rule, zone, device, assignee } = self;
        let (state, all) = match state.as_deref() {
            None | Some("open") => (None, false),
            Some("all") => (None, true),
            Some(key) => {
                let known = || {
                    let keys: Vec<&str> = AlertState::ALL.iter().map(|state| state.key()).collect();
                    Refusal::invalid(format!("state: write open, all, {}", keys.join(", ")))
                };
                (Some(AlertState::from_key(key).ok_or_else(known)?), false)
            }
        };
        let unknown = || Refusal::invalid("severity: write informational, low, medium or high");
        let severity = severity.map(|key| Severity::from_key(&key).ok_or_else(unknown)).transpose()?;
        Ok(AlertFilter { state, all, severity, rule, zone, device, assignee })
    }
}

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(operation!(list))
        .routes(operation!(csv))
        .routes(operation!(lines))
        .routes(operation!(events))
        .routes(operation!(ledger))
        .routes(operation!(withdrawn))
        .routes(operation!(get, 404))
        .routes(operation!(history, 404))
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

/// The same alerts as CSV (RFC 4180, UTF-8), a row an alert. Cells that a spreadsheet would take for a formula begin with an
/// apostrophe.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/alerts.csv", tag = "security", params(AlertQuery),
    responses((status = 200, content_type = "text/csv", body = String)))]
async fn csv(
    State(app): State<App>,
    may: May<Export>,
    Parameters(query): Parameters<AlertQuery>,
) -> Result<Response, Problem> {
    let csv = alert_sheet::csv(&app, &may, &query.filter()?).await?;
    let kind = [(header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present")];
    Ok(attached("alerts.csv", (kind, Bytes::from(csv)).into_response()))
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
    let of_some = [&query.severity, &query.rule, &query.zone, &query.device, &query.assignee];
    let is_whole = of_some.iter().all(|wanted| wanted.is_none());
    let list = alerts::list(&app, &may, &query.filter()?).await?;
    let mut events: Vec<_> = list.alerts.iter().map(alerts::event).collect();
    if is_whole {
        let list = alerts::recommendations(&app, &may).await?;
        events.extend(list.recommendations.iter().flat_map(|r| ocsf::recommendation(r, list.as_of)));
    }
    let text = events.iter().fold(String::new(), |text, event| text + &event.to_string() + "\n");
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], text).into_response())
}

/// The ledger, the newest first: which alerts were shown, with which severity, how their states changed, of which people were
/// told, and which were withdrawn. Lines are only appended, and kept for 400 days.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/alerts/ledger", tag = "security", params(LedgerQuery),
    responses((status = 200, body = LedgerPage)))]
async fn ledger(
    State(app): State<App>,
    may: May<View>,
    Parameters(query): Parameters<LedgerQuery>,
) -> Result<Body<LedgerPage>, Problem> {
    Ok(Body(alert_record::ledger(&app, &may, query).await?))
}

/// The alerts that were shown once and are not derived any more, each with the reason: its rule, the class of its device, its
/// feed, a merge of devices, or other facts.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/alerts/withdrawn", tag = "security",
    responses((status = 200, body = WithdrawnList)))]
async fn withdrawn(State(app): State<App>, may: May<View>) -> Result<Body<WithdrawnList>, Problem> {
    Ok(Body(alert_record::withdrawn(&app, &may).await?))
}

/// One alert, by its id or by one of its aliases. The `ETag` covers what people decided about it.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/alerts/{id}", tag = "security",
    params(("id" = String, Path, description = "alert")), responses((status = 200, body = AlertRecord)))]
async fn get(
    State(app): State<App>,
    may: May<View>,
    Segment(id): Segment<String>,
) -> Result<Response, Problem> {
    let (record, decided) = alerts::get(&app, &may, &id).await?;
    Ok(tagged_by(StatusCode::OK, &record, &decided))
}

/// What happened to an alert, the earliest first: when it was shown, what people decided, and what followed from facts. An alert
/// that was withdrawn has a history, too.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/alerts/{id}/history", tag = "security",
    params(("id" = String, Path, description = "alert")), responses((status = 200, body = AlertHistory)))]
async fn history(
    State(app): State<App>,
    may: May<View>,
    Segment(id): Segment<String>,
) -> Result<Body<AlertHistory>, Problem> {
    Ok(Body(alert_record::history(&app, &may, &id).await?))
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
