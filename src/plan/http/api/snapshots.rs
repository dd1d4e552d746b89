//! Snapshots: what was counted at the end of each day, its leaves, proofs and bundles.

#![expect(unused_qualifications, reason = "the attributes that describe the API expand to qualified names")]

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::billing::statement::{BadMonth, Month};
use crate::census::{Timestamp, time::rfc3339};
use crate::plan::app::App;
use crate::plan::app::Caller;
use crate::plan::app::sealing::Outcome;
use crate::plan::http::extract::{Parameters, Path};
use crate::plan::http::problem::{Problem, ProblemType};
use crate::plan::permission::Action;
use crate::plan::store::{By, Snapshot};
use crate::proof::{Day, Digest, Header, PublicKey, Signature, Span};

/// Snapshots on a page where nothing else is asked.
const PAGE: i64 = 100;
/// Snapshots on a page at most.
const PAGE_MAX: i64 = 1_000;
const NDJSON: HeaderValue = HeaderValue::from_static("application/x-ndjson");

/// A sealed snapshot.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SnapshotEntry {
    /// What was signed; its signed form is the compact JSON of these members in this order.
    #[schema(value_type = Object)]
    pub header: Header,
    /// SHA-256 of the signed form: what the next header in the chain names as `previous`.
    #[schema(value_type = String)]
    pub hash: Digest,
    /// The Ed25519 signature of the signed form, in hex.
    #[schema(value_type = String)]
    pub signature: Signature,
    /// The key that signed, in hex.
    #[schema(value_type = String)]
    pub key: PublicKey,
    /// When it was sealed.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub sealed_at: Timestamp,
}

impl SnapshotEntry {
    /// A snapshot that was signed by the owner of `key`.
    pub fn new(snapshot: Snapshot, key: PublicKey) -> Self {
        let Snapshot { header, hash, signature, sealed_at, .. } = snapshot;
        Self { header, hash, signature, key, sealed_at }
    }
}

/// One page of snapshots.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SnapshotPage {
    /// The snapshots, the one that was sealed last first.
    pub snapshots: Vec<SnapshotEntry>,
    /// What to send as `before` for the next page; null on the last one.
    pub next: Option<u64>,
}

/// Which snapshots.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct Paging {
    /// The `next` of the page before.
    #[param(minimum = 1)]
    pub before: Option<i64>,
    /// Snapshots on the page, at most 1000.
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<i64>,
}

/// Which revision of a day.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct Revision {
    /// The newest one where it is missing.
    #[param(minimum = 0)]
    pub revision: Option<i64>,
}

/// Which device of which revision.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct OfDevice {
    /// The device's id.
    pub device: String,
    /// The newest one where it is missing.
    #[param(minimum = 0)]
    pub revision: Option<i64>,
}

/// Whether the seal is only tried.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct Trying {
    /// Counts and answers, and stores nothing.
    pub dry_run: Option<bool>,
}

/// Which days.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WhichMonth {
    /// A month in UTC, such as `2026-11`.
    pub month: String,
}

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show, seal))
        .routes(routes!(leaves))
        .routes(routes!(proof))
        .routes(routes!(bundle))
}

/// The snapshots of a subscription, the one that was sealed last first.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/snapshots", extensions(("x-netcensus-action" = json!("view"))), tag = "snapshots", operation_id = "list_snapshots",
    params(("sid" = String, Path, description = "subscription"), Paging), responses((status = 200, body = SnapshotPage)))]
pub async fn list(
    State(service): State<App>,
    Path(sid): Path<String>,
    caller: Caller,
    Parameters(paging): Parameters<Paging>,
) -> Result<axum::Json<SnapshotPage>, Problem> {
    caller.may_do(&service, Action::View, &sid).await?;
    Ok(axum::Json(page(&service, &sid, paging.before, paging.limit).await?))
}

