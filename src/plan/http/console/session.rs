//! Signing in and out, and the one-time links: the first administrator's, and a person's.

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::page::{Form, Frame, PageError, Visitor, render, render_with};
use crate::plan::app::sign_in::{self, SignedIn};
use crate::plan::app::{App, Refusal, browser};
use crate::plan::http::auth::{Origin, cookie, cookie_name, is_https, is_same_origin};
use crate::plan::http::extract::Path;
use crate::plan::http::problem::{Problem, ProblemType};
use crate::plan::store::CredentialKind;

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

#[derive(Template)]
#[template(path = "invitation.html")]
struct InvitationPage {
    frame: Frame,
    name: String,
    refused: Option<Problem>,
}

/// The password that an invited person chose.
#[derive(Deserialize)]
pub(super) struct Chosen {
    password: String,
}

/// What a person signs in with.
#[derive(Deserialize)]
pub(super) struct SignIn {
    name: String,
    password: String,
}

/// The form.
pub(super) async fn form(State(app): State<App>) -> Result<Response, PageError> {
    let unclaimed = sign_in::is_unclaimed(&app).await?;
    Ok(render(&login_page(&app, String::new(), false, unclaimed)))
}

fn login_page(app: &App, name: String, wrong: bool, unclaimed: bool) -> LoginPage {
    let access = &app.settings.access;
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
    State(app): State<App>,
    Origin(origin): Origin,
    headers: HeaderMap,
    Form(form): Form<SignIn>,
) -> Result<Response, PageError> {
    same_origin(&headers)?;
    let marker = cookie(&headers, marker_name(is_https(&app)));
    match sign_in::by_password(&app, &form.name, &form.password, marker, &origin).await? {
        Some(person) => signed_in(&app, &person),
        None => {
            let page = login_page(&app, form.name, true, false);
            Ok(render_with(StatusCode::UNPROCESSABLE_ENTITY, &page))
        }
    }
}

/// Signs in by a one-time link.
pub(super) async fn redeem(
    State(app): State<App>,
    Path(link): Path<String>,
    Origin(origin): Origin,
) -> Result<Response, PageError> {
    signed_in(&app, &sign_in::by_link(&app, &link, &origin).await?)
}

/// Signs out.
pub(super) async fn sign_out(
    State(app): State<App>,
    Visitor(caller): Visitor,
) -> Result<Response, PageError> {
    sign_in::out(&app, &caller).await?;
    let ended = set_cookie(cookie_name(is_https(&app)), "", 0, is_https(&app))?;
    Ok(([(header::SET_COOKIE, ended)], Redirect::to("/login")).into_response())
}

/// The form that makes the first administrator.
pub(super) async fn setup_form(
    State(app): State<App>,
    Path(link): Path<String>,
) -> Result<Response, PageError> {
    sign_in::check_setup_link(&app, &link).await?;
    let frame = Frame::plain("Set up", "");
    Ok(render(&SetupPage { frame, name: "admin".to_owned(), refused: None }))
}

/// Makes the first administrator and signs them in.
pub(super) async fn set_up(
    State(app): State<App>,
    Path(link): Path<String>,
    Origin(origin): Origin,
    headers: HeaderMap,
    Form(form): Form<SignIn>,
) -> Result<Response, PageError> {
    same_origin(&headers)?;
    match sign_in::set_up(&app, &link, &form.name, &form.password, &origin).await {
        Ok(person) => signed_in(&app, &person),
        Err(refused @ Refusal::BadLink) => Err(refused.into()),
        Err(refused) => {
            let refused = Problem::from(refused);
            let status = refused.status();
            let page =
                SetupPage { frame: Frame::plain("Set up", ""), name: form.name, refused: Some(refused) };
            Ok(render_with(status, &page))
        }
    }
}

/// The form in which an invited person chooses their password.
pub(super) async fn invitation_form(
    State(app): State<App>,
    Path(link): Path<String>,
) -> Result<Response, PageError> {
    let name = sign_in::invited(&app, &link).await?.name;
    Ok(render(&InvitationPage { frame: Frame::plain("Choose a password", ""), name, refused: None }))
}

/// Sets the password that they chose, and signs them in.
pub(super) async fn accept_invitation(
    State(app): State<App>,
    Path(link): Path<String>,
    Origin(origin): Origin,
    headers: HeaderMap,
    Form(form): Form<Chosen>,
) -> Result<Response, PageError> {
    same_origin(&headers)?;
    let name = sign_in::invited(&app, &link).await?.name;
    match sign_in::accept_invitation(&app, &link, &form.password, &origin).await {
        Ok(person) => signed_in(&app, &person),
        Err(refused @ Refusal::BadInvitation) => Err(refused.into()),
        Err(refused) => {
            let refused = Problem::from(refused);
            let status = refused.status();
            let frame = Frame::plain("Choose a password", "");
            Ok(render_with(status, &InvitationPage { frame, name, refused: Some(refused) }))
        }
    }
}

fn signed_in(app: &App, signed_in: &SignedIn) -> Result<Response, PageError> {
    with_cookies(app, signed_in, Redirect::to("/").into_response())
}

/// The answer with the cookies of a sign-in: the session, and the marker of a known browser.
pub(super) fn with_cookies(
    app: &App,
    signed_in: &SignedIn,
    mut response: Response,
) -> Result<Response, PageError> {
    let https = is_https(app);
    let seconds = CredentialKind::Session.life() / 1_000_000_000;
    for cookie in [
        set_cookie(cookie_name(https), &signed_in.session.secret, seconds, https)?,
        set_cookie(marker_name(https), &signed_in.marker, browser::SECONDS, https)?,
    ] {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// The name of the cookie by which a browser is known.
const fn marker_name(https: bool) -> &'static str {
    if https { "__Host-netcensus-known" } else { "netcensus-known" }
}

/// What sets a cookie; an empty one for zero seconds ends it.
pub(super) fn set_cookie(
    name: &str,
    value: &str,
    seconds: i64,
    https: bool,
) -> Result<HeaderValue, PageError> {
    let secure = if https { "; Secure" } else { "" };
    let cookie = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
    let unusable = |_| Problem::new(ProblemType::Internal, "the cookie cannot be made");
    Ok(HeaderValue::try_from(cookie).map_err(unusable)?)
}

fn same_origin(headers: &HeaderMap) -> Result<(), Refusal> {
    is_same_origin(headers).then_some(()).ok_or(Refusal::CrossSite)
}
