//! Zones: the same address in two zones belongs to two devices (I9).

use axum::Json as Body;
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;

use super::query::AsOf;
use crate::operation;
use crate::plan::app::zones::{self, Zones};
use crate::plan::app::{App, May};
use crate::plan::http::extract::Parameters;
use crate::plan::http::problem::Problem;
use crate::plan::permission::View;

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(operation!(list))
}

/// The zones that sensors report, each with its numbers. A sensor's configuration names its zone.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/zones", tag = "inventory", params(AsOf),
    responses((status = 200, body = Zones)))]
async fn list(
    State(app): State<App>,
    may: May<View>,
    Parameters(query): Parameters<AsOf>,
) -> Result<Body<Zones>, Problem> {
    Ok(Body(zones::list(&app, &may, query.instant()?).await?))
}
