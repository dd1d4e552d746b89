//! Who may call which route, decided before the route's handler sees the request.
//!
//! A handler's second argument says who may call it: [`May`], [`MayHere`], [`Own`] for one's own account, [`Caller`] for
//! all who are signed in, or a type whose holder authenticates itself. [`operation!`](crate::operation) takes a handler into the API only with such an
//! argument, and writes it into the operation's description as `x-netcensus-action`. The guard enforces it.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{FromRequestParts as _, MatchedPath, Request, State};
use axum::handler::Handler;
use axum::http::Method;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use utoipa::openapi::OpenApi;
use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::schema::{Object, Type};
use utoipa::openapi::{Required, ResponseBuilder};
use utoipa_axum::router::UtoipaMethodRouter;

use super::auth::{Admitted, Origin, subscription_in_path};
use super::problem::Problem;
use crate::plan::app::{App, Caller, May, MayHere, Own};
use crate::plan::permission::{Action, Permission};

/// The member of an operation's description that tells who may.
pub const EXTENSION: &str = "x-netcensus-action";

/// Who may call a route.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Access {
    /// People who may do this to the subscription in the path, or to the installation if the path names none.
    Action(Action),
    /// All who are signed in, by a session or a token without limits, for their own account.
    Account,
    /// All who are signed in, for what they may see.
    SignedIn,
    /// The sensor in the path, by its key.
    Sensor,
    /// Anyone with an enrolment token.
    Enrolment,
}

impl Access {
    /// Its name in the description.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Action(action) => action.key(),
            Self::Account => "account",
            Self::SignedIn => "signed-in",
            Self::Sensor => "sensor",
            Self::Enrolment => "enrolment",
        }
    }

    /// The access of that name.
    pub fn from_key(key: &str) -> Option<Self> {
        [Self::Account, Self::SignedIn, Self::Sensor, Self::Enrolment]
            .into_iter()
            .find(|access| access.key() == key)
            .or_else(|| Action::from_key(key).map(Self::Action))
    }
}

/// A handler's argument that says who may call it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say who may call the handler",
    note = "the second argument must be `May<…>`, `MayHere<…>`, `Own`, `Caller`, `SensorRequest` or `Origin`"
)]
pub trait Admission {
    const ACCESS: Access;
}

impl<A: Permission> Admission for May<A> {
    const ACCESS: Access = Access::Action(A::ACTION);
}

impl<A: Permission> Admission for MayHere<A> {
    const ACCESS: Access = Access::Action(A::ACTION);
}

impl Admission for Own {
    const ACCESS: Access = Access::Account;
}

impl Admission for Caller {
    const ACCESS: Access = Access::SignedIn;
}

impl Admission for Origin {
    const ACCESS: Access = Access::Enrolment;
}

/// The arguments of a handler, the second of which is an [`Admission`].
pub trait Arguments {
    const ACCESS: Access;
}

macro_rules! arguments {
    ($(($($rest:ident)*))*) => {
        $(impl<M, S, G: Admission, $($rest),*> Arguments for (M, S, G, $($rest,)*) {
            const ACCESS: Access = G::ACCESS;
        })*
    };
}

arguments! { () (A) (A B) (A B C) (A B C D) (A B C D E) }

/// Who may call `handler`, as its signature says.
pub fn access_of<H: Handler<T, App>, T: Arguments>(_: &H) -> Access {
    T::ACCESS
}

/// A route of one operation, its description completed: who may call it, the subscription in its path, the statuses of
/// its problems.
pub fn described(
    access: Access,
    refusals: &[u16],
    route: UtoipaMethodRouter<App>,
) -> UtoipaMethodRouter<App> {
    let (schemas, mut paths, router) = route;
    for (path, item) in &mut paths.paths {
        for operation in methods(item).into_iter().filter_map(|(_, operation)| operation.as_mut()) {
            let extension = ExtensionsBuilder::new().add(EXTENSION, access.key()).build();
            operation.extensions.get_or_insert_default().merge(extension);
            if path.contains("{sid}") {
                let sid = ParameterBuilder::new()
                    .name("sid")
                    .parameter_in(ParameterIn::Path)
                    .required(Required::True)
                    .description(Some("subscription"))
                    .schema(Some(Object::with_type(Type::String)))
                    .build();
                operation.parameters.get_or_insert_default().insert(0, sid.into());
            }
            for status in refusals {
                let problem = ResponseBuilder::new().description("problem").build();
                operation.responses.responses.insert(status.to_string(), problem.into());
            }
        }
    }
    (schemas, paths, router)
}

