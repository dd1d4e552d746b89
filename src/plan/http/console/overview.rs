//! The first page: what is counted, what is not and why, the plan, the sensors.

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::page::{Frame, PageError, Visitor, render};
use super::show;
use crate::billing::timeline::in_effect;
use crate::census::{Category, Verdict};
use crate::plan::app::App;
use crate::plan::app::inventory::View;
use crate::plan::app::plans::PlanEntry;
use crate::plan::http::api::census::CensusReport;
use crate::plan::http::extract::Path;
use crate::plan::store::Sensor;

#[derive(Template)]
#[template(path = "overview.html")]
struct Page {
    frame: Frame,
    report: CensusReport,
    plan: Option<PlanEntry>,
    sensors: Vec<Sensor>,
    exclusions: Vec<Exclusion>,
    bar: Vec<Segment>,
    gauge: Option<Gauge>,
    dropped: u64,
    /// The first ones, and how many there are.
    findings: Vec<String>,
    all_findings: usize,
}

/// Findings on the page.
const FINDINGS: usize = 10;

/// A line of what is not counted.
struct Exclusion {
    rule: &'static str,
    title: &'static str,
    number: u64,
    is_line: bool,
}

/// A part of the bar over all devices, in thousandths.
struct Segment {
    class: &'static str,
    title: &'static str,
    number: u64,
    x: u64,
    width: u64,
}

/// Billable devices against the committed number, in thousandths of the scale.
struct Gauge {
    used: u64,
    mark: u64,
}

/// The page.
pub(super) async fn show(
    State(service): State<App>,
    Path(sid): Path<String>,
    Visitor(caller): Visitor,
) -> Result<Response, PageError> {
    let frame = Frame::of(&service, &caller, &sid, "overview", "Overview").await?;
    let (view, plans, sensors) = (
        service.view(&sid, None).await?,
        service.store.plans(&sid).await?,
        service.store.sensors(&sid).await?,
    );
    let now = service.now();
    let report = CensusReport::new(&view, &plans, &sensors, now);
    let page = Page {
        plan: in_effect(&plans, now).map(|p| PlanEntry::new(p, now)),
        exclusions: exclusions(&report),
        bar: bar(&view),
        gauge: gauge(&report),
        findings: view.document.findings.iter().take(FINDINGS).map(ToString::to_string).collect(),
        all_findings: view.document.findings.len(),
        dropped: sensors.iter().map(|s| s.health.dropped).sum(),
        sensors,
        report,
        frame,
    };
    Ok(render(&page))
}

fn exclusions(report: &CensusReport) -> Vec<Exclusion> {
    Verdict::ALL
        .into_iter()
        .filter_map(|verdict| {
            let number = *report.census.excluded.get(verdict.id())?;
            Some(Exclusion { rule: verdict.id(), title: verdict.title(), number, is_line: verdict.is_line() })
        })
        .collect()
}

fn bar(view: &View) -> Vec<Segment> {
    let census = &view.document.census;
    let excluded = |v: Verdict| census.excluded.get(v.id()).copied().unwrap_or(0);
    let of_devices: u64 = Verdict::ALL.into_iter().filter(|v| !v.is_line()).map(excluded).sum();
    let (cm, unclassified) = (excluded(Verdict::ComputerMobile), excluded(Verdict::Unclassified));
    let parts = [
        (Category::Network.key(), "network, counted", census.network),
        (Category::Iot.key(), "IoT, counted", census.iot),
        (Category::ComputerMobile.key(), "computers & mobile", cm),
        (Category::Unclassified.key(), "unclassified", unclassified),
        ("other", "idle, held, managed or deleted", of_devices.saturating_sub(cm + unclassified)),
    ];
    let total: u64 = parts.iter().map(|(.., n)| n).sum::<u64>().max(1);
    let mut x = 0;
    let parts = parts.into_iter().filter(|(.., n)| *n > 0);
    parts
        .map(|(class, title, number)| {
            let width = (number * 1000 / total).max(4);
            x += width;
            Segment { class, title, number, x: x - width, width }
        })
        .collect()
}

fn gauge(report: &CensusReport) -> Option<Gauge> {
    let committed = report.committed?;
    let scale = committed.max(report.census.billable).max(1);
    Some(Gauge { used: report.census.billable * 1000 / scale, mark: committed * 1000 / scale })
}
