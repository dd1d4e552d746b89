//! One's own account: the password, the sessions, the API tokens.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::page::{Form, Frame, PageError, Visitor, render_with};
use super::show;
use crate::plan::app::account::{self, CreatedToken, PasswordChange, Sessions};
use crate::plan::app::{App, Own, Refusal};
use crate::plan::http::extract::Path;
use crate::plan::http::problem::Problem;
use crate::plan::store::{CredentialEntry, NewToken};

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

/// What became of a form.
#[derive(Default)]
struct Feedback {
    created: Option<CreatedToken>,
    refused: Option<Problem>,
    changed: bool,
}

impl Feedback {
    fn refused(refusal: Refusal) -> Self {
        Self { refused: Some(refusal.into()), ..Self::default() }
    }
}

/// The page.
pub(super) async fn show(
    State(app): State<App>,
    Visitor(caller): Visitor<Own>,
) -> Result<Response, PageError> {
    page(&app, &caller, Feedback::default()).await
}

/// Changes the password; other sessions end.
pub(super) async fn password(
    State(app): State<App>,
    Visitor(caller): Visitor<Own>,
    Form(change): Form<PasswordChange>,
) -> Result<Response, PageError> {
    let feedback = match account::change_password(&app, &caller, &change).await {
        Ok(()) => Feedback { changed: true, ..Feedback::default() },
        Err(refused @ Refusal::TooMany(_)) => return Err(refused.into()),
        Err(refused) => Feedback::refused(refused),
    };
    page(&app, &caller, feedback).await
}

/// Ends a session.
pub(super) async fn end_session(
    State(app): State<App>,
    Path(id): Path<String>,
    Visitor(caller): Visitor<Own>,
) -> Result<Response, PageError> {
    account::end_session(&app, &caller, &id).await?;
    Ok(Redirect::to("/account").into_response())
}

/// Makes a token and shows it, once.
pub(super) async fn create_token(
    State(app): State<App>,
    Visitor(caller): Visitor<Own>,
    Form(form): Form<TokenForm>,
) -> Result<Response, PageError> {
    let outcome = match asked(&form) {
        Ok(new) => account::create_token(&app, &caller, &new).await,
        Err(refused) => Err(refused),
    };
    let feedback = match outcome {
        Ok(created) => Feedback { created: Some(created), ..Feedback::default() },
        Err(refused) => Feedback::refused(refused),
    };
    page(&app, &caller, feedback).await
}

/// Revokes a token.
pub(super) async fn revoke_token(
    State(app): State<App>,
    Path(id): Path<String>,
    Visitor(caller): Visitor<Own>,
) -> Result<Response, PageError> {
    account::revoke_token(&app, &caller, &id).await?;
    Ok(Redirect::to("/account").into_response())
}

fn asked(form: &TokenForm) -> Result<NewToken, Refusal> {
    let wrong = |detail: &str| Refusal::invalid(detail);
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

async fn page(app: &App, caller: &Own, feedback: Feedback) -> Result<Response, PageError> {
    let status = feedback.refused.as_ref().map_or(StatusCode::OK, Problem::status);
    let Sessions { sessions, current } = account::sessions(app, caller).await?;
    let page = Page {
        frame: Frame::plain("Account", &caller.person.name),
        passwords: account::has_password(app, caller).await?,
        sessions,
        current: current.unwrap_or_default(),
        tokens: account::tokens(app, caller).await?.tokens,
        created: feedback.created,
        refused: feedback.refused,
        changed: feedback.changed,
    };
    Ok(render_with(status, &page))
}
