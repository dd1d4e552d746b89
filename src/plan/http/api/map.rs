//! The network as seen.

use axum::Json as Body;
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;

use super::query::{MapQuery, instant};
use crate::operation;
use crate::plan::app::map::{self, NetworkMap};
use crate::plan::app::{App, May};
use crate::plan::http::extract::Parameters;
use crate::plan::http::problem::Problem;
use crate::plan::permission::View;

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(operation!(show, 404))
}

/// The network as frames show it: the networks of each zone by VLAN and prefix, and the routers that have an address in them.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/map", tag = "inventory", params(MapQuery),
    responses((status = 200, body = NetworkMap)))]
async fn show(
    State(app): State<App>,
    may: May<View>,
    Parameters(query): Parameters<MapQuery>,
) -> Result<Body<NetworkMap>, Problem> {
    let as_of = instant(query.as_of.as_deref())?;
    Ok(Body(map::show(&app, &may, query.zone, as_of).await?))
}
