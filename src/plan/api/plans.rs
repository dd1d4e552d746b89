//! The plan of a subscription: show, onboard, cancel, keep.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::auth::Caller;
use super::extract::{Json, Path};
use super::problem::Problem;
use crate::census::{Timestamp, time::rfc3339};
use crate::plan::permission::Action;
use crate::plan::service::Service;
use crate::plan::timeline::{Kind, Onboarding, Plan, Status, in_effect};

/// A plan as it stands now.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PlanEntry {
    /// Counts from 1 within the subscription.
    pub number: i64,
    /// Kind.
    pub kind: Kind,
    /// The number of devices committed to; null for a trial.
    pub committed: Option<u64>,
    /// Where it stands.
    pub status: Status,
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
        }
    }
}

/// The timeline of a subscription.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Timeline {
    /// The plan in effect, if any.
    pub plan: Option<PlanEntry>,
    /// All plans, oldest first.
    pub history: Vec<PlanEntry>,
}

impl Timeline {
    /// The timeline at `now`.
    pub fn new(plans: &[Plan], now: Timestamp) -> Self {
        Self {
            plan: in_effect(plans, now).map(|p| PlanEntry::new(p, now)),
            history: plans.iter().map(|p| PlanEntry::new(p, now)).collect(),
        }
    }
}

/// The routes.
pub fn routes() -> OpenApiRouter<Service> {
    OpenApiRouter::new().routes(routes!(show, onboard)).routes(routes!(cancel)).routes(routes!(withdraw))
}

/// The plan in effect and all plans before it.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/plan", extensions(("x-netcensus-action" = json!("view"))), tag = "plan",
    params(("sid" = String, Path, description = "subscription")), responses((status = 200, body = Timeline)))]
pub async fn show(
    State(service): State<Service>,
    Path(sid): Path<String>,
    caller: Caller,
) -> Result<axum::Json<Timeline>, Problem> {
    caller.may(&service, Action::View, &sid).await?;
    Ok(axum::Json(Timeline::new(&service.store.plans(&sid).await?, service.now())))
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
    let now = service.now();
    let plan = service.store.onboard(&sid, &asked, now).await?;
    Ok((StatusCode::CREATED, axum::Json(PlanEntry::new(&plan, now))))
}

/// Cancels the plan in effect: it ends exactly one hour later.
#[utoipa::path(post, path = "/api/v1/subscriptions/{sid}/plan/cancel", extensions(("x-netcensus-action" = json!("change-plan"))), tag = "plan",
    params(("sid" = String, Path, description = "subscription")),
    responses((status = 200, body = PlanEntry), (status = 409, description = "problem")))]
pub async fn cancel(
    State(service): State<Service>,
    Path(sid): Path<String>,
    caller: Caller,
) -> Result<axum::Json<PlanEntry>, Problem> {
    caller.may(&service, Action::ChangePlan, &sid).await?;
    let now = service.now();
    Ok(axum::Json(PlanEntry::new(&service.store.cancel_plan(&sid, now).await?, now)))
}

/// Withdraws the cancellation, within its hour.
#[utoipa::path(post, path = "/api/v1/subscriptions/{sid}/plan/cancel/withdraw", extensions(("x-netcensus-action" = json!("change-plan"))), tag = "plan",
    params(("sid" = String, Path, description = "subscription")),
    responses((status = 200, body = PlanEntry), (status = 409, description = "problem")))]
pub async fn withdraw(
    State(service): State<Service>,
    Path(sid): Path<String>,
    caller: Caller,
) -> Result<axum::Json<PlanEntry>, Problem> {
    caller.may(&service, Action::ChangePlan, &sid).await?;
    let now = service.now();
    Ok(axum::Json(PlanEntry::new(&service.store.withdraw_cancellation(&sid, now).await?, now)))
}
