//! Devices: the filtered list by pages, one device, why it counts, and what people change of it.

#![expect(unused_qualifications, reason = "the attributes that describe the API expand to qualified names")]

use crate::plan::app::Refusal;
use crate::plan::store::{self, Expected};
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::census::{AsOf, parse_instant};
use super::changes::{ChangeAnswer, answer};
use crate::census::{CouplingKey, MacAddr};
use crate::change::{ChangeRequest, Patch};
use crate::listing::{DevicePage, Filter};
use crate::plan::app::App;
use crate::plan::app::Caller;
use crate::plan::app::inventory::Check;
use crate::plan::http::extract::{Json, Parameters, Path};
use crate::plan::http::problem::{Problem, ProblemType};
use crate::plan::permission::Action;
use crate::wire::{BadSubject, DeviceEntry, Subject};

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show, edit, delete))
        .routes(routes!(why))
        .routes(routes!(explain))
        .routes(routes!(edit_many))
        .routes(routes!(merge))
        .routes(routes!(split))
}

/// The devices of a subscription. `total` is exact, `tabs` add up to all devices, and `next` leads to the next page of
/// the same list at the same instant.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/devices", extensions(("x-netcensus-action" = json!("view"))), tag = "inventory",
    params(("sid" = String, Path, description = "subscription"), Filter),
    responses((status = 200, body = Object), (status = 400, description = "problem")))]
pub async fn list(
    State(service): State<App>,
    Path(sid): Path<String>,
    caller: Caller,
    Parameters(filter): Parameters<Filter>,
) -> Result<Response, Problem> {
    caller.may_do(&service, Action::View, &sid).await?;
    let view = service.view(&sid, filter.instant()?).await?;
    Ok(axum::Json(DevicePage::new(&view.document.devices, view.as_of, &filter)?).into_response())
}

/// One device. Its `ETag` names what people decide about and what it is taken for, not its traffic: send it as
/// `If-Match` to change the device.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/devices/{id}", extensions(("x-netcensus-action" = json!("view"))), tag = "inventory",
    params(("sid" = String, Path, description = "subscription"), ("id" = String, Path, description = "device"), AsOf),
    responses((status = 200, body = Object), (status = 404, description = "problem")))]
pub async fn show(
    State(service): State<App>,
    Path((sid, id)): Path<(String, String)>,
    caller: Caller,
    Parameters(query): Parameters<AsOf>,
) -> Result<Response, Problem> {
    caller.may_do(&service, Action::View, &sid).await?;
    let view = service.view(&sid, query.instant()?).await?;
    let (device, _) = view.device(&id).ok_or_else(|| Refusal::hidden("device", &id))?;
    Ok(with_tag(axum::Json(device).into_response(), Some(device)))
}

/// Sets properties of a device, or takes them back (a JSON merge patch). Needs `If-Match`.
#[utoipa::path(patch, path = "/api/v1/subscriptions/{sid}/devices/{id}", extensions(("x-netcensus-action" = json!("edit-devices"))), tag = "inventory", request_body = Patch,
    params(("sid" = String, Path, description = "subscription"), ("id" = String, Path, description = "device"),
        ("if-match" = String, Header, description = "the device's ETag"), Trial),
    responses((status = 200, body = ChangeAnswer), (status = 404, description = "problem"),
        (status = 412, description = "problem"), (status = 422, description = "problem"), (status = 428, description = "problem")))]
pub async fn edit(
    State(service): State<App>,
    Path((sid, id)): Path<(String, String)>,
    caller: Caller,
    seen: Expected,
    Json(patch): Json<Patch>,
) -> Result<Response, Problem> {
    caller.may_do(&service, Action::EditDevices, &sid).await?;
    let ask = ChangeRequest::Edit { ids: vec![id], patch };
    let changed = service.change(&sid, ask, &caller.by, Some(unchanged(seen))).await?;
    let device = changed.devices.first().cloned();
    Ok(with_tag(answer(changed, &caller.by), device.as_ref()))
}

