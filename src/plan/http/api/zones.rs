//! Zones: where the same addresses may be other devices' (I9).

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::census::AsOf;
use crate::census::{Timestamp, time::rfc3339};
use crate::plan::app::App;
use crate::plan::app::Caller;
use crate::plan::app::inventory::ZoneSummary;
use crate::plan::http::extract::{Parameters, Path};
use crate::plan::http::problem::Problem;
use crate::plan::permission::Action;

/// The zones of a subscription.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Zones {
    /// The instant of the verdicts.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub as_of: Timestamp,
    /// The zones, by name.
    pub zones: Vec<ZoneSummary>,
}

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list))
}

/// The zones that sensors report, with what each holds. A sensor names its zone; see its configuration.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/zones", extensions(("x-netcensus-action" = json!("view"))), tag = "inventory",
    params(("sid" = String, Path, description = "subscription"), AsOf), responses((status = 200, body = Zones)))]
pub async fn list(
    State(service): State<App>,
    Path(sid): Path<String>,
    caller: Caller,
    Parameters(query): Parameters<AsOf>,
) -> Result<axum::Json<Zones>, Problem> {
    caller.may_do(&service, Action::View, &sid).await?;
    let view = service.view(&sid, query.instant()?).await?;
    Ok(axum::Json(Zones { as_of: view.as_of, zones: view.zones.clone() }))
}
