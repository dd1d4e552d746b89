//! Notices: what a person should hear of, and how they want to hear of it.

use axum::Json as Body;
use axum::extract::State;
use axum::http::StatusCode;
use utoipa_axum::router::OpenApiRouter;

use super::query::Trial;
use crate::operation;
use crate::plan::app::notices::{self, AddressCode, NoticeChange, NoticeList, NoticeSettings, ReadUpTo};
use crate::plan::app::{App, May, Own};
use crate::plan::http::extract::Json;
use crate::plan::http::problem::Problem;
use crate::plan::permission::View;

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(operation!(list))
        .routes(operation!(read))
        .routes(operation!(settings, 403))
        .routes(operation!(choose, 403, 429))
        .routes(operation!(confirm, 403, 404))
}

/// The notices of a subscription for the caller, the newest first, with the number that the caller has not read.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/notices", tag = "notices",
    responses((status = 200, body = NoticeList)))]
async fn list(State(app): State<App>, may: May<View>) -> Result<Body<NoticeList>, Problem> {
    Ok(Body(notices::list(&app, &may).await?))
}

/// Records that the caller has read the notices up to a number.
#[utoipa::path(post, path = "/api/v1/subscriptions/{sid}/notices/read", tag = "notices",
    params(Trial), request_body = ReadUpTo, responses((status = 204)))]
async fn read(
    State(app): State<App>,
    may: May<View>,
    Json(up_to): Json<ReadUpTo>,
) -> Result<StatusCode, Problem> {
    notices::read(&app, &may, up_to).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Of which notices the caller hears, and how; the address for e-mails, and what became of the newest ones.
#[utoipa::path(get, path = "/api/v1/account/notices", tag = "notices",
    responses((status = 200, body = NoticeSettings)))]
async fn settings(State(app): State<App>, caller: Own) -> Result<Body<NoticeSettings>, Problem> {
    Ok(Body(notices::settings(&app, &caller).await?))
}

/// Changes of which notices the caller hears, and how. A new address gets a code, and is used once the code was entered.
#[utoipa::path(patch, path = "/api/v1/account/notices", tag = "notices",
    params(Trial), request_body = NoticeChange, responses((status = 200, body = NoticeSettings)))]
async fn choose(
    State(app): State<App>,
    caller: Own,
    Json(change): Json<NoticeChange>,
) -> Result<Body<NoticeSettings>, Problem> {
    Ok(Body(notices::choose(&app, &caller, change).await?))
}

/// Confirms the address for e-mails by the code that was sent there.
#[utoipa::path(post, path = "/api/v1/account/notices/confirm", tag = "notices",
    params(Trial), request_body = AddressCode, responses((status = 200, body = NoticeSettings)))]
async fn confirm(
    State(app): State<App>,
    caller: Own,
    Json(code): Json<AddressCode>,
) -> Result<Body<NoticeSettings>, Problem> {
    Ok(Body(notices::confirm(&app, &caller, &code).await?))
}
