//! The numbers, and the whole inventory.

#![expect(unused_qualifications, reason = "the attributes that describe the API expand to qualified names")]

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::billing::timeline::{Plan, in_effect};
use crate::census::{Census, Timestamp, commitment, time::rfc3339};
use crate::listing::Tabs;
use crate::plan::app::App;
use crate::plan::app::Caller;
use crate::plan::app::inventory::View;
use crate::plan::http::extract::{Parameters, Path};
use crate::plan::http::problem::{Problem, ProblemType};
use crate::plan::permission::Action;
use crate::plan::store::Sensor;
use crate::wire::Document;

/// The document's schema.
pub const SCHEMA: &str = "netcensus.census/1";

/// The instant of a count.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AsOf {
    /// RFC 3339; the service's default where it is missing.
    pub as_of: Option<String>,
}

impl AsOf {
    /// The instant.
    ///
    /// # Errors
    /// Where it is none.
    pub fn instant(&self) -> Result<Option<Timestamp>, Problem> {
        parse_instant(self.as_of.as_deref())
    }
}

/// The census of a subscription, beside what it committed to.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CensusReport {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// The policy's name.
    pub policy: String,
    /// The instant of the verdicts.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub as_of: Timestamp,
    /// The numbers.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub census: Census,
    /// Devices in all.
    pub devices: u64,
    /// Devices by category, whatever their verdict; they add up to `devices`.
    pub tabs: Tabs,
    /// The number committed to by the plan in effect; null for a trial and without a plan.
    pub committed: Option<u64>,
    /// Billable devices beyond the committed number: a warning, it blocks nothing (P3).
    pub over: u64,
    /// Couplings that sensors refused at their bound: where it is not 0, the count is a lower bound.
    pub refused: u64,
}

impl CensusReport {
    /// The report of a view under the plan in effect at `now`.
    pub fn new(view: &View, plans: &[Plan], sensors: &[Sensor], now: Timestamp) -> Self {
        let mut census = view.document.census.clone();
        let refused = sensors.iter().map(|s| s.health.refused).sum();
        census.lower_bound |= refused > 0;
        let committed = in_effect(plans, now).and_then(|p| p.committed);
        Self {
            schema: SCHEMA,
            policy: view.document.policy.clone(),
            as_of: view.as_of,
            devices: view.document.devices.len() as u64,
            tabs: Tabs::new(&view.document.devices),
            committed,
            over: committed.map_or(0, |n| census.billable.saturating_sub(n)),
            refused,
            census,
        }
    }

    /// The number that would cover what was found.
    pub fn proposed(&self) -> u64 {
        commitment(self.census.billable)
    }
}

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(census)).routes(routes!(inventory))
}

/// The census.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/census", extensions(("x-netcensus-action" = json!("view"))), tag = "inventory",
    params(("sid" = String, Path, description = "subscription"), AsOf), responses((status = 200, body = CensusReport)))]
pub async fn census(
    State(service): State<App>,
    Path(sid): Path<String>,
    caller: Caller,
    Parameters(query): Parameters<AsOf>,
) -> Result<axum::Json<CensusReport>, Problem> {
    caller.may_do(&service, Action::View, &sid).await?;
    Ok(axum::Json(report(&service, &sid, query.instant()?).await?))
}

/// The whole inventory, as `netcensus.inventory/1`.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/inventory", extensions(("x-netcensus-action" = json!("view"))), tag = "inventory",
    params(("sid" = String, Path, description = "subscription"), AsOf), responses((status = 200, body = Object)))]
pub async fn inventory(
    State(service): State<App>,
    Path(sid): Path<String>,
    caller: Caller,
    Parameters(query): Parameters<AsOf>,
) -> Result<axum::Json<Document>, Problem> {
    caller.may_do(&service, Action::View, &sid).await?;
    let view = service.view(&sid, query.instant()?).await?;
    Ok(axum::Json(with_capture(&view, &service.store.sensors(&sid).await?)))
}

/// The report of a subscription.
///
/// # Errors
/// The store's.
pub async fn report(service: &App, sid: &str, as_of: Option<Timestamp>) -> Result<CensusReport, Problem> {
    let view = service.view(sid, as_of).await?;
    let plans = service.store.plans(sid).await?;
    let sensors = service.store.sensors(sid).await?;
    Ok(CensusReport::new(&view, &plans, &sensors, service.now()))
}

/// The document of a view, with what its sensors captured.
pub fn with_capture(view: &View, sensors: &[Sensor]) -> Document {
    let mut document = view.document.clone();
    for health in sensors.iter().map(|s| &s.health) {
        document.capture.frames += health.frames;
        document.capture.bytes += health.bytes;
        document.capture.malformed += health.malformed;
        document.capture.duplicates += health.duplicates;
        document.capture.dropped += health.dropped;
        document.census.lower_bound |= health.refused > 0;
    }
    document
}

/// Reads an instant that may be missing.
///
/// # Errors
/// Where it is none.
pub fn parse_instant(text: Option<&str>) -> Result<Option<Timestamp>, Problem> {
    let bad = |e: crate::census::time::BadTimestamp| Problem::new(ProblemType::InvalidRequest, e.to_string());
    text.map(str::parse).transpose().map_err(bad)
}
