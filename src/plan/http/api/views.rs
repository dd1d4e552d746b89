//! Saved views: lists of devices with a name, a person's own and shared ones.

use axum::Json as Body;
use axum::extract::State;
use axum::http::StatusCode;
use utoipa_axum::router::OpenApiRouter;

use super::query::Trial;
use crate::operation;
use crate::plan::app::views::{self, NewView, Views};
use crate::plan::app::{App, May};
use crate::plan::http::extract::{Json, Segment};
use crate::plan::http::problem::Problem;
use crate::plan::permission::{EditDevices, View};
use crate::plan::store::DeviceView;

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(operation!(list))
        .routes(operation!(save_own, 409, 422))
        .routes(operation!(delete_own, 404))
        .routes(operation!(save_shared, 409, 422))
        .routes(operation!(delete_shared, 404))
}

/// The caller's own views and the shared ones, each with the number of devices that match now.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/views", tag = "inventory",
    responses((status = 200, body = Views)))]
async fn list(State(app): State<App>, may: May<View>) -> Result<Body<Views>, Problem> {
    Ok(Body(views::list(&app, &may).await?))
}

/// Saves a view that the caller alone has. It replaces the one of that name.
#[utoipa::path(put, path = "/api/v1/subscriptions/{sid}/views/own/{name}", tag = "inventory",
    params(("name" = String, Path, description = "1 to 60 characters"), Trial), request_body = NewView,
    responses((status = 200, body = DeviceView)))]
async fn save_own(
    State(app): State<App>,
    may: May<View>,
    Segment(name): Segment<String>,
    Json(new): Json<NewView>,
) -> Result<Body<DeviceView>, Problem> {
    Ok(Body(views::save_own(&app, &may, name, new).await?))
}

/// Deletes a view that the caller alone has.
#[utoipa::path(delete, path = "/api/v1/subscriptions/{sid}/views/own/{name}", tag = "inventory",
    params(("name" = String, Path, description = "the view's name"), Trial), responses((status = 204)))]
async fn delete_own(
    State(app): State<App>,
    may: May<View>,
    Segment(name): Segment<String>,
) -> Result<StatusCode, Problem> {
    views::delete_own(&app, &may, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Saves a view for everybody who sees the subscription. It replaces the one of that name.
#[utoipa::path(put, path = "/api/v1/subscriptions/{sid}/views/shared/{name}", tag = "inventory",
    params(("name" = String, Path, description = "1 to 60 characters"), Trial), request_body = NewView,
    responses((status = 200, body = DeviceView)))]
async fn save_shared(
    State(app): State<App>,
    may: May<EditDevices>,
    Segment(name): Segment<String>,
    Json(new): Json<NewView>,
) -> Result<Body<DeviceView>, Problem> {
    Ok(Body(views::save_shared(&app, &may, name, new).await?))
}

/// Deletes a shared view.
#[utoipa::path(delete, path = "/api/v1/subscriptions/{sid}/views/shared/{name}", tag = "inventory",
    params(("name" = String, Path, description = "the view's name"), Trial), responses((status = 204)))]
async fn delete_shared(
    State(app): State<App>,
    may: May<EditDevices>,
    Segment(name): Segment<String>,
) -> Result<StatusCode, Problem> {
    views::delete_shared(&app, &may, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}
