//! The inventory document `netcensus.inventory/1`, which `replay --json` and the plan service print
//! (`docs/formats.md`).

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::basis::Basis;
use super::decisions::{self, DecisionsEntry};
use super::evidence::{self, EvidenceEntry};
use super::frames::FrameNumbers;
use super::row::DeviceRow;
use crate::census::{
    Binding, Category, Census, CouplingState, Device, DeviceDecisions, DeviceId, Finding, Importance,
    MacAddr, Reason, Routed, Survey, Timestamp, Unaddressed, UnlistedFindings, UnreadEntry, Verdict,
    time::rfc3339,
};

/// The document's schema.
pub const SCHEMA: &str = "netcensus.inventory/1";

/// The document. It is byte-identical for the same frames in any order and number, except for `capture`.
// `D` is a `Vec` or `DeviceEntries`, which makes each entry while it is written: a list of a million takes a gigabyte.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
pub struct Document<D = Vec<DeviceEntry>> {
    /// [`SCHEMA`].
    pub schema: String,
    /// The policy's name.
    pub policy: String,
    /// The instant of the verdicts; null if no frame was seen and no instant was given.
    #[serde(with = "rfc3339::option")]
    #[cfg_attr(feature = "plan", schema(value_type = Option<String>, format = DateTime))]
    pub as_of: Option<Timestamp>,
    /// From what the count of a past instant is made; left out for the present.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
    pub capture: CaptureSummary,
    pub census: Census,
    /// Sorted by zone, address, MAC.
    pub devices: D,
    /// The number of addresses behind each forwarding MAC.
    pub routed: Vec<Routed>,
    /// MACs without an address (I14).
    pub unaddressed: Vec<UnaddressedEntry>,
    /// Sorted by kind, zone and subjects; at most 1,000 of a kind in a zone.
    #[serde(default)]
    pub findings: Vec<Finding>,
    /// How many findings have no room in the list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unlisted_findings: Vec<UnlistedFindings>,
}

/// Totals of a capture.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
pub struct CaptureSummary {
    pub frames: u64,
    /// Bytes on the wire.
    pub bytes: u64,
    /// Frames that a dissector found malformed.
    pub malformed: u64,
    /// Frames that the mirror port copied twice.
    pub duplicates: u64,
    /// Frames that the kernel or the interface dropped.
    pub dropped: u64,
    /// When frames were dropped. Left out if none was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drops: Option<DropSpan>,
    #[serde(with = "rfc3339::option")]
    #[cfg_attr(feature = "plan", schema(value_type = Option<String>, format = DateTime))]
    pub first: Option<Timestamp>,
    #[serde(with = "rfc3339::option")]
    #[cfg_attr(feature = "plan", schema(value_type = Option<String>, format = DateTime))]
    pub last: Option<Timestamp>,
    /// What was not understood, by kind and number (I13). Left out if there is nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_understood: Vec<UnreadEntry>,
}

/// The time in which frames were dropped: devices that sent only then may be missing.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
pub struct DropSpan {
    /// The last frame before the first that was dropped.
    #[serde(with = "rfc3339")]
    #[cfg_attr(feature = "plan", schema(value_type = String, format = DateTime))]
    pub first: Timestamp,
    /// The first frame after the last that was dropped, as far as it is known.
    #[serde(with = "rfc3339")]
    #[cfg_attr(feature = "plan", schema(value_type = String, format = DateTime))]
    pub last: Timestamp,
}

impl DropSpan {
    /// The time that holds both.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self { first: self.first.min(other.first), last: self.last.max(other.last) }
    }
}

