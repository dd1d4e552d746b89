//! The plan of a subscription: show, onboard, cancel, withdraw the cancellation, replace.

use axum::Json as Body;
use axum::extract::State;
use axum::http::StatusCode;
use utoipa_axum::router::OpenApiRouter;

use crate::billing::timeline::Onboarding;
use crate::operation;
use crate::plan::app::plans::{self, PlanEntry, Replacement, Timeline};
use crate::plan::app::{App, May};
use crate::plan::http::extract::Json;
use crate::plan::http::problem::Problem;
use crate::plan::permission::{ChangePlan, ReplacePlan, View};

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(operation!(show))
        .routes(operation!(onboard, 409, 422))
        .routes(operation!(cancel, 409))
        .routes(operation!(withdraw, 409))
        .routes(operation!(replace, 409, 422))
}

/// The plan in effect, the booked plan, and all plans.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/plan", tag = "plan",
    responses((status = 200, body = Timeline)))]
async fn show(State(app): State<App>, may: May<View>) -> Result<Body<Timeline>, Problem> {
    Ok(Body(plans::timeline(&app, &may).await?))
}

/// Onboards a plan.
#[utoipa::path(post, path = "/api/v1/subscriptions/{sid}/plan", tag = "plan",
    request_body = Onboarding, responses((status = 201, body = PlanEntry)))]
async fn onboard(
    State(app): State<App>,
    may: May<ChangePlan>,
    Json(asked): Json<Onboarding>,
) -> Result<(StatusCode, Body<PlanEntry>), Problem> {
    Ok((StatusCode::CREATED, Body(plans::onboard(&app, &may, &asked).await?)))
}

/// Cancels the plan in effect: it ends exactly one hour later. If a successor is booked, takes back only that.
#[utoipa::path(post, path = "/api/v1/subscriptions/{sid}/plan/cancel", tag = "plan",
    responses((status = 200, body = PlanEntry)))]
async fn cancel(State(app): State<App>, may: May<ChangePlan>) -> Result<Body<PlanEntry>, Problem> {
    Ok(Body(plans::cancel(&app, &may).await?))
}

/// Withdraws the cancellation within its hour, and takes back the booked successor.
#[utoipa::path(post, path = "/api/v1/subscriptions/{sid}/plan/cancel/withdraw", tag = "plan",
    responses((status = 200, body = PlanEntry)))]
async fn withdraw(State(app): State<App>, may: May<ChangePlan>) -> Result<Body<PlanEntry>, Problem> {
    Ok(Body(plans::withdraw(&app, &may).await?))
}

/// Replaces the plan in effect: cancels it, and starts the new plan at the instant at which it ends.
#[utoipa::path(post, path = "/api/v1/subscriptions/{sid}/plan/replace", tag = "plan",
    request_body = Onboarding, responses((status = 201, body = Replacement)))]
async fn replace(
    State(app): State<App>,
    may: May<ReplacePlan>,
    Json(asked): Json<Onboarding>,
) -> Result<(StatusCode, Body<Replacement>), Problem> {
    Ok((StatusCode::CREATED, Body(plans::replace(&app, &may, &asked).await?)))
}
