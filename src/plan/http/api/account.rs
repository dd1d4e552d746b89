//! One's own account: the password, the sessions, the API tokens.

use crate::plan::app::Refusal;
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::census::{Timestamp, time::rfc3339};
use crate::plan::app::App;
use crate::plan::app::Caller;
use crate::plan::http::conditional::ShownOnce;
use crate::plan::http::extract::{Json, Path};
use crate::plan::http::limit::too_many_attempts;
use crate::plan::http::problem::{Problem, ProblemType};
use crate::plan::permission::Role;
use crate::plan::store::{AccessRefusal, CredentialEntry, CredentialKind, NewToken, Person, StoreError};

/// Who the caller is, and what their token is kept to.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Account {
    /// The person.
    pub person: Person,
    /// The role that the token is kept to, if any.
    #[schema(value_type = Option<String>)]
    pub role: Option<Role>,
    /// The subscription that the token is kept to, if any.
    pub subscription: Option<String>,
    /// When the session or token ends.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
}

/// A change of one's own password.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordChange {
    /// The present password.
    pub current: String,
    /// The new one: 12 characters or more, at most 256 bytes.
    pub new: String,
}

/// The caller's sessions.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Sessions {
    /// The newest first.
    pub sessions: Vec<CredentialEntry>,
    /// The id of the one that asks, if it is one.
    pub current: Option<String>,
}

/// The caller's API tokens.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Tokens {
    /// The newest first.
    pub tokens: Vec<CredentialEntry>,
}

/// A new API token: shown once.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CreatedToken {
    /// What goes into `Authorization: Bearer`.
    pub token: String,
    /// By what it is listed and revoked.
    pub id: String,
    /// When it ends.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
}

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(show))
        .routes(routes!(password))
        .routes(routes!(sessions))
        .routes(routes!(end_session))
        .routes(routes!(tokens, create_token))
        .routes(routes!(revoke_token))
}

/// Who the caller is.
#[utoipa::path(get, path = "/api/v1/account", extensions(("x-netcensus-action" = json!("account"))), tag = "account",
    responses((status = 200, body = Account), (status = 401, description = "problem")))]
pub async fn show(caller: Caller) -> axum::Json<Account> {
    let holder = caller.holder;
    axum::Json(Account {
        person: holder.person,
        role: holder.scope.role,
        subscription: holder.scope.subscription,
        expires_at: holder.expires_at,
    })
}

/// Changes one's own password. One's other sessions end; tokens stay.
#[utoipa::path(post, path = "/api/v1/account/password", extensions(("x-netcensus-action" = json!("account"))), tag = "account",
    request_body = PasswordChange,
    responses((status = 204), (status = 403, description = "problem"), (status = 422, description = "problem"), (status = 429, description = "problem")))]
pub async fn password(
    State(service): State<App>,
    caller: Caller,
    Json(change): Json<PasswordChange>,
) -> Result<Response, Problem> {
    if let Err(seconds) = service.attempts.take(Some(&caller.person.name), caller.by.address) {
        return Ok(too_many_attempts(seconds, Problem::into_response));
    }
    change_password(&service, &caller, &change).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Changes the caller's password. The attempt was taken from the limit before.
///
/// # Errors
/// Wrong password, unusable password, passwords that are not accepted, or the store's.
pub async fn change_password(service: &App, caller: &Caller, change: &PasswordChange) -> Result<(), Problem> {
    refuse_without_passwords(service)?;
    let _permit = service.hashers.acquire().await;
    let (name, now) = (&caller.person.name, service.now());
    if service.store.sign_in(name, &change.current).await?.is_none() {
        service.store.audit_failed_sign_in(name, &caller.by, now).await?;
        return Err(StoreError::from(AccessRefusal::WrongPassword).into());
    }
    let kept = (caller.kind == CredentialKind::Session).then_some(caller.holder.id.as_str());
    Ok(service.store.set_password(name, &change.new, kept, &caller.by, now).await?)
}

/// Refuses passwords where the configuration does.
///
/// # Errors
/// [`ProblemType::NoPasswords`].
pub fn refuse_without_passwords(service: &App) -> Result<(), Problem> {
    if service.settings.access.local_passwords {
        return Ok(());
    }
    Err(Problem::new(ProblemType::NoPasswords, "sign in by the identity provider at /login"))
}

/// The caller's sessions.
#[utoipa::path(get, path = "/api/v1/account/sessions", extensions(("x-netcensus-action" = json!("account"))), tag = "account",
    responses((status = 200, body = Sessions)))]
