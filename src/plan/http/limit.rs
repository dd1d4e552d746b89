//! Refuses addresses and callers over their limit with 429 and `Retry-After`; see [`crate::plan::limits`].

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::address::source;
use super::auth::{bearer, is_https, session_cookie};
use super::problem::{Problem, ProblemType};
use crate::plan::app::App;
use crate::plan::secret;

/// Refuses a request that is over a limit.
pub async fn limited(State(app): State<App>, request: Request, next: Next) -> Response {
    match check(&app, &request) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

/// Whether a request is within the limits.
///
/// # Errors
/// The problem, if it is not.
pub(super) fn check(app: &App, request: &Request) -> Result<(), Problem> {
    let headers = request.headers();
    let address = source(request.extensions(), headers, &app.settings.access.trusted_proxies);
    let credential = bearer(headers).or_else(|| session_cookie(headers, is_https(app))).map(secret::hash);
    app.limits.take(address, credential).map_err(|seconds| {
        app.metrics.refused("requests");
        let often = app.limits.allowance.per_second;
        let detail = format!(
            "too many requests: send it again in {seconds} s; one caller may send {often} requests a second"
        );
        Problem::new(ProblemType::TooManyRequests, detail).after(seconds)
    })
}
