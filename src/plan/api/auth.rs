//! Who calls: a person by session cookie or API token, a sensor by its key.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};

use super::problem::{Problem, ProblemType};
use crate::plan::permission::{Action, Role};
use crate::plan::service::Service;
use crate::plan::store::{By, CredentialKind, Person, StoreError, Subscription, audit};

/// The person who calls.
///
/// Extracting it refuses whoever is not signed in, and a signed-in browser that another site sent here to change
/// something.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who.
    pub person: Person,
    /// Who, from where, why, and whether the write is only tried: header `X-Reason`, query `dry_run=true`.
    pub by: By,
}

impl FromRequestParts<Service> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, service: &Service) -> Result<Self, Problem> {
        let anonymous = || {
            Problem::new(
                ProblemType::Unauthenticated,
                "sign in at /login, or send 'Authorization: Bearer nct_…'",
            )
        };
        let now = service.now();
        if let Some(token) = bearer(&parts.headers) {
            let person = service.store.holder(CredentialKind::Token, token, now).await?;
            return Self::new(person.ok_or_else(anonymous)?, parts);
        }
        let session = session_cookie(&parts.headers, is_https(service)).ok_or_else(anonymous)?;
        let person = service.store.holder(CredentialKind::Session, session, now).await?;
        let person = person.ok_or_else(anonymous)?;
        if !is_safe(&parts.method) && !is_same_origin(&parts.headers) {
            return Err(Problem::new(ProblemType::CrossSite, "send the form from this service's own page"));
        }
        Self::new(person, parts)
    }
}

impl Caller {
    fn new(person: Person, parts: &Parts) -> Result<Self, Problem> {
        let text = |name: &'static str| parts.headers.get(name).and_then(|v| v.to_str().ok());
        let reason = text("x-reason").map(|r| r.trim().to_owned()).filter(|r| !r.is_empty());
        if reason.as_ref().is_some_and(|r| r.chars().count() > audit::REASON) {
            let detail = format!("a reason has at most {} characters", audit::REASON);
            return Err(Problem::new(ProblemType::InvalidRequest, detail));
        }
        let query = parts.uri.query().unwrap_or_default();
        let dry_run = match query.split('&').find_map(|pair| pair.strip_prefix("dry_run=")) {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => {
                return Err(Problem::new(ProblemType::InvalidRequest, "dry_run is true or false"));
            }
        };
        let address = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|c| c.0.ip());
        let request = text("x-request-id").unwrap_or_default().chars().take(64).collect();
        let by = By { address, request, reason, dry_run, ..By::person(&person.name) };
        Ok(Self { person, by })
    }

    /// The subscription of that id, where the caller may do `action` to it.
    ///
    /// # Errors
    /// Not found where there is none or the caller has no role on it; not permitted where the roles do not suffice.
    pub async fn may(&self, service: &Service, action: Action, id: &str) -> Result<Subscription, Problem> {
        let subscription = service.store.subscription(id).await.map_err(|error| match error {
            StoreError::NotFound { .. } => Problem::not_found("subscription", id),
            other => other.into(),
        })?;
        let roles = self.roles(service, &subscription.id).await?;
        if subscription.id != id || roles.is_empty() {
            return Err(Problem::not_found("subscription", id));
        }
        if action.allowed(&roles) { Ok(subscription) } else { Err(Problem::not_permitted(action)) }
    }

    /// The caller's roles on a subscription.
    ///
    /// # Errors
    /// The store's.
    pub async fn roles(&self, service: &Service, subscription: &str) -> Result<Vec<Role>, Problem> {
        Ok(service.store.roles(&self.person, subscription).await?)
    }

    /// Refuses a caller who may not do `action` to the tenant as a whole.
    ///
    /// # Errors
    /// Not permitted.
    pub fn may_in_tenant(&self, action: Action) -> Result<(), Problem> {
        let roles: &[Role] = if self.person.global_admin { &[Role::GlobalAdmin] } else { &[] };
        if action.allowed(roles) { Ok(()) } else { Err(Problem::not_permitted(action)) }
    }
}

/// The token behind `Authorization: Bearer`.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The session in the cookies.
pub fn session_cookie(headers: &HeaderMap, https: bool) -> Option<&str> {
    let name = cookie_name(https);
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
pub fn is_https(service: &Service) -> bool {
    service.settings.public_url.starts_with("https://")
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
