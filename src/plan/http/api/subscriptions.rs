//! Subscriptions: list, create, show, rename.

use crate::plan::store::Expected;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::plan::app::App;
use crate::plan::app::Caller;
use crate::plan::http::conditional::tagged;
use crate::plan::http::extract::{Json, Path};
use crate::plan::http::problem::Problem;
use crate::plan::permission::Action;
use crate::plan::store::Subscription;

/// What a new subscription needs.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSubscription {
    /// Its name: 1 to 100 characters.
    pub name: String,
}

/// A list of subscriptions.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Subscriptions {
    /// Those that the caller may see, by name.
    pub subscriptions: Vec<Subscription>,
}

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(show, rename))
}

/// The subscriptions that the caller may see.
#[utoipa::path(get, path = "/api/v1/subscriptions", extensions(("x-netcensus-action" = json!("account"))), tag = "subscriptions",
    responses((status = 200, body = Subscriptions), (status = 401, description = "problem")))]
pub async fn list(State(service): State<App>, caller: Caller) -> Result<axum::Json<Subscriptions>, Problem> {
    Ok(axum::Json(Subscriptions { subscriptions: visible(&service, &caller).await? }))
}

/// Creates a subscription; the caller becomes its owner.
#[utoipa::path(post, path = "/api/v1/subscriptions", extensions(("x-netcensus-action" = json!("manage-tenant"))), tag = "subscriptions", request_body = NewSubscription,
    responses((status = 201, body = Subscription), (status = 403, description = "problem"), (status = 409, description = "problem")))]
pub async fn create(
    State(service): State<App>,
    caller: Caller,
    Json(new): Json<NewSubscription>,
) -> Result<(StatusCode, axum::Json<Subscription>), Problem> {
    caller.may_do_here(&service, Action::ManageTenant).await?;
    let owner = Some(caller.person.name.as_str());
    let created = service.store.create_subscription(&new.name, owner, &caller.by, service.now()).await?;
    Ok((StatusCode::CREATED, axum::Json(created)))
}

/// One subscription.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}", extensions(("x-netcensus-action" = json!("view"))), tag = "subscriptions",
    params(("sid" = String, Path, description = "subscription")),
    responses((status = 200, body = Subscription), (status = 404, description = "problem")))]
pub async fn show(
    State(service): State<App>,
    Path(sid): Path<String>,
    caller: Caller,
) -> Result<Response, Problem> {
    Ok(tagged(StatusCode::OK, &caller.may_do(&service, Action::View, &sid).await?))
}

/// Gives a subscription another name. Takes the `ETag` of the subscription as `If-Match`.
#[utoipa::path(patch, path = "/api/v1/subscriptions/{sid}", extensions(("x-netcensus-action" = json!("manage-tenant"))), tag = "subscriptions",
    params(("sid" = String, Path, description = "subscription")), request_body = NewSubscription,
    responses((status = 200, body = Subscription), (status = 409, description = "problem"), (status = 412, description = "problem"), (status = 428, description = "problem")))]
pub async fn rename(
    State(service): State<App>,
    Path(sid): Path<String>,
    caller: Caller,
    expected: Expected,
    Json(new): Json<NewSubscription>,
) -> Result<Response, Problem> {
    caller.may_do(&service, Action::ManageTenant, &sid).await?;
    let renamed =
        service.store.rename_subscription(&sid, &new.name, &expected, &caller.by, service.now()).await?;
    Ok(tagged(StatusCode::OK, &renamed))
}

/// The subscriptions that the caller may see.
///
/// # Errors
/// The store's.
pub async fn visible(service: &App, caller: &Caller) -> Result<Vec<Subscription>, Problem> {
    let mut out = Vec::new();
    for subscription in service.store.subscriptions().await? {
        if Action::View.allowed(&caller.roles(service, &subscription.id).await?) {
            out.push(subscription);
        }
    }
    Ok(out)
}
