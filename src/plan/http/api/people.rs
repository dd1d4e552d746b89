//! People: list, create, give a new password, link to another subject of the identity provider, disable, enable.

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json as Body};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

use crate::operation;
use crate::plan::app::people::{self, Invitation, NewPerson, People, Relink};
use crate::plan::app::{App, MayHere};
use crate::plan::http::conditional::ShownOnce;
use crate::plan::http::extract::{Json, Path};
use crate::plan::http::problem::Problem;
use crate::plan::permission::ManageTenant;
use crate::plan::store::{Person, PersonEntry};

/// A new password.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewPassword {
    /// 12 characters or more, at most 256 bytes.
    password: String,
}

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(operation!(list, 403))
        .routes(operation!(create, 409, 422))
        .routes(operation!(password, 404, 422))
        .routes(operation!(disable, 404, 409))
        .routes(operation!(enable, 404))
        .routes(operation!(relink, 404, 409, 422))
        .routes(operation!(invite, 403, 404))
}

/// All people.
#[utoipa::path(get, path = "/api/v1/people", tag = "people", responses((status = 200, body = People)))]
async fn list(State(app): State<App>, may: MayHere<ManageTenant>) -> Result<Body<People>, Problem> {
    Ok(Body(people::list(&app, &may).await?))
}

/// Creates a person, with a password or without. Roles are bound on subscriptions.
#[utoipa::path(post, path = "/api/v1/people", tag = "people",
    request_body = NewPerson, responses((status = 201, body = Person)))]
async fn create(
    State(app): State<App>,
    may: MayHere<ManageTenant>,
    Json(new): Json<NewPerson>,
) -> Result<(StatusCode, Body<Person>), Problem> {
    Ok((StatusCode::CREATED, Body(people::create(&app, &may, &new).await?)))
}

/// Gives a person a new password. Their sessions end; their tokens stay.
#[utoipa::path(post, path = "/api/v1/people/{person}/password", tag = "people",
    params(("person" = String, Path, description = "name")),
    request_body = NewPassword, responses((status = 204)))]
async fn password(
    State(app): State<App>,
    may: MayHere<ManageTenant>,
    Path(person): Path<String>,
    Json(new): Json<NewPassword>,
) -> Result<StatusCode, Problem> {
    people::set_password(&app, &may, &person, &new.password).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Disables a person: they sign in no more, and their sessions and tokens end at once.
#[utoipa::path(post, path = "/api/v1/people/{person}/disable", tag = "people",
    params(("person" = String, Path, description = "name")), responses((status = 200, body = PersonEntry)))]
async fn disable(
    State(app): State<App>,
    may: MayHere<ManageTenant>,
    Path(person): Path<String>,
) -> Result<Body<PersonEntry>, Problem> {
    Ok(Body(people::set_disabled(&app, &may, &person, true).await?))
}

/// Enables a person again. Tokens that ended stay ended.
#[utoipa::path(post, path = "/api/v1/people/{person}/enable", tag = "people",
    params(("person" = String, Path, description = "name")), responses((status = 200, body = PersonEntry)))]
async fn enable(
    State(app): State<App>,
    may: MayHere<ManageTenant>,
    Path(person): Path<String>,
) -> Result<Body<PersonEntry>, Problem> {
    Ok(Body(people::set_disabled(&app, &may, &person, false).await?))
}

/// Links a person to another subject of the identity provider. Their sessions end; their tokens stay.
#[utoipa::path(post, path = "/api/v1/people/{person}/relink", tag = "people",
    params(("person" = String, Path, description = "name")),
    request_body = Relink, responses((status = 200, body = PersonEntry)))]
async fn relink(
    State(app): State<App>,
    may: MayHere<ManageTenant>,
    Path(person): Path<String>,
    Json(to): Json<Relink>,
) -> Result<Body<PersonEntry>, Problem> {
    Ok(Body(people::relink(&app, &may, &person, &to).await?))
}

/// Invites a person: a one-time link by which they choose a password. It is shown once; an earlier one ends.
#[utoipa::path(post, path = "/api/v1/people/{person}/invitation", tag = "people",
    params(("person" = String, Path, description = "name")), responses((status = 201, body = Invitation)))]
async fn invite(
    State(app): State<App>,
    may: MayHere<ManageTenant>,
    Path(person): Path<String>,
) -> Result<(StatusCode, Extension<ShownOnce>, Body<Invitation>), Problem> {
    Ok((StatusCode::CREATED, Extension(ShownOnce), Body(people::invite(&app, &may, &person).await?)))
}
