//! The pages of vulnerabilities: confirmed and possible ones, what the set covers, and one CVE.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::page::{Frame, PageError, Parameters, Visitor, render};
use super::show;
use crate::plan::app::vulnerabilities::{
    self, AffectedDevice, Confidence, Coverage, CveAnswer, VulnerabilityList,
};
use crate::plan::app::{App, May};
use crate::plan::http::extract::Segment;
use crate::plan::permission::View;

/// Rows on a page.
const ROWS: usize = 200;

#[derive(Template)]
#[template(path = "vulnerabilities.html")]
struct ListPage {
    frame: Frame,
    list: VulnerabilityList,
    confidence: Confidence,
    components: bool,
}

#[derive(Template)]
#[template(path = "coverage.html")]
struct CoveragePage {
    frame: Frame,
    coverage: Coverage,
    components: bool,
}

#[derive(Template)]
#[template(path = "vulnerability.html")]
struct CvePage {
    frame: Frame,
    answer: CveAnswer,
}

/// Which tab.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Tab {
    confidence: Confidence,
}

/// The list.
pub(super) async fn list(
    State(app): State<App>,
    Visitor(may): Visitor<May<View>>,
    Parameters(Tab { confidence }): Parameters<Tab>,
) -> Result<Response, PageError> {
    let mut list = vulnerabilities::list(&app, &may, confidence).await?;
    list.unlisted += list.vulnerabilities.len().saturating_sub(ROWS) as u64;
    list.vulnerabilities.truncate(ROWS);
    let frame = Frame::new(&may, "vulnerabilities", "Vulnerabilities");
    let components = list.components;
    Ok(render(&ListPage { frame, list, confidence, components }))
}

/// What the set covers.
pub(super) async fn coverage(
    State(app): State<App>,
    Visitor(may): Visitor<May<View>>,
) -> Result<Response, PageError> {
    let mut coverage = vulnerabilities::coverage(&app, &may).await?;
    coverage.unlisted += coverage.products.len().saturating_sub(ROWS) as u64;
    coverage.products.truncate(ROWS);
    let frame = Frame::new(&may, "vulnerabilities", "Coverage of vulnerabilities");
    let components = app.names_components();
    Ok(render(&CoveragePage { frame, coverage, components }))
}

/// One CVE.
pub(super) async fn show(
    State(app): State<App>,
    Visitor(may): Visitor<May<View>>,
    Segment(cve): Segment<String>,
) -> Result<Response, PageError> {
    let mut answer = vulnerabilities::show(&app, &may, &cve).await?;
    answer.unlisted += answer.devices.len().saturating_sub(ROWS) as u64;
    answer.devices.truncate(ROWS);
    let frame = Frame::new(&may, "vulnerabilities", &answer.vulnerability.cve.to_string());
    Ok(render(&CvePage { frame, answer }))
}

impl ListPage {
    fn tab(&self) -> &'static str {
        self.confidence.key()
    }
}

impl CoveragePage {
    #[expect(clippy::unused_self, reason = "the template of the tabs asks its page")]
    fn tab(&self) -> &'static str {
        "coverage"
    }
}

impl CvePage {
    fn label(device: &AffectedDevice) -> &str {
        device.name.as_deref().unwrap_or(&device.ip)
    }
}
