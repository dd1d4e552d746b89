//! Snapshots: the count at the end of each day, its leaves, proofs and bundles.

#![expect(unused_qualifications, reason = "the attributes that describe the API expand to qualified names")]

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;

use crate::billing::statement::{BadMonth, Month};
use crate::operation;
use crate::plan::app::snapshots::{self, Proof, SnapshotEntry, SnapshotPage};
use crate::plan::app::{App, May, Refusal};
use crate::plan::http::extract::{Parameters, Segment};
use crate::plan::http::problem::Problem;
use crate::plan::permission::{EditDevices, View};
use crate::proof::{Day, Digest, Inclusion, Span};

const NDJSON: HeaderValue = HeaderValue::from_static("application/x-ndjson");

/// Which snapshots.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
struct Paging {
    /// The `next` of the previous page.
    #[param(minimum = 1)]
    before: Option<i64>,
    /// Snapshots on the page, at most 1000.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<i64>,
}

/// Which revision of a day.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
struct Revision {
    /// Default: the newest revision.
    #[param(minimum = 0)]
    revision: Option<i64>,
}

/// Which device of which revision.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct OfDevice {
    /// The device's id.
    device: String,
    /// Default: the newest revision.
    #[param(minimum = 0)]
    revision: Option<i64>,
}

/// Whether the seal is only tried. [`May`] has read it already.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
struct Trying {
    /// Counts and answers, but stores nothing.
    #[serde(rename = "dry_run")]
    #[param(rename = "dry_run")]
    _dry_run: Option<bool>,
}

/// Which days.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct WhichMonth {
    /// A month in UTC, such as `2026-11`.
    month: String,
}

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(operation!(list))
        .routes(operation!(show, 404))
        .routes(operation!(seal, 409, 422))
        .routes(operation!(leaves, 404))
        .routes(operation!(proof, 404))
        .routes(operation!(bundle, 404, 422))
}

/// The snapshots of a subscription, in reverse order of sealing.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/snapshots", tag = "snapshots",
    operation_id = "list_snapshots", params(Paging), responses((status = 200, body = SnapshotPage)))]
async fn list(
    State(app): State<App>,
    may: May<View>,
    Parameters(paging): Parameters<Paging>,
) -> Result<Json<SnapshotPage>, Problem> {
    Ok(Json(snapshots::page(&app, &may, paging.before, paging.limit).await?))
}

/// The snapshot of a day.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/snapshots/{day}", tag = "snapshots",
    operation_id = "show_snapshot",
    params(("day" = String, Path, description = "UTC day, such as 2026-11-21"), Revision),
    responses((status = 200, body = SnapshotEntry)))]
async fn show(
    State(app): State<App>,
    may: May<View>,
    Segment(day): Segment<Day>,
    Parameters(asked): Parameters<Revision>,
) -> Result<Response, Problem> {
    let entry = snapshots::show(&app, &may, day, asked.revision).await?;
    Ok(cached(Json(&entry), entry.hash, asked.revision.is_some()))
}

/// Seals a day that has ended. If the day is sealed and would now count differently, for example after late uploads, makes
/// a new revision. The present day cannot be sealed.
#[utoipa::path(post, path = "/api/v1/subscriptions/{sid}/snapshots/{day}", tag = "snapshots",
    operation_id = "seal_snapshot",
    params(("day" = String, Path, description = "UTC day, such as 2026-11-21"), Trying),
    responses((status = 200, body = SnapshotEntry, description = "the newest snapshot has the same count"),
        (status = 201, body = SnapshotEntry)))]
async fn seal(
    State(app): State<App>,
    may: May<EditDevices>,
    Segment(day): Segment<Day>,
    Parameters(_trying): Parameters<Trying>,
) -> Result<Response, Problem> {
    let done = snapshots::seal(&app, &may, day).await?;
    let status = if done.sealed { StatusCode::CREATED } else { StatusCode::OK };
    Ok(cached((status, Json(&done.snapshot)), done.snapshot.hash, false))
}

/// The leaves of a snapshot: a line of JSON for each device, counted or not, in the order of the tree.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/snapshots/{day}/leaves", tag = "snapshots",
    operation_id = "snapshot_leaves",
    params(("day" = String, Path, description = "UTC day, such as 2026-11-21"), Revision),
    responses((status = 200, body = String, content_type = "application/x-ndjson")))]
async fn leaves(
    State(app): State<App>,
    may: May<View>,
    Segment(day): Segment<Day>,
    Parameters(asked): Parameters<Revision>,
) -> Result<Response, Problem> {
    let mut parts = snapshots::leaves(&app, &may, day, asked.revision).await?;
    let hash = parts.hash();
    let lines = async_stream::stream! {
        while let Some(part) = parts.next().await.transpose() {
            yield part;
        }
    };
    let answer = ([(header::CONTENT_TYPE, NDJSON)], Body::from_stream(lines));
    Ok(cached(answer, hash, asked.revision.is_some()))
}

/// The proof that a device has its verdict in the snapshot, and that the snapshot has exactly as many devices as it
/// states. 'netcensus-plan verify' checks it.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/snapshots/{day}/proof", tag = "snapshots",
    operation_id = "prove_device",
    params(("day" = String, Path, description = "UTC day, such as 2026-11-21"), OfDevice),
    responses((status = 200, body = Inclusion)))]
async fn proof(
    State(app): State<App>,
    may: May<View>,
    Segment(day): Segment<Day>,
    Parameters(asked): Parameters<OfDevice>,
) -> Result<Response, Problem> {
    let Proof { inclusion, hash } = snapshots::proof(&app, &may, day, asked.revision, &asked.device).await?;
    let line = serde_json::to_string(&inclusion).map_err(|e| Refusal::Defect(e.to_string()))?;
    let json = HeaderValue::from_static("application/json");
    Ok(cached(([(header::CONTENT_TYPE, json)], line + "\n"), hash, asked.revision.is_some()))
}

/// All that is needed to recount a month without the service: the chain of headers, the leaves of each day's newest
/// snapshot, the closed statements, the key. 'netcensus-plan verify' checks it.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/bundle", tag = "snapshots",
    operation_id = "export_bundle", params(WhichMonth),
    responses((status = 200, body = String, content_type = "application/x-ndjson")))]
async fn bundle(
    State(app): State<App>,
    may: May<View>,
    Parameters(asked): Parameters<WhichMonth>,
) -> Result<Response, Problem> {
    let month: Month = asked.month.parse().map_err(|e: BadMonth| Refusal::invalid(e.to_string()))?;
    let bundle = snapshots::bundle(&app, &may, Span::from(month)).await?;
    let name = format!("attachment; filename=\"netcensus-{}-{month}.ndjson\"", may.id());
    let mut response = ([(header::CONTENT_TYPE, NDJSON)], Body::from_stream(bundle.stream())).into_response();
    if let Ok(name) = HeaderValue::from_str(&name) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, name);
    }
    Ok(response)
}

/// An answer about a snapshot. A revision that was asked for by its number never changes; the newest one may change.
fn cached(answer: impl IntoResponse, hash: Digest, numbered: bool) -> Response {
    let mut response = answer.into_response();
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{hash}\"")) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    if numbered {
        let kept = HeaderValue::from_static("private, max-age=31536000, immutable");
        response.headers_mut().insert(header::CACHE_CONTROL, kept);
    }
    response
}
