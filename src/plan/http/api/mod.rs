//! The HTTP API under `/api/v1`, for programs and sensors. The console uses the same functions.

pub mod account;
pub mod alert_desk;
pub mod alerts;
pub mod audit;
pub mod census;
pub mod changes;
pub mod devices;
pub mod estimates;
pub mod exports;
pub mod feeds;
pub mod findings;
pub mod jobs;
pub mod managed;
pub mod map;
pub mod notices;
pub mod people;
pub mod plans;
pub mod prices;
pub mod query;
pub mod roles;
pub mod sensors;
pub mod snapshots;
pub mod statements;
mod streamed;
pub mod subscriptions;
pub mod uploads;
pub mod views;
pub mod vulnerabilities;
pub mod zones;

use crate::plan::app::Refusal;
use axum::extract::DefaultBodyLimit;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Router, middleware};
use utoipa::OpenApi as _;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};
use utoipa::openapi::{ContentBuilder, OpenApi, Ref, ResponseBuilder};
use utoipa_axum::router::OpenApiRouter;

use super::extract::BODY_BYTES;
use super::guard::Guard;
use super::problem::{Problem, ProblemType};
use crate::plan::app::App;

/// The description of the API; each module's routes add theirs.
#[derive(utoipa::OpenApi)]
#[openapi(info(
    title = "netcensus plan service",
    description = "Errors are application/problem+json (RFC 9457). Times are RFC 3339 in UTC, ranges half-open. Writes take ?dry_run=true, which checks everything and stores nothing, and a header X-Reason for the audit trail; a POST takes an Idempotency-Key."
))]
struct Description;

fn described() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Description::openapi())
        .merge(account::routes())
        .merge(audit::routes())
        .merge(census::routes())
        .merge(changes::routes())
        .merge(devices::routes())
        .merge(estimates::routes())
        .merge(exports::routes())
        .merge(feeds::routes())
        .merge(alert_desk::routes())
        .merge(alerts::routes())
        .merge(findings::routes())
        .merge(jobs::routes())
        .merge(managed::routes())
        .merge(map::routes())
        .merge(notices::routes())
        .merge(people::routes())
        .merge(plans::routes())
        .merge(prices::routes())
        .merge(roles::routes())
        .merge(sensors::routes())
        .merge(snapshots::routes())
        .merge(statements::routes())
        .merge(subscriptions::routes())
        .merge(uploads::routes())
        .merge(views::routes())
        .merge(vulnerabilities::routes())
        .merge(zones::routes())
}

/// What the API is, as OpenAPI 3.1: generated from the code that answers. Whatever else an operation answers is a
/// problem.
pub fn description() -> OpenApi {
    let mut description = described().into_openapi();
    let schema = Object::builder()
        .description(Some("RFC 9457; some types have further members"))
        .property("type", string("/problems/SLUG: stable, a page of this service explains it"))
        .property("title", string("what the type is, in a few words"))
        .property("status", Object::with_type(Type::Integer))
        .property("detail", string("what happened, and the next step"))
        .required("type")
        .required("title")
        .required("status")
        .required("detail");
    let components = description.components.get_or_insert_default();
    components.schemas.insert("Problem".to_owned(), schema.into());
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    let problem =
        ResponseBuilder::new().description("a problem").content("application/problem+json", content).build();
    for item in description.paths.paths.values_mut() {
        let operations = [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete];
        for operation in operations.into_iter().flatten() {
            operation
                .responses
                .responses
                .entry("default".to_owned())
                .or_insert_with(|| problem.clone().into());
        }
    }
    description
}

fn string(description: &str) -> ObjectBuilder {
    Object::builder().schema_type(Type::String).description(Some(description))
}

/// All routes of the API.
pub fn router(service: &App) -> Router<App> {
    let (routes, description) = described().split_for_parts();
    let guard = Guard::new(service, &description);
    routes
        .route("/api/v1/{*rest}", axum::routing::any(not_found))
        .layer(middleware::from_fn_with_state(service.clone(), super::conditional::idempotent))
        .layer(middleware::from_fn_with_state(guard, super::guard::guarded))
        .route("/metrics", get(super::operations::metrics))
        .route("/openapi.json", get(openapi))
        .layer(middleware::from_fn_with_state(service.clone(), super::limit::limited))
        .route("/healthz", get(super::operations::health))
        .route("/readyz", get(super::operations::ready))
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(BODY_BYTES))
}

/// The API's description, OpenAPI 3.1.
async fn openapi() -> Response {
    axum::Json(description()).into_response()
}

async fn not_found(uri: axum::http::Uri) -> Problem {
    Refusal::hidden("address", uri.path()).into()
}

async fn method_not_allowed() -> Problem {
    Problem::new(ProblemType::MethodNotAllowed, "see /openapi.json for the methods of this address")
}
