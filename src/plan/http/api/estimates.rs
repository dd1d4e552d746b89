//! How many devices to commit to, from the inventory and from lists, and when the committed number is passed.

use axum::Json as Body;
use axum::extract::multipart::{Field, MultipartError, MultipartRejection};
use axum::extract::{DefaultBodyLimit, FromRequest, Multipart, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

use super::query::{AsOf, Trial, instant};
use crate::billing::forecast::Forecast;
use crate::estimate::{Estimate, FILE_BYTES, FILES, FileError, FileKind, Mapping};
use crate::operation;
use crate::plan::app::estimates::{self, Asked, Mappings, NewMapping};
use crate::plan::app::{App, May};
use crate::plan::http::conditional::tagged;
use crate::plan::http::extract::{Json, Parameters, Segment};
use crate::plan::http::problem::{Problem, ProblemType};
use crate::plan::permission::{EditDevices, View};
use crate::plan::store::{Expected, Remembered};

/// Rows of a report if not all are asked for.
const ROWS_SHOWN: usize = 1_000;
/// The largest body: the files, and the form around them.
pub const BODY_BYTES: usize = FILE_BYTES + (1 << 20);
/// The most names of columns in one request, and the longest.
const ASSIGNMENTS: usize = 64;
const ASSIGNMENT_BYTES: usize = 1 << 10;

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    let lists = OpenApiRouter::new()
        .routes(operation!(show))
        .routes(operation!(of_lists, 413, 422))
        .layer(DefaultBodyLimit::max(BODY_BYTES));
    OpenApiRouter::new()
        .routes(operation!(mappings))
        .routes(operation!(mapping, 404))
        .routes(operation!(remember, 409, 412, 422, 428))
        .routes(operation!(forget, 404, 412, 428))
        .routes(operation!(forecast))
        .merge(lists)
}

/// How an estimate is made and shown.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
struct EstimateQuery {
    /// The instant of the verdicts, RFC 3339; the service's default if it is missing.
    as_of: Option<String>,
    /// `true`: reports every row of the lists; else the first 1000.
    all_rows: bool,
    /// `false`: estimates from the lists alone, without the inventory.
    #[param(default = true)]
    inventory: Option<bool>,
    /// Changes nothing: an estimate stores nothing anyway.
    dry_run: Option<bool>,
}

/// The form that carries lists, for the description.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the form; it is read part by part")]
struct ListForm {
    /// A list: CMDB as CSV, Meraki or Defender as JSON. Several parts may have this name; 16 MiB in all.
    #[schema(value_type = Vec<String>, format = Binary)]
    file: Vec<String>,
    /// `cmdb`, `meraki` or `defender`; recognized by the content if it is missing.
    kind: Option<String>,
    /// `mac=COLUMN` and the like, for tables; several parts, or lines, may have this name.
    map: Option<String>,
}

/// The estimate of the inventory alone.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/estimate", tag = "estimate", params(AsOf),
    responses((status = 200, body = Estimate)))]
async fn show(
    State(app): State<App>,
    may: May<View>,
    Parameters(query): Parameters<AsOf>,
) -> Result<Body<Estimate>, Problem> {
    let asked = Asked { as_of: query.instant()?, ..Asked::default() };
    Ok(Body(estimates::make(&app, &may, asked).await?))
}

/// The estimate of lists and the inventory. Stores nothing.
#[utoipa::path(post, path = "/api/v1/subscriptions/{sid}/estimate", tag = "estimate",
    request_body(content = ListForm, content_type = "multipart/form-data"), params(EstimateQuery),
    responses((status = 200, body = Estimate)))]
async fn of_lists(
    State(app): State<App>,
    may: May<View>,
    Parameters(query): Parameters<EstimateQuery>,
    request: Request,
) -> Result<Body<Estimate>, Problem> {
    let as_of = instant(query.as_of.as_deref())?;
    let files_only = query.inventory == Some(false);
    let estimate = receive(&app, &may, request, |asked| Asked { as_of, files_only, ..asked }).await?;
    let limit = if query.all_rows { usize::MAX } else { ROWS_SHOWN };
    Ok(Body(estimate.with_rows(limit)))
}

/// Reads a form of lists and makes the estimate, a few at a time: takes the permit before it reads the body.
pub async fn receive(
    app: &App,
    may: &May<View>,
    request: Request,
    and: impl FnOnce(Asked) -> Asked,
) -> Result<Estimate, Problem> {
    let stopping = |_| Problem::new(ProblemType::Internal, "the service is stopping; send it again");
    let _permit = app.estimators.acquire().await.map_err(stopping)?;
    let asked = and(form(request).await?);
    if asked.files.is_empty() {
        let detail = "there is no list in it; send each as a part named 'file' with a file name";
        return Err(Problem::new(ProblemType::InvalidRequest, detail));
    }
    Ok(estimates::make(app, may, asked).await?)
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
                        let detail = "unknown kind: write cmdb, meraki or defender, or leave it out";
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
    let detail = format!("all lists together have at most {} MiB; send fewer at once", FILE_BYTES >> 20);
    Problem::of_form(error, Problem::new(ProblemType::ListTooLarge, detail))
}

/// The tables whose columns are remembered.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/estimate/mappings", tag = "estimate",
    responses((status = 200, body = Mappings)))]
async fn mappings(State(app): State<App>, may: May<View>) -> Result<Body<Mappings>, Problem> {
    Ok(Body(estimates::mappings(&app, &may).await?))
}

/// The remembered columns of one table.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/estimate/mappings/{signature}", tag = "estimate",
    params(("signature" = String, Path, description = "signature of the header")),
    responses((status = 200, body = Remembered)))]
async fn mapping(
    State(app): State<App>,
    may: May<View>,
    Segment(signature): Segment<String>,
) -> Result<Response, Problem> {
    Ok(tagged(StatusCode::OK, &estimates::mapping(&app, &may, &signature).await?))
}

/// Remembers the columns of a table. If some are remembered already, `If-Match` is needed.
#[utoipa::path(put, path = "/api/v1/subscriptions/{sid}/estimate/mappings/{signature}", tag = "estimate",
    params(("signature" = String, Path, description = "signature of the header"), Trial),
    request_body = NewMapping, responses((status = 200, body = Remembered)))]
async fn remember(
    State(app): State<App>,
    may: May<EditDevices>,
    Segment(signature): Segment<String>,
    expected: Expected,
    Json(new): Json<NewMapping>,
) -> Result<Response, Problem> {
    let remembered = estimates::remember(&app, &may, &signature, &new.columns, &expected).await?;
    Ok(tagged(StatusCode::OK, &remembered))
}

/// Forgets the columns of a table.
#[utoipa::path(delete, path = "/api/v1/subscriptions/{sid}/estimate/mappings/{signature}", tag = "estimate",
    params(("signature" = String, Path, description = "signature of the header"), Trial),
    responses((status = 204)))]
async fn forget(
    State(app): State<App>,
    may: May<EditDevices>,
    Segment(signature): Segment<String>,
    expected: Expected,
) -> Result<StatusCode, Problem> {
    estimates::forget(&app, &may, &signature, &expected).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// When the committed number will be passed.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/forecast", tag = "estimate",
    responses((status = 200, body = Forecast)))]
async fn forecast(State(app): State<App>, may: May<View>) -> Result<Body<Forecast>, Problem> {
    Ok(Body(estimates::forecast(&app, &may, None).await?))
}
