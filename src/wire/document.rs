//! The inventory document `netcensus.inventory/1` that `replay --json` and the plan service print
//! (`docs/formats.md`).

use serde::{Deserialize, Serialize};

use super::decided::{self, DecidedEntry};
use crate::census::{
    Binding, Category, Census, Device, Finding, Importance, MacAddr, Reason, Routed, State, Survey,
    Timestamp, Unaddressed, Verdict, time::rfc3339,
};

/// The document's schema.
pub const SCHEMA: &str = "netcensus.inventory/1";

/// The whole document. Byte-identical for the same frames in any order and number, but for `capture`.
///
/// `D` is the list of devices: entries, or [`Entries`] that are made one by one while they are written, as a list of a
/// million takes a gigabyte.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Document<D = Vec<DeviceEntry>> {
    /// [`SCHEMA`].
    pub schema: String,
    /// The policy's name.
    pub policy: String,
    /// The instant of the verdicts; null where no frame was seen and none was given.
    #[serde(with = "rfc3339::option")]
    pub as_of: Option<Timestamp>,
    /// What was captured.
    pub capture: CaptureSummary,
    /// The numbers.
    pub census: Census,
    /// Devices sorted by zone, address, MAC.
    pub devices: D,
    /// Addresses behind forwarding MACs.
    pub routed: Vec<Routed>,
    /// What speaks without an address (I14).
    pub unaddressed: Vec<UnaddressedEntry>,
    /// What a person should look at: address conflicts, newcomers that are held.
    #[serde(default)]
    pub findings: Vec<Finding>,
}

/// Totals of a capture.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct CaptureSummary {
    /// Frames read.
    pub frames: u64,
    /// Their bytes on the wire.
    pub bytes: u64,
    /// Frames that some dissector found malformed.
    pub malformed: u64,
    /// Frames that a mirror copied twice.
    pub duplicates: u64,
    /// Frames that the kernel or the interface dropped.
    pub dropped: u64,
    /// The earliest frame.
    #[serde(with = "rfc3339::option")]
    pub first: Option<Timestamp>,
    /// The newest frame.
    #[serde(with = "rfc3339::option")]
    pub last: Option<Timestamp>,
}

/// One device.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct DeviceEntry {
    /// Stable id.
    pub id: String,
    /// Zone.
    pub zone: String,
    /// Listed MAC.
    pub mac: MacAddr,
    /// Listed address.
    pub ip: std::net::IpAddr,
    /// Its couplings.
    pub couplings: Vec<CouplingEntry>,
    /// Category.
    pub category: Category,
    /// Type, a key of the taxonomy.
    #[serde(rename = "type")]
    pub kind: String,
    /// Roles beside the type.
    pub roles: Vec<String>,
    /// Maker.
    pub vendor: Option<String>,
    /// Model.
    pub model: Option<String>,
    /// Operating system.
    pub os: Option<String>,
    /// Firmware.
    pub firmware: Option<String>,
    /// Name.
    pub name: Option<String>,
    /// Whether its MAC is randomised.
    pub random_mac: bool,
    /// Where it stands, where a person said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// Words to find it by, that people gave it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// How much depends on it, where a person said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub importance: Option<Importance>,
    /// Certainty of the category, 0 to 1.
    pub confidence: f64,
    /// Earliest frame.
    #[serde(with = "rfc3339")]
    pub first_seen: Timestamp,
    /// Newest frame.
    #[serde(with = "rfc3339")]
    pub last_seen: Timestamp,
    /// Whether it counts.
    pub verdict: Verdict,
    /// What people decided about it; left out where they did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided: Option<DecidedEntry>,
    /// Why it is what it is.
    pub evidence: Vec<EvidenceEntry>,
}

/// One coupling of a device.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct CouplingEntry {
    /// MAC.
    pub mac: MacAddr,
    /// Address.
    pub ip: std::net::IpAddr,
    /// How it holds.
    pub binding: Binding,
    /// VLAN ids.
    pub vlan: Vec<u16>,
    /// Earliest frame.
    #[serde(with = "rfc3339")]
    pub first_seen: Timestamp,
    /// Newest frame.
    #[serde(with = "rfc3339")]
    pub last_seen: Timestamp,
    /// Where it stands.
    pub state: State,
}

/// One reason of a device's classification.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct EvidenceEntry {
    /// Field.
    pub field: String,
    /// Value.
    pub value: String,
    /// Rule id.
    pub rule: String,
    /// What the rule concluded.
    pub says: String,
    /// Certainty in percent.
    pub weight: u8,
    /// Number of the first frame that said it, where a capture was replayed. See [`FrameNumbers`].
    pub frame: Option<u64>,
    /// Its time.
    #[serde(with = "rfc3339::option")]
    pub at: Option<Timestamp>,
}

/// What speaks without an address.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct UnaddressedEntry {
    /// MAC.
    pub mac: MacAddr,
    /// Category.
    pub category: Category,
    /// Type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Name.
    pub name: Option<String>,
}

/// Numbers the frames of a capture by their time, so that a number survives shuffling and duplication: the rank of
/// the instant among the distinct (time, digest) pairs of the capture, from 1. In an ordinary capture file, whose
/// frames stand in order of time and are all different, it is the frame's number in the file.
#[derive(Clone, Debug, Default)]
pub struct FrameNumbers {
    frames: Vec<Numbered>,
    overflow: bool,
}

/// A frame's instant and digest in 12 bytes, which order as (instant, digest) do.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Numbered([u32; 3]);