/// Deletes a device: it is not counted (X-DEL) until a frame of it comes that is newer than now. Needs `If-Match`.
#[utoipa::path(delete, path = "/api/v1/subscriptions/{sid}/devices/{id}", extensions(("x-netcensus-action" = json!("edit-devices"))), tag = "inventory",
    params(("sid" = String, Path, description = "subscription"), ("id" = String, Path, description = "device"),
        ("if-match" = String, Header, description = "the device's ETag"), Trial),
    responses((status = 200, body = ChangeAnswer), (status = 404, description = "problem"),
        (status = 412, description = "problem"), (status = 428, description = "problem")))]
pub async fn delete(
    State(service): State<App>,
    Path((sid, id)): Path<(String, String)>,
    caller: Caller,
    seen: Expected,
) -> Result<Response, Problem> {
    caller.may_do(&service, Action::EditDevices, &sid).await?;
    let ask = ChangeRequest::Delete { ids: vec![id] };
    Ok(answer(service.change(&sid, ask, &caller.by, Some(unchanged(seen))).await?, &caller.by))
}

/// Devices to edit or to delete at once.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Edits {
    /// Their ids, at most 1000.
    pub ids: Vec<String>,
    /// What to set on each of them.
    #[serde(default)]
    pub set: Patch,
    /// Deletes them instead.
    #[serde(default)]
    pub delete: bool,
}

/// Sets properties of many devices, or deletes them: all of them or, where one is refused, none.
#[utoipa::path(post, path = "/api/v1/subscriptions/{sid}/devices/edit", extensions(("x-netcensus-action" = json!("edit-devices"))), tag = "inventory", request_body = Edits,
    params(("sid" = String, Path, description = "subscription"), Trial),
    responses((status = 200, body = ChangeAnswer), (status = 422, description = "problem")))]
pub async fn edit_many(
    State(service): State<App>,
    Path(sid): Path<String>,
    caller: Caller,
    Json(edits): Json<Edits>,
) -> Result<Response, Problem> {
    caller.may_do(&service, Action::EditDevices, &sid).await?;
    let Edits { ids, set, delete } = edits;
    let ask = match delete {
        true if set != Patch::default() => {
            let detail = "'set' and 'delete' stand together; send one of them";
            return Err(Problem::new(ProblemType::InvalidRequest, detail));
        }
        true => ChangeRequest::Delete { ids },
        false => ChangeRequest::Edit { ids, patch: set },
    };
    Ok(answer(service.change(&sid, ask, &caller.by, None).await?, &caller.by))
}

/// Devices to merge.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Merge {
    /// Their ids: two or more, of one zone.
    pub ids: Vec<String>,
}

/// Makes devices of one zone one device (I8e). It is named by its earliest coupling, and shows that one's edits; undoing
/// the merge gives each its own again.
#[utoipa::path(post, path = "/api/v1/subscriptions/{sid}/devices/merge", extensions(("x-netcensus-action" = json!("edit-devices"))), tag = "inventory", request_body = Merge,
    params(("sid" = String, Path, description = "subscription"), Trial),
    responses((status = 200, body = ChangeAnswer), (status = 409, description = "problem"), (status = 422, description = "problem")))]
pub async fn merge(
    State(service): State<App>,
    Path(sid): Path<String>,
    caller: Caller,
    Json(merge): Json<Merge>,
) -> Result<Response, Problem> {
    caller.may_do(&service, Action::EditDevices, &sid).await?;
    let ask = ChangeRequest::Merge { ids: merge.ids };
    Ok(answer(service.change(&sid, ask, &caller.by, None).await?, &caller.by))
}

/// Couplings to take out of a device.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Split {
    /// Which: some of the device's, and not all.
    pub couplings: Vec<Coupling>,
}

/// A coupling by its MAC and address.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Coupling {
    /// MAC.
    #[schema(value_type = String)]
    pub mac: MacAddr,
    /// Address.
    #[schema(value_type = String)]
    pub ip: std::net::IpAddr,
}

/// Takes couplings out of a device, against joins by identifiers (I8c), by names (I12) and by people (I8e). Those that
/// follow from a card being one (I8a, I8b, I8d) are refused. `If-Match` is looked at where it is sent.
#[utoipa::path(post, path = "/api/v1/subscriptions/{sid}/devices/{id}/split", extensions(("x-netcensus-action" = json!("edit-devices"))), tag = "inventory", request_body = Split,
    params(("sid" = String, Path, description = "subscription"), ("id" = String, Path, description = "device"), Trial),
    responses((status = 200, body = ChangeAnswer), (status = 404, description = "problem"),
        (status = 409, description = "problem"), (status = 422, description = "problem")))]
