//! Signing in by the identity provider: there, and back.

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::page::{Frame, PageError, render};
use super::session::with_cookies;
use crate::plan::app::App;
use crate::plan::app::sign_in::{self, Returned};
use crate::plan::http::auth::{Origin, cookie, is_https};
use crate::plan::http::extract::Parameters;
use crate::plan::http::problem::{Problem, ProblemType};

/// Seconds that a sign-in may take at the provider.
const LIFE: u32 = 600;

/// The page that leads on. A redirect would not do: the browser came from the provider's site, and sends a strict cookie
/// only to where one of this site's own pages leads.
#[derive(Template)]
#[template(path = "signed_in.html")]
struct SignedInPage {
    frame: Frame,
}

/// With what the provider sends the browser back.
#[derive(Deserialize)]
pub(super) struct Callback {
    state: Option<String>,
    code: Option<String>,
    error: Option<String>,
}

/// Sends the browser to the provider.
pub(super) async fn begin(State(app): State<App>, Origin(origin): Origin) -> Result<Response, PageError> {
    let begun = sign_in::begin(&app, &origin).await?;
    let cookie = state_cookie(&app, &begun.state, LIFE)?;
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to(&begun.url)).into_response())
}

/// Takes the browser back, and signs in the person that the provider vouches for.
pub(super) async fn callback(
    State(app): State<App>,
    Origin(origin): Origin,
    headers: HeaderMap,
    Parameters(callback): Parameters<Callback>,
) -> Result<Response, PageError> {
    let Callback { state, code, error } = callback;
    let kept_state = cookie(&headers, state_cookie_name(is_https(&app))).map(str::to_owned);
    let returned = Returned { state, code, failed: error.is_some(), kept_state };
    let signed_in = sign_in::complete(&app, returned, &origin).await?;
    let page = render(&SignedInPage { frame: Frame::plain("Signed in", &signed_in.person.name) });
    let mut response = with_cookies(&app, &signed_in, page)?;
    response.headers_mut().append(header::SET_COOKIE, state_cookie(&app, "", 0)?);
    Ok(response)
}

/// The name of the cookie that ties a sign-in to its browser.
const fn state_cookie_name(https: bool) -> &'static str {
    if https { "__Host-netcensus-oidc" } else { "netcensus-oidc" }
}

/// It must come along when the provider's site leads back here, hence not strict.
fn state_cookie(app: &App, state: &str, seconds: u32) -> Result<HeaderValue, Problem> {
    let https = is_https(app);
    let (name, secure) = (state_cookie_name(https), if https { "; Secure" } else { "" });
    let cookie = format!("{name}={state}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::try_from(cookie)
        .map_err(|_| Problem::new(ProblemType::Internal, "the cookie cannot be made"))
}
