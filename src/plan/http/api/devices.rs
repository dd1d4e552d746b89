//! Devices: the filtered list by pages, one device, why it counts, and what people change of it.

use std::net::IpAddr;

use axum::Json as Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

use super::jobs;
use super::query::{AsOf, Trial, instant};
use crate::census::{CouplingKey, MacAddr, Timestamp};
use crate::change::Patch;
use crate::listing::{DevicePage, Filter};
use crate::operation;
use crate::plan::app::change_jobs::JobEntry;
use crate::plan::app::changes::ChangeAnswer;
use crate::plan::app::devices::{self, Edits, editable};
use crate::plan::app::{App, May, Refusal};
use crate::plan::http::conditional::tagged_by;
use crate::plan::http::extract::{Json, Parameters, Segment};
use crate::plan::http::problem::Problem;
use crate::plan::permission::{EditDevices, View};
use crate::plan::store::Expected;
use crate::wire::{BadSubject, DeviceAnswer, DeviceEntry, Explanation, Subject};

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(operation!(list, 400))
        .routes(operation!(show, 404))
        .routes(operation!(edit, 404, 412, 422, 428))
        .routes(operation!(delete, 404, 412, 428))
        .routes(operation!(why, 404))
        .routes(operation!(explain, 404))
        .routes(operation!(edit_many, 422))
        .routes(operation!(merge, 409, 422))
        .routes(operation!(split, 404, 409, 422))
}

/// The devices of a subscription. `total` is exact, `tabs` add up to all devices, and `next` leads to the next page of
/// the same list at the same instant.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/devices", tag = "inventory", params(Filter),
    responses((status = 200, body = DevicePage)))]
async fn list(
    State(app): State<App>,
    may: May<View>,
    Parameters(filter): Parameters<Filter>,
) -> Result<Body<DevicePage>, Problem> {
    Ok(Body(devices::list(&app, &may, &filter).await?))
}

/// One device. Its `ETag` covers what people decide about and what it is taken for, but not its traffic: send it as
/// `If-Match` to change the device.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/devices/{id}", tag = "inventory",
    params(("id" = String, Path, description = "device"), AsOf), responses((status = 200, body = DeviceEntry)))]
async fn show(
    State(app): State<App>,
    may: May<View>,
    Segment(id): Segment<String>,
    Parameters(query): Parameters<AsOf>,
) -> Result<Response, Problem> {
    let device = devices::show(&app, &may, &id, query.instant()?).await?;
    Ok(tagged_by(StatusCode::OK, &device, &editable(&device)))
}

/// Sets properties of a device, or takes them back (a JSON merge patch). Needs `If-Match`.
#[utoipa::path(patch, path = "/api/v1/subscriptions/{sid}/devices/{id}", tag = "inventory", request_body = Patch,
    params(("id" = String, Path, description = "device"),
        ("if-match" = String, Header, description = "the device's ETag"), Trial),
    responses((status = 200, body = ChangeAnswer)))]
async fn edit(
    State(app): State<App>,
    may: May<EditDevices>,
    Segment(id): Segment<String>,
    expected: Expected,
    Json(patch): Json<Patch>,
) -> Result<Response, Problem> {
    let answer = devices::edit(&app, &may, id, patch, expected).await?;
    Ok(match answer.devices.first() {
        Some(device) => tagged_by(StatusCode::OK, &answer, &editable(device)),
        None => Body(answer).into_response(),
    })
}

/// Deletes a device: it is not counted (X-DEL) until a frame of it comes that is newer than now. Needs `If-Match`.
#[utoipa::path(delete, path = "/api/v1/subscriptions/{sid}/devices/{id}", tag = "inventory",
    params(("id" = String, Path, description = "device"),
        ("if-match" = String, Header, description = "the device's ETag"), Trial),
    responses((status = 200, body = ChangeAnswer)))]
async fn delete(
    State(app): State<App>,
    may: May<EditDevices>,
    Segment(id): Segment<String>,
    expected: Expected,
) -> Result<Body<ChangeAnswer>, Problem> {
    Ok(Body(devices::delete(&app, &may, id, expected).await?))
}

