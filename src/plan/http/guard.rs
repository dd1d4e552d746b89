//! Who may call which route, decided before the route's handler sees the request.
//!
//! Each operation's description carries `x-netcensus-action`: an action of the matrix, or one of the other kinds of
//! [`Access`]. That word is what is enforced here, so the description cannot differ from what happens.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{FromRequestParts as _, MatchedPath, RawPathParams, Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use utoipa::openapi::OpenApi;
use utoipa::openapi::path::{Operation, PathItem};

use super::auth::Caller;
use super::problem::Problem;
use crate::plan::app::permission::Action;
use crate::plan::app::service::Service;

/// The member of an operation's description that tells who may.
pub const EXTENSION: &str = "x-netcensus-action";

/// Who may call a route.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Access {
    /// Whoever may do this to the subscription in the path, or to the tenant where there is none.
    Action(Action),
    /// Everybody who is signed in, for their own account.
    Account,
    /// The sensor in the path, by its key.
    Sensor,
    /// Whoever holds an enrolment token.
    Enrolment,
}

impl Access {
    /// What stands in the description.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Action(action) => action.key(),
            Self::Account => "account",
            Self::Sensor => "sensor",
            Self::Enrolment => "enrolment",
        }
    }

    /// The access of that name.
    pub fn from_key(key: &str) -> Option<Self> {
        [Self::Account, Self::Sensor, Self::Enrolment]
            .into_iter()
            .find(|access| access.key() == key)
            .or_else(|| Action::from_key(key).map(Self::Action))
    }
}

/// An operation of the description, with who may call it; `None` where the description does not tell.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Guarded {
    /// The method.
    pub method: Method,
    /// The path, with its parameters in braces.
    pub path: String,
    /// Who may.
    pub access: Option<Access>,
}

/// All operations of a description.
pub fn operations(description: &OpenApi) -> Vec<Guarded> {
    let of = |path: &str, item: &PathItem| {
        let each = [
            (Method::GET, &item.get),
            (Method::POST, &item.post),
            (Method::PUT, &item.put),
            (Method::PATCH, &item.patch),
            (Method::DELETE, &item.delete),
        ];
        each.into_iter()
            .filter_map(|(method, operation)| {
                let operation = operation.as_ref()?;
                Some(Guarded { method, path: path.to_owned(), access: access(operation) })
            })
            .collect::<Vec<_>>()
    };
    description.paths.paths.iter().flat_map(|(path, item)| of(path, item)).collect()
}

fn access(operation: &Operation) -> Option<Access> {
    Access::from_key(operation.extensions.as_ref()?.get(EXTENSION)?.as_str()?)
}

/// What the guard knows.
#[derive(Clone)]
pub struct Guard {
    service: Service,
    routes: Arc<HashMap<(Method, String), Access>>,
}

impl Guard {
    /// The guard of what `description` describes.
    pub fn new(service: &Service, description: &OpenApi) -> Self {
        let known = operations(description).into_iter();
        let routes = known.filter_map(|o| Some(((o.method, o.path), o.access?))).collect();
        Self { service: service.clone(), routes: Arc::new(routes) }
    }
}

/// Lets through whoever may; the handler finds the caller among the request's extensions.
pub async fn guarded(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    // HEAD is answered by what answers GET.
    let method = if request.method() == Method::HEAD { Method::GET } else { request.method().clone() };
    let access = path.and_then(|path| guard.routes.get(&(method, path)).copied());
    let action = match access {
        Some(Access::Action(action)) => Some(action),
        Some(Access::Account) => None,
        // These authenticate themselves; an address that is no operation has nothing to keep.
        Some(Access::Sensor | Access::Enrolment) | None => return next.run(request).await,
    };
    let (mut parts, body) = request.into_parts();
    let caller = match Caller::from_request_parts(&mut parts, &guard.service).await {
        Ok(caller) => caller,
        Err(problem) => return problem.into_response(),
    };
    if let Some(action) = action {
        let params = RawPathParams::from_request_parts(&mut parts, &guard.service).await;
        let sid =
            params.ok().and_then(|p| p.iter().find(|(name, _)| *name == "sid").map(|(_, v)| v.to_owned()));
        if let Err(problem) = permitted(&guard.service, &caller, action, sid.as_deref()).await {
            return problem.into_response();
        }
    }
    parts.extensions.insert(caller);
    next.run(Request::from_parts(parts, body)).await
}

async fn permitted(
    service: &Service,
    caller: &Caller,
    action: Action,
    sid: Option<&str>,
) -> Result<(), Problem> {
    match sid {
        Some(sid) => caller.may(service, action, sid).await.map(drop),
        None => caller.may_here(service, action).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::app::permission::MATRIX;

    #[test]
    fn each_access_has_a_name_of_its_own() {
        let all = MATRIX.iter().map(|(action, ..)| Access::Action(*action));
        for access in all.chain([Access::Account, Access::Sensor, Access::Enrolment]) {
            assert_eq!(Access::from_key(access.key()), Some(access));
        }
        assert_eq!(Access::from_key("everybody"), None);
    }
}
