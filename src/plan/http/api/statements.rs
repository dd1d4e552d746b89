//! Statements: what each calendar month comes to, and corrections of closed statements (P9).

#![expect(unused_qualifications, reason = "the attributes that describe the API expand to qualified names")]

use axum::Json as Body;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;

use crate::billing::statement::{CorrectionRequest, Month};
use crate::operation;
use crate::plan::app::statements::{self, CorrectionEntry, StatementView, Statements};
use crate::plan::app::{App, May, Refusal};
use crate::plan::http::conditional::tagged;
use crate::plan::http::extract::{Json, Parameters, Segment};
use crate::plan::http::problem::Problem;
use crate::plan::permission::{ManageTenant, View};

/// Statements on a page by default.
const PAGE: usize = 24;
/// Statements on a page at most.
const LARGEST_PAGE: usize = 120;

/// Which statements.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Page {
    /// Only months before this one, such as `2026-11`.
    before: Option<String>,
    /// The most statements on the page: 1 to 120; default: 24.
    limit: Option<usize>,
}

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(operation!(list))
        .routes(operation!(show, 404))
        .routes(operation!(csv, 404))
        .routes(operation!(correct, 404, 409, 422))
}

/// The statements of all months since the first plan, the newest first.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/statements", tag = "statements",
    params(Page), responses((status = 200, body = Statements)))]
async fn list(
    State(app): State<App>,
    may: May<View>,
    Parameters(page): Parameters<Page>,
) -> Result<Body<Statements>, Problem> {
    let month = |text: &str| text.parse::<Month>().map_err(|e| Refusal::invalid(e.to_string()));
    let before = page.before.as_deref().map(month).transpose()?;
    let limit = page.limit.unwrap_or(PAGE);
    if !(1..=LARGEST_PAGE).contains(&limit) {
        return Err(Refusal::invalid(format!("limit is 1 to {LARGEST_PAGE}")).into());
    }
    Ok(Body(statements::list(&app, &may, before, limit).await?))
}

/// The statement of a month.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/statements/{month}", tag = "statements",
    params(("month" = String, Path, description = "such as 2026-11")),
    responses((status = 200, body = StatementView)))]
async fn show(
    State(app): State<App>,
    may: May<View>,
    Segment(month): Segment<Month>,
) -> Result<Response, Problem> {
    Ok(tagged(StatusCode::OK, &statements::show(&app, &may, month).await?))
}

/// The statement of a month as CSV (RFC 4180, UTF-8): a row a line, then a row a total. The column `record` tells which:
/// `line`, `correction`, `device_months`, `total` (one of each currency, exact and as on an invoice) or `unpriced`.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/statements/{month}/csv", tag = "statements",
    params(("month" = String, Path, description = "such as 2026-11")),
    responses((status = 200, content_type = "text/csv", body = String)))]
async fn csv(
    State(app): State<App>,
    may: May<View>,
    Segment(month): Segment<Month>,
) -> Result<Response, Problem> {
    let file = statements::csv(&app, &may, month).await?;
    let disposition = format!("attachment; filename=\"statement-{month}.csv\"");
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present".to_owned()),
        (header::CONTENT_DISPOSITION, disposition),
    ];
    Ok((headers, file).into_response())
}

/// Corrects a line of a closed statement by a line of the statement that is open now.
#[utoipa::path(post, path = "/api/v1/subscriptions/{sid}/statements/{month}/corrections", tag = "statements",
    params(("month" = String, Path, description = "such as 2026-11")),
    request_body = CorrectionRequest, responses((status = 201, body = CorrectionEntry)))]
async fn correct(
    State(app): State<App>,
    may: May<ManageTenant>,
    Segment(month): Segment<Month>,
    Json(asked): Json<CorrectionRequest>,
) -> Result<(StatusCode, Body<CorrectionEntry>), Problem> {
    Ok((StatusCode::CREATED, Body(statements::correct(&app, &may, month, &asked).await?)))
}