pub async fn sessions(State(service): State<App>, caller: Caller) -> Result<axum::Json<Sessions>, Problem> {
    let kind = CredentialKind::Session;
    let sessions = service.store.credentials(kind, &caller.person.name, service.now()).await?;
    let current = (caller.kind == kind).then_some(caller.holder.id);
    Ok(axum::Json(Sessions { sessions, current }))
}

/// Ends a session of the caller.
#[utoipa::path(delete, path = "/api/v1/account/sessions/{id}", extensions(("x-netcensus-action" = json!("account"))), tag = "account",
    params(("id" = String, Path, description = "session")),
    responses((status = 204), (status = 404, description = "problem")))]
pub async fn end_session(
    State(service): State<App>,
    Path(id): Path<String>,
    caller: Caller,
) -> Result<StatusCode, Problem> {
    let (name, kind) = (&caller.person.name, CredentialKind::Session);
    service.store.end_credential(kind, name, &id, &caller.by, service.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The caller's API tokens.
#[utoipa::path(get, path = "/api/v1/account/tokens", extensions(("x-netcensus-action" = json!("account"))), tag = "account",
    responses((status = 200, body = Tokens)))]
pub async fn tokens(State(service): State<App>, caller: Caller) -> Result<axum::Json<Tokens>, Problem> {
    let kind = CredentialKind::Token;
    let tokens = service.store.credentials(kind, &caller.person.name, service.now()).await?;
    Ok(axum::Json(Tokens { tokens }))
}

/// Makes an API token of the caller. It is shown once. A token makes none that does more, or lives longer, than itself.
#[utoipa::path(post, path = "/api/v1/account/tokens", extensions(("x-netcensus-action" = json!("account"))), tag = "account",
    request_body = NewToken,
    responses((status = 201, body = CreatedToken), (status = 403, description = "problem"), (status = 409, description = "problem"), (status = 422, description = "problem")))]
pub async fn create_token(
    State(service): State<App>,
    caller: Caller,
    Json(new): Json<NewToken>,
) -> Result<(StatusCode, Extension<ShownOnce>, axum::Json<CreatedToken>), Problem> {
    let created = make_token(&service, &caller, &new).await?;
    Ok((StatusCode::CREATED, Extension(ShownOnce), axum::Json(created)))
}

/// Makes an API token of the caller.
///
/// # Errors
/// What the token asks for and may not have, or the store's.
pub async fn make_token(service: &App, caller: &Caller, new: &NewToken) -> Result<CreatedToken, Problem> {
    if let Some(id) = &new.subscription
        && caller.roles(service, id).await?.is_empty()
    {
        return Err(Refusal::hidden("subscription", id).into());
    }
    let maker = (caller.kind == CredentialKind::Token).then_some(&caller.holder);
    let name = &caller.person.name;
    let made = service.store.create_token(name, new, maker, &caller.by, service.now()).await?;
    Ok(CreatedToken { token: made.secret, id: made.id, expires_at: made.expires_at })
}

/// Revokes an API token of the caller.
#[utoipa::path(delete, path = "/api/v1/account/tokens/{id}", extensions(("x-netcensus-action" = json!("account"))), tag = "account",
    params(("id" = String, Path, description = "token")),
    responses((status = 204), (status = 404, description = "problem")))]
pub async fn revoke_token(
    State(service): State<App>,
    Path(id): Path<String>,
    caller: Caller,
) -> Result<StatusCode, Problem> {
    let (name, kind) = (&caller.person.name, CredentialKind::Token);
    service.store.end_credential(kind, name, &id, &caller.by, service.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}
