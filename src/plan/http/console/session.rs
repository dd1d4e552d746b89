//! Signing in and out, and the one-time links: the first administrator's, and a person's.

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::page::{Frame, PageError, Visitor, render, render_with};
use crate::plan::app::App;
use crate::plan::http::api::account::refuse_without_passwords;
use crate::plan::http::auth::{Origin, cookie_name, is_https, is_same_origin};
use crate::plan::http::extract::{Form, Path};
use crate::plan::http::limit::too_many_attempts;
use crate::plan::http::problem::{Problem, ProblemType};
use crate::plan::store::{By, CredentialKind, StoreError};

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    frame: Frame,
    name: String,
    wrong: bool,
    unclaimed: bool,
    passwords: bool,
    provider: Option<String>,
}

#[derive(Template)]
#[template(path = "setup.html")]
struct SetupPage {
    frame: Frame,
    name: String,
    refused: Option<Problem>,
}

/// What a person signs in with.
#[derive(Deserialize)]
pub(super) struct SignIn {
    name: String,
    password: String,
}

/// The form.
pub(super) async fn form(State(service): State<App>) -> Result<Response, PageError> {
    let unclaimed = service.store.is_unclaimed().await?;
    Ok(render(&login_page(&service, String::new(), false, unclaimed)))
}

fn login_page(service: &App, name: String, wrong: bool, unclaimed: bool) -> LoginPage {
    let access = &service.settings.access;
    LoginPage {
        frame: Frame::plain("Sign in", ""),
        name,
        wrong,
        unclaimed,
        passwords: access.local_passwords,
        provider: access.provider.as_ref().map(|provider| provider.settings().title.clone()),
    }
}

/// Signs in.
pub(super) async fn sign_in(
    State(service): State<App>,
    Origin(origin): Origin,
    headers: HeaderMap,
    Form(form): Form<SignIn>,
) -> Result<Response, PageError> {
    same_origin(&headers)?;
    refuse_without_passwords(&service)?;
    if let Err(seconds) = service.attempts.take(Some(&form.name), origin.address) {
        return Ok(too_many_attempts(seconds, |p| PageError(p).into_response()));
    }
    let person = {
        let _permit = service.hashers.acquire().await;
        service.store.sign_in(&form.name, &form.password).await?
    };
    match person {
        Some(person) => begin(&service, &person.name, "password", &origin).await,
        None => {
            service.store.audit_failed_sign_in(&form.name, &origin, service.now()).await?;
            let page = login_page(&service, form.name, true, false);
            Ok(render_with(StatusCode::UNPROCESSABLE_ENTITY, &page))
        }
    }
}

/// Signs in by a one-time link.
pub(super) async fn redeem(
    State(service): State<App>,
    Path(link): Path<String>,
    Origin(origin): Origin,
) -> Result<Response, PageError> {
    match service.store.redeem_login(&link, service.now()).await? {
        Some(person) => begin(&service, &person.name, "link", &origin).await,
        None => Err(bad_link()),
    }
}

/// Signs out.
pub(super) async fn sign_out(
    State(service): State<App>,
    Visitor(caller): Visitor,
) -> Result<Response, PageError> {
    if caller.kind == CredentialKind::Session {
        let (name, id) = (&caller.person.name, &caller.holder.id);
        service.store.end_credential(CredentialKind::Session, name, id, &caller.by, service.now()).await?;
    }
    with_cookie(&service, "", 0, "/login")
}

/// The form that makes the first administrator.
pub(super) async fn setup_form(
    State(service): State<App>,
    Path(link): Path<String>,
) -> Result<Response, PageError> {
    if !service.store.is_good(CredentialKind::Setup, &link, service.now()).await? {
        return Err(bad_link());
    }
    let frame = Frame::plain("Set up", "");
    Ok(render(&SetupPage { frame, name: "admin".to_owned(), refused: None }))
}

/// Makes the first administrator and signs them in.
pub(super) async fn set_up(
    State(service): State<App>,
    Path(link): Path<String>,
    Origin(origin): Origin,
    headers: HeaderMap,
    Form(form): Form<SignIn>,
) -> Result<Response, PageError> {
    same_origin(&headers)?;
    let made = {
        let _permit = service.hashers.acquire().await;
        service.store.set_up(&link, &form.name, &form.password, &origin, service.now()).await
    };
    match made {
        Ok(person) => begin(&service, &person.name, "setup", &origin).await,
        Err(StoreError::NotFound { .. }) => Err(bad_link()),
        Err(error) => {
            let refused = Problem::from(error);
            let status = refused.status();
            let page =
                SetupPage { frame: Frame::plain("Set up", ""), name: form.name, refused: Some(refused) };
            Ok(render_with(status, &page))
        }
    }
}

async fn begin(service: &App, person: &str, how: &str, origin: &By) -> Result<Response, PageError> {
    let session = service.store.begin_session(person, how, origin, service.now()).await?;
    with_cookie(service, &session.secret, CredentialKind::Session.life() / 1_000_000_000, "/")
}

/// A redirect that sets the session's cookie; an empty one for zero seconds ends it.
fn with_cookie(service: &App, session: &str, seconds: i64, target: &str) -> Result<Response, PageError> {
    let cookie = session_cookie_header(service, session, seconds)?;
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to(target)).into_response())
}

/// What sets the session's cookie.
pub(super) fn session_cookie_header(
    service: &App,
    session: &str,
    seconds: i64,
) -> Result<HeaderValue, PageError> {
    let https = is_https(service);
    let secure = if https { "; Secure" } else { "" };
    let name = cookie_name(https);
    let cookie = format!("{name}={session}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
    let unusable = |_| Problem::new(ProblemType::Internal, "the cookie cannot be made");
    Ok(HeaderValue::try_from(cookie).map_err(unusable)?)
}

fn same_origin(headers: &HeaderMap) -> Result<(), PageError> {
    let refused =
        || PageError(Problem::new(ProblemType::CrossSite, "send the form from this service's own page"));
    is_same_origin(headers).then_some(()).ok_or_else(refused)
}

fn bad_link() -> PageError {
    PageError(Problem::new(
        ProblemType::NotFound,
        "the link is unknown, used or too old; a new one is printed when the service starts unclaimed",
    ))
}