pub async fn split(
    State(service): State<App>,
    Path((sid, id)): Path<(String, String)>,
    caller: Caller,
    seen: Expected,
    Json(split): Json<Split>,
) -> Result<Response, Problem> {
    caller.may_do(&service, Action::EditDevices, &sid).await?;
    let couplings = split.couplings.iter().map(|c| CouplingKey { mac: c.mac, ip: c.ip }).collect();
    let seen = if seen == Expected::Unsaid { Expected::Any } else { seen };
    let ask = ChangeRequest::Split { id, couplings };
    Ok(answer(service.change(&sid, ask, &caller.by, Some(unchanged(seen))).await?, &caller.by))
}

/// Why a device counts, or does not.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/devices/{id}/why", extensions(("x-netcensus-action" = json!("view"))), tag = "inventory",
    params(("sid" = String, Path, description = "subscription"), ("id" = String, Path, description = "device"), AsOf),
    responses((status = 200, body = Object), (status = 404, description = "problem")))]
pub async fn why(
    State(service): State<App>,
    Path((sid, id)): Path<(String, String)>,
    caller: Caller,
    Parameters(query): Parameters<AsOf>,
) -> Result<Response, Problem> {
    caller.may_do(&service, Action::View, &sid).await?;
    let view = service.view(&sid, query.instant()?).await?;
    let why = view.why(&id).ok_or_else(|| Refusal::hidden("device", &id))?;
    Ok(axum::Json(why).into_response())
}

/// What to explain.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Question {
    /// An address or a MAC.
    pub subject: String,
    /// RFC 3339; the service's default where it is missing.
    pub as_of: Option<String>,
}

/// Everything that is known of an address or a MAC: devices, and couplings that are no device's, each with its reasons.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/explain", extensions(("x-netcensus-action" = json!("view"))), tag = "inventory",
    params(("sid" = String, Path, description = "subscription"), Question),
    responses((status = 200, body = Object), (status = 404, description = "problem")))]
pub async fn explain(
    State(service): State<App>,
    Path(sid): Path<String>,
    caller: Caller,
    Parameters(query): Parameters<Question>,
) -> Result<Response, Problem> {
    caller.may_do(&service, Action::View, &sid).await?;
    let subject: Subject = query
        .subject
        .trim()
        .parse()
        .map_err(|e: BadSubject| Problem::new(ProblemType::InvalidRequest, e.to_string()))?;
    let explanation = service.explain(&sid, subject, parse_instant(query.as_of.as_deref())?).await?;
    if explanation.is_empty() {
        return Err(Problem::new(ProblemType::NotFound, subject.unknown()));
    }
    Ok(axum::Json(explanation).into_response())
}

/// Whether a write is only tried.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Trial {
    /// `true`: everything is checked and answered, with what would change and by how much the count, and nothing is
    /// stored.
    pub dry_run: Option<bool>,
}

/// The entity tag of a device: of what people change, and of what the change is based on. Traffic changes it only where
/// it changes what the device is or consists of.
pub fn tag(d: &DeviceEntry) -> String {
    store::tag(&by_hand(d))
}

/// What people change of a device, and what the change is based on.
fn by_hand(d: &DeviceEntry) -> impl Serialize {
    let couplings: Vec<_> = d.couplings.iter().map(|c| (c.mac, c.ip)).collect();
    let is = (d.category, &d.kind, &d.name, &d.vendor, &d.model);
    (&d.id, &d.zone, couplings, is, &d.location, &d.tags, d.importance, &d.decided)
}

/// Refuses a change of a device that is not as the caller saw it.
pub fn unchanged(seen: Expected) -> Box<Check> {
    Box::new(move |device| seen.check(&by_hand(device)))
}

fn with_tag(mut response: Response, device: Option<&DeviceEntry>) -> Response {
    let value = device.filter(|_| response.status() == StatusCode::OK).map(tag);
    if let Some(Ok(value)) = value.map(|v| HeaderValue::from_str(&v)) {
        response.headers_mut().insert(header::ETAG, value);
    }
    response
}
