//! Findings: what a person should check, and closing it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use utoipa::ToSchema;

use super::inventory::View as Inventory;
use super::{App, May, Refusal, aside};
use crate::census::{
    Finding, FindingId, FindingKind, Limit, MostlyUnread, Timestamp, UnlistedFindings, ZoneNames,
    time::rfc3339,
};
use crate::plan::finding_ledger::{
    Conclusions, FindingDecision, FindingRecord, FindingState, NOTE, StateFilter,
};
use crate::plan::permission::{UpdateFindings, View};
use crate::plan::store::{Sensor, StoreError, Surveyed};
use crate::wire::{Basis, DropSpan, SubscriptionId};

/// The schema of [`FindingList`].
pub const SCHEMA: &str = "netcensus.findings/1";

/// A survey for the ledger takes at most one part in this many of the time, however large the inventory is.
const SHARE: i64 = 10;

/// The findings of a subscription.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct FindingList {
    /// `netcensus.findings/1`.
    pub schema: &'static str,
    /// The instant of the verdicts.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub as_of: Timestamp,
    /// From what the count of a past instant is made; left out for the present.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
    /// Sorted by kind, zone and subjects; at most 10,000.
    pub findings: Vec<FindingRecord>,
    /// How many findings have no room in the list: at most 1,000 of a kind in a zone are recorded while they are open.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unlisted_findings: Vec<UnlistedFindings>,
    /// How many closed findings of the subscription were deleted to make room for others; left out if none was.
    #[serde(skip_serializing_if = "is_zero")]
    pub dropped_findings: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl FindingList {
    /// How many there are, listed or not.
    pub fn total(&self) -> u64 {
        self.findings.len() as u64 + self.unlisted_findings.iter().map(|u| u.count).sum::<u64>()
    }

    /// What was found, without what people decided about it.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().map(|record| &record.finding)
    }
}

/// Which findings are in a list. The default is all that are open.
#[derive(Clone, Debug, Default)]
pub struct FindingFilter {
    pub kind: Option<FindingKind>,
    pub zone: Option<String>,
    pub state: StateFilter,
}

impl FindingFilter {
    fn takes(&self, kind: FindingKind, zone: &str) -> bool {
        self.kind.is_none_or(|k| k == kind) && self.zone.as_deref().is_none_or(|z| z == zone)
    }
}

/// The findings of the ledger, with what the present survey shows. If an instant is given: those that a survey of that
/// instant shows, each in its present state.
pub async fn list(
    app: &App,
    may: &May<View>,
    filter: &FindingFilter,
    as_of: Option<Timestamp>,
) -> Result<FindingList, Refusal> {
    let inventory = app.view(may.id(), as_of).await?;
    let sensors = app.store.sensors(may.id()).await?;
    let shown = shown(&inventory, &sensors).await?;
    listed(app, may, filter, &shown, &inventory, as_of.is_some()).await
}

/// The health of the sensors as it concerns a count. Sensors report the present; whether one was full at a past instant is
/// not kept, so that counts as possible. What is sealed in a snapshot stands as it is.
pub(super) fn concerned(inventory: &Inventory, sensors: &[Sensor]) -> Vec<Sensor> {
    let mut sensors = match &inventory.basis {
        Some(Basis::Snapshot { .. }) => return Vec::new(),
        None => return sensors.to_vec(),
        Some(Basis::Kept { .. }) => sensors.to_vec(),
    };
    for Sensor { health, .. } in &mut sensors {
        health.drops = health.drops.filter(|drops| drops.first < inventory.as_of);
    }
    sensors
}

/// What a view and the health of the sensors show.
pub(super) async fn shown(inventory: &Arc<Inventory>, sensors: &[Sensor]) -> Result<Conclusions, Refusal> {
    let sensors = concerned(inventory, sensors);
    let inventory = Arc::clone(inventory);
    let shown = move || {
        let (findings, unlisted) = inventory.findings();
        of(&findings, &unlisted, &sensors, inventory.zone_names())
    };
    aside(shown).await
}

/// The list over what a survey shows.
pub(super) async fn listed(
    app: &App,
    may: &May<View>,
    filter: &FindingFilter,
    shown: &Conclusions,
    inventory: &Inventory,
    only_shown: bool,
) -> Result<FindingList, Refusal> {
    let mut ledger = app.store.finding_ledger(may.id()).await?;
    if only_shown {
        let ids: BTreeSet<FindingId> = shown.findings.iter().map(|finding| finding.id).collect();
        ledger.records.retain(|id, _| ids.contains(id));
        ledger.overflow.unlisted.clear();
    }
    ledger.take(shown, app.now());
    let dropped_findings = ledger.overflow.dropped;
    let mut unlisted_findings = std::mem::take(&mut ledger.overflow.unlisted);
    unlisted_findings.retain(|u| filter.state != StateFilter::Closed && filter.takes(u.kind, &u.zone));
    let wanted =
        |r: &FindingRecord| filter.state.takes(r.state) && filter.takes(r.finding.kind, &r.finding.zone);
    let findings = ledger.into_list(wanted);
    let (as_of, basis) = (inventory.as_of, inventory.basis.clone());
    Ok(FindingList { schema: SCHEMA, as_of, basis, findings, unlisted_findings, dropped_findings })
}

/// Closes a finding, with an optional note. A closed finding stays as it is.
pub async fn close(
    app: &App,
    may: &May<UpdateFindings>,
    id: &str,
    note: Option<&str>,
) -> Result<FindingRecord, Refusal> {
    decide(app, may, id, FindingState::Closed, note).await
}

