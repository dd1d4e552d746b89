//! Subscriptions: list, create, show.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::auth::Caller;
use super::extract::{Json, Path};
use super::problem::Problem;
use crate::plan::permission::Action;
use crate::plan::service::Service;
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
pub fn routes() -> OpenApiRouter<Service> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(show))
}

/// The subscriptions that the caller may see.
#[utoipa::path(get, path = "/api/v1/subscriptions", tag = "subscriptions",
    responses((status = 200, body = Subscriptions), (status = 401, description = "problem")))]
pub async fn list(
    State(service): State<Service>,
    caller: Caller,
) -> Result<axum::Json<Subscriptions>, Problem> {
    Ok(axum::Json(Subscriptions { subscriptions: visible(&service, &caller).await? }))
}

/// Creates a subscription; the caller becomes its owner.
#[utoipa::path(post, path = "/api/v1/subscriptions", tag = "subscriptions", request_body = NewSubscription,
    responses((status = 201, body = Subscription), (status = 403, description = "problem"), (status = 409, description = "problem")))]
pub async fn create(
    State(service): State<Service>,
    caller: Caller,
    Json(new): Json<NewSubscription>,
) -> Result<(StatusCode, axum::Json<Subscription>), Problem> {
    caller.may_in_tenant(Action::ManageTenant)?;
    let created =
        service.store.create_subscription(&new.name, Some(&caller.person.name), service.now()).await?;
    Ok((StatusCode::CREATED, axum::Json(created)))
}

/// One subscription.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}", tag = "subscriptions",
    params(("sid" = String, Path, description = "subscription")),
    responses((status = 200, body = Subscription), (status = 404, description = "problem")))]
pub async fn show(
    State(service): State<Service>,
    Path(sid): Path<String>,
    caller: Caller,
) -> Result<axum::Json<Subscription>, Problem> {
    Ok(axum::Json(caller.may(&service, Action::View, &sid).await?))
}

/// The subscriptions that the caller may see.
///
/// # Errors
/// The store's.
pub async fn visible(service: &Service, caller: &Caller) -> Result<Vec<Subscription>, Problem> {
    let mut out = Vec::new();
    for subscription in service.store.subscriptions().await? {
        if Action::View.allowed(&caller.roles(service, &subscription.id).await?) {
            out.push(subscription);
        }
    }
    Ok(out)
}
