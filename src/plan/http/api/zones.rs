//! Zones: the same address in two zones belongs to two devices (I9).

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;

use super::jobs;
use super::query::{AsOf, Trial};
use crate::operation;
use crate::plan::app::change_jobs::JobEntry;
use crate::plan::app::zones::{self, ZoneAnswer, ZoneMerge, ZoneRename, Zones};
use crate::plan::app::{App, May};
use crate::plan::http::conditional::tagged_by;
use crate::plan::http::extract::{Json, Parameters};
use crate::plan::http::problem::Problem;
use crate::plan::permission::{EditDevices, View};
use crate::plan::store::Expected;

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(operation!(list))
        .routes(operation!(rename, 404, 409, 412, 422))
        .routes(operation!(merge, 404, 409, 412, 422))
}

/// The zones that sensors report, each with its numbers and the labels under which its sensors upload, which their
/// configuration names. The `ETag` covers names and labels.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/zones", tag = "inventory", params(AsOf),
    responses((status = 200, body = Zones)))]
async fn list(
    State(app): State<App>,
    may: May<View>,
    Parameters(query): Parameters<AsOf>,
) -> Result<Response, Problem> {
    let zones = zones::list(&app, &may, query.instant()?).await?;
    Ok(tagged_by(StatusCode::OK, &zones, &zones.labels()))
}

/// Gives a zone a name that no other zone has. Its sensors go on to upload under their label, and its devices keep their ids.
/// `If-Match`, with the `ETag` of the zones, is optional.
#[utoipa::path(post, path = "/api/v1/subscriptions/{sid}/zones/rename", tag = "inventory", request_body = ZoneRename,
    params(Trial), responses((status = 200, body = ZoneAnswer),
        (status = 202, body = JobEntry, description = "it takes long; `Location` names the job")))]
async fn rename(
    State(app): State<App>,
    may: May<EditDevices>,
    headers: HeaderMap,
    expected: Expected,
    Json(asked): Json<ZoneRename>,
) -> Result<Response, Problem> {
    let (service, caller) = (app.clone(), may.clone());
    let change = async move { zones::rename(&service, &caller, asked, expected).await };
    jobs::answer(&app, &may, &headers, "zone_rename", change).await
}

/// Makes a zone part of another one: the same coupling in both is one device then (I9). Undoing it gives each zone its own
/// facts again. `If-Match`, with the `ETag` of the zones, is optional.
#[utoipa::path(post, path = "/api/v1/subscriptions/{sid}/zones/merge", tag = "inventory", request_body = ZoneMerge,
    params(Trial), responses((status = 200, body = ZoneAnswer),
        (status = 202, body = JobEntry, description = "it takes long; `Location` names the job")))]
async fn merge(
    State(app): State<App>,
    may: May<EditDevices>,
    headers: HeaderMap,
    expected: Expected,
    Json(asked): Json<ZoneMerge>,
) -> Result<Response, Problem> {
    let (service, caller) = (app.clone(), may.clone());
    let change = async move { zones::merge(&service, &caller, asked, expected).await };
    jobs::answer(&app, &may, &headers, "zone_merge", change).await
}
