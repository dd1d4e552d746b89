//! Lists of devices as files: streamed, with no cap.

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;

use super::streamed::streamed;
use crate::listing::Filter;
use crate::operation;
use crate::plan::app::exports::{self, Format};
use crate::plan::app::{App, May};
use crate::plan::http::extract::Parameters;
use crate::plan::http::problem::Problem;
use crate::plan::permission;

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(operation!(csv, 400)).routes(operation!(ndjson, 400))
}

/// Which devices, in what order, and what of them. `after` and `limit` are for pages; a file has all devices.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
pub struct Export {
    /// `network`, `iot`, `computer_mobile` or `unclassified`.
    pub category: Option<String>,
    /// A verdict's id, such as `C-IOT` or `X-IDLE`.
    pub verdict: Option<String>,
    /// A zone's name.
    pub zone: Option<String>,
    /// A type of the taxonomy.
    #[serde(rename = "type")]
    #[param(rename = "type")]
    pub kind: Option<String>,
    /// A maker, whatever the case.
    pub vendor: Option<String>,
    /// A tag that people gave, whatever the case.
    pub tag: Option<String>,
    /// `low`, `normal` or `high`.
    pub importance: Option<String>,
    /// `true`: those that the managed list names; `false`: those that it does not.
    pub managed: Option<String>,
    /// A query as lists of devices take it (docs/query.md), such as `vendor:axis seen<7d`.
    pub q: Option<String>,
    /// A column such as `last_seen`; descending with `-` before it.
    pub sort: Option<String>,
    /// RFC 3339; the service's default if it is missing.
    pub as_of: Option<String>,
    /// Columns by their keys, separated by commas; all if it is missing.
    pub columns: Option<String>,
}

impl Export {
    fn filter(&self) -> Filter {
        let Self { category, verdict, zone, kind, vendor, tag, importance, managed, q, sort, as_of, .. } =
            self.clone();
        Filter {
            category,
            verdict,
            zone,
            kind,
            vendor,
            tag,
            importance,
            managed,
            q,
            sort,
            as_of,
            ..Filter::default()
        }
    }
}

/// The devices as CSV (RFC 4180, UTF-8), a row a device. Cells that a spreadsheet would take for a formula begin with an
/// apostrophe. The columns `as_of` and `policy` tell which count it is.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/devices.csv", tag = "inventory", params(Export),
    responses((status = 200, content_type = "text/csv", body = String)))]
async fn csv(
    State(app): State<App>,
    may: May<permission::Export>,
    Parameters(export): Parameters<Export>,
) -> Result<Response, Problem> {
    let columns = export.columns.as_deref();
    let file = exports::file(&app, &may, &export.filter(), columns, Format::Csv).await?;
    Ok(attached("devices.csv", streamed("text/csv; charset=utf-8; header=present", file)))
}

/// The devices as NDJSON, an object a line: like the API shows them, with `as_of` and `policy`, or with the columns that
/// are named.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/devices.ndjson", tag = "inventory", params(Export),
    responses((status = 200, content_type = "application/x-ndjson", body = String)))]
async fn ndjson(
    State(app): State<App>,
    may: May<permission::Export>,
    Parameters(export): Parameters<Export>,
) -> Result<Response, Problem> {
    let columns = export.columns.as_deref();
    let file = exports::file(&app, &may, &export.filter(), columns, Format::Ndjson).await?;
    Ok(attached("devices.ndjson", streamed("application/x-ndjson", file)))
}

/// Names the file as which a browser keeps the answer.
pub(super) fn attached(name: &str, mut response: Response) -> Response {
    if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, value);
    }
    response
}