/// One page of the snapshots of a subscription.
///
/// # Errors
/// The store's, as a problem.
pub async fn page(
    service: &App,
    sid: &str,
    before: Option<i64>,
    limit: Option<i64>,
) -> Result<SnapshotPage, Problem> {
    let limit = limit.unwrap_or(PAGE).clamp(1, PAGE_MAX);
    let key = service.store.signing_key(service.now()).await?.public();
    let found = service.store.snapshots(sid, before, limit).await?;
    let full = i64::try_from(found.len()).is_ok_and(|n| n == limit);
    let next = found.last().map(|s| s.header.number).filter(|number| full && *number > 1);
    Ok(SnapshotPage { snapshots: found.into_iter().map(|s| SnapshotEntry::new(s, key)).collect(), next })
}

/// The snapshot of a day.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/snapshots/{day}", extensions(("x-netcensus-action" = json!("view"))), tag = "snapshots", operation_id = "show_snapshot",
    params(("sid" = String, Path, description = "subscription"), ("day" = String, Path, description = "UTC day, such as 2026-11-21"), Revision),
    responses((status = 200, body = SnapshotEntry), (status = 404, description = "problem")))]
pub async fn show(
    State(service): State<App>,
    Path((sid, day)): Path<(String, String)>,
    caller: Caller,
    Parameters(asked): Parameters<Revision>,
) -> Result<Response, Problem> {
    caller.may_do(&service, Action::View, &sid).await?;
    let snapshot = service.store.snapshot(&sid, parse_day(&day)?, asked.revision).await?;
    entry(&service, StatusCode::OK, snapshot, asked.revision.is_some()).await
}

/// Seals a day that has ended: where it is sealed already, a new revision is made if it would count otherwise now, as
/// after late uploads. The present day cannot be sealed.
#[utoipa::path(post, path = "/api/v1/subscriptions/{sid}/snapshots/{day}", extensions(("x-netcensus-action" = json!("edit-devices"))), tag = "snapshots", operation_id = "seal_snapshot",
    params(("sid" = String, Path, description = "subscription"), ("day" = String, Path, description = "UTC day, such as 2026-11-21"), Trying),
    responses((status = 200, body = SnapshotEntry, description = "the newest snapshot holds"), (status = 201, body = SnapshotEntry),
        (status = 409, description = "problem"), (status = 422, description = "problem")))]
pub async fn seal(
    State(service): State<App>,
    Path((sid, day)): Path<(String, String)>,
    caller: Caller,
    Parameters(trying): Parameters<Trying>,
) -> Result<Response, Problem> {
    caller.may_do(&service, Action::EditDevices, &sid).await?;
    let by = By { dry_run: trying.dry_run.unwrap_or(false), ..caller.by };
    match service.seal(&sid, parse_day(&day)?, &by).await? {
        Outcome::Sealed(snapshot) => entry(&service, StatusCode::CREATED, snapshot, false).await,
        Outcome::Unchanged(snapshot) => entry(&service, StatusCode::OK, snapshot, false).await,
    }
}

/// The leaves of a snapshot: a line of JSON for each device, counted or not, in the order of the tree.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/snapshots/{day}/leaves", extensions(("x-netcensus-action" = json!("view"))), tag = "snapshots", operation_id = "snapshot_leaves",
    params(("sid" = String, Path, description = "subscription"), ("day" = String, Path, description = "UTC day, such as 2026-11-21"), Revision),
    responses((status = 200, body = String, content_type = "application/x-ndjson"), (status = 404, description = "problem")))]
pub async fn leaves(
    State(service): State<App>,
    Path((sid, day)): Path<(String, String)>,
    caller: Caller,
    Parameters(asked): Parameters<Revision>,
) -> Result<Response, Problem> {
    caller.may_do(&service, Action::View, &sid).await?;
    let snapshot = service.store.snapshot(&sid, parse_day(&day)?, asked.revision).await?;
    let mut parts = service.leaves(&snapshot);
    let lines = async_stream::stream! {
        while let Some(part) = parts.next().await.transpose() {
            yield part;
        }
    };
    let mut response = ([(header::CONTENT_TYPE, NDJSON)], Body::from_stream(lines)).into_response();
    cache(&mut response, &snapshot, asked.revision.is_some());
    Ok(response)
}

