//! Lists of devices as files: streamed, with no cap.

#![expect(unused_qualifications, reason = "the attributes that describe the API expand to qualified names")]

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::listing::{BadList, CHUNK, Csv, Filter, Ndjson, columns, places};
use crate::plan::app::App;
use crate::plan::app::Caller;
use crate::plan::app::inventory::View;
use crate::plan::http::extract::{Parameters, Path};
use crate::plan::http::problem::Problem;
use crate::plan::permission::Action;
use crate::wire::DeviceEntry;

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(csv)).routes(routes!(ndjson))
}

/// Which devices, in what order, and what of them. `after` and `limit` are for pages; a file has all devices.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
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
    /// Words, each a part of what a device is found by.
    pub q: Option<String>,
    /// A column such as `last_seen`; from its end with `-` before it.
    pub sort: Option<String>,
    /// RFC 3339; the service's default where it is missing.
    pub as_of: Option<String>,
    /// Columns by their keys, separated by commas; all where it is missing.
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
            after: None,
            limit: None,
        }
    }
}

/// The devices as CSV (RFC 4180, UTF-8), a row a device. Cells that a spreadsheet would take for a formula begin with an
/// apostrophe. The columns `as_of` and `policy` tell which count it is.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/devices.csv", extensions(("x-netcensus-action" = json!("export"))), tag = "inventory",
    params(("sid" = String, Path, description = "subscription"), Export),
    responses((status = 200, content_type = "text/csv", body = String), (status = 400, description = "problem")))]
pub async fn csv(
    State(service): State<App>,
    Path(sid): Path<String>,
    caller: Caller,
    Parameters(export): Parameters<Export>,
) -> Result<Response, Problem> {
    let (view, places, columns) = prepare(&service, &sid, &caller, &export).await?;
    let csv = Csv::new(columns, view.as_of, &view.policy.name);
    let header = csv.header();
    let rows = move |devices: &mut dyn Iterator<Item = &DeviceEntry>| csv.rows(devices);
    Ok(file("text/csv; charset=utf-8; header=present", "devices.csv", header, view, places, rows))
}

/// The devices as NDJSON, an object a line: as the API shows them, with `as_of` and `policy`, or of the columns that are
/// named.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/devices.ndjson", extensions(("x-netcensus-action" = json!("export"))), tag = "inventory",
    params(("sid" = String, Path, description = "subscription"), Export),
    responses((status = 200, content_type = "application/x-ndjson", body = String), (status = 400, description = "problem")))]
pub async fn ndjson(
    State(service): State<App>,
    Path(sid): Path<String>,
    caller: Caller,
    Parameters(export): Parameters<Export>,
) -> Result<Response, Problem> {
    let (view, places, columns) = prepare(&service, &sid, &caller, &export).await?;
    let ndjson = Ndjson::new(columns, view.as_of, &view.policy.name);
    let lines = move |devices: &mut dyn Iterator<Item = &DeviceEntry>| ndjson.lines(devices);
    Ok(file("application/x-ndjson", "devices.ndjson", Vec::new(), view, places, lines))
}

type Columns = Option<Vec<crate::listing::Column>>;

async fn prepare(
    service: &App,
    sid: &str,
    caller: &Caller,
    export: &Export,
) -> Result<(Arc<View>, Vec<usize>, Columns), Problem> {
    caller.may_do(service, Action::Export, sid).await?;
    let filter = export.filter();
    let columns = columns(export.columns.as_deref()).map_err(BadList::from)?;
    let view = service.view(sid, filter.instant()?).await?;
    let places = places(&view.document.devices, &filter)?;
    Ok((view, places, columns))
}

/// A file that is made while it is sent.
fn file(
    kind: &'static str,
    name: &str,
    head: Vec<u8>,
    view: Arc<View>,
    places: Vec<usize>,
    write: impl Fn(&mut dyn Iterator<Item = &DeviceEntry>) -> Vec<u8> + Send + 'static,
) -> Response {
    let body = async_stream::stream! {
        if !head.is_empty() {
            yield Ok::<Vec<u8>, Infallible>(head);
        }
        for places in places.chunks(CHUNK) {
            let mut devices = places.iter().filter_map(|place| view.document.devices.get(*place));
            yield Ok(write(&mut devices));
        }
    };
    let headers = [
        (header::CONTENT_TYPE, kind.to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
    ];
    (headers, Body::from_stream(body)).into_response()
}
