//! One's own account: the password, the sessions, the API tokens.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::page::{Frame, PageError, Visitor, render_with};
use super::show;
use crate::plan::app::App;
use crate::plan::app::Caller;
use crate::plan::http::api::account::{CreatedToken, PasswordChange, change_password, make_token};
use crate::plan::http::extract::{Form, Path};
use crate::plan::http::limit::too_many_attempts;
use crate::plan::http::problem::{Problem, ProblemType};
use crate::plan::store::{CredentialEntry, CredentialKind, NewToken};

#[derive(Template)]
#[template(path = "account.html")]
struct Page {
    frame: Frame,
    passwords: bool,
    sessions: Vec<CredentialEntry>,
    current: String,
    tokens: Vec<CredentialEntry>,
    created: Option<CreatedToken>,
    refused: Option<Problem>,
    changed: bool,
}

/// What the form of a new token sends: empty fields are left out.
#[derive(Debug, Deserialize)]
pub(super) struct TokenForm {
    name: String,
    #[serde(default)]
    days: String,
    #[serde(default)]
    role: String,
    #[serde(default)]
    subscription: String,
}

/// What the page tells beside the lists.
#[derive(Default)]
struct Told {
    created: Option<CreatedToken>,
    refused: Option<Problem>,
    changed: bool,
}

/// The page.
pub(super) async fn show(
    State(service): State<App>,
    Visitor(caller): Visitor,
) -> Result<Response, PageError> {
    page(&service, &caller, Told::default()).await
}

/// Changes the password; other sessions end.
pub(super) async fn password(
    State(service): State<App>,
    Visitor(caller): Visitor,
    Form(change): Form<PasswordChange>,
) -> Result<Response, PageError> {
    if let Err(seconds) = service.attempts.take(Some(&caller.person.name), caller.by.address) {
        return Ok(too_many_attempts(seconds, |p| PageError(p).into_response()));
    }
    let told = match change_password(&service, &caller, &change).await {
        Ok(()) => Told { changed: true, ..Told::default() },
        Err(refused) => Told { refused: Some(refused), ..Told::default() },
    };
    page(&service, &caller, told).await
}

/// Ends a session.
pub(super) async fn end_session(
    State(service): State<App>,
    Path(id): Path<String>,
    Visitor(caller): Visitor,
) -> Result<Response, PageError> {
    end(&service, &caller, CredentialKind::Session, &id).await
}

/// Makes a token and shows it, once.
pub(super) async fn create_token(
    State(service): State<App>,
    Visitor(caller): Visitor,
    Form(form): Form<TokenForm>,
) -> Result<Response, PageError> {
    let outcome = match asked(&form) {
        Ok(new) => make_token(&service, &caller, &new).await,
        Err(problem) => Err(problem),
    };
    let told = match outcome {
        Ok(created) => Told { created: Some(created), ..Told::default() },
        Err(refused) => Told { refused: Some(refused), ..Told::default() },
    };
    page(&service, &caller, told).await
}

/// Revokes a token.
pub(super) async fn revoke_token(
    State(service): State<App>,
    Path(id): Path<String>,
    Visitor(caller): Visitor,
) -> Result<Response, PageError> {
    end(&service, &caller, CredentialKind::Token, &id).await
}

async fn end(service: &App, caller: &Caller, kind: CredentialKind, id: &str) -> Result<Response, PageError> {
    service.store.end_credential(kind, &caller.person.name, id, &caller.by, service.now()).await?;
    Ok(Redirect::to("/account").into_response())
}

fn asked(form: &TokenForm) -> Result<NewToken, Problem> {
    let wrong = |detail: &str| Problem::new(ProblemType::InvalidRequest, detail);
    let some = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let days = some(&form.days).map(|days| days.parse().map_err(|_| wrong("write the days in digits")));
    let role =
        some(&form.role).map(|role| role.parse().map_err(|_| wrong("choose a role: R, SA, C, O or G")));
    Ok(NewToken {
        name: form.name.clone(),
        days: days.transpose()?,
        role: role.transpose()?,
        subscription: some(&form.subscription),
    })
}

async fn page(service: &App, caller: &Caller, told: Told) -> Result<Response, PageError> {
    let (name, now) = (&caller.person.name, service.now());
    let status = told.refused.as_ref().map_or(StatusCode::OK, Problem::status);
    let current = (caller.kind == CredentialKind::Session).then(|| caller.holder.id.clone());
    let page = Page {
        frame: Frame::plain("Account", name),
        passwords: service.settings.access.local_passwords && service.store.person(name).await?.has_password,
        sessions: service.store.credentials(CredentialKind::Session, name, now).await?,
        current: current.unwrap_or_default(),
        tokens: service.store.credentials(CredentialKind::Token, name, now).await?,
        created: told.created,
        refused: told.refused,
        changed: told.changed,
    };
    Ok(render_with(status, &page))
}
