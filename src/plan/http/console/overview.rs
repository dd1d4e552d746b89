//! The first page: what is counted, what is not and why, the plan, the sensors.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::chart::{self, Chart};
use super::findings::Shown;
use super::page::{AsOf, Frame, PageError, Parameters, Visitor, render};
use super::show;
use super::travel::Here;
use crate::billing::forecast::Ahead;
use crate::census::{Category, Timestamp, Verdict};
use crate::plan::app::alerts;
use crate::plan::app::census::{CensusReport, Overview, overview};
use crate::plan::app::differences::{DifferenceKind, Differences};
use crate::plan::app::history::CountHistory;
use crate::plan::app::inventory;
use crate::plan::app::plans::PlanEntry;
use crate::plan::app::sensor_state::{self, SensorState};
use crate::plan::app::statements::StatementView;
use crate::plan::app::{App, May, roles};
use crate::plan::permission::{Role, View};
use crate::plan::store::Sensor;
use crate::proof::Day;
use crate::security::Severity;

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
    /// The first [`FINDINGS`].
    findings: Vec<Shown>,
    all_findings: u64,
    /// Roles that a global admin gave, for owners.
    grants: usize,
    history: CountHistory,
    chart: Chart,
    differences: Option<Arc<Differences>>,
    statement: Option<StatementView>,
    /// Open alerts by severity, as far as they are known.
    alerts: Option<Vec<(Severity, u64)>>,
    now: Timestamp,
}

/// What the forecast says of a day to come.
struct DayAhead {
    day: Day,
    low: u64,
    expected: u64,
    high: u64,
    committed: Option<u64>,
}

impl Page {
    /// Every seventh day ahead, the last first.
    fn weeks_ahead(&self) -> Vec<DayAhead> {
        let day = |a: &Ahead| DayAhead {
            day: Day::of(a.at),
            low: chart::rounded(a.low),
            expected: chart::rounded(a.expected),
            high: chart::rounded(a.high),
            committed: self.history.committed(a.at),
        };
        let weeks = self.history.ahead.chunks(7).filter_map(<[Ahead]>::last);
        weeks.rev().map(day).collect()
    }
}

/// The most findings on the page.
const FINDINGS: usize = 10;

/// A verdict by which devices or couplings are not counted.
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
    State(app): State<App>,
    Visitor(may): Visitor<May<View>>,
    here: Here,
    Parameters(asked): Parameters<AsOf>,
) -> Result<Response, PageError> {
    let overview = overview(&app, &may, asked.instant()?).await?;
    let Overview { report, inventory, plan, sensors, findings, history, differences, statement, now } =
        overview;
    let grants = match may.roles.contains(&Role::Owner) {
        true => roles::unseen_grants(&app, &may).await?,
        false => 0,
    };
    // In the past, alerts are those of the present.
    let alerts = match report.basis {
        Some(_) => None,
        None => alerts::open_by_severity(&app, &may).await?,
    };
    let page = Page {
        alerts,
        grants,
        frame: Frame::new(&may, "overview", "Overview").travelling(&app, &may, &here).await?,
        plan,
        exclusions: exclusions(&report),
        bar: bar(&inventory),
        gauge: gauge(&report),
        findings: findings.findings.iter().take(FINDINGS).map(Shown::from).collect(),
        all_findings: findings.total(),
        dropped: sensors.iter().map(|s| s.health.dropped).sum(),
        sensors,
        report,
        chart: Chart::new(&history),
        history,
        differences,
        statement,
        now,
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

fn bar(view: &inventory::View) -> Vec<Segment> {
    let census = &view.census;
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
