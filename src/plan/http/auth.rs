//! Who calls over HTTP: a person by session cookie or API token.

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};

use super::address::source;
use super::extract::unreadable;
use super::problem::{Problem, ProblemType};
use crate::plan::app::{App, Caller, May, MayHere, Own, Refusal};
use crate::plan::permission::{Action, Permission, Role};
use crate::plan::secret;
use crate::plan::store::audit::{self, Actor};
use crate::plan::store::{By, CredentialKind, Subscription};

/// Refuses a request without a session or token, and a request that another site made a signed-in browser send.
impl FromRequestParts<App> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        // The guard has already looked the caller up.
        if let Some(caller) = parts.extensions.get::<Self>() {
            return Ok(caller.clone());
        }
        let (kind, credential) = match bearer(&parts.headers) {
            Some(token) => (CredentialKind::Token, token),
            None => {
                let session = session_cookie(&parts.headers, is_https(app));
                (CredentialKind::Session, session.ok_or(Refusal::Unauthenticated)?)
            }
        };
        let holder = app.store.holder(kind, credential, app.now()).await?.ok_or(Refusal::Unauthenticated)?;
        app.limits.note_valid(secret::hash(credential));
        let by = By { actor: Actor::Person(holder.person.name.clone()), ..origin(parts, app)? };
        let change = (!is_safe(&parts.method)).then(|| format!("{} {}", parts.method, parts.uri.path()));
        let caller = Self { person: holder.person.clone(), by, holder, kind, change };
        if kind == CredentialKind::Session && caller.change.is_some() && !is_same_origin(&parts.headers) {
            caller.record_denial(app, None, "cross-site").await?;
            return Err(Refusal::CrossSite.into());
        }
        Ok(caller)
    }
}

/// Refuses a token with limits.
impl FromRequestParts<App> for Own {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        Ok(Caller::from_request_parts(parts, app).await?.own(app).await?)
    }
}

/// Extracting the proof checks the caller's roles on the subscription `{sid}` in the path.
impl<A: Permission> FromRequestParts<App> for May<A> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        if let Some(may) = parts.extensions.get::<Admitted>().and_then(Admitted::may) {
            return Ok(may);
        }
        let caller = Caller::from_request_parts(parts, app).await?;
        let sid = subscription_in_path(parts, app).await?;
        Ok(caller.may(app, &sid.unwrap_or_default()).await?)
    }
}

/// Extracting the proof checks the caller's roles on the installation.
impl<A: Permission> FromRequestParts<App> for MayHere<A> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        if let Some(may) = parts.extensions.get::<Admitted>().and_then(Admitted::may_here) {
            return Ok(may);
        }
        let caller = Caller::from_request_parts(parts, app).await?;
        Ok(caller.may_here(app).await?)
    }
}

/// The check that the guard made of a request. [`May`] and [`MayHere`] take it from the request's extensions.
#[derive(Clone)]
pub(super) struct Admitted {
    pub(super) action: Action,
    pub(super) by: By,
    pub(super) subscription: Option<(Subscription, Vec<Role>)>,
}

impl Admitted {
    pub(super) fn may<A: Permission>(&self) -> Option<May<A>> {
        let (subscription, roles) = self.subscription.clone().filter(|_| self.action == A::ACTION)?;
        Some(May::checked(subscription, self.by.clone(), roles))
    }

    pub(super) fn may_here<A: Permission>(&self) -> Option<MayHere<A>> {
        (self.action == A::ACTION && self.subscription.is_none()).then(|| MayHere::checked(self.by.clone()))
    }
}

/// The id of the subscription in the path; none if the path names no subscription.
///
/// # Errors
/// A path that is not UTF-8. It must not be taken for one without a subscription.
pub(super) async fn subscription_in_path(parts: &mut Parts, app: &App) -> Result<Option<String>, Problem> {
    let params = RawPathParams::from_request_parts(parts, app)
        .await
        .map_err(|e| unreadable(e.status(), &e.body_text()))?;
    Ok(params.iter().find(|(name, _)| *name == "sid").map(|(_, value)| value.to_owned()))
}

/// The origin of a request without a session or token: to enrol, to sign in.
#[derive(Clone, Debug)]
pub struct Origin(pub By);

impl FromRequestParts<App> for Origin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        Ok(Self(origin(parts, app)?))
    }
}

/// The data of a request for the audit trail, except its sender.
fn origin(parts: &Parts, app: &App) -> Result<By, Problem> {
    // Reasons are written in any language; clients send UTF-8.
    let text =
        |name: &'static str| parts.headers.get(name).and_then(|v| std::str::from_utf8(v.as_bytes()).ok());
    let reason = text("x-reason").map(|r| r.trim().replace(char::is_control, " ")).filter(|r| !r.is_empty());
    if reason.as_ref().is_some_and(|r| r.chars().count() > audit::REASON) {
        let detail = format!("the reason is longer than {} characters", audit::REASON);
        return Err(Problem::new(ProblemType::InvalidRequest, detail));
    }
    let query = parts.uri.query().unwrap_or_default();
    let dry_run = match query.split('&').find_map(|pair| pair.strip_prefix("dry_run=")) {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => {
            return Err(Problem::new(ProblemType::InvalidRequest, "dry_run must be true or false"));
        }
    };
    let address = source(&parts.extensions, &parts.headers, &app.settings.access.trusted_proxies);
    let request = text("x-request-id").unwrap_or_default().chars().take(64).collect();
    Ok(By { actor: Actor::Nobody, address, request, reason, dry_run })
}

/// The token behind `Authorization: Bearer`.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The session in the cookies.
pub fn session_cookie(headers: &HeaderMap, https: bool) -> Option<&str> {
    cookie(headers, cookie_name(https))
}

/// The cookie of that name.
pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

/// The name of the session's cookie. The prefix binds it to this host, but works only over HTTPS.
pub const fn cookie_name(https: bool) -> &'static str {
    if https { "__Host-netcensus" } else { "netcensus" }
}

/// Whether browsers reach the service over HTTPS.
pub fn is_https(app: &App) -> bool {
    app.settings.public_url.starts_with("https://")
}

/// Whether a page of this service sent the request: browsers tell by `Sec-Fetch-Site`, older ones by `Origin`.
pub fn is_same_origin(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|v: &header::HeaderValue| v.to_str().ok());
    if let Some(site) = text(header::HeaderName::from_static("sec-fetch-site")) {
        return site == "same-origin";
    }
    match (text(header::ORIGIN), text(header::HOST)) {
        (Some(origin), Some(host)) => origin.split_once("://").is_some_and(|(_, o)| o == host),
        _ => false,
    }
}

fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}
