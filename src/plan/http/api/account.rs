//! One's own account: the password, the sessions, the API tokens. Not for tokens that are limited to a role or a subscription.

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json as Body};
use utoipa_axum::router::OpenApiRouter;

use crate::operation;
use crate::plan::app::account::{self, Account, CreatedToken, PasswordChange, Sessions, Tokens};
use crate::plan::app::{App, Own};
use crate::plan::http::conditional::ShownOnce;
use crate::plan::http::extract::{Json, Segment};
use crate::plan::http::problem::Problem;
use crate::plan::store::NewToken;

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(operation!(show, 401, 403))
        .routes(operation!(password, 403, 422, 429))
        .routes(operation!(sessions, 403))
        .routes(operation!(end_session, 403, 404))
        .routes(operation!(tokens, 403))
        .routes(operation!(create_token, 403, 409, 422))
        .routes(operation!(revoke_token, 403, 404))
}

/// Who the caller is.
#[utoipa::path(get, path = "/api/v1/account", tag = "account", responses((status = 200, body = Account)))]
async fn show(State(_app): State<App>, caller: Own) -> Body<Account> {
    Body(account::show(&caller))
}

/// Changes one's own password. One's other sessions end; tokens stay.
#[utoipa::path(post, path = "/api/v1/account/password", tag = "account",
    request_body = PasswordChange, responses((status = 204)))]
async fn password(
    State(app): State<App>,
    caller: Own,
    Json(change): Json<PasswordChange>,
) -> Result<StatusCode, Problem> {
    account::change_password(&app, &caller, &change).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The caller's sessions.
#[utoipa::path(get, path = "/api/v1/account/sessions", tag = "account",
    responses((status = 200, body = Sessions)))]
async fn sessions(State(app): State<App>, caller: Own) -> Result<Body<Sessions>, Problem> {
    Ok(Body(account::sessions(&app, &caller).await?))
}

/// Ends a session of the caller.
#[utoipa::path(delete, path = "/api/v1/account/sessions/{id}", tag = "account",
    params(("id" = String, Path, description = "session")), responses((status = 204)))]
async fn end_session(
    State(app): State<App>,
    caller: Own,
    Segment(id): Segment<String>,
) -> Result<StatusCode, Problem> {
    account::end_session(&app, &caller, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The caller's API tokens.
#[utoipa::path(get, path = "/api/v1/account/tokens", tag = "account",
    responses((status = 200, body = Tokens)))]
async fn tokens(State(app): State<App>, caller: Own) -> Result<Body<Tokens>, Problem> {
    Ok(Body(account::tokens(&app, &caller).await?))
}

/// Makes an API token of the caller. It is shown once. A token makes none that does more, or lives longer, than itself.
#[utoipa::path(post, path = "/api/v1/account/tokens", tag = "account",
    request_body = NewToken, responses((status = 201, body = CreatedToken)))]
async fn create_token(
    State(app): State<App>,
    caller: Own,
    Json(new): Json<NewToken>,
) -> Result<(StatusCode, Extension<ShownOnce>, Body<CreatedToken>), Problem> {
    let created = account::create_token(&app, &caller, &new).await?;
    Ok((StatusCode::CREATED, Extension(ShownOnce), Body(created)))
}

/// Revokes an API token of the caller.
#[utoipa::path(delete, path = "/api/v1/account/tokens/{id}", tag = "account",
    params(("id" = String, Path, description = "token")), responses((status = 204)))]
async fn revoke_token(
    State(app): State<App>,
    caller: Own,
    Segment(id): Segment<String>,
) -> Result<StatusCode, Problem> {
    account::revoke_token(&app, &caller, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
