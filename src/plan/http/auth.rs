//! Who calls: a person by session cookie or API token, a sensor by its key.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};

use super::address::source;
use super::problem::{Problem, ProblemType};
use crate::plan::app::permission::{Action, Role};
use crate::plan::app::service::Service;
use crate::plan::store::audit::{self, Actor};
use crate::plan::store::{By, CredentialKind, Holder, Person, StoreError, Subscription};

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
    /// The session or token by which they call, and what it is kept to.
    pub holder: Holder,
    /// Which of the two it is.
    pub kind: CredentialKind,
    /// What the trail calls the request, where it is one that changes something: `POST /the/path`.
    change: Option<String>,
}

impl FromRequestParts<Service> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, service: &Service) -> Result<Self, Problem> {
        // The guard has found out already.
        if let Some(caller) = parts.extensions.get::<Self>() {
            return Ok(caller.clone());
        }
        let anonymous = || {
            Problem::new(
                ProblemType::Unauthenticated,
                "sign in at /login, or send 'Authorization: Bearer nct_…'",
            )
        };
        let (kind, secret) = match bearer(&parts.headers) {
            Some(token) => (CredentialKind::Token, token),
            None => {
                let session = session_cookie(&parts.headers, is_https(service));
                (CredentialKind::Session, session.ok_or_else(anonymous)?)
            }
        };
        let holder = service.store.holder(kind, secret, service.now()).await?.ok_or_else(anonymous)?;
        let by = By { actor: Actor::Person(holder.person.name.clone()), ..origin(parts, service)? };
        let change = (!is_safe(&parts.method)).then(|| format!("{} {}", parts.method, parts.uri.path()));
        let caller = Self { person: holder.person.clone(), by, holder, kind, change };
        if kind == CredentialKind::Session && caller.change.is_some() && !is_same_origin(&parts.headers) {
            caller.record_denial(service, None, "cross-site").await?;
            return Err(Problem::new(ProblemType::CrossSite, "send the form from this service's own page"));
        }
        Ok(caller)
    }
}

impl Caller {
    /// The subscription of that id, where the caller may do `action` to it. A change that is denied is recorded in the
    /// subscription's trail.
    ///
    /// # Errors
    /// Not found where there is none or the caller has no role on it; not permitted where the roles do not suffice.
    pub async fn may(&self, service: &Service, action: Action, id: &str) -> Result<Subscription, Problem> {
        let subscription = service.store.subscription(id).await.map_err(|error| match error {
            StoreError::NotFound { .. } => Problem::not_found("subscription", id),
            other => other.into(),
        })?;
        if subscription.id != id {
            return Err(Problem::not_found("subscription", id));
        }
        let roles = self.roles(service, id).await?;
        if action.allowed(&roles) && self.holder.scope.permits(action, Some(id)) {
            return Ok(subscription);
        }
        self.record_denial(service, Some(id), action.key()).await?;
        if roles.is_empty() {
            return Err(Problem::not_found("subscription", id));
        }
        Err(self.denial(action, &roles))
    }

    /// The caller's roles on a subscription; none where the token is kept to another one.
    ///
    /// # Errors
    /// The store's.
    pub async fn roles(&self, service: &Service, subscription: &str) -> Result<Vec<Role>, Problem> {
        if !self.holder.scope.sees(Some(subscription)) {
            return Ok(Vec::new());
        }
        Ok(service.store.roles(&self.person, subscription).await?)
    }

    /// Refuses a caller who may not do `action` to the tenant as a whole.
    ///
    /// # Errors
    /// Not permitted.
    pub fn may_in_tenant(&self, action: Action) -> Result<(), Problem> {
        let roles: &[Role] = if self.person.global_admin { &[Role::GlobalAdmin] } else { &[] };
        let permitted = action.allowed(roles) && self.holder.scope.permits(action, None);
        if permitted { Ok(()) } else { Err(self.denial(action, roles)) }
    }

    /// As [`Caller::may_in_tenant`]; a change that is denied is recorded in the tenant's trail.
    ///
    /// # Errors
    /// Not permitted, or the store's.
    pub async fn may_here(&self, service: &Service, action: Action) -> Result<(), Problem> {
        let outcome = self.may_in_tenant(action);
        if outcome.is_err() {
            self.record_denial(service, None, action.key()).await?;
        }
        outcome
    }

    fn denial(&self, action: Action, roles: &[Role]) -> Problem {
        let problem = Problem::not_permitted(action);
        if action.allowed(roles) {
            // The person may; it is the token that is kept to less.
            let detail = format!("this token is kept to less than its holder may; {}", problem.detail);
            return Problem::new(problem.kind, detail);
        }
        problem
    }

    async fn record_denial(
        &self,
        service: &Service,
        subscription: Option<&str>,
        action: &str,
    ) -> Result<(), Problem> {
        let Some(change) = &self.change else { return Ok(()) };
        Ok(service.store.audit_denial(subscription, &self.by, action, change, service.now()).await?)
    }
}

/// From where a request of nobody known comes: to enrol, to sign in.
#[derive(Clone, Debug)]
pub struct Origin(pub By);

impl FromRequestParts<Service> for Origin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, service: &Service) -> Result<Self, Problem> {
        Ok(Self(origin(parts, service)?))
    }
}

/// What the trail keeps of a request but for who sent it.
fn origin(parts: &Parts, service: &Service) -> Result<By, Problem> {
    // Reasons are written in any language; clients send UTF-8.
    let text =
        |name: &'static str| parts.headers.get(name).and_then(|v| std::str::from_utf8(v.as_bytes()).ok());
    let reason = text("x-reason").map(|r| r.trim().replace(char::is_control, " ")).filter(|r| !r.is_empty());
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
    let address = source(&parts.extensions, &parts.headers, &service.settings.access.trusted_proxies);
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
