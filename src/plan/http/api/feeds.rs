//! Feeds of indicators, and the set that sensors fetch.

use axum::Json as Body;
use axum::body::Body as Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures_core::Stream as _;
use utoipa_axum::router::OpenApiRouter;

use super::jobs;
use super::query::Trial;
use crate::operation;
use crate::plan::app::change_jobs::JobEntry;
use crate::plan::app::feeds::{self, FeedAnswer, FeedList, IndicatorAnswer, IndicatorQuery};
use crate::plan::app::{App, May, Refusal};
use crate::plan::feed::{BadFeedName, FeedName};
use crate::plan::http::extract::{Parameters, Segment};
use crate::plan::http::problem::Problem;
use crate::plan::http::signed::SensorFetch;
use crate::plan::permission::{UpdateFindings, View};

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(operation!(list))
        .routes(operation!(import, 409, 413, 422))
        .routes(operation!(delete, 404))
        .routes(operation!(test))
        .routes(operation!(set, 401, 404))
}

/// The feeds of indicators, the set that is compiled of them, and how many sensors have it.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/feeds", tag = "security",
    responses((status = 200, body = FeedList)))]
async fn list(State(app): State<App>, may: May<View>) -> Result<Body<FeedList>, Problem> {
    Ok(Body(feeds::list(&app, &may).await?))
}

/// Imports a feed: a list, a hosts file, Spamhaus DROP, MISP CSV or JSON, or STIX 2.1. It replaces the one of that name. A
/// file that cannot be read, or that holds no indicator, changes nothing. A dry run tells what would be added and removed.
#[utoipa::path(post, path = "/api/v1/subscriptions/{sid}/feeds/{name}", tag = "security",
    request_body(content = String, content_type = "application/octet-stream",
        description = "the file, at most 256 MiB"),
    params(("name" = String, Path, description = "feed: 1 to 60 letters, digits, '-', '_' or '.'"), Trial),
    responses((status = 200, body = FeedAnswer),
        (status = 202, body = JobEntry, description = "it takes long; `Location` names the job")))]
async fn import(
    State(app): State<App>,
    may: May<UpdateFindings>,
    Segment(name): Segment<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let name: FeedName = name.parse().map_err(|e: BadFeedName| Refusal::invalid(e.to_string()))?;
    let mut spool = feeds::spool(&app, &may).await?;
    let mut pieces = std::pin::pin!(body.into_data_stream());
    while let Some(piece) = std::future::poll_fn(|context| pieces.as_mut().poll_next(context)).await {
        let broken = |_| Refusal::invalid("the file broke off");
        spool.put(&piece.map_err(broken)?).await?;
    }
    let file = spool.finish().await?;
    let (service, caller) = (app.clone(), may.clone());
    let change = async move { feeds::import(&service, &caller, name, file).await };
    jobs::answer(&app, &may, &headers, "feed_import", change).await
}

/// Deletes a feed. Alerts whose indicators no other feed holds are withdrawn.
#[utoipa::path(delete, path = "/api/v1/subscriptions/{sid}/feeds/{name}", tag = "security",
    params(("name" = String, Path, description = "feed"), Trial), responses((status = 200, body = FeedAnswer),
        (status = 202, body = JobEntry, description = "it takes long; `Location` names the job")))]
async fn delete(
    State(app): State<App>,
    may: May<UpdateFindings>,
    headers: HeaderMap,
    Segment(name): Segment<String>,
) -> Result<Response, Problem> {
    let (service, caller) = (app.clone(), may.clone());
    let change = async move { feeds::delete(&service, &caller, &name).await };
    jobs::answer(&app, &may, &headers, "feed_delete", change).await
}

/// Which feeds hold an address, a network or a name.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/indicators", tag = "security", params(IndicatorQuery),
    responses((status = 200, body = IndicatorAnswer)))]
async fn test(
    State(app): State<App>,
    may: May<View>,
    Parameters(query): Parameters<IndicatorQuery>,
) -> Result<Body<IndicatorAnswer>, Problem> {
    Ok(Body(feeds::test(&app, &may, &query.value).await?))
}

/// The set of indicators with a digest, as the receipt of an upload names it: a head of one line, and compressed labels. The
/// sensor's key signs the request: headers Content-Digest, Signature-Input and Signature (RFC 9421).
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/sensors/{sensor}/indicators/{digest}", tag = "sensors",
    params(("sensor" = String, Path, description = "sensor"), ("digest" = String, Path, description = "set")),
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream")))]
async fn set(
    State(app): State<App>,
    sensor: SensorFetch,
    Segment(digest): Segment<String>,
) -> Result<Response, Problem> {
    let parts = feeds::set_for(&app, &sensor.0, &digest).await?;
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CACHE_CONTROL, "private, max-age=31536000, immutable".to_owned()),
        (header::ETAG, format!("\"{digest}\"")),
    ];
    Ok((StatusCode::OK, headers, Bytes::from_stream(parts)).into_response())
}