/// One device.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema), schema(as = Device))]
pub struct DeviceEntry {
    pub id: String,
    pub zone: String,
    /// The MAC that it is listed under.
    pub mac: MacAddr,
    /// The address that it is listed under.
    #[cfg_attr(feature = "plan", schema(value_type = String))]
    pub ip: std::net::IpAddr,
    pub couplings: Vec<CouplingEntry>,
    pub category: Category,
    /// A key of the taxonomy.
    #[serde(rename = "type")]
    pub kind: String,
    /// Roles in addition to the type.
    pub roles: Vec<String>,
    pub vendor: Option<String>,
    pub model: Option<String>,
    /// The operating system.
    pub os: Option<String>,
    /// The firmware version.
    pub firmware: Option<String>,
    pub name: Option<String>,
    /// Whether its MAC is randomised (I12).
    pub random_mac: bool,
    /// Set by a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// Set by a person. Sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Set by a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub importance: Option<Importance>,
    /// The certainty of the category, 0 to 1.
    pub confidence: f64,
    #[serde(with = "rfc3339")]
    #[cfg_attr(feature = "plan", schema(value_type = String, format = DateTime))]
    pub first_seen: Timestamp,
    #[serde(with = "rfc3339")]
    #[cfg_attr(feature = "plan", schema(value_type = String, format = DateTime))]
    pub last_seen: Timestamp,
    pub verdict: Verdict,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided: Option<DecisionsEntry>,
    /// The reasons for its classification, decisions first.
    pub evidence: Vec<EvidenceEntry>,
}

/// One coupling of a device.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
pub struct CouplingEntry {
    pub mac: MacAddr,
    #[cfg_attr(feature = "plan", schema(value_type = String))]
    pub ip: std::net::IpAddr,
    pub binding: Binding,
    /// The ids of inner and outer VLAN tags, sorted.
    pub vlan: Vec<u16>,
    #[serde(with = "rfc3339")]
    #[cfg_attr(feature = "plan", schema(value_type = String, format = DateTime))]
    pub first_seen: Timestamp,
    #[serde(with = "rfc3339")]
    #[cfg_attr(feature = "plan", schema(value_type = String, format = DateTime))]
    pub last_seen: Timestamp,
    pub state: CouplingState,
}

/// A MAC without an address (I14).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
pub struct UnaddressedEntry {
    pub mac: MacAddr,
    pub category: Category,
    /// A key of the taxonomy.
    #[serde(rename = "type")]
    pub kind: String,
    pub name: Option<String>,
}

impl Document {
    /// The document of a survey. `frames` has the frame numbers of a replayed capture.
    pub fn new(survey: &Survey<'_>, capture: CaptureSummary, frames: Option<&FrameNumbers>) -> Self {
        Self::of(survey, capture, DeviceEntries { survey, frames }.iter().collect())
    }
}

impl<'s, 'a> Document<DeviceEntries<'s, 'a>> {
    /// The document of a survey, for writing only; see [`DeviceEntries`].
    pub fn streamed(
        survey: &'s Survey<'a>,
        capture: CaptureSummary,
        frames: Option<&'s FrameNumbers>,
    ) -> Self {
        Self::of(survey, capture, DeviceEntries { survey, frames })
    }
}

impl<D> Document<D> {
    fn of(survey: &Survey<'_>, capture: CaptureSummary, devices: D) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            policy: survey.policy.to_owned(),
            as_of: Some(survey.as_of),
            basis: None,
            capture,
            census: survey.census.clone(),
            devices,
            routed: survey.routed.clone(),
            unaddressed: survey.unaddressed.iter().map(UnaddressedEntry::from).collect(),
            findings: survey.findings.iter().cloned().collect(),
            unlisted_findings: survey.findings.unlisted().collect(),
        }
    }
}

/// The devices of a survey, as entries that are made while they are written.
#[derive(Clone, Copy, Debug)]
pub struct DeviceEntries<'s, 'a> {
    survey: &'s Survey<'a>,
    frames: Option<&'s FrameNumbers>,
}

impl DeviceEntries<'_, '_> {
    /// In the order of the document.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = DeviceEntry> {
        self.survey.devices.iter().map(|d| DeviceEntry::new(d, self.frames))
    }
}

impl Serialize for DeviceEntries<'_, '_> {
    fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_seq(self.survey.devices.iter().map(|device| Streamed { device, frames: self.frames }))
    }
}

/// A device that is written as [`DeviceEntry`], without a copy of its texts.
struct Streamed<'s, 'a> {
    device: &'s Device<'a>,
    frames: Option<&'s FrameNumbers>,
}