/// `operation!(handler, 404, 409)`: the route of a handler with `#[utoipa::path]`, and the statuses of its problems.
#[macro_export]
macro_rules! operation {
    ($handler:ident $(, $refusal:literal)*) => {
        $crate::plan::http::guard::described(
            $crate::plan::http::guard::access_of(&$handler),
            &[$($refusal),*],
            utoipa_axum::routes!($handler),
        )
    };
}

/// An operation of the description, with who may call it; `None` if the description does not tell.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Guarded {
    pub method: Method,
    /// The path, with its parameters in braces.
    pub path: String,
    pub access: Option<Access>,
}

/// All operations of a description.
pub fn operations(description: &OpenApi) -> Vec<Guarded> {
    let mut out = Vec::new();
    for (path, item) in &description.paths.paths {
        for (method, operation) in methods(&mut item.clone()) {
            if let Some(operation) = operation {
                out.push(Guarded { method, path: path.clone(), access: access(operation) });
            }
        }
    }
    out
}

fn methods(item: &mut PathItem) -> [(Method, &mut Option<Operation>); 5] {
    [
        (Method::GET, &mut item.get),
        (Method::POST, &mut item.post),
        (Method::PUT, &mut item.put),
        (Method::PATCH, &mut item.patch),
        (Method::DELETE, &mut item.delete),
    ]
}

fn access(operation: &Operation) -> Option<Access> {
    Access::from_key(operation.extensions.as_ref()?.get(EXTENSION)?.as_str()?)
}

/// The application, and who may call which route.
#[derive(Clone)]
pub struct Guard {
    app: App,
    routes: Arc<HashMap<(Method, String), Access>>,
}

impl Guard {
    /// The guard of the operations in `description`.
    pub fn new(app: &App, description: &OpenApi) -> Self {
        let known = operations(description).into_iter();
        let routes = known.filter_map(|o| Some(((o.method, o.path), o.access?))).collect();
        Self { app: app.clone(), routes: Arc::new(routes) }
    }
}

/// Lets a permitted request through; the handler finds the caller and the proof among the request's extensions.
pub async fn guarded(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    // The handler of GET also answers HEAD.
    let method = if request.method() == Method::HEAD { Method::GET } else { request.method().clone() };
    let access = path.and_then(|path| guard.routes.get(&(method, path)).copied());
    let (action, of_account) = match access {
        Some(Access::Action(action)) => (Some(action), false),
        Some(Access::Account) => (None, true),
        Some(Access::SignedIn) => (None, false),
        // These handlers authenticate the sender themselves. An unknown address has no handler.
        Some(Access::Sensor | Access::Enrolment) | None => return next.run(request).await,
    };
    let (mut parts, body) = request.into_parts();
    let caller = match Caller::from_request_parts(&mut parts, &guard.app).await {
        Ok(caller) => caller,
        Err(problem) => return problem.into_response(),
    };
    if let Some(action) = action {
        let sid = match subscription_in_path(&mut parts, &guard.app).await {
            Ok(sid) => sid,
            Err(problem) => return problem.into_response(),
        };
        match admit(&guard.app, &caller, action, sid.as_deref()).await {
            Ok(admitted) => parts.extensions.insert(admitted),
            Err(problem) => return problem.into_response(),
        };
    }
    if of_account && let Err(refusal) = caller.clone().own(&guard.app).await {
        return Problem::from(refusal).into_response();
    }
    parts.extensions.insert(caller);
    next.run(Request::from_parts(parts, body)).await
}

async fn admit(app: &App, caller: &Caller, action: Action, sid: Option<&str>) -> Result<Admitted, Problem> {
    let subscription = match sid {
        Some(sid) => Some(caller.may_do(app, action, sid).await?),
        None => {
            caller.may_do_here(app, action).await?;
            None
        }
    };
    Ok(Admitted { action, by: caller.by.clone(), subscription })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::permission::MATRIX;

    #[test]
    fn each_access_has_a_name_of_its_own() {
        let all = MATRIX.iter().map(|(action, ..)| Access::Action(*action));
        for access in all.chain([Access::Account, Access::SignedIn, Access::Sensor, Access::Enrolment]) {
            assert_eq!(Access::from_key(access.key()), Some(access));
        }
        assert_eq!(Access::from_key("everybody"), None);
    }
}
