//! How many devices to commit to, from the inventory and from lists; and when the committed number is passed.
//!
//! An estimate stores nothing, so it is open to every role. What is stored are the columns of a table, on request and
//! by those who may edit devices.

#![expect(unused_qualifications, reason = "the attributes that describe the API expand to qualified names")]

use crate::plan::app::Refusal;
use crate::plan::store::Expected;
use std::sync::Arc;

use axum::extract::multipart::{Field, MultipartError, MultipartRejection};
use axum::extract::{DefaultBodyLimit, FromRequest, Multipart, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::census::parse_instant;
use crate::billing::forecast::Forecast;
use crate::billing::timeline::in_effect;
use crate::census::Timestamp;
use crate::estimate::{self, Estimate, FILE_BYTES, FILES, FileError, FileKind, Mapping, ReadOptions, Sorter};
use crate::plan::app::App;
use crate::plan::app::Caller;
use crate::plan::http::conditional::tagged;
use crate::plan::http::extract::{Json, Parameters, Path};
use crate::plan::http::problem::{Problem, ProblemType};
use crate::plan::permission::Action;
use crate::plan::store::Remembered;

/// Rows of a report where not all are asked for.
pub const ROWS_SHOWN: usize = 1_000;
/// The largest body: the files, and what stands between them.
pub const BODY_BYTES: usize = FILE_BYTES + (1 << 20);
/// Names of columns in one request, and the longest.
const ASSIGNMENTS: usize = 64;
const ASSIGNMENT_BYTES: usize = 1 << 10;

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    let lists = OpenApiRouter::new().routes(routes!(show, of_lists)).layer(DefaultBodyLimit::max(BODY_BYTES));
    OpenApiRouter::new()
        .routes(routes!(mappings))
        .routes(routes!(mapping, remember, forget))
        .routes(routes!(forecast))
        .merge(lists)
}

/// How an estimate is made and shown.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct EstimateQuery {
    /// The instant of the verdicts, RFC 3339; the service's default where it is missing.
    pub as_of: Option<String>,
    /// `true` for every row of the lists; else the first 1000.
    pub all_rows: bool,
    /// `false` for the lists alone, without the inventory.
    #[param(default = true)]
    pub inventory: Option<bool>,
    /// Allowed, and the same: an estimate stores nothing.
    pub dry_run: Option<bool>,
}

/// What an estimate is to be made of.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// Names and bytes of lists.
    pub files: Vec<(String, Vec<u8>)>,
    /// What all of them are; told by their content where it is missing.
    pub kind: Option<FileKind>,
    /// Columns that a person named, for every table.
    pub mapping: Mapping,
    /// The instant of the verdicts.
    pub as_of: Option<Timestamp>,
    /// Whether the inventory is left out.
    pub files_only: bool,
}

/// The form that carries lists, as OpenAPI tells it.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the form; it is read part by part")]
pub struct ListForm {
    /// A list: CMDB as CSV, Meraki or Defender as JSON. Several parts may have this name; 16 MiB in all.
    #[schema(value_type = Vec<String>, format = Binary)]
    file: Vec<String>,
    /// `cmdb`, `meraki` or `defender`; told by the content where it is missing.
    kind: Option<String>,
    /// `mac=COLUMN` and the like, for tables; several parts, or lines, may have this name.
    map: Option<String>,
}

/// The estimate of the inventory alone.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/estimate", extensions(("x-netcensus-action" = json!("view"))), tag = "estimate",
    params(("sid" = String, Path, description = "subscription"), super::census::AsOf), responses((status = 200, body = Estimate)))]
pub async fn show(
    State(service): State<App>,
    Path(sid): Path<String>,
    caller: Caller,
    Parameters(query): Parameters<super::census::AsOf>,
) -> Result<axum::Json<Estimate>, Problem> {
    caller.may_do(&service, Action::View, &sid).await?;
    let asked = Asked { as_of: query.instant()?, ..Asked::default() };
    Ok(axum::Json(make(&service, &sid, asked).await?))
}

/// The estimate of lists and the inventory. Stores nothing.
#[utoipa::path(post, path = "/api/v1/subscriptions/{sid}/estimate", extensions(("x-netcensus-action" = json!("view"))), tag = "estimate",
    request_body(content = ListForm, content_type = "multipart/form-data"),
    params(("sid" = String, Path, description = "subscription"), EstimateQuery),
    responses((status = 200, body = Estimate), (status = 413, description = "problem"), (status = 422, description = "problem")))]
pub async fn of_lists(
    State(service): State<App>,
    Path(sid): Path<String>,
    caller: Caller,
    Parameters(query): Parameters<EstimateQuery>,
    request: Request,
) -> Result<axum::Json<Estimate>, Problem> {
    caller.may_do(&service, Action::View, &sid).await?;
    let as_of = parse_instant(query.as_of.as_deref())?;
    let files_only = query.inventory == Some(false);
    let estimate = receive(&service, &sid, request, |asked| Asked { as_of, files_only, ..asked }).await?;
    let limit = if query.all_rows { usize::MAX } else { ROWS_SHOWN };
    Ok(axum::Json(estimate.with_rows(limit)))
}

