//! Roles on a subscription: list, bind, take away.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::plan::app::permission::{Action, Role};
use crate::plan::app::service::Service;
use crate::plan::http::auth::Caller;
use crate::plan::http::conditional::{IfMatch, etag, tagged};
use crate::plan::http::extract::{Json, Path};
use crate::plan::http::problem::Problem;
use crate::plan::store::RoleBinding;

/// Who has a role.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Roles {
    /// By name.
    pub roles: Vec<RoleBinding>,
}

/// A role to bind.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRole {
    /// R reader, SA security admin, C contributor or O owner.
    #[schema(value_type = String)]
    pub role: Role,
}

/// The routes.
pub fn routes() -> OpenApiRouter<Service> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show, bind, unbind))
}

/// Who has a role on the subscription.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/roles", extensions(("x-netcensus-action" = json!("bind-roles"))), tag = "roles",
    params(("sid" = String, Path, description = "subscription")), responses((status = 200, body = Roles)))]
pub async fn list(
    State(service): State<Service>,
    Path(sid): Path<String>,
    caller: Caller,
) -> Result<axum::Json<Roles>, Problem> {
    caller.may(&service, Action::BindRoles, &sid).await?;
    Ok(axum::Json(Roles { roles: service.store.role_bindings(&sid).await? }))
}

/// A person's role on the subscription.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/roles/{person}", extensions(("x-netcensus-action" = json!("bind-roles"))), tag = "roles",
    params(("sid" = String, Path, description = "subscription"), ("person" = String, Path, description = "name")),
    responses((status = 200, body = RoleBinding), (status = 404, description = "problem")))]
pub async fn show(
    State(service): State<Service>,
    Path((sid, person)): Path<(String, String)>,
    caller: Caller,
) -> Result<Response, Problem> {
    caller.may(&service, Action::BindRoles, &sid).await?;
    Ok(tagged(StatusCode::OK, &service.store.role_binding(&sid, &person).await?))
}

/// Binds a person's role. Where one is bound already, takes its `ETag` as `If-Match`.
#[utoipa::path(put, path = "/api/v1/subscriptions/{sid}/roles/{person}", extensions(("x-netcensus-action" = json!("bind-roles"))), tag = "roles",
    params(("sid" = String, Path, description = "subscription"), ("person" = String, Path, description = "name")),
    request_body = NewRole,
    responses((status = 200, body = RoleBinding), (status = 404, description = "problem"), (status = 409, description = "problem"), (status = 412, description = "problem"), (status = 428, description = "problem")))]
pub async fn bind(
    State(service): State<Service>,
    Path((sid, person)): Path<(String, String)>,
    caller: Caller,
    if_match: IfMatch,
    Json(new): Json<NewRole>,
) -> Result<Response, Problem> {
    caller.may(&service, Action::BindRoles, &sid).await?;
    let check = |current: Option<&RoleBinding>| current.map_or(Ok(()), |c| if_match.check(&etag(c)));
    let bound = service.store.bind_role(&sid, &person, new.role, check, &caller.by, service.now()).await?;
    Ok(tagged(StatusCode::OK, &bound))
}

/// Takes a person's role away. Takes its `ETag` as `If-Match`. The only owner stays.
#[utoipa::path(delete, path = "/api/v1/subscriptions/{sid}/roles/{person}", extensions(("x-netcensus-action" = json!("bind-roles"))), tag = "roles",
    params(("sid" = String, Path, description = "subscription"), ("person" = String, Path, description = "name")),
    responses((status = 204), (status = 404, description = "problem"), (status = 409, description = "problem"), (status = 412, description = "problem"), (status = 428, description = "problem")))]
pub async fn unbind(
    State(service): State<Service>,
    Path((sid, person)): Path<(String, String)>,
    caller: Caller,
    if_match: IfMatch,
) -> Result<StatusCode, Problem> {
    caller.may(&service, Action::BindRoles, &sid).await?;
    let check = |current: &RoleBinding| if_match.check(&etag(current));
    service.store.unbind_role(&sid, &person, check, &caller.by, service.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}