/// The proof that a device is, with its verdict, among exactly as many devices as the snapshot says:
/// 'netcensus-plan verify' checks it.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/snapshots/{day}/proof", extensions(("x-netcensus-action" = json!("view"))), tag = "snapshots", operation_id = "prove_device",
    params(("sid" = String, Path, description = "subscription"), ("day" = String, Path, description = "UTC day, such as 2026-11-21"), OfDevice),
    responses((status = 200, body = Object), (status = 404, description = "problem")))]
pub async fn proof(
    State(service): State<App>,
    Path((sid, day)): Path<(String, String)>,
    caller: Caller,
    Parameters(asked): Parameters<OfDevice>,
) -> Result<Response, Problem> {
    caller.may_do(&service, Action::View, &sid).await?;
    let snapshot = service.store.snapshot(&sid, parse_day(&day)?, asked.revision).await?;
    let proof = service.proof(&snapshot, &asked.device).await?;
    let line =
        serde_json::to_string(&proof).map_err(|e| Problem::new(ProblemType::Internal, e.to_string()))?;
    let json = HeaderValue::from_static("application/json");
    let mut response = ([(header::CONTENT_TYPE, json)], line + "\n").into_response();
    cache(&mut response, &snapshot, asked.revision.is_some());
    Ok(response)
}

/// Everything that is needed to recount a month without the service: the chain of headers, the leaves of each day's
/// newest snapshot, closed statements, the key. 'netcensus-plan verify' checks it.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/bundle", extensions(("x-netcensus-action" = json!("view"))), tag = "snapshots", operation_id = "export_bundle",
    params(("sid" = String, Path, description = "subscription"), WhichMonth),
    responses((status = 200, body = String, content_type = "application/x-ndjson"), (status = 404, description = "problem"), (status = 422, description = "problem")))]
pub async fn bundle(
    State(service): State<App>,
    Path(sid): Path<String>,
    caller: Caller,
    Parameters(asked): Parameters<WhichMonth>,
) -> Result<Response, Problem> {
    caller.may_do(&service, Action::View, &sid).await?;
    let invalid = |e: BadMonth| Problem::new(ProblemType::InvalidRequest, e.to_string());
    let month: Month = asked.month.parse().map_err(invalid)?;
    let days = Span::from(month);
    let bundle = service.bundle(&sid, days).await?;
    let name = format!("attachment; filename=\"netcensus-{sid}-{month}.ndjson\"");
    let mut response = ([(header::CONTENT_TYPE, NDJSON)], Body::from_stream(bundle.stream())).into_response();
    if let Ok(name) = HeaderValue::from_str(&name) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, name);
    }
    Ok(response)
}

fn parse_day(text: &str) -> Result<Day, Problem> {
    text.parse()
        .map_err(|e: crate::proof::day::BadDay| Problem::new(ProblemType::InvalidRequest, e.to_string()))
}

async fn entry(
    service: &App,
    status: StatusCode,
    snapshot: Snapshot,
    named: bool,
) -> Result<Response, Problem> {
    let key = service.store.signing_key(service.now()).await?.public();
    let mut response = (status, axum::Json(SnapshotEntry::new(snapshot.clone(), key))).into_response();
    cache(&mut response, &snapshot, named);
    Ok(response)
}

/// A revision that was named never changes; the newest one may become another.
fn cache(response: &mut Response, snapshot: &Snapshot, named: bool) {
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{}\"", snapshot.hash)) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    if named {
        let kept = HeaderValue::from_static("private, max-age=31536000, immutable");
        response.headers_mut().insert(header::CACHE_CONTROL, kept);
    }
}