/// Sets properties of many devices, deletes or restores them, or puts them on a managed list. If one is refused, none is
/// changed.
#[utoipa::path(post, path = "/api/v1/subscriptions/{sid}/devices/edit", tag = "inventory", request_body = Edits,
    params(Trial), responses((status = 200, body = ChangeAnswer),
        (status = 202, body = JobEntry, description = "it takes long; `Location` names the job")))]
async fn edit_many(
    State(app): State<App>,
    may: May<EditDevices>,
    headers: HeaderMap,
    Json(edits): Json<Edits>,
) -> Result<Response, Problem> {
    let (service, caller) = (app.clone(), may.clone());
    let change = async move { devices::edit_many(&service, &caller, edits).await };
    jobs::answer(&app, &may, &headers, "devices_edit", change).await
}

/// Devices to merge.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Merge {
    /// Their ids: two or more, of one zone.
    ids: Vec<String>,
}

/// Makes devices of one zone one device (I8e). Its earliest coupling gives it its id and the edits that it shows. Undoing
/// the merge gives each device its own again.
#[utoipa::path(post, path = "/api/v1/subscriptions/{sid}/devices/merge", tag = "inventory", request_body = Merge,
    params(Trial), responses((status = 200, body = ChangeAnswer)))]
async fn merge(
    State(app): State<App>,
    may: May<EditDevices>,
    Json(merge): Json<Merge>,
) -> Result<Body<ChangeAnswer>, Problem> {
    Ok(Body(devices::merge(&app, &may, merge.ids).await?))
}

/// Couplings to take out of a device.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Split {
    /// Some of the device's couplings, but not all.
    couplings: Vec<Coupling>,
}

/// A coupling by its MAC and address.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Coupling {
    #[schema(value_type = String)]
    mac: MacAddr,
    #[schema(value_type = String)]
    ip: IpAddr,
}

/// Takes couplings out of a device, against joins by identifiers (I8c), by names (I12) and by people (I8e). Couplings that
/// belong together because they are one card's (I8a, I8b, I8d) are refused. `If-Match` is optional.
#[utoipa::path(post, path = "/api/v1/subscriptions/{sid}/devices/{id}/split", tag = "inventory", request_body = Split,
    params(("id" = String, Path, description = "device"), Trial), responses((status = 200, body = ChangeAnswer)))]
async fn split(
    State(app): State<App>,
    may: May<EditDevices>,
    Segment(id): Segment<String>,
    expected: Expected,
    Json(split): Json<Split>,
) -> Result<Body<ChangeAnswer>, Problem> {
    let couplings = split.couplings.iter().map(|c| CouplingKey { mac: c.mac, ip: c.ip }).collect();
    Ok(Body(devices::split(&app, &may, id, couplings, expected).await?))
}

/// Why a device counts, or does not.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/devices/{id}/why", tag = "inventory",
    params(("id" = String, Path, description = "device"), AsOf), responses((status = 200, body = DeviceAnswer)))]
async fn why(
    State(app): State<App>,
    may: May<View>,
    Segment(id): Segment<String>,
    Parameters(query): Parameters<AsOf>,
) -> Result<Body<DeviceAnswer>, Problem> {
    Ok(Body(devices::why(&app, &may, &id, query.instant()?).await?))
}

/// What to explain.
#[derive(Clone, Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// An address or a MAC.
    pub subject: String,
    /// RFC 3339; the service's default if it is missing.
    pub as_of: Option<String>,
}

impl Question {
    pub fn subject(&self) -> Result<Subject, Refusal> {
        self.subject.trim().parse().map_err(|e: BadSubject| Refusal::invalid(e.to_string()))
    }

    pub fn instant(&self) -> Result<Option<Timestamp>, Refusal> {
        instant(self.as_of.as_deref())
    }
}

/// Everything that is known of an address or a MAC: devices, and couplings that do not belong to a device, each with its
/// reasons.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/explain", tag = "inventory", params(Question),
    responses((status = 200, body = Explanation)))]
async fn explain(
    State(app): State<App>,
    may: May<View>,
    Parameters(query): Parameters<Question>,
) -> Result<Body<Explanation>, Problem> {
    Ok(Body(devices::explain(&app, &may, query.subject()?, query.instant()?).await?))
}
