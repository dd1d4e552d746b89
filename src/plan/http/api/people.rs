//! People: list, create, give a new password, disable, enable.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::plan::app::App;
use crate::plan::app::Caller;
use crate::plan::http::extract::{Json, Path};
use crate::plan::http::problem::Problem;
use crate::plan::permission::Action;
use crate::plan::store::{Person, PersonEntry};

/// A list of people.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct People {
    /// By name.
    pub people: Vec<PersonEntry>,
}

/// What a new person needs.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPerson {
    /// The name to sign in with: 1 to 100 characters.
    pub name: String,
    /// The password: 12 characters or more, at most 256 bytes.
    pub password: String,
    /// Whether they administer the tenant.
    #[serde(default)]
    pub global_admin: bool,
}

/// A new password.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPassword {
    /// 12 characters or more, at most 256 bytes.
    pub password: String,
}

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(password))
        .routes(routes!(disable))
        .routes(routes!(enable))
}

/// All people.
#[utoipa::path(get, path = "/api/v1/people", extensions(("x-netcensus-action" = json!("manage-tenant"))), tag = "people",
    responses((status = 200, body = People), (status = 403, description = "problem")))]
pub async fn list(State(service): State<App>, caller: Caller) -> Result<axum::Json<People>, Problem> {
    caller.may_do_here(&service, Action::ManageTenant).await?;
    Ok(axum::Json(People { people: service.store.people().await? }))
}

/// Creates a person with a password. Roles are bound on subscriptions.
#[utoipa::path(post, path = "/api/v1/people", extensions(("x-netcensus-action" = json!("manage-tenant"))), tag = "people", request_body = NewPerson,
    responses((status = 201, body = Person), (status = 409, description = "problem"), (status = 422, description = "problem")))]
pub async fn create(
    State(service): State<App>,
    caller: Caller,
    Json(new): Json<NewPerson>,
) -> Result<(StatusCode, axum::Json<Person>), Problem> {
    caller.may_do_here(&service, Action::ManageTenant).await?;
    let _permit = service.hashers.acquire().await;
    let NewPerson { name, password, global_admin } = new;
    let person =
        service.store.create_person(&name, &password, global_admin, &caller.by, service.now()).await?;
    Ok((StatusCode::CREATED, axum::Json(person)))
}

/// Gives a person a new password. Their sessions end; their tokens stay.
#[utoipa::path(post, path = "/api/v1/people/{person}/password", extensions(("x-netcensus-action" = json!("manage-tenant"))), tag = "people",
    params(("person" = String, Path, description = "name")), request_body = NewPassword,
    responses((status = 204), (status = 404, description = "problem"), (status = 422, description = "problem")))]
pub async fn password(
    State(service): State<App>,
    Path(person): Path<String>,
    caller: Caller,
    Json(new): Json<NewPassword>,
) -> Result<StatusCode, Problem> {
    caller.may_do_here(&service, Action::ManageTenant).await?;
    let _permit = service.hashers.acquire().await;
    service.store.set_password(&person, &new.password, None, &caller.by, service.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Disables a person: they sign in no more, and their sessions and tokens end at once.
#[utoipa::path(post, path = "/api/v1/people/{person}/disable", extensions(("x-netcensus-action" = json!("manage-tenant"))), tag = "people",
    params(("person" = String, Path, description = "name")),
    responses((status = 200, body = PersonEntry), (status = 404, description = "problem"), (status = 409, description = "problem")))]
pub async fn disable(
    State(service): State<App>,
    Path(person): Path<String>,
    caller: Caller,
) -> Result<axum::Json<PersonEntry>, Problem> {
    caller.may_do_here(&service, Action::ManageTenant).await?;
    Ok(axum::Json(service.store.set_disabled(&person, true, &caller.by, service.now()).await?))
}

/// Enables a person again. Tokens that ended stay ended.
#[utoipa::path(post, path = "/api/v1/people/{person}/enable", extensions(("x-netcensus-action" = json!("manage-tenant"))), tag = "people",
    params(("person" = String, Path, description = "name")),
    responses((status = 200, body = PersonEntry), (status = 404, description = "problem")))]
pub async fn enable(
    State(service): State<App>,
    Path(person): Path<String>,
    caller: Caller,
) -> Result<axum::Json<PersonEntry>, Problem> {
    caller.may_do_here(&service, Action::ManageTenant).await?;
    Ok(axum::Json(service.store.set_disabled(&person, false, &caller.by, service.now()).await?))
}
