//! The numbers of a subscription, and the whole inventory.

use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use super::differences::{self, Differences};
use super::findings::{self, FindingFilter, FindingList};
use super::history::{self, CountHistory};
use super::inventory::View as Inventory;
use super::plans::{PlanEntry, Timeline};
use super::statements::StatementView;
use super::{App, May, Refusal, aside};
use crate::billing::timeline::{Plan, in_effect, was_in_effect};
use crate::census::{Census, Timestamp, commitment, time::rfc3339};
use crate::listing::{CHUNK, Tabs};
use crate::plan::permission::View;
use crate::plan::store::Sensor;
use crate::wire::{Basis, Document, DropSpan};

/// The schema of [`CensusReport`].
pub const SCHEMA: &str = "netcensus.census/1";

/// The census of a subscription, beside the committed number.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CensusReport {
    /// `netcensus.census/1`.
    pub schema: &'static str,
    /// The policy's name.
    pub policy: String,
    /// The instant of the verdicts.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub as_of: Timestamp,
    /// From what the count of a past instant is made; left out for the present.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
    #[serde(flatten)]
    pub census: Census,
    /// All devices, counted or not.
    pub devices: u64,
    /// Devices by category, whatever their verdict; they add up to `devices`.
    pub tabs: Tabs,
    /// The committed number of the plan in effect at the instant, or now if the instant is later; null for a trial and
    /// without a plan.
    pub committed: Option<u64>,
    /// Billable devices beyond the committed number: a warning that blocks nothing (P3).
    pub over: u64,
    /// Couplings that sensors refused because they were full. If it is not 0, the count is a lower bound. For a past
    /// instant too, because sensors report the present number; 0 if it is that of a snapshot.
    pub refused: u64,
}

impl CensusReport {
    /// The report of an inventory under the plan in effect at its instant, but not later than `now`.
    pub fn new(inventory: &Inventory, plans: &[Plan], sensors: &[Sensor], now: Timestamp) -> Self {
        let mut census = inventory.census.clone();
        let refused = findings::concerned(inventory, sensors).iter().map(|s| s.health.refused).sum();
        census.lower_bound |= refused > 0;
        let plan = match inventory.basis {
            Some(_) => was_in_effect(plans, inventory.as_of),
            None => in_effect(plans, now),
        };
        let committed = plan.and_then(|p| p.committed);
        Self {
            schema: SCHEMA,
            policy: inventory.policy.name.clone(),
            as_of: inventory.as_of,
            basis: inventory.basis.clone(),
            devices: inventory.len() as u64,
            tabs: inventory.tabs,
            committed,
            over: committed.map_or(0, |n| census.billable.saturating_sub(n)),
            refused,
            census,
        }
    }

    /// The number to commit to that covers all billable devices.
    pub fn proposed(&self) -> u64 {
        commitment(self.census.billable)
    }
}

/// The census beside the plan and the sensors behind it.
#[derive(Debug)]
pub struct Overview {
    pub report: CensusReport,
    pub inventory: Arc<Inventory>,
    /// The plan in effect now.
    pub plan: Option<PlanEntry>,
    pub sensors: Vec<Sensor>,
    /// Those that are open.
    pub findings: FindingList,
    /// The count by day, and the forecast.
    pub history: CountHistory,
    /// What changed since the newest sealed day; `None` if there is none, or if the comparison is not made yet.
    pub differences: Option<Arc<Differences>>,
    /// The statement of the present month so far; `None` before the first plan.
    pub statement: Option<StatementView>,
    /// The present.
    pub now: Timestamp,
}

/// The census at `as_of`, or at the service's default instant.
pub async fn report(app: &App, may: &May<View>, as_of: Option<Timestamp>) -> Result<CensusReport, Refusal> {
    let inventory = app.view(may.id(), as_of).await?;
    let plans = app.store.plans(may.id()).await?;
    let sensors = app.store.sensors(may.id()).await?;
    Ok(CensusReport::new(&inventory, &plans, &sensors, app.now()))
}

/// The census at `as_of`, or at the service's default instant, with the plan, the sensors and the findings.
pub async fn overview(app: &App, may: &May<View>, as_of: Option<Timestamp>) -> Result<Overview, Refusal> {
    let inventory = app.view(may.id(), as_of).await?;
    let plans = app.store.plans(may.id()).await?;
    let sensors = app.store.sensors(may.id()).await?;
    let now = app.now();
    let shown = findings::shown(&inventory, &sensors).await?;
    let open = FindingFilter::default();
    Ok(Overview {
        report: CensusReport::new(&inventory, &plans, &sensors, now),
        plan: in_effect(&plans, now).map(|p| PlanEntry::new(p, now)),
        findings: findings::listed(app, may, &open, &shown, &inventory, as_of.is_some()).await?,
        history: history::counts(app, may, &inventory).await?,
        differences: differences::shortly(app, may, &inventory).await?,
        statement: history::statement_so_far(app, may).await?,
        now,
        inventory,
        sensors,
    })
}

