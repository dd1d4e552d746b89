//! For operators' tools: health, metrics, the API's description.

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::problem::{Problem, ProblemType};
use crate::plan::app::App;

/// The process runs.
pub async fn health() -> &'static str {
    "ok\n"
}

/// The database answers.
pub async fn ready(State(service): State<App>) -> Response {
    match service.store.ping().await {
        Ok(()) => "ok\n".into_response(),
        Err(error) => {
            tracing::error!(%error, "not ready");
            (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n").into_response()
        }
    }
}

/// The metrics, for Prometheus.
pub async fn metrics(State(service): State<App>) -> Result<Response, Problem> {
    let text = service.metrics.text().map_err(|e| Problem::new(ProblemType::Internal, e.to_string()))?;
    let kind = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}
