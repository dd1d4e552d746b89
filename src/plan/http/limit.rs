//! Refuses callers that ask too much: 429 with `Retry-After`. How much that is, [`crate::plan::limits`] says.

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
                "ask again in {seconds} s; the service answers {often} requests a second to one caller"
            );
            Problem::new(ProblemType::TooManyRequests, detail).after(seconds).into_response()
        }
    }
}
