//! Vulnerabilities: which devices have which, and what the set of advisories covers. Withheld without a plan (P7).

use axum::Json as Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;

use crate::operation;
use crate::plan::app::vulnerabilities::{
    self, Confidence, Coverage, CveAnswer, DeviceVulnerabilities, VulnerabilityList,
};
use crate::plan::app::{App, May};
use crate::plan::http::extract::{Parameters, Segment};
use crate::plan::http::problem::Problem;
use crate::plan::permission::{Export, View};

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(operation!(list, 400, 403))
        .routes(operation!(csv, 400, 403))
        .routes(operation!(ndjson, 400, 403))
        .routes(operation!(coverage, 403))
        .routes(operation!(coverage_csv, 403))
        .routes(operation!(coverage_ndjson, 403))
        .routes(operation!(show, 403, 404))
        .routes(operation!(of_device, 403, 404))
}

/// Which vulnerabilities.
#[derive(Clone, Copy, Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
pub struct Which {
    /// `confirmed` (the default): devices that have it. `possible`: devices of which only the model is affected. `component`:
    /// devices of which a banner names an affected component, if the operator asks for these; it may be mended, because
    /// distributions mend old versions without a new number.
    #[param(inline)]
    pub confidence: Confidence,
}

/// The vulnerabilities of the subscription's network and IoT devices: known exploited ones first, then likely ones, then by
/// score. Totals have confirmed ones alone.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/vulnerabilities", tag = "vulnerabilities", params(Which),
    responses((status = 200, body = VulnerabilityList)))]
async fn list(
    State(app): State<App>,
    may: May<View>,
    Parameters(Which { confidence }): Parameters<Which>,
) -> Result<Body<VulnerabilityList>, Problem> {
    Ok(Body(vulnerabilities::list(&app, &may, confidence).await?))
}

/// The vulnerabilities as CSV (RFC 4180, UTF-8), a row a CVE, however many.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/vulnerabilities.csv", tag = "vulnerabilities", params(Which),
    responses((status = 200, content_type = "text/csv", body = String)))]
async fn csv(
    State(app): State<App>,
    may: May<Export>,
    Parameters(Which { confidence }): Parameters<Which>,
) -> Result<Response, Problem> {
    let all = vulnerabilities::entries(&app, &may.view(), confidence).await?;
    Ok(file("vulnerabilities.csv", vulnerabilities::csv(&all)))
}

/// The vulnerabilities as NDJSON, an object a line, like the list shows them.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/vulnerabilities.ndjson", tag = "vulnerabilities", params(Which),
    responses((status = 200, content_type = "application/x-ndjson", body = String)))]
async fn ndjson(
    State(app): State<App>,
    may: May<Export>,
    Parameters(Which { confidence }): Parameters<Which>,
) -> Result<Response, Problem> {
    let all = vulnerabilities::entries(&app, &may.view(), confidence).await?;
    Ok(file("vulnerabilities.ndjson", vulnerabilities::lines(&all.vulnerabilities)))
}

/// Which products the set of advisories covers: those first that no row of the table of products names, the most frequent
/// first.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/vulnerabilities/coverage", tag = "vulnerabilities",
    responses((status = 200, body = Coverage)))]
async fn coverage(State(app): State<App>, may: May<View>) -> Result<Body<Coverage>, Problem> {
    Ok(Body(vulnerabilities::coverage(&app, &may).await?))
}

/// The coverage as CSV, a row a product, however many.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/vulnerabilities/coverage.csv", tag = "vulnerabilities",
    responses((status = 200, content_type = "text/csv", body = String)))]
async fn coverage_csv(State(app): State<App>, may: May<Export>) -> Result<Response, Problem> {
    let all = vulnerabilities::whole_coverage(&app, &may.view()).await?;
    Ok(file("coverage.csv", vulnerabilities::coverage_csv(&all)))
}

/// The coverage as NDJSON, an object a line.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/vulnerabilities/coverage.ndjson", tag = "vulnerabilities",
    responses((status = 200, content_type = "application/x-ndjson", body = String)))]
async fn coverage_ndjson(State(app): State<App>, may: May<Export>) -> Result<Response, Problem> {
    let all = vulnerabilities::whole_coverage(&app, &may.view()).await?;
    Ok(file("coverage.ndjson", vulnerabilities::lines(&all.products)))
}

/// A CVE: what each source says, and which devices have it, or possibly have it, and why.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/vulnerabilities/{cve}", tag = "vulnerabilities",
    params(("cve" = String, Path, description = "CVE id")), responses((status = 200, body = CveAnswer)))]
async fn show(
    State(app): State<App>,
    may: May<View>,
    Segment(cve): Segment<String>,
) -> Result<Body<CveAnswer>, Problem> {
    Ok(Body(vulnerabilities::show(&app, &may, &cve).await?))
}

/// The vulnerabilities of a device, each with the criterion that decided, and what the device proves of itself.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/devices/{id}/vulnerabilities", tag = "vulnerabilities",
    params(("id" = String, Path, description = "device")), responses((status = 200, body = DeviceVulnerabilities)))]
async fn of_device(
    State(app): State<App>,
    may: May<View>,
    Segment(id): Segment<String>,
) -> Result<Body<DeviceVulnerabilities>, Problem> {
    Ok(Body(vulnerabilities::of_device(&app, &may, &id).await?))
}

/// A file that a browser keeps under this name.
fn file(name: &str, bytes: Vec<u8>) -> Response {
    let kind = if name.ends_with(".csv") {
        "text/csv; charset=utf-8; header=present"
    } else {
        "application/x-ndjson"
    };
    let kept = format!("attachment; filename=\"{name}\"");
    ([(header::CONTENT_TYPE, kind.to_owned()), (header::CONTENT_DISPOSITION, kept)], bytes).into_response()
}