/// The whole inventory.
pub struct WholeInventory {
    inventory: Arc<Inventory>,
    /// Without the devices.
    document: Document,
}

impl WholeInventory {
    /// The document as JSON, in parts that are made when they are asked for.
    ///
    /// # Errors
    /// [`Refusal::Defect`] if it cannot be written.
    pub fn file(self) -> Result<DocumentFile, Refusal> {
        let failed = |error| Refusal::Defect(format!("the inventory cannot be written: {error}"));
        let json = serde_json::to_string(&self.document).map_err(failed)?;
        // In a string of JSON, a quotation mark has a backslash before it, so this is the list itself.
        let (head, tail) = json.split_once(NO_DEVICES).unwrap_or((&json, ""));
        Ok(DocumentFile {
            head: Some(format!("{head}\"devices\":[")),
            tail: Some(format!("]{tail}")),
            inventory: self.inventory,
            next: (0, 0),
            has_device: false,
        })
    }
}

/// The whole inventory as JSON. It iterates over the bytes, which it makes when it is asked for them.
pub struct DocumentFile {
    inventory: Arc<Inventory>,
    /// What comes before and behind the devices.
    head: Option<String>,
    tail: Option<String>,
    /// The zone and the device in it that comes next.
    next: (usize, usize),
    has_device: bool,
}

/// The whole inventory, with totals of what its sensors captured.
pub async fn document(
    app: &App,
    may: &May<View>,
    as_of: Option<Timestamp>,
) -> Result<WholeInventory, Refusal> {
    let inventory = app.view(may.id(), as_of).await?;
    let sensors = app.store.sensors(may.id()).await?;
    aside(move || {
        let mut document: Document = inventory.document(Vec::new());
        let sensors = findings::concerned(&inventory, &sensors);
        let unlisted = &document.unlisted_findings;
        document.findings =
            findings::of(&document.findings, unlisted, &sensors, inventory.zone_names()).findings;
        for Sensor { health, .. } in sensors {
            document.census.lower_bound |= health.refused > 0;
            if inventory.basis.is_some() {
                // The totals are those of the present.
                continue;
            }
            document.capture.frames += health.frames;
            document.capture.bytes += health.bytes;
            document.capture.malformed += health.malformed;
            document.capture.duplicates += health.duplicates;
            document.capture.dropped += health.dropped;
            document.capture.drops =
                document.capture.drops.into_iter().chain(health.drops).reduce(DropSpan::with);
        }
        WholeInventory { inventory, document }
    })
    .await
}

/// The list of devices in a document without devices.
const NO_DEVICES: &str = "\"devices\":[]";

impl Iterator for DocumentFile {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        if let Some(head) = self.head.take() {
            return Some(head.into_bytes());
        }
        let mut part = Vec::new();
        let mut number = 0;
        while let Some(rows) = self.inventory.rows_of(self.next.0).filter(|_| number < CHUNK) {
            let Some(row) = rows.get(self.next.1) else {
                self.next = (self.next.0 + 1, 0);
                continue;
            };
            if std::mem::replace(&mut self.has_device, true) {
                part.push(b',');
            }
            // Writing to memory does not fail, and all members of a device can be written.
            if let Err(error) = serde_json::to_writer(&mut part, &row.entry(None)) {
                tracing::error!(%error, device = %row.id, "a device could not be written");
            }
            self.next.1 += 1;
            number += 1;
        }
        if number > 0 { Some(part) } else { self.tail.take().map(String::into_bytes) }
    }
}

/// The timeline, and the census that it is compared with.
#[derive(Debug)]
pub struct Outlook {
    pub timeline: Timeline,
    pub report: CensusReport,
}

/// The timeline and the present census, from which a person chooses the number of devices to commit to.
pub async fn outlook(app: &App, may: &May<View>) -> Result<Outlook, Refusal> {
    let inventory = app.view(may.id(), None).await?;
    let history = app.store.history(may.id(), app.now()).await?;
    let report = CensusReport::new(&inventory, history.plans(), &[], history.now());
    Ok(Outlook { timeline: Timeline::from(&history), report })
}