/// Reads a form of lists and makes the estimate, a few at a time: the permit is taken before the body is read.
///
/// # Errors
/// Where the form or a list cannot be read, or the store's.
pub async fn receive(
    service: &App,
    sid: &str,
    request: Request,
    and: impl FnOnce(Asked) -> Asked,
) -> Result<Estimate, Problem> {
    let stopping = |_| Problem::new(ProblemType::Internal, "the service is stopping; send it again");
    let _permit = service.estimators.acquire().await.map_err(stopping)?;
    let asked = and(form(request).await?);
    if asked.files.is_empty() {
        let detail = "there is no list in it; send each as a part named 'file' with a file name";
        return Err(Problem::new(ProblemType::InvalidRequest, detail));
    }
    make(service, sid, asked).await
}

/// Reads the form.
async fn form(request: Request) -> Result<Asked, Problem> {
    let refused = |e: MultipartRejection| Problem::new(ProblemType::InvalidRequest, e.body_text());
    let mut form = Multipart::from_request(request, &()).await.map_err(refused)?;
    let mut asked = Asked::default();
    let mut assignments: Vec<String> = Vec::new();
    while let Some(part) = form.next_field().await.map_err(broken)? {
        match part.name() {
            Some("file") => {
                let name = part.file_name().unwrap_or("list").to_owned();
                let bytes = part.bytes().await.map_err(broken)?;
                // A form that is sent without a choice has one empty file.
                if name.is_empty() && bytes.is_empty() {
                    continue;
                }
                if asked.files.len() >= FILES {
                    return Err(FileError::TooManyFiles.into());
                }
                asked.files.push((name, bytes.to_vec()));
            }
            Some("kind") => {
                let text = text(part).await?;
                asked.kind = match text.trim() {
                    "" => None,
                    word => Some(FileKind::from_key(word).ok_or_else(|| {
                        let detail = "the kind is cmdb, meraki or defender, or left out";
                        Problem::new(ProblemType::InvalidRequest, detail)
                    })?),
                };
            }
            Some("map") => {
                let lines = text(part).await?;
                assignments.extend(lines.lines().map(str::trim).filter(|l| !l.is_empty()).map(str::to_owned));
                if assignments.len() > ASSIGNMENTS {
                    let detail = format!("at most {ASSIGNMENTS} columns are named in one request");
                    return Err(Problem::new(ProblemType::InvalidMapping, detail));
                }
            }
            _ => {
                let detail = "the parts of the form are file, kind and map";
                return Err(Problem::new(ProblemType::InvalidRequest, detail));
            }
        }
    }
    asked.mapping = Mapping::parse(assignments.iter().map(String::as_str))?;
    Ok(asked)
}

async fn text(mut part: Field<'_>) -> Result<String, Problem> {
    let mut bytes = Vec::new();
    while let Some(more) = part.chunk().await.map_err(broken)? {
        bytes.extend_from_slice(&more);
        if bytes.len() > ASSIGNMENT_BYTES * ASSIGNMENTS {
            return Err(Problem::new(ProblemType::InvalidRequest, "a part of the form is too long"));
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn broken(error: MultipartError) -> Problem {
    match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            let detail =
                format!("all lists together have at most {} MiB; send fewer at once", FILE_BYTES >> 20);
            Problem::new(ProblemType::ListTooLarge, detail)
        }
        _ => {
            let text: String = error.body_text().chars().filter(|c| !c.is_control()).take(300).collect();
            Problem::new(ProblemType::InvalidRequest, text)
        }
    }
}

/// Makes an estimate of a subscription, beside what its plan commits to.
///
/// # Errors
/// Where a list cannot be read, or the store's.
pub async fn make(service: &App, sid: &str, asked: Asked) -> Result<Estimate, Problem> {
    let view = service.view(sid, asked.as_of).await?;
    let committed = in_effect(&service.store.plans(sid).await?, service.now()).and_then(|p| p.committed);
    let remembered = if asked.files.is_empty() { Vec::new() } else { service.store.mappings(sid).await? };
    let classifier = Arc::clone(service.classifier()?);
    let policy = service.settings.policy.clone();
    let work = move || {
        let mut readings = Vec::new();
        for (name, bytes) in &asked.files {
            let known = estimate::signature(bytes)
                .and_then(|signature| remembered.iter().find(|r| r.signature == signature))
                .map(|r| r.columns.clone());
            let is_known = known.is_some();
            let mapping = known.unwrap_or_default().under(&asked.mapping);
            let mut reading = estimate::read(name, bytes, &ReadOptions { kind: asked.kind, mapping })?;
            if is_known && reading.columns.is_some() {
                reading.notes.push("its columns were remembered".to_owned());
            }
            readings.push(reading);
        }
        let sorter = Sorter::new(&*classifier).map_err(|e| internal(&e))?;
        let inventory = (!asked.files_only).then_some(view.document.devices.as_slice());
        Ok(Estimate::new(&readings, inventory, &sorter, &policy, view.as_of)?.beside(committed))
    };
    tokio::task::spawn_blocking(work).await.map_err(|e| internal(&e))?
}

fn internal(error: &dyn std::fmt::Display) -> Problem {
    tracing::error!(%error, "an estimate failed");
    Problem::new(ProblemType::Internal, "the service failed; its log tells why")
}

/// The tables whose columns are remembered.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Mappings {
    /// By signature.
    pub mappings: Vec<Remembered>,
}

