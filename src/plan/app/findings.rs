//! Findings: what a person should check.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use utoipa::ToSchema;

use super::inventory::View as Inventory;
use super::{App, May, Refusal};
use crate::census::{Finding, FindingKind, Limit, MostlyUnread, Timestamp, UnlistedFindings, time::rfc3339};
use crate::plan::permission::View;
use crate::plan::store::Sensor;
use crate::wire::DropSpan;

/// The schema of [`FindingList`].
pub const SCHEMA: &str = "netcensus.findings/1";

/// The findings of a subscription.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct FindingList {
    /// `netcensus.findings/1`.
    pub schema: &'static str,
    /// The instant of the verdicts.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub as_of: Timestamp,
    /// Sorted by kind, zone and subjects; at most 1,000 of a kind in a zone.
    pub findings: Vec<Finding>,
    /// How many findings have no room in the list.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unlisted_findings: Vec<UnlistedFindings>,
}

impl FindingList {
    /// How many there are, listed or not.
    pub fn total(&self) -> u64 {
        self.findings.len() as u64 + self.unlisted_findings.iter().map(|u| u.count).sum::<u64>()
    }
}

/// Which findings are in a list. All, if nothing is set.
#[derive(Clone, Debug, Default)]
pub struct FindingFilter {
    pub kind: Option<FindingKind>,
    pub zone: Option<String>,
}

/// The findings at `as_of`, or at the service's default instant.
pub async fn list(
    app: &App,
    may: &May<View>,
    filter: &FindingFilter,
    as_of: Option<Timestamp>,
) -> Result<FindingList, Refusal> {
    let inventory = app.view(may.id(), as_of).await?;
    let mut list = of(&inventory, &app.store.sensors(may.id()).await?);
    let wanted = |kind, zone: &str| {
        filter.kind.is_none_or(|k| k == kind) && filter.zone.as_deref().is_none_or(|z| z == zone)
    };
    list.findings.retain(|f| wanted(f.kind, &f.zone));
    list.unlisted_findings.retain(|u| wanted(u.kind, &u.zone));
    Ok(list)
}

/// What the inventory and the health of its sensors show.
pub fn of(inventory: &Inventory, sensors: &[Sensor]) -> FindingList {
    let mut findings = inventory.document.findings.clone();
    let full: BTreeSet<&str> =
        sensors.iter().filter(|s| s.health.refused > 0).filter_map(|s| s.zone.as_deref()).collect();
    findings.extend(full.into_iter().map(|zone| Finding::lower_bound(zone, Limit::Couplings)));
    let unread = sensors.iter().filter_map(|s| Some((s.zone.as_deref()?, s.health.mostly_unread.as_ref()?)));
    // One finding a zone, of the sensor that understood least.
    let mut worst: BTreeMap<&str, &MostlyUnread> = BTreeMap::new();
    for (zone, mostly) in unread {
        let known = worst.entry(zone).or_insert(mostly);
        if known.percent < mostly.percent {
            *known = mostly;
        }
    }
    findings.extend(worst.into_iter().map(|(zone, mostly)| Finding::of_unread(zone, mostly)));
    // One finding a zone, of the time in which any of its sensors dropped frames.
    let mut drops: BTreeMap<&str, (u64, DropSpan)> = BTreeMap::new();
    for (zone, health) in sensors.iter().filter_map(|s| Some((s.zone.as_deref()?, &s.health))) {
        if let Some(span) = health.drops {
            let known = drops.entry(zone).or_insert((0, span));
            *known = (known.0.saturating_add(health.dropped), known.1.with(span));
        }
    }
    let dropped =
        |(zone, (n, span)): (&str, (u64, DropSpan))| Finding::frames_dropped(zone, n, span.first, span.last);
    findings.extend(drops.into_iter().map(dropped));
    Finding::sort(&mut findings);
    FindingList {
        schema: SCHEMA,
        as_of: inventory.as_of,
        findings,
        unlisted_findings: inventory.document.unlisted_findings.clone(),
    }
}
