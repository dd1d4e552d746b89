//! The managed list: devices that other systems manage are not counted (X-MANAGED).

use axum::Json as Body;
use axum::body::{Body as Bytes, to_bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::HeaderMap;
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;

use super::jobs;
use super::query::Trial;
use crate::estimate::{FILE_BYTES, Mapping};
use crate::operation;
use crate::plan::app::change_jobs::JobEntry;
use crate::plan::app::changes::ChangeAnswer;
use crate::plan::app::managed::{
    self, FileAnswer, FileImport, Import, ImportAnswer, ManagedPage, ManagedQuery,
};
use crate::plan::app::{App, May, Refusal};
use crate::plan::http::extract::{Json, Parameters, Segment};
use crate::plan::http::problem::{Problem, ProblemType};
use crate::plan::permission::{EditDevices, View};

/// The largest list to import: 200,000 entries fit.
const LIST_BYTES: usize = 48 << 20;

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    let import = OpenApiRouter::new()
        .routes(operation!(import, 409, 413, 422))
        .routes(operation!(import_file, 409, 413, 422))
        .layer(DefaultBodyLimit::max(LIST_BYTES));
    OpenApiRouter::new().routes(operation!(list)).routes(operation!(forget, 404)).merge(import)
}

/// The managed list, and its sources.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/managed", tag = "inventory", params(ManagedQuery),
    responses((status = 200, body = ManagedPage)))]
async fn list(
    State(app): State<App>,
    may: May<View>,
    Parameters(query): Parameters<ManagedQuery>,
) -> Result<Body<ManagedPage>, Problem> {
    Ok(Body(managed::list(&app, &may, &query).await?))
}

/// Replaces the list of a source. A list that lacks more than a fifth of the source's entries is refused unless `force` is
/// true.
#[utoipa::path(post, path = "/api/v1/subscriptions/{sid}/managed/import", tag = "inventory", request_body = Import,
    params(Trial), responses((status = 200, body = ImportAnswer),
        (status = 202, body = JobEntry, description = "it takes long; `Location` names the job")))]
async fn import(
    State(app): State<App>,
    may: May<EditDevices>,
    headers: HeaderMap,
    Json(list): Json<Import>,
) -> Result<Response, Problem> {
    let (service, caller) = (app.clone(), may.clone());
    let change = async move { managed::import(&service, &caller, list).await };
    jobs::answer(&app, &may, &headers, "managed_import", change).await
}

/// Replaces the list of a source by one that another system exported: a table (CSV), or the machines of Defender for
/// Endpoint as its API gives them (JSON). A list that breaks off, of which little can be read or nothing is taken, or that
/// lacks more than a fifth of the source's entries, is refused unless `force` is true.
#[utoipa::path(post, path = "/api/v1/subscriptions/{sid}/managed/import/file", tag = "inventory",
    request_body(content = String, content_type = "application/octet-stream", description = "the file"),
    params(FileImport), responses((status = 200, body = FileAnswer),
        (status = 202, body = JobEntry, description = "it takes long; `Location` names the job")))]
async fn import_file(
    State(app): State<App>,
    may: May<EditDevices>,
    Parameters(import): Parameters<FileImport>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let too_large = |_| {
        let detail = format!("a list has at most {} MiB", FILE_BYTES >> 20);
        Problem::new(ProblemType::TooLarge, detail)
    };
    let list = to_bytes(body, FILE_BYTES).await.map_err(too_large)?;
    // Reading a long list takes a while; other requests must not wait for it.
    let read = tokio::task::spawn_blocking(move || import.read("the list", &list, Mapping::default())).await;
    let list = read.map_err(|e| Refusal::Defect(format!("reading a managed list failed: {e}")))??;
    let (service, caller) = (app.clone(), may.clone());
    let change = async move { managed::import_list(&service, &caller, list).await };
    jobs::answer(&app, &may, &headers, "managed_import", change).await
}

/// Forgets the list of a source.
#[utoipa::path(delete, path = "/api/v1/subscriptions/{sid}/managed/{source}", tag = "inventory",
    params(("source" = String, Path, description = "source"), Trial), responses((status = 200, body = ChangeAnswer),
        (status = 202, body = JobEntry, description = "it takes long; `Location` names the job")))]
async fn forget(
    State(app): State<App>,
    may: May<EditDevices>,
    headers: HeaderMap,
    Segment(source): Segment<String>,
) -> Result<Response, Problem> {
    let (service, caller) = (app.clone(), may.clone());
    let change = async move { managed::forget(&service, &caller, source).await };
    jobs::answer(&app, &may, &headers, "managed_forget", change).await
}
