//! The numbers, and the whole inventory.

use axum::Json as Body;
use axum::extract::State;
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;

use super::query::AsOf;
use super::streamed::streamed;
use crate::operation;
use crate::plan::app::census::{self, CensusReport};
use crate::plan::app::{App, May, aside};
use crate::plan::http::extract::Parameters;
use crate::plan::http::problem::Problem;
use crate::plan::permission::View;
use crate::wire::Document;

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(operation!(census)).routes(operation!(inventory))
}

/// The census.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/census", tag = "inventory", params(AsOf),
    responses((status = 200, body = CensusReport)))]
async fn census(
    State(app): State<App>,
    may: May<View>,
    Parameters(query): Parameters<AsOf>,
) -> Result<Body<CensusReport>, Problem> {
    Ok(Body(census::report(&app, &may, query.instant()?).await?))
}

/// The whole inventory, as `netcensus.inventory/1`.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/inventory", tag = "inventory", params(AsOf),
    responses((status = 200, body = Document)))]
async fn inventory(
    State(app): State<App>,
    may: May<View>,
    Parameters(query): Parameters<AsOf>,
) -> Result<Response, Problem> {
    let inventory = census::document(&app, &may, query.instant()?).await?;
    let file = aside(move || inventory.file()).await??;
    Ok(streamed("application/json", file))
}
