//! Refuses callers that ask too much: 429 with `Retry-After`. How much that is, [`crate::plan::limits`] says.

use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use super::address::source;
use super::auth::bearer;
use super::problem::{Problem, ProblemType};
use crate::plan::app::App;

/// Refuses a caller that is over its limit.
pub async fn limited(State(app): State<App>, request: Request, next: Next) -> Response {
    let trusted = &app.settings.access.trusted_proxies;
    let name = match bearer(request.headers()) {
        Some(token) => token.to_owned(),
        None => source(request.extensions(), request.headers(), trusted)
            .map_or_else(String::new, |address| address.to_string()),
    };
    match app.limits.take(Sha256::digest(name.as_bytes()).into()) {
        Ok(()) => next.run(request).await,
        Err(seconds) => {
            let often = app.limits.allowance.per_second;
            too_many(seconds, &format!("the service answers {often} requests a second to one caller"))
        }
    }
}

/// The answer to too many requests: when to ask again, and why.
pub fn too_many(seconds: u64, why: &str) -> Response {
    let detail = format!("ask again in {seconds} s; {why}");
    later(seconds, Problem::new(ProblemType::TooManyRequests, detail).into_response())
}

/// The answer to too many attempts to sign in, or to guess a password; `show` makes the answer of the problem.
pub fn too_many_attempts(seconds: u64, show: impl FnOnce(Problem) -> Response) -> Response {
    let detail = format!("too many attempts with this name or from this address; try again in {seconds} s");
    later(seconds, show(Problem::new(ProblemType::TooManyRequests, detail)))
}

fn later(seconds: u64, mut response: Response) -> Response {
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}
