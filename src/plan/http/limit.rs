//! Refuses callers over their limit with 429 and `Retry-After`; see [`crate::plan::limits`].

use axum::extract::{Request, State};
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
            let detail = format!(
                "too many requests: send it again in {seconds} s; one caller may send {often} requests a second"
            );
            Problem::new(ProblemType::TooManyRequests, detail).after(seconds).into_response()
        }
    }
}