/// The columns to remember.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMapping {
    /// Each field with its headers: `{"mac": ["Kennung"]}`.
    #[schema(value_type = Object)]
    pub columns: Mapping,
}

/// The tables whose columns are remembered.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/estimate/mappings", extensions(("x-netcensus-action" = json!("view"))), tag = "estimate",
    params(("sid" = String, Path, description = "subscription")), responses((status = 200, body = Mappings)))]
pub async fn mappings(
    State(service): State<App>,
    Path(sid): Path<String>,
    caller: Caller,
) -> Result<axum::Json<Mappings>, Problem> {
    caller.may_do(&service, Action::View, &sid).await?;
    Ok(axum::Json(Mappings { mappings: service.store.mappings(&sid).await? }))
}

/// The remembered columns of one table.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/estimate/mappings/{signature}", extensions(("x-netcensus-action" = json!("view"))), tag = "estimate",
    params(("sid" = String, Path, description = "subscription"), ("signature" = String, Path, description = "signature of the header")),
    responses((status = 200, body = Remembered), (status = 404, description = "problem")))]
pub async fn mapping(
    State(service): State<App>,
    Path((sid, signature)): Path<(String, String)>,
    caller: Caller,
) -> Result<Response, Problem> {
    caller.may_do(&service, Action::View, &sid).await?;
    let found = service.store.mapping(&sid, &signature).await?;
    Ok(tagged(StatusCode::OK, &found.ok_or_else(|| Refusal::hidden("mapping", &signature))?))
}

/// Remembers the columns of a table. Where some are remembered already, `If-Match` is needed.
#[utoipa::path(put, path = "/api/v1/subscriptions/{sid}/estimate/mappings/{signature}", extensions(("x-netcensus-action" = json!("edit-devices"))), tag = "estimate", request_body = NewMapping,
    params(("sid" = String, Path, description = "subscription"), ("signature" = String, Path, description = "signature of the header"), super::devices::Trial),
    responses((status = 200, body = Remembered), (status = 409, description = "problem"), (status = 412, description = "problem"), (status = 422, description = "problem"), (status = 428, description = "problem")))]
pub async fn remember(
    State(service): State<App>,
    Path((sid, signature)): Path<(String, String)>,
    caller: Caller,
    expected: Expected,
    Json(new): Json<NewMapping>,
) -> Result<Response, Problem> {
    caller.may_do(&service, Action::EditDevices, &sid).await?;
    let now = service.now();
    let remembered =
        service.store.remember_mapping(&sid, &signature, &new.columns, &caller.by, now, &expected).await?;
    Ok(tagged(StatusCode::OK, &remembered))
}

/// Forgets the columns of a table.
#[utoipa::path(delete, path = "/api/v1/subscriptions/{sid}/estimate/mappings/{signature}", extensions(("x-netcensus-action" = json!("edit-devices"))), tag = "estimate",
    params(("sid" = String, Path, description = "subscription"), ("signature" = String, Path, description = "signature of the header"), super::devices::Trial),
    responses((status = 204), (status = 404, description = "problem"), (status = 412, description = "problem"), (status = 428, description = "problem")))]
pub async fn forget(
    State(service): State<App>,
    Path((sid, signature)): Path<(String, String)>,
    caller: Caller,
    expected: Expected,
) -> Result<StatusCode, Problem> {
    caller.may_do(&service, Action::EditDevices, &sid).await?;
    service.store.forget_mapping(&sid, &signature, &caller.by, service.now(), &expected).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// When the committed number will be passed.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/forecast", extensions(("x-netcensus-action" = json!("view"))), tag = "estimate",
    params(("sid" = String, Path, description = "subscription")), responses((status = 200, body = Forecast)))]
pub async fn forecast(
    State(service): State<App>,
    Path(sid): Path<String>,
    caller: Caller,
) -> Result<axum::Json<Forecast>, Problem> {
    caller.may_do(&service, Action::View, &sid).await?;
    Ok(axum::Json(look_ahead(&service, &sid, None).await?))
}

/// The forecast of a subscription, for another committed number than its plan's where one is given.
///
/// # Errors
/// The store's.
pub async fn look_ahead(service: &App, sid: &str, committed: Option<u64>) -> Result<Forecast, Refusal> {
    let now = service.now();
    let planned = in_effect(&service.store.plans(sid).await?, now).and_then(|p| p.committed);
    let committed = committed.or(planned);
    let samples = service.samples(sid).await?;
    Ok(Forecast::new(&samples, committed, now))
}
