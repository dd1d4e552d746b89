//! Zones: the same address in two zones belongs to two devices (I9). Sensors upload under labels; people rename zones, and
//! merge those that are one network.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::changes::ChangeAnswer;
use super::inventory::{ZoneLabels, ZoneSummary};
use super::{App, May, Refusal};
use crate::census::time::rfc3339;
use crate::census::{Decisions, Timestamp};
use crate::change::{ChangeRequest, ZoneRequest};
use crate::plan::permission::{EditDevices, Permission, View};
use crate::plan::store::{Expected, tag};
use crate::wire::{Basis, DeviceEntry};

/// The zones of a subscription.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Zones {
    /// The instant of the verdicts.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub as_of: Timestamp,
    /// From what the count of a past instant is made; left out for the present.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
    /// The zones, by name.
    pub zones: Vec<ZoneSummary>,
}

impl Zones {
    /// What an entity tag of the zones covers: their names and labels.
    pub fn labels(&self) -> ZoneLabels {
        let labels = |zone: &ZoneSummary| zone.labels.iter().map(|label| label.label.clone()).collect();
        self.zones.iter().map(|zone| (zone.name.clone(), labels(zone))).collect()
    }
}

/// A new name for a zone.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ZoneRename {
    /// The zone's name.
    pub zone: String,
    /// The name that it gets: 1 to 64 bytes, and no other zone's.
    pub name: String,
}

/// A zone to merge into another one.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ZoneMerge {
    /// The zone whose labels count in the other one from now on.
    pub zone: String,
    /// The zone that has both afterwards.
    pub into: String,
}

/// What a change of zones did, or would do.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ZoneAnswer {
    /// Its `devices` are those that are new or otherwise after the change.
    #[serde(flatten)]
    pub answer: ChangeAnswer,
    /// The devices, as they were before, that are gone or otherwise after it: at most 1000.
    pub before: Vec<DeviceEntry>,
    /// The entity tag of the zones before: send it as `If-Match` to make what was tried.
    #[serde(skip)]
    pub tag: String,
}

/// The zones that sensors report, at `as_of` or at the service's default instant.
pub async fn list(app: &App, may: &May<View>, as_of: Option<Timestamp>) -> Result<Zones, Refusal> {
    let inventory = app.view(may.id(), as_of).await?;
    Ok(Zones { as_of: inventory.as_of, basis: inventory.basis.clone(), zones: inventory.zones() })
}

/// Renames a zone, or tries it. Its sensors go on to upload under their label.
pub async fn rename(
    app: &App,
    may: &May<EditDevices>,
    rename: ZoneRename,
    expected: Expected,
) -> Result<ZoneAnswer, Refusal> {
    let ZoneRename { zone, name } = rename;
    change(app, may, ZoneRequest::Rename { zone, name }, expected).await
}

/// Makes a zone part of another one, or tries it: the same coupling in both is one device then.
pub async fn merge(
    app: &App,
    may: &May<EditDevices>,
    merge: ZoneMerge,
    expected: Expected,
) -> Result<ZoneAnswer, Refusal> {
    let ZoneMerge { zone, into } = merge;
    change(app, may, ZoneRequest::Merge { zone, into }, expected).await
}

/// Changes zones that are as `expected`. A caller may leave it unsaid: a change names the zones that it is about.
async fn change(
    app: &App,
    may: &May<EditDevices>,
    ask: ZoneRequest,
    expected: Expected,
) -> Result<ZoneAnswer, Refusal> {
    let expected = if expected == Expected::Unsaid { Expected::Any } else { expected };
    let check = Box::new(move |_: &[DeviceEntry], zones: &ZoneLabels| expected.check(zones));
    let mut changed = app.change(may.id(), ChangeRequest::Zone(ask), &may.by, Some(check)).await?;
    let before = std::mem::take(&mut changed.named);
    let tag = tag(&changed.zones);
    Ok(ZoneAnswer { answer: ChangeAnswer::new(changed, &may.by), before, tag })
}

/// The label by which a decision about a zone is stored, so that it stays with the zone's facts whatever the zone's name is.
pub(super) async fn label<A: Permission>(
    app: &App,
    may: &May<A>,
    decisions: &Decisions,
    zone: String,
) -> Result<String, Refusal> {
    if decisions.names().is_empty() {
        return Ok(zone);
    }
    let labels = app.inventories()?.labels(may.id()).await?;
    Ok(labels.get(zone.as_str()).and_then(|labels| labels.first()).cloned().unwrap_or(zone))
}