/// Opens a closed finding again, with an optional note. An open finding stays as it is.
pub async fn reopen(
    app: &App,
    may: &May<UpdateFindings>,
    id: &str,
    note: Option<&str>,
) -> Result<FindingRecord, Refusal> {
    decide(app, may, id, FindingState::Open, note).await
}

async fn decide(
    app: &App,
    may: &May<UpdateFindings>,
    id: &str,
    state: FindingState,
    note: Option<&str>,
) -> Result<FindingRecord, Refusal> {
    let missing = |_| StoreError::NotFound { what: "finding", id: id.chars().take(60).collect() };
    let known: FindingId = id.parse().map_err(missing)?;
    let decision = FindingDecision { state, note: checked(note)? };
    let (shown, _) = app.conclusions(may.id()).await?;
    Ok(app.store.decide_finding(may.id(), known, &decision, &shown, &may.by, app.now()).await?)
}

pub(super) fn checked(note: Option<&str>) -> Result<Option<String>, Refusal> {
    let Some(note) = note.map(str::trim).filter(|note| !note.is_empty()) else { return Ok(None) };
    if note.chars().count() > NOTE || note.chars().any(char::is_control) {
        return Err(Refusal::invalid(format!(
            "a note has at most {NOTE} characters, none of them a control character"
        )));
    }
    Ok(Some(note.to_owned()))
}

/// When the next survey of a subscription for a ledger may begin.
#[derive(Debug, Default)]
pub struct Pace(Mutex<HashMap<SubscriptionId, Timestamp>>);

impl Pace {
    pub(super) fn is_due(&self, subscription: &SubscriptionId, now: Timestamp) -> bool {
        let next = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        next.get(subscription).is_none_or(|next| *next <= now)
    }

    pub(super) fn surveyed(&self, subscription: &SubscriptionId, from: Timestamp, to: Timestamp) {
        let pause = to.since(from).saturating_mul(SHARE);
        let mut next = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        next.insert(subscription.clone(), to.plus(pause));
    }
}

/// Records the findings of all subscriptions with news. If one subscription fails, the others are still recorded.
///
/// # Errors
/// The last of the store's errors.
pub async fn record_due(app: App) -> Result<(), Refusal> {
    let mut outcome = Ok(());
    for subscription in app.store.unsurveyed().await? {
        let begun = app.now();
        if !app.finding_pace.is_due(&subscription, begun) {
            continue;
        }
        if let Err(error) = app.record_findings(&subscription, begun).await {
            tracing::error!(%error, %subscription, "findings could not be recorded");
            outcome = Err(error);
        }
        app.finding_pace.surveyed(&subscription, begun, app.now());
    }
    outcome
}

impl App {
    /// What the newest facts show, and what they are.
    async fn conclusions(&self, subscription: &SubscriptionId) -> Result<(Conclusions, Surveyed), Refusal> {
        let at = self.now();
        let (revision, findings, unlisted) = self.inventories()?.findings(subscription).await?;
        let (sensors, decisions) =
            (self.store.sensors(subscription).await?, self.decisions(subscription).await?);
        let shown = of(&findings, &unlisted, &sensors, decisions.names());
        Ok((shown, Surveyed { facts: revision.facts, decisions: revision.decisions, at }))
    }

    async fn record_findings(&self, subscription: &SubscriptionId, now: Timestamp) -> Result<(), Refusal> {
        let (shown, surveyed) = self.conclusions(subscription).await?;
        self.store.record_findings(subscription, &shown, surveyed, now).await?;
        Ok(())
    }
}

/// What a survey and the health of the sensors show. Sensors name the labels of their zones.
pub fn of(
    findings: &[Finding],
    unlisted: &[UnlistedFindings],
    sensors: &[Sensor],
    names: &ZoneNames,
) -> Conclusions {
    let mut findings = findings.to_vec();
    let zone = |sensor: &'_ Sensor| sensor.zone.as_deref().map(|label| names.name(label).to_owned());
    let full: BTreeSet<String> = sensors.iter().filter(|s| s.health.refused > 0).filter_map(zone).collect();
    findings.extend(full.iter().map(|zone| Finding::lower_bound(zone, Limit::Couplings)));
    let unread = sensors.iter().filter_map(|s| Some((zone(s)?, s.health.mostly_unread.as_ref()?)));
    // One finding a zone, of the sensor that understood least.
    let mut worst: BTreeMap<String, &MostlyUnread> = BTreeMap::new();
    for (zone, mostly) in unread {
        let known = worst.entry(zone).or_insert(mostly);
        if known.percent < mostly.percent {
            *known = mostly;
        }
    }
    findings.extend(worst.iter().map(|(zone, mostly)| Finding::of_unread(zone, mostly)));
    // One finding a zone, of the time in which any of its sensors dropped frames.
    let mut drops: BTreeMap<String, (u64, DropSpan)> = BTreeMap::new();
    for (zone, health) in sensors.iter().filter_map(|s| Some((zone(s)?, &s.health))) {
        if let Some(span) = health.drops {
            let known = drops.entry(zone).or_insert((0, span));
            *known = (known.0.saturating_add(health.dropped), known.1.with(span));
        }
    }
    let dropped = |(zone, (n, span)): (&String, &(u64, DropSpan))| {
        Finding::frames_dropped(zone, *n, span.first, span.last)
    };
    findings.extend(drops.iter().map(dropped));
    Finding::sort(&mut findings);
    Conclusions { findings, unlisted: unlisted.to_vec() }
}
