//! The plan of a subscription: show, onboard, cancel, keep, replace.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::billing::timeline::{History, Onboarding, Plan, PlanKind, PlanStatus, present};
use crate::census::{Timestamp, time::rfc3339};
use crate::plan::app::permission::Action;
use crate::plan::app::service::Service;
use crate::plan::http::auth::Caller;
use crate::plan::http::extract::{Json, Path};
use crate::plan::http::problem::Problem;
use crate::plan::store::Changed;

/// A plan as it stands now.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PlanEntry {
    /// Counts from 1 within the subscription.
    pub number: i64,
    /// Kind.
    pub kind: PlanKind,
    /// The number of devices committed to; null for a trial.
    pub committed: Option<u64>,
    /// Where it stands.
    pub status: PlanStatus,
    /// When the terms were accepted.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub accepted_terms_at: Timestamp,
    /// The first instant in effect.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// The first instant no longer in effect; null for a plan that runs on.
    #[serde(with = "rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub to: Option<Timestamp>,
    /// When its cancellation was confirmed, if one stands.
    #[serde(with = "rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub cancel_requested_at: Option<Timestamp>,
    /// When the booking was withdrawn, if it was: then the plan is never in effect.
    #[serde(with = "rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub withdrawn_at: Option<Timestamp>,
}

impl PlanEntry {
    /// The plan at `now`.
    pub fn new(plan: &Plan, now: Timestamp) -> Self {
        Self {
            number: plan.number,
            kind: plan.kind,
            committed: plan.committed,
            status: plan.status(now),
            accepted_terms_at: plan.accepted_terms_at,
            from: plan.from,
            to: plan.to(),
            cancel_requested_at: plan.cancel_requested_at,
            withdrawn_at: plan.withdrawn_at,
        }
    }
}

/// The timeline of a subscription.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Timeline {
    /// The plan in effect, if any.
    pub plan: Option<PlanEntry>,
    /// The plan that is booked to follow it, if any.
    pub booked: Option<PlanEntry>,
    /// All plans, oldest first.
    pub history: Vec<PlanEntry>,
}

impl Timeline {
    /// The timeline at `now`.
    pub fn new(plans: &[Plan], now: Timestamp) -> Self {
        let now = present(plans, now);
        let history: Vec<PlanEntry> = plans.iter().map(|p| PlanEntry::new(p, now)).collect();
        let find = |wanted: fn(PlanStatus) -> bool| history.iter().find(|p| wanted(p.status)).cloned();
        Self { plan: find(PlanStatus::in_effect), booked: find(|s| s == PlanStatus::Booked), history }
    }
}

impl From<&History> for Timeline {
    fn from(history: &History) -> Self {
        Self::new(history.plans(), history.now())
    }
}

impl From<&Changed> for PlanEntry {
    fn from(changed: &Changed) -> Self {
        Self::new(&changed.plan, changed.history.now())
    }
}

/// What replacing came to.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Replacement {
    /// The plan in effect, and when it ends.
    pub ending: Option<PlanEntry>,
    /// The plan that starts at that instant.
    pub booked: PlanEntry,
}

impl From<&Changed> for Replacement {
    fn from(changed: &Changed) -> Self {
        let ending = changed.history.in_effect().map(|p| PlanEntry::new(p, changed.history.now()));
        Self { ending, booked: changed.into() }
    }
}

/// The routes.
pub fn routes() -> OpenApiRouter<Service> {
    OpenApiRouter::new()
        .routes(routes!(show, onboard))
        .routes(routes!(cancel))
        .routes(routes!(withdraw))
        .routes(routes!(replace))
}

/// The plan in effect, the one that is booked to follow, and all plans.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/plan", extensions(("x-netcensus-action" = json!("view"))), tag = "plan",
    params(("sid" = String, Path, description = "subscription")), responses((status = 200, body = Timeline)))]
pub async fn show(
    State(service): State<Service>,
    Path(sid): Path<String>,
    caller: Caller,
) -> Result<axum::Json<Timeline>, Problem> {
    caller.may(&service, Action::View, &sid).await?;
    Ok(axum::Json(Timeline::from(&service.store.history(&sid, service.now()).await?)))
}

/// Onboards a plan.
#[utoipa::path(post, path = "/api/v1/subscriptions/{sid}/plan", extensions(("x-netcensus-action" = json!("change-plan"))), tag = "plan", request_body = Onboarding,
    params(("sid" = String, Path, description = "subscription")),
    responses((status = 201, body = PlanEntry), (status = 409, description = "problem"), (status = 422, description = "problem")))]
pub async fn onboard(
    State(service): State<Service>,
    Path(sid): Path<String>,
    caller: Caller,
    Json(asked): Json<Onboarding>,
) -> Result<(StatusCode, axum::Json<PlanEntry>), Problem> {
    caller.may(&service, Action::ChangePlan, &sid).await?;
    let changed = service.store.onboard(&sid, &asked, &caller.by, service.now()).await?;
    Ok((StatusCode::CREATED, axum::Json((&changed).into())))
}

/// Cancels the plan in effect: it ends exactly one hour later. Where a successor is booked, that alone is taken back.
#[utoipa::path(post, path = "/api/v1/subscriptions/{sid}/plan/cancel", extensions(("x-netcensus-action" = json!("change-plan"))), tag = "plan",
    params(("sid" = String, Path, description = "subscription")),
    responses((status = 200, body = PlanEntry), (status = 409, description = "problem")))]
pub async fn cancel(
    State(service): State<Service>,
    Path(sid): Path<String>,
    caller: Caller,
) -> Result<axum::Json<PlanEntry>, Problem> {
    caller.may(&service, Action::ChangePlan, &sid).await?;
    let changed = service.store.cancel_plan(&sid, &caller.by, service.now()).await?;
    Ok(axum::Json((&changed).into()))
}

/// Withdraws the cancellation, within its hour, and with it the successor that is booked.
#[utoipa::path(post, path = "/api/v1/subscriptions/{sid}/plan/cancel/withdraw", extensions(("x-netcensus-action" = json!("change-plan"))), tag = "plan",
    params(("sid" = String, Path, description = "subscription")),
    responses((status = 200, body = PlanEntry), (status = 409, description = "problem")))]
pub async fn withdraw(
    State(service): State<Service>,
    Path(sid): Path<String>,
    caller: Caller,
) -> Result<axum::Json<PlanEntry>, Problem> {
    caller.may(&service, Action::ChangePlan, &sid).await?;
    let changed = service.store.withdraw_cancellation(&sid, &caller.by, service.now()).await?;
    Ok(axum::Json((&changed).into()))
}

/// Replaces the plan in effect in one step: it is cancelled, and the new one starts at the instant at which it ends.
#[utoipa::path(post, path = "/api/v1/subscriptions/{sid}/plan/replace", extensions(("x-netcensus-action" = json!("replace-plan"))), tag = "plan", request_body = Onboarding,
    params(("sid" = String, Path, description = "subscription")),
    responses((status = 201, body = Replacement), (status = 409, description = "problem"), (status = 422, description = "problem")))]
pub async fn replace(
    State(service): State<Service>,
    Path(sid): Path<String>,
    caller: Caller,
    Json(asked): Json<Onboarding>,
) -> Result<(StatusCode, axum::Json<Replacement>), Problem> {
    caller.may(&service, Action::ReplacePlan, &sid).await?;
    let changed = service.store.replace_plan(&sid, &asked, &caller.by, service.now()).await?;
    Ok((StatusCode::CREATED, axum::Json((&changed).into())))
}
