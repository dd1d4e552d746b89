//! The HTTP API under `/api/v1`, for programs and sensors. The console uses the same functions.

pub mod auth;
pub mod census;
pub mod devices;
pub mod extract;
pub mod operations;
pub mod plans;
pub mod problem;
pub mod sensors;
pub mod subscriptions;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};

use self::problem::{Problem, ProblemType};
use super::service::Service;

/// The largest body of anything but an upload.
const BODY_BYTES: usize = 64 << 10;

/// All routes of the API.
pub fn router() -> Router<Service> {
    let tenant = Router::new()
        .route("/", get(subscriptions::show))
        .route("/plan", get(plans::show).post(plans::onboard))
        .route("/plan/cancel", post(plans::cancel))
        .route("/plan/cancel/withdraw", post(plans::withdraw))
        .route("/sensors", get(sensors::list))
        .route("/sensors/tokens", post(sensors::create_token))
        .route("/sensors/{sensor}/revoke", post(sensors::revoke))
        .route("/sensors/{sensor}/uploads", post(sensors::upload))
        .route("/census", get(census::census))
        .route("/inventory", get(census::inventory))
        .route("/devices", get(devices::list))
        .route("/devices/{id}", get(devices::show))
        .route("/devices/{id}/why", get(devices::why))
        .route("/explain", get(devices::explain));
    let api = Router::new()
        .route("/enrol", post(sensors::enrol))
        .route("/subscriptions", get(subscriptions::list).post(subscriptions::create))
        .nest("/subscriptions/{sid}", tenant)
        .fallback(not_found);
    Router::new()
        .nest("/api/v1", api)
        .route("/healthz", get(operations::health))
        .route("/readyz", get(operations::ready))
        .route("/metrics", get(operations::metrics))
        .route("/openapi.json", get(operations::openapi))
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(BODY_BYTES))
}

async fn not_found(uri: axum::http::Uri) -> Problem {
    Problem::not_found("address", uri.path())
}

async fn method_not_allowed() -> Problem {
    Problem::new(ProblemType::MethodNotAllowed, "see /openapi.json for the methods of this address")
}
