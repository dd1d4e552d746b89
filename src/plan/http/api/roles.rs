//! Roles on a subscription: list, bind, take away.

use axum::Json as Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;

use crate::operation;
use crate::plan::app::roles::{self, AdminGrants, NewRole, Roles};
use crate::plan::app::{App, May};
use crate::plan::http::conditional::tagged;
use crate::plan::http::extract::{Json, Segment};
use crate::plan::http::problem::Problem;
use crate::plan::permission::BindRoles;
use crate::plan::store::{Expected, RoleBinding};

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(operation!(list))
        .routes(operation!(show, 404))
        .routes(operation!(bind, 404, 409, 412, 428))
        .routes(operation!(unbind, 404, 409, 412, 428))
        .routes(operation!(admin_grants))
        .routes(operation!(see_admin_grants, 403))
}

/// Who has a role on the subscription.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/roles", tag = "roles",
    responses((status = 200, body = Roles)))]
async fn list(State(app): State<App>, may: May<BindRoles>) -> Result<Body<Roles>, Problem> {
    Ok(Body(roles::list(&app, &may).await?))
}

/// A person's role on the subscription.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/roles/{person}", tag = "roles",
    params(("person" = String, Path, description = "name")), responses((status = 200, body = RoleBinding)))]
async fn show(
    State(app): State<App>,
    may: May<BindRoles>,
    Segment(person): Segment<String>,
) -> Result<Response, Problem> {
    Ok(tagged(StatusCode::OK, &roles::show(&app, &may, &person).await?))
}

/// Binds a person's role. Where one is bound already, takes its `ETag` as `If-Match`.
#[utoipa::path(put, path = "/api/v1/subscriptions/{sid}/roles/{person}", tag = "roles",
    params(("person" = String, Path, description = "name")),
    request_body = NewRole, responses((status = 200, body = RoleBinding)))]
async fn bind(
    State(app): State<App>,
    may: May<BindRoles>,
    Segment(person): Segment<String>,
    expected: Expected,
    Json(new): Json<NewRole>,
) -> Result<Response, Problem> {
    Ok(tagged(StatusCode::OK, &roles::bind(&app, &may, &person, new.role, &expected).await?))
}

/// Takes a person's role away. Takes its `ETag` as `If-Match`. The only owner stays.
#[utoipa::path(delete, path = "/api/v1/subscriptions/{sid}/roles/{person}", tag = "roles",
    params(("person" = String, Path, description = "name")), responses((status = 204)))]
async fn unbind(
    State(app): State<App>,
    may: May<BindRoles>,
    Segment(person): Segment<String>,
    expected: Expected,
) -> Result<StatusCode, Problem> {
    roles::unbind(&app, &may, &person, &expected).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The roles that global admins who do not own the subscription gave, until an owner has seen them.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/admin-grants", tag = "roles",
    responses((status = 200, body = AdminGrants)))]
async fn admin_grants(State(app): State<App>, may: May<BindRoles>) -> Result<Body<AdminGrants>, Problem> {
    Ok(Body(roles::admin_grants(&app, &may).await?))
}

/// Confirms that an owner has seen them. Neither who gave nor who got one of the roles can.
#[utoipa::path(post, path = "/api/v1/subscriptions/{sid}/admin-grants/seen", tag = "roles",
    responses((status = 204)))]
async fn see_admin_grants(State(app): State<App>, may: May<BindRoles>) -> Result<StatusCode, Problem> {
    roles::see_admin_grants(&app, &may).await?;
    Ok(StatusCode::NO_CONTENT)
}