impl Serialize for Streamed<'_, '_> {
    fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Coupling {
            mac: MacAddr,
            ip: std::net::IpAddr,
            binding: Binding,
            vlan: Vec<u16>,
            #[serde(with = "rfc3339")]
            first_seen: Timestamp,
            #[serde(with = "rfc3339")]
            last_seen: Timestamp,
            state: CouplingState,
        }
        #[derive(Serialize)]
        struct Entry<'d, C: Serialize, R: Serialize, E: Serialize> {
            id: DeviceId,
            zone: &'d str,
            mac: MacAddr,
            ip: std::net::IpAddr,
            couplings: C,
            category: Category,
            #[serde(rename = "type")]
            kind: &'d str,
            roles: R,
            vendor: Option<&'d str>,
            model: Option<&'d str>,
            os: Option<&'d str>,
            firmware: Option<&'d str>,
            name: Option<&'d str>,
            random_mac: bool,
            #[serde(skip_serializing_if = "Option::is_none")]
            location: Option<&'d str>,
            #[serde(skip_serializing_if = "<[_]>::is_empty")]
            tags: &'d [String],
            #[serde(skip_serializing_if = "Option::is_none")]
            importance: Option<Importance>,
            confidence: f64,
            #[serde(with = "rfc3339")]
            first_seen: Timestamp,
            #[serde(with = "rfc3339")]
            last_seen: Timestamp,
            verdict: Verdict,
            #[serde(skip_serializing_if = "Option::is_none")]
            decided: Option<DecisionsEntry>,
            evidence: E,
        }
        let (d, what) = (self.device, self.device.classification());
        let decided = d.decided.as_deref();
        let couplings = Sequence(|| {
            d.couplings.iter().map(|m| Coupling {
                mac: m.key.mac,
                ip: m.key.ip,
                binding: m.binding,
                vlan: m.facts.vlans(),
                first_seen: m.facts.first_seen,
                last_seen: m.facts.last_seen,
                state: m.state,
            })
        });
        let evidence = Sequence(|| {
            let set = decided.into_iter().flat_map(decisions::evidence).map(Evidence::Set);
            set.chain(what.reasons.iter().map(|reason| Evidence::Concluded(reason, self.frames)))
        });
        Entry {
            id: d.id,
            zone: d.zone,
            mac: d.mac,
            ip: d.ip,
            couplings,
            category: what.category,
            kind: &what.kind,
            roles: Sequence(|| what.roles.iter().map(|role| role.as_str())),
            vendor: what.vendor.as_deref(),
            model: what.model.as_deref(),
            os: what.os.as_deref(),
            firmware: what.firmware.as_deref(),
            name: what.name.as_deref(),
            random_mac: d.random_mac,
            location: decided.and_then(DeviceDecisions::location),
            tags: decided.map(DeviceDecisions::tags).unwrap_or_default(),
            importance: decided.and_then(DeviceDecisions::importance),
            confidence: f64::from(what.confidence) / 100.0,
            first_seen: d.first_seen,
            last_seen: d.last_seen,
            verdict: d.verdict,
            decided: decided.map(DecisionsEntry::from),
            evidence,
        }
        .serialize(out)
    }
}

/// What an iterator gives, as a list.
struct Sequence<F>(F);

impl<I: Iterator<Item: Serialize>, F: Fn() -> I> Serialize for Sequence<F> {
    fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_seq((self.0)())
    }
}

/// A reason, as a person set it or as the rules concluded.
enum Evidence<'s> {
    Set(EvidenceEntry),
    Concluded(&'s Reason, Option<&'s FrameNumbers>),
}

impl Serialize for Evidence<'_> {
    fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Set(entry) => entry.serialize(out),
            Self::Concluded(reason, frames) => evidence::write(reason, *frames, out),
        }
    }
}

impl DeviceEntry {
    pub fn new(device: &Device<'_>, frames: Option<&FrameNumbers>) -> Self {
        DeviceRow::new(device, &Arc::from(device.zone)).entry(frames)
    }
}

impl From<&Unaddressed> for UnaddressedEntry {
    fn from(u: &Unaddressed) -> Self {
        Self {
            mac: u.mac,
            category: u.classification.category,
            kind: u.classification.kind.to_string(),
            name: u.classification.name.as_ref().map(ToString::to_string),
        }
    }
}
