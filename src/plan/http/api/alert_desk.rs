//! What people decide about alerts, and mute rules.

use axum::Json as Body;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use utoipa_axum::router::OpenApiRouter;

use super::query::Trial;
use crate::operation;
use crate::plan::app::alert_changes::{
    self, AlertChangeAnswer, AlertChanges, AlertChangesQuery, AlertVerdict, ManyAlertsVerdict,
};
use crate::plan::app::alerts::AlertRecord;
use crate::plan::app::mutes::{self, MuteAnswer, MuteList, NewMute};
use crate::plan::app::{App, May};
use crate::plan::http::extract::{Json, Parameters, Segment};
use crate::plan::http::problem::Problem;
use crate::plan::mute::Mute;
use crate::plan::permission::{UpdateFindings, View};
use crate::plan::store::Expected;

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(operation!(decide, 404, 412))
        .routes(operation!(change, 404, 412))
        .routes(operation!(changes))
        .routes(operation!(undo, 404, 409))
        .routes(operation!(mute_rules))
        .routes(operation!(mute, 409))
        .routes(operation!(unmute, 404))
}

/// Without `If-Match`, any state may be replaced.
fn or_any(expected: Expected) -> Expected {
    match expected {
        Expected::Unsaid => Expected::Any,
        said => said,
    }
}

/// Decides about an alert: that somebody looks at it (`active`), that it is done (`closed`: reopened if it is seen again),
/// that it is expected (`accepted`: closed whatever is seen, until its end; with `scope` `object` whatever device does so to the
/// same object in the zone), or that it is open again (`new`); and who works on it. With `If-Match`, only if nobody decided
/// since.
#[utoipa::path(post, path = "/api/v1/subscriptions/{sid}/alerts/{id}/state", tag = "security",
    params(("id" = String, Path, description = "alert"), Trial), request_body = AlertVerdict,
    responses((status = 200, body = AlertRecord)))]
async fn decide(
    State(app): State<App>,
    may: May<UpdateFindings>,
    expected: Expected,
    Segment(id): Segment<String>,
    Json(verdict): Json<AlertVerdict>,
) -> Result<Body<AlertRecord>, Problem> {
    Ok(Body(alert_changes::decide(&app, &may, &id, verdict, or_any(expected)).await?))
}

/// Decides about several alerts, all or none. A dry run tells what would change; its `ETag`, sent back as `If-Match`, lets the
/// change be made only if nobody decided about these alerts since.
#[utoipa::path(post, path = "/api/v1/subscriptions/{sid}/alerts/change", tag = "security",
    params(Trial), request_body = ManyAlertsVerdict, responses((status = 200, body = AlertChangeAnswer)))]
async fn change(
    State(app): State<App>,
    may: May<UpdateFindings>,
    expected: Expected,
    Json(verdict): Json<ManyAlertsVerdict>,
) -> Result<Response, Problem> {
    let (answer, seen) = alert_changes::decide_many(&app, &may, &verdict, or_any(expected)).await?;
    let mut response = Body(answer).into_response();
    if let Ok(tag) = HeaderValue::from_str(&seen) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    Ok(response)
}

/// Changes of alerts by people, the newest first.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/alerts/changes", tag = "security",
    params(AlertChangesQuery), responses((status = 200, body = AlertChanges)))]
async fn changes(
    State(app): State<App>,
    may: May<View>,
    Parameters(query): Parameters<AlertChangesQuery>,
) -> Result<Body<AlertChanges>, Problem> {
    Ok(Body(alert_changes::list(&app, &may, query).await?))
}

/// Undoes a change of alerts: each gets the decision that it had before. Refused if somebody decided about one of them since.
#[utoipa::path(post, path = "/api/v1/subscriptions/{sid}/alerts/changes/{number}/undo", tag = "security",
    params(("number" = u64, Path, description = "change"), Trial),
    responses((status = 200, body = AlertChangeAnswer)))]
async fn undo(
    State(app): State<App>,
    may: May<UpdateFindings>,
    Segment(number): Segment<u64>,
) -> Result<Body<AlertChangeAnswer>, Problem> {
    Ok(Body(alert_changes::undo(&app, &may, number).await?))
}

/// The mute rules, each with what it holds. Muted alerts are listed, and nobody is told of them.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/mutes", tag = "security",
    responses((status = 200, body = MuteList)))]
async fn mute_rules(State(app): State<App>, may: May<View>) -> Result<Body<MuteList>, Problem> {
    Ok(Body(mutes::list(&app, &may).await?))
}

/// Makes a mute rule. A dry run tells how many alerts of the last 30 days it would have held.
#[utoipa::path(post, path = "/api/v1/subscriptions/{sid}/mutes", tag = "security", params(Trial),
    request_body = NewMute, responses((status = 201, body = MuteAnswer)))]
async fn mute(
    State(app): State<App>,
    may: May<UpdateFindings>,
    Json(new): Json<NewMute>,
) -> Result<(StatusCode, Body<MuteAnswer>), Problem> {
    Ok((StatusCode::CREATED, Body(mutes::make(&app, &may, new).await?)))
}

/// Ends a mute rule now. What it held is open again.
#[utoipa::path(delete, path = "/api/v1/subscriptions/{sid}/mutes/{number}", tag = "security",
    params(("number" = u64, Path, description = "mute rule"), Trial), responses((status = 200, body = Mute)))]
async fn unmute(
    State(app): State<App>,
    may: May<UpdateFindings>,
    Segment(number): Segment<u64>,
) -> Result<Body<Mute>, Problem> {
    Ok(Body(mutes::end(&app, &may, number).await?))
}
