//! Signing in by the identity provider: there, and back.

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::page::{Frame, PageError, render};
use super::session::session_cookie_header;
use crate::plan::app::App;
use crate::plan::http::auth::{Origin, is_https};
use crate::plan::http::extract::Parameters;
use crate::plan::http::limit::too_many_attempts;
use crate::plan::http::problem::{Problem, ProblemType};
use crate::plan::oidc::{GroupSetting, Identity, Provider};
use crate::plan::permission::Role;
use crate::plan::store::{CredentialKind, ExternalPerson, GroupRole, StoreError};

/// Seconds that a sign-in may take at the provider.
const LIFE: u32 = 600;
/// The longest code or state in bytes.
const PARAMETER: usize = 4_096;

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
pub(super) async fn begin(State(service): State<App>, Origin(origin): Origin) -> Result<Response, PageError> {
    let provider = provider(&service)?;
    if let Err(seconds) = service.attempts.take(None, origin.address) {
        return Ok(too_many_attempts(seconds, |p| PageError(p).into_response()));
    }
    let begun = provider.begin(service.now()).await.map_err(Problem::from)?;
    service.store.keep_sign_in(&begun.state, &begun.pending, service.now()).await?;
    let cookie = state_cookie(&service, &begun.state, LIFE)?;
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to(&begun.url)).into_response())
}

/// Takes the browser back, and whom the provider vouches for in.
pub(super) async fn callback(
    State(service): State<App>,
    Origin(origin): Origin,
    headers: HeaderMap,
    Parameters(callback): Parameters<Callback>,
) -> Result<Response, PageError> {
    let provider = provider(&service)?;
    if let Err(seconds) = service.attempts.take(None, origin.address) {
        return Ok(too_many_attempts(seconds, |p| PageError(p).into_response()));
    }
    let outcome = identity(&service, provider, &headers, callback).await;
    let (identity, now) = match outcome {
        Ok(identity) => (identity, service.now()),
        Err(problem) => {
            service.store.audit_failed_sign_in("", &origin, service.now()).await?;
            return Err(problem.into());
        }
    };
    let roles = roles(&service, &provider.settings().roles, &identity.groups).await?;
    let Identity { issuer, subject, name, email, .. } = identity;
    let external = ExternalPerson { issuer, subject, name, email };
    let person = service.store.admit(&external, &roles, &origin, now).await?;
    let session = service.store.begin_session(&person.name, "identity provider", &origin, now).await?;
    let seconds = CredentialKind::Session.life() / 1_000_000_000;
    let cookies = [
        (header::SET_COOKIE, session_cookie_header(&service, &session.secret, seconds)?),
        (header::SET_COOKIE, state_cookie(&service, "", 0)?),
    ];
    let mut response = render(&SignedInPage { frame: Frame::plain("Signed in", &person.name) });
    for (name, value) in cookies {
        response.headers_mut().append(name, value);
    }
    Ok(response)
}

/// Whom the provider vouches for, where the browser, the state and the provider's answer belong together.
async fn identity(
    service: &App,
    provider: &Provider,
    headers: &HeaderMap,
    callback: Callback,
) -> Result<Identity, Problem> {
    let refused = |detail: &str| Problem::new(ProblemType::SignInRefused, detail);
    let state = callback.state.filter(|state| state.len() <= PARAMETER);
    let state = state.ok_or_else(|| refused("the provider sent no state; start again at /login"))?;
    // The state must come by the same browser: else somebody could be made to sign in as somebody else.
    if cookie(headers, state_cookie_name(is_https(service))) != Some(state.as_str()) {
        return Err(refused("the sign-in was begun by another browser; start again at /login"));
    }
    let pending = service.store.take_sign_in(&state, service.now()).await?;
    let pending =
        pending.ok_or_else(|| refused("the sign-in is unknown, used or too old; start again at /login"))?;
    if callback.error.is_some() {
        return Err(refused("the identity provider signed nobody in; start again at /login"));
    }
    let code = callback.code.filter(|code| code.len() <= PARAMETER);
    let code = code.ok_or_else(|| refused("the provider sent no code; start again at /login"))?;
    Ok(provider.finish(&code, pending, service.now()).await?)
}

/// What the groups of a person give on each subscription that the configuration names, and on the tenant.
async fn roles(
    service: &App,
    settings: &[GroupSetting],
    groups: &[String],
) -> Result<Vec<GroupRole>, Problem> {
    let mut out: Vec<GroupRole> = Vec::new();
    for setting in settings {
        let subscription = match &setting.subscription {
            None => None,
            Some(name) => match service.store.subscription(name).await {
                Ok(subscription) => Some(subscription.id),
                Err(StoreError::NotFound { .. }) => {
                    tracing::warn!(%name, "[oidc] roles names a subscription that does not exist");
                    continue;
                }
                Err(error) => return Err(error.into()),
            },
        };
        let role: Option<Role> = groups.contains(&setting.group).then_some(setting.role);
        match out.iter_mut().find(|known| known.subscription == subscription) {
            Some(known) => known.role = known.role.max(role),
            None => out.push(GroupRole { subscription, role }),
        }
    }
    Ok(out)
}

fn provider(service: &App) -> Result<&Provider, Problem> {
    let provider = service.settings.access.provider.as_deref();
    provider.ok_or_else(|| {
        Problem::new(ProblemType::NotFound, "no identity provider is configured; sign in at /login")
    })
}

/// The name of the cookie that ties a sign-in to its browser.
const fn state_cookie_name(https: bool) -> &'static str {
    if https { "__Host-netcensus-oidc" } else { "netcensus-oidc" }
}

/// It must come along when the provider's site leads back here, hence not strict.
fn state_cookie(service: &App, state: &str, seconds: u32) -> Result<HeaderValue, Problem> {
    let https = is_https(service);
    let (name, secure) = (state_cookie_name(https), if https { "; Secure" } else { "" });
    let cookie = format!("{name}={state}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::try_from(cookie)
        .map_err(|_| Problem::new(ProblemType::Internal, "the cookie cannot be made"))
}

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}