impl Numbered {
    #[expect(clippy::cast_possible_truncation, reason = "the two halves of a word")]
    fn new(at: Timestamp, digest: u32) -> Self {
        let ordered = at.0.cast_unsigned() ^ (1 << 63);
        Self([(ordered >> 32) as u32, ordered as u32, digest])
    }

    fn instant(&self) -> [u32; 2] {
        let [high, low, _] = self.0;
        [high, low]
    }
}

/// Frames that are numbered; a longer capture has no frame numbers.
const NUMBERED: usize = 1 << 25;

impl FrameNumbers {
    /// Records a frame.
    pub fn record(&mut self, at: Timestamp, digest: u32) {
        if self.frames.len() < NUMBERED {
            self.frames.push(Numbered::new(at, digest));
        } else {
            self.overflow = true;
        }
    }

    /// Ends recording: sorts and drops duplicates.
    pub fn seal(&mut self) {
        if !self.frames.is_sorted() {
            self.frames.sort_unstable();
        }
        self.frames.dedup();
    }

    /// The number of the first frame at `at`; `None` where the capture is too long or none was recorded.
    pub fn number(&self, at: Timestamp) -> Option<u64> {
        let wanted = Numbered::new(at, 0).instant();
        let rank = self.frames.partition_point(|f| f.instant() < wanted);
        (!self.overflow && self.frames.get(rank).is_some_and(|f| f.instant() == wanted))
            .then_some(rank as u64 + 1)
    }
}

impl Document {
    /// The document of a survey. `frames` is `None` where no file was replayed.
    pub fn new(survey: &Survey<'_>, capture: CaptureSummary, frames: Option<&FrameNumbers>) -> Self {
        Self::of(survey, capture, Entries { survey, frames }.iter().collect())
    }
}

impl<'s, 'a> Document<Entries<'s, 'a>> {
    /// The document of a survey, for writing only.
    pub fn streamed(
        survey: &'s Survey<'a>,
        capture: CaptureSummary,
        frames: Option<&'s FrameNumbers>,
    ) -> Self {
        Self::of(survey, capture, Entries { survey, frames })
    }
}

impl<D> Document<D> {
    fn of(survey: &Survey<'_>, capture: CaptureSummary, devices: D) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            policy: survey.policy.to_owned(),
            as_of: Some(survey.as_of),
            capture,
            census: survey.census.clone(),
            devices,
            routed: survey.routed.clone(),
            unaddressed: survey.unaddressed.iter().map(UnaddressedEntry::from).collect(),
            findings: survey.findings.clone(),
        }
    }
}

/// The devices of a survey, as entries that are made when they are asked for.
#[derive(Clone, Copy, Debug)]
pub struct Entries<'s, 'a> {
    survey: &'s Survey<'a>,
    frames: Option<&'s FrameNumbers>,
}

impl Entries<'_, '_> {
    /// The entries in the document's order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = DeviceEntry> {
        self.survey.devices.iter().map(|d| DeviceEntry::new(d, self.frames))
    }
}

impl Serialize for Entries<'_, '_> {
    fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_seq(self.iter())
    }
}

impl DeviceEntry {
    /// The entry of a device.
    pub fn new(device: &Device<'_>, frames: Option<&FrameNumbers>) -> Self {
        let what = device.classification();
        let decided = device.decided.as_deref();
        Self {
            id: device.id.to_string(),
            zone: device.zone.to_owned(),
            mac: device.mac,
            ip: device.ip,
            couplings: device
                .couplings
                .iter()
                .map(|m| CouplingEntry {
                    mac: m.key.mac,
                    ip: m.key.ip,
                    binding: m.binding,
                    vlan: m.facts.vlans().to_vec(),
                    first_seen: m.facts.first_seen,
                    last_seen: m.facts.last_seen,
                    state: m.state,
                })
                .collect(),
            category: what.category,
            kind: what.kind.clone(),
            roles: what.roles.clone(),
            vendor: what.vendor.clone(),
            model: what.model.clone(),
            os: what.os.clone(),
            firmware: what.firmware.clone(),
            name: what.name.clone(),
            random_mac: device.random_mac,
            location: decided.and_then(|d| d.location()).map(str::to_owned),
            tags: decided.map(|d| d.tags().to_vec()).unwrap_or_default(),
            importance: decided.and_then(|d| d.importance()),
            confidence: f64::from(what.confidence) / 100.0,
            first_seen: device.first_seen,
            last_seen: device.last_seen,
            verdict: device.verdict,
            decided: decided.map(DecidedEntry::from),
            evidence: decided
                .into_iter()
                .flat_map(decided::evidence)
                .chain(what.reasons.iter().map(|r| EvidenceEntry::new(r, frames)))
                .collect(),
        }
    }
}

impl EvidenceEntry {
    /// The entry of a reason.
    pub fn new(reason: &Reason, frames: Option<&FrameNumbers>) -> Self {
        Self {
            field: reason.field.name().to_owned(),
            value: reason.value.clone(),
            rule: reason.rule.clone(),
            says: reason.says.clone(),
            weight: reason.weight,
            frame: reason.at.and_then(|at| frames?.number(at)),
            at: reason.at,
        }
    }
}

impl From<&Unaddressed> for UnaddressedEntry {
    fn from(u: &Unaddressed) -> Self {
        Self {
            mac: u.mac,
            category: u.classification.category,
            kind: u.classification.kind.clone(),
            name: u.classification.name.clone(),
        }
    }
}
