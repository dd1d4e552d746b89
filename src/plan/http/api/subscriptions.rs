//! Subscriptions: list, create, show, rename.

use axum::Json as Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;

use crate::operation;
use crate::plan::app::subscriptions::{self, NewSubscription, Subscriptions};
use crate::plan::app::{App, Caller, May, MayHere};
use crate::plan::http::conditional::tagged;
use crate::plan::http::extract::Json;
use crate::plan::http::problem::Problem;
use crate::plan::permission::{ManageTenant, View};
use crate::plan::store::{Expected, Subscription};

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(operation!(list, 401))
        .routes(operation!(create, 403, 409))
        .routes(operation!(show, 404))
        .routes(operation!(rename, 409, 412, 428))
}

/// The subscriptions that the caller may see.
#[utoipa::path(get, path = "/api/v1/subscriptions", tag = "subscriptions",
    responses((status = 200, body = Subscriptions)))]
async fn list(State(app): State<App>, caller: Caller) -> Result<Body<Subscriptions>, Problem> {
    Ok(Body(subscriptions::visible(&app, &caller).await?))
}

/// Creates a subscription; the caller becomes its owner.
#[utoipa::path(post, path = "/api/v1/subscriptions", tag = "subscriptions",
    request_body = NewSubscription, responses((status = 201, body = Subscription)))]
async fn create(
    State(app): State<App>,
    may: MayHere<ManageTenant>,
    Json(new): Json<NewSubscription>,
) -> Result<(StatusCode, Body<Subscription>), Problem> {
    let owner = Some(may.by.person_name());
    Ok((StatusCode::CREATED, Body(subscriptions::create(&app, &may, &new.name, owner).await?)))
}

/// One subscription.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}", tag = "subscriptions",
    responses((status = 200, body = Subscription)))]
async fn show(State(_app): State<App>, may: May<View>) -> Response {
    tagged(StatusCode::OK, &may.subscription)
}

/// Gives a subscription another name. Takes the `ETag` of the subscription as `If-Match`.
#[utoipa::path(patch, path = "/api/v1/subscriptions/{sid}", tag = "subscriptions",
    request_body = NewSubscription, responses((status = 200, body = Subscription)))]
async fn rename(
    State(app): State<App>,
    may: May<ManageTenant>,
    expected: Expected,
    Json(new): Json<NewSubscription>,
) -> Result<Response, Problem> {
    Ok(tagged(StatusCode::OK, &subscriptions::rename(&app, &may, &new.name, &expected).await?))
}
