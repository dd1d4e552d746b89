//! Signing in by the identity provider: there, and back.

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::page::{Frame, PageError, Parameters, render};
use super::session::with_cookies;
use crate::plan::app::App;
use crate::plan::app::sign_in::{self, Returned, SignedIn};
use crate::plan::http::auth::{Origin, cookie, is_https};
use crate::plan::http::problem::{Problem, ProblemType};
use crate::plan::store::Kept;

/// Seconds that a sign-in may take at the provider.
const LIFE: u32 = 600;

/// The page that leads on. A redirect would not do: the browser came from the provider's site, and sends a strict cookie
/// only to where one of this site's own pages leads.
#[derive(Template)]
#[template(path = "signed_in.html")]
struct SignedInPage {
    frame: Frame,
    /// What the person must read before they go on.
    notices: Vec<String>,
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
    let frame = Frame::plain("Signed in", &signed_in.person.name);
    let page = render(&SignedInPage { frame, notices: notices(&signed_in) });
    let mut response = with_cookies(&app, &signed_in, page)?;
    response.headers_mut().append(header::SET_COOKIE, state_cookie(&app, "", 0)?);
    Ok(response)
}

/// What the sign-in did not do with the person's roles, and why.
fn notices(signed_in: &SignedIn) -> Vec<String> {
    let notice = |kept: &Kept| {
        match kept {
        Kept::LastOwner(subscription) => format!(
            "You stay an owner of the subscription {subscription}, although none of your groups gives that role: it has no other owner. Bind the role O for somebody else."
        ),
        Kept::LastAdmin => "You stay a global admin, although none of your groups gives that role: nobody else is one. Create another global admin, or put somebody else into the group.".to_owned(),
        Kept::All => {
            let (why, remedy) = signed_in.untold.map_or(("", ""), |untold| (untold.why(), untold.remedy()));
            format!("Your roles stay as they were: {why}. What an administrator can do: {remedy}.")
        }
    }
    };
    signed_in.kept.iter().map(notice).collect()
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
