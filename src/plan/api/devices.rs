//! Devices: the filtered list by pages, one device, and why it counts.

#![expect(unused_qualifications, reason = "the attributes that describe the API expand to qualified names")]

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::auth::Caller;
use super::census::{AsOf, parse_instant};
use super::extract::{Parameters, Path};
use super::problem::{Problem, ProblemType};
use crate::census::{Category, MacAddr, Timestamp, time::rfc3339};
use crate::plan::inventory::View;
use crate::plan::permission::Action;
use crate::plan::service::Service;
use crate::wire::{BadSubject, DeviceEntry, Subject};

/// Devices on a page where nothing else is asked.
pub const PAGE: usize = 100;
/// Devices on a page at most.
const PAGE_MAX: usize = 1_000;

/// Which devices.
#[derive(Clone, Debug, Default, Deserialize, IntoParams, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Filter {
    /// `network`, `iot`, `computer_mobile` or `unclassified`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// A verdict's id, such as `C-IOT` or `X-IDLE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<String>,
    /// A part of an address, MAC, name, vendor, model, system, type or zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
    /// The `next` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Devices on the page, at most 1000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// RFC 3339; the service's default where it is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<String>,
}

/// One page of devices.
#[derive(Clone, Debug, Serialize)]
pub struct Page<'a> {
    /// The instant of the verdicts.
    #[serde(with = "rfc3339")]
    pub as_of: Timestamp,
    /// Devices that match, on all pages.
    pub total: usize,
    /// What to send as `after` for the next page; null on the last one.
    pub next: Option<String>,
    /// The devices, sorted by zone, address, MAC.
    pub devices: Vec<&'a DeviceEntry>,
}

impl<'a> Page<'a> {
    /// The page that `filter` asks for.
    ///
    /// # Errors
    /// Where the filter cannot be read.
    pub fn new(view: &'a View, filter: &Filter) -> Result<Self, Problem> {
        let unreadable = |what: &str| Problem::new(ProblemType::InvalidRequest, what.to_owned());
        let category = filter.category.as_deref().filter(|c| !c.is_empty());
        let category = category
            .map(|key| Category::from_key(key).ok_or_else(|| unreadable("the category is not known")))
            .transpose()?;
        let after =
            filter.after.as_deref().map(|c| decode(c).ok_or_else(|| unreadable("'after' is no cursor")));
        let after = after.transpose()?;
        let words: Vec<String> =
            filter.q.as_deref().unwrap_or("").split_whitespace().take(8).map(str::to_lowercase).collect();
        let verdict = filter.verdict.as_deref().filter(|v| !v.is_empty());
        let matches = |d: &&DeviceEntry| {
            category.is_none_or(|c| d.category == c)
                && verdict.is_none_or(|v| d.verdict.id() == v)
                && (words.is_empty() || has_words(d, &words))
        };
        let matching: Vec<&DeviceEntry> = view.document.devices.iter().filter(matches).collect();
        let start = after.map_or(0, |key| {
            matching.partition_point(|d| (d.zone.as_str(), d.ip, d.mac) <= (key.0.as_str(), key.1, key.2))
        });
        let limit = filter.limit.unwrap_or(PAGE).clamp(1, PAGE_MAX);
        let total = matching.len();
        let devices: Vec<&DeviceEntry> = matching.into_iter().skip(start).take(limit).collect();
        let more = start + devices.len() < total;
        let next = devices.last().filter(|_| more).map(|d| encode(d));
        Ok(Self { as_of: view.as_of, total, next, devices })
    }
}

/// The routes.
pub fn routes() -> OpenApiRouter<Service> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show))
        .routes(routes!(why))
        .routes(routes!(explain))
}

/// The devices of a subscription.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/devices", extensions(("x-netcensus-action" = json!("view"))), tag = "inventory",
    params(("sid" = String, Path, description = "subscription"), Filter), responses((status = 200, body = Object)))]
pub async fn list(
    State(service): State<Service>,
    Path(sid): Path<String>,
    caller: Caller,
    Parameters(filter): Parameters<Filter>,
) -> Result<Response, Problem> {
    caller.may(&service, Action::View, &sid).await?;
    let view = service.view(&sid, parse_instant(filter.as_of.as_deref())?).await?;
    Ok(axum::Json(Page::new(&view, &filter)?).into_response())
}

/// One device.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/devices/{id}", extensions(("x-netcensus-action" = json!("view"))), tag = "inventory",
    params(("sid" = String, Path, description = "subscription"), ("id" = String, Path, description = "device"), AsOf),
    responses((status = 200, body = Object), (status = 404, description = "problem")))]
pub async fn show(
    State(service): State<Service>,
    Path((sid, id)): Path<(String, String)>,
    caller: Caller,
    Parameters(query): Parameters<AsOf>,
) -> Result<Response, Problem> {
    caller.may(&service, Action::View, &sid).await?;
    let view = service.view(&sid, query.instant()?).await?;
    let (device, _) = view.device(&id).ok_or_else(|| Problem::not_found("device", &id))?;
    Ok(axum::Json(device).into_response())
}

/// Why a device counts, or does not.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/devices/{id}/why", extensions(("x-netcensus-action" = json!("view"))), tag = "inventory",
    params(("sid" = String, Path, description = "subscription"), ("id" = String, Path, description = "device"), AsOf),
    responses((status = 200, body = Object), (status = 404, description = "problem")))]
pub async fn why(
    State(service): State<Service>,
    Path((sid, id)): Path<(String, String)>,
    caller: Caller,
    Parameters(query): Parameters<AsOf>,
) -> Result<Response, Problem> {
    caller.may(&service, Action::View, &sid).await?;
    let view = service.view(&sid, query.instant()?).await?;
    let why = view.why(&id).ok_or_else(|| Problem::not_found("device", &id))?;
    Ok(axum::Json(why).into_response())
}

/// What to explain.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
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
    State(service): State<Service>,
    Path(sid): Path<String>,
    caller: Caller,
    Parameters(query): Parameters<Question>,
) -> Result<Response, Problem> {
    caller.may(&service, Action::View, &sid).await?;
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

fn has_words(d: &DeviceEntry, words: &[String]) -> bool {
    let mut text = format!("{} {} {} {} {} {}", d.id, d.ip, d.mac, d.kind, d.zone, d.verdict.id());
    for part in [&d.name, &d.vendor, &d.model, &d.os, &d.firmware].into_iter().flatten() {
        text.push(' ');
        text.push_str(part);
    }
    for c in &d.couplings {
        text.push_str(&format!(" {} {}", c.ip, c.mac));
    }
    let text = text.to_lowercase();
    words.iter().all(|word| text.contains(word.as_str()))
}

fn encode(d: &DeviceEntry) -> String {
    URL_SAFE_NO_PAD.encode(format!("{}|{}|{}", d.ip, d.mac, d.zone))
}

fn decode(cursor: &str) -> Option<(String, std::net::IpAddr, MacAddr)> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
    let mut parts = text.splitn(3, '|');
    let (ip, mac, zone) = (parts.next()?, parts.next()?, parts.next()?);
    Some((zone.to_owned(), ip.parse().ok()?, mac.parse().ok()?))
}
