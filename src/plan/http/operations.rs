//! For operators' tools: health, metrics, the API's description.

use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};

use super::address::is_this_machine;
use super::auth::bearer;
use super::problem::{Problem, ProblemType};
use crate::plan::app::{App, Refusal, readiness};
use crate::plan::secret;

/// The process runs.
pub async fn health() -> &'static str {
    "ok\n"
}

/// The database can be written to.
pub async fn ready(State(service): State<App>) -> Result<&'static str, Problem> {
    readiness::check(&service).await?;
    Ok("ok\n")
}

/// The metrics, for Prometheus: they name subscriptions. If the configuration has a token for them, for those who send
/// it, else for clients on this machine.
pub async fn metrics(State(service): State<App>, request: Request) -> Result<Response, Problem> {
    let access = &service.settings.access;
    match &access.metrics_token {
        Some(hash) => {
            // Comparing hashes tells nothing about the token by the time that it takes.
            let sent = bearer(request.headers()).map(secret::hash);
            if sent != Some(*hash) {
                return Err(Refusal::Unauthenticated.into());
            }
        }
        None if is_this_machine(request.extensions(), request.headers(), &access.trusted_proxies) => {}
        None => {
            let detail =
                "metrics are shown on this machine only; set metrics.token_file to read them from another";
            return Err(Problem::new(ProblemType::MetricsElsewhere, detail));
        }
    }
    let text = service.metrics.text().map_err(|e| Problem::new(ProblemType::Internal, e.to_string()))?;
    let kind = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}
