//! Statements: what each calendar month comes to, and the corrections of those that are closed (P9).

#![expect(unused_qualifications, reason = "the attributes that describe the API expand to qualified names")]

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::billing::statement::{
    Amount, Charge, Correction, CorrectionRequest, Micros, Month, Statement, StatementState as Standing,
};
use crate::census::{Timestamp, time::rfc3339};
use crate::plan::app::App;
use crate::plan::app::Caller;
use crate::plan::http::conditional::tagged;
use crate::plan::http::extract::{Json, Parameters, Path};
use crate::plan::http::problem::{Problem, ProblemType};
use crate::plan::permission::Action;
use crate::plan::store::StoredStatement;

/// Statements of one page, where nothing else is asked, and at most.
const PAGE: usize = 24;
const LARGEST_PAGE: usize = 120;

/// Totals of a month.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Totals {
    /// The device-months.
    #[schema(value_type = String, example = "1813.888889")]
    pub device_months: Micros,
    /// The money, by currency; empty where no price is set.
    pub amounts: Vec<Amount>,
}

impl From<&Statement> for Totals {
    fn from(statement: &Statement) -> Self {
        Self { device_months: statement.device_months, amounts: statement.amounts.clone() }
    }
}

/// A statement in a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct StatementEntry {
    /// The month in UTC.
    #[schema(value_type = String, example = "2026-11")]
    pub month: Month,
    /// Where it stands.
    #[schema(inline)]
    pub state: Standing,
    /// When it is closed, or was due to be.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub closes_at: Timestamp,
    /// The SHA-256 of its canonical form in hexadecimal, once it is closed.
    pub sha256: Option<String>,
    /// What it comes to; so far, while the month runs.
    #[serde(flatten)]
    pub totals: Totals,
}

impl From<&StoredStatement> for StatementEntry {
    fn from(stored: &StoredStatement) -> Self {
        Self {
            month: stored.statement.month,
            state: stored.state,
            closes_at: stored.statement.month.closes_at(),
            sha256: stored.sha256.clone(),
            totals: (&stored.statement).into(),
        }
    }
}

/// A page of statements.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Statements {
    /// The newest first.
    pub statements: Vec<StatementEntry>,
    /// The value of `before` that asks for the next page, where there is one.
    #[schema(value_type = Option<String>, example = "2026-11")]
    pub next: Option<Month>,
}

/// A statement whole.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct StatementView {
    /// Where it stands.
    #[schema(inline)]
    pub state: Standing,
    /// When it is closed, or was due to be.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub closes_at: Timestamp,
    /// The SHA-256 of the canonical form, once it is closed. The bytes of the member `statement` are that form.
    pub sha256: Option<String>,
    /// What it says; what has been in effect so far, while the month runs.
    pub statement: Statement,
    /// What it comes to if nothing changes, while the month runs.
    pub expected: Option<Totals>,
}

impl From<StoredStatement> for StatementView {
    fn from(stored: StoredStatement) -> Self {
        Self {
            state: stored.state,
            closes_at: stored.statement.month.closes_at(),
            sha256: stored.sha256,
            expected: stored.expected.as_ref().map(Totals::from),
            statement: stored.statement,
        }
    }
}

/// A correction that was made.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CorrectionEntry {
    /// Counts from 1 within the subscription.
    pub number: i64,
    /// The statement in which it is a line.
    #[schema(value_type = String, example = "2026-12")]
    pub appears_in: Month,
    /// The closed statement that it corrects.
    #[schema(value_type = String, example = "2026-11")]
    pub statement: Month,
    /// The number of the line there.
    pub line: u32,
    /// What was charged, earlier corrections included.
    pub was: Charge,
    /// What should have been charged.
    pub charge: Charge,
    /// Why.
    pub reason: String,
    /// Who made it.
    pub by: String,
    /// When.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
}

impl From<Correction> for CorrectionEntry {
    fn from(c: Correction) -> Self {
        Self {
            number: c.number,
            appears_in: Month::of(c.at),
            statement: c.statement,
            line: c.line,
            was: c.was,
            charge: c.charge,
            reason: c.reason,
            by: c.by,
            at: c.at,
        }
    }
}

/// Which statements.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Page {
    /// Only months before this one, such as `2026-11`.
    before: Option<String>,
    /// At most so many: 1 to 120; 24 where it is left out.
    limit: Option<usize>,
}

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show)).routes(routes!(correct))
}

/// The statements of all months since the first plan, the newest first.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/statements", extensions(("x-netcensus-action" = json!("view"))), tag = "statements",
    params(("sid" = String, Path, description = "subscription"), Page), responses((status = 200, body = Statements)))]
pub async fn list(
    State(service): State<App>,
    Path(sid): Path<String>,
    caller: Caller,
    Parameters(page): Parameters<Page>,
) -> Result<axum::Json<Statements>, Problem> {
    caller.may_do(&service, Action::View, &sid).await?;
    let before = page.before.as_deref().map(month).transpose()?;
    let limit = page.limit.unwrap_or(PAGE);
    if !(1..=LARGEST_PAGE).contains(&limit) {
        let detail = format!("limit is 1 to {LARGEST_PAGE}");
        return Err(Problem::new(ProblemType::InvalidRequest, detail));
    }
    let found = service.store.statements(&sid, before, limit.saturating_add(1), service.now()).await?;
    let statements: Vec<StatementEntry> = found.iter().take(limit).map(StatementEntry::from).collect();
    let more = found.len() > statements.len();
    let next = more.then(|| statements.last().map(|s| s.month)).flatten();
    Ok(axum::Json(Statements { statements, next }))
}

/// The statement of a month.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/statements/{month}", extensions(("x-netcensus-action" = json!("view"))), tag = "statements",
    params(("sid" = String, Path, description = "subscription"), ("month" = String, Path, description = "such as 2026-11")),
    responses((status = 200, body = StatementView), (status = 404, description = "problem")))]
pub async fn show(
    State(service): State<App>,
    Path((sid, asked)): Path<(String, String)>,
    caller: Caller,
) -> Result<Response, Problem> {
    caller.may_do(&service, Action::View, &sid).await?;
    let stored = service.store.statement(&sid, month(&asked)?, service.now()).await?;
    Ok(tagged(StatusCode::OK, &StatementView::from(stored)))
}

/// Corrects a line of a closed statement by a line of the one that is open now.
#[utoipa::path(post, path = "/api/v1/subscriptions/{sid}/statements/{month}/corrections", extensions(("x-netcensus-action" = json!("manage-tenant"))), tag = "statements",
    request_body = CorrectionRequest,
    params(("sid" = String, Path, description = "subscription"), ("month" = String, Path, description = "such as 2026-11")),
    responses((status = 201, body = CorrectionEntry), (status = 404, description = "problem"), (status = 409, description = "problem"), (status = 422, description = "problem")))]
pub async fn correct(
    State(service): State<App>,
    Path((sid, asked)): Path<(String, String)>,
    caller: Caller,
    Json(request): Json<CorrectionRequest>,
) -> Result<(StatusCode, axum::Json<CorrectionEntry>), Problem> {
    caller.may_do(&service, Action::ManageTenant, &sid).await?;
    let month = month(&asked)?;
    let made = service.store.correct_statement(&sid, month, &request, &caller.by, service.now()).await?;
    Ok((StatusCode::CREATED, axum::Json(made.into())))
}

fn month(text: &str) -> Result<Month, Problem> {
    text.parse().map_err(|e| Problem::new(ProblemType::InvalidRequest, format!("{e}")))
}
