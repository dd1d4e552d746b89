//! The explanation `netcensus.explanation/1`: why an address counts or does not count. The sensor's `explain`, the plan
//! service's "why" page and its API all show this one.

use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use serde::Serialize;

use super::basis::Basis;
use super::decisions::{DecisionsEntry, coupling_text};
use super::document::DeviceEntry;
use super::evidence::EvidenceEntry;
use super::frames::FrameNumbers;
use super::row::{DeviceRow, Shown};
use crate::census::{
    Binding, Category, CouplingKey, CouplingLine, CouplingState, Device, Evidence, Join, JoinReason, MacAddr,
    Mark, Policy, Reason, Rung, Sign, Survey, Timestamp, Unaddressed, Verdict, Zone, ladder, time::rfc3339,
    verdict_changes,
};

const SCHEMA: &str = "netcensus.explanation/1";

/// Everything that is known about an address or a MAC.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
pub struct Explanation {
    pub schema: &'static str,
    pub policy: String,
    #[serde(with = "rfc3339")]
    #[cfg_attr(feature = "plan", schema(value_type = String, format = DateTime))]
    pub as_of: Timestamp,
    /// From what the count of a past instant is made; left out for the present.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
    pub devices: Vec<DeviceAnswer>,
    /// Couplings that do not belong to a device.
    pub lines: Vec<LineAnswer>,
    /// The MAC, if it has no address (I14).
    pub unaddressed: Vec<UnaddressedAnswer>,
}

/// Why a device counts or does not count.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
pub struct DeviceAnswer {
    pub device: DeviceEntry,
    /// The title of the verdict.
    pub verdict: &'static str,
    pub ladder: Vec<Rung>,
    pub couplings: Vec<CouplingAnswer>,
    /// Why its couplings are one device.
    pub joins: Vec<JoinAnswer>,
    /// The decisions of people, one sentence each.
    pub decisions: Vec<String>,
    /// Why it forwards, if it does.
    pub forwards: Option<String>,
    pub reasons: Vec<ReasonAnswer>,
    /// What would change the verdict.
    pub changes: Vec<String>,
}

/// Why a coupling does not belong to a device.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
pub struct LineAnswer {
    pub zone: String,
    /// X-VIRT, X-PUB or X-ROUTED.
    pub rule: Verdict,
    /// The title of the verdict.
    pub verdict: &'static str,
    pub coupling: CouplingAnswer,
    /// Why its MAC forwards, if it does.
    pub forwards: Option<String>,
    /// What would make it part of a device.
    pub changes: Vec<String>,
}

/// A MAC without an address (I14).
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
pub struct UnaddressedAnswer {
    pub mac: MacAddr,
    pub category: Category,
    /// A key of the taxonomy.
    #[serde(rename = "type")]
    pub kind: String,
    pub name: Option<String>,
    pub reasons: Vec<ReasonAnswer>,
    /// What would make it a device.
    pub changes: Vec<String>,
}

/// A coupling and what showed it.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
pub struct CouplingAnswer {
    pub mac: MacAddr,
    #[cfg_attr(feature = "plan", schema(value_type = String))]
    pub ip: IpAddr,
    pub binding: Binding,
    /// Null for a coupling that does not belong to a device.
    pub state: Option<CouplingState>,
    pub vlan: Vec<u16>,
    #[serde(with = "rfc3339")]
    #[cfg_attr(feature = "plan", schema(value_type = String, format = DateTime))]
    pub first_seen: Timestamp,
    #[serde(with = "rfc3339")]
    #[cfg_attr(feature = "plan", schema(value_type = String, format = DateTime))]
    pub last_seen: Timestamp,
    /// The titles of its signs.
    pub signs: Vec<&'static str>,
    /// Null if no frame proves it.
    pub proof: Option<ProofAnswer>,
}

/// The first frame that proves a coupling (I4).
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
pub struct ProofAnswer {
    /// The title of the sign.
    pub by: &'static str,
    /// The frame's number; null unless a capture was replayed.
    pub frame: Option<u64>,
    /// Its time.
    #[serde(with = "rfc3339")]
    #[cfg_attr(feature = "plan", schema(value_type = String, format = DateTime))]
    pub at: Timestamp,
}

/// Why a coupling belongs to a device (I8).
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
pub struct JoinAnswer {
    /// The coupling that was joined, `mac ip`.
    pub coupling: String,
    /// A coupling of the device.
    pub with: String,
    pub reason: JoinReason,
    /// The title of the reason.
    pub title: &'static str,
    /// The identifier or name that ties them; null for other reasons.
    pub by: Option<TieAnswer>,
    /// The merge by a person; left out for other reasons.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided: Option<Mark>,
}

/// An identifier or a name that ties two cards.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
pub struct TieAnswer {
    pub field: &'static str,
    pub value: String,
    /// The number of the first frame with it; null unless a capture was replayed.
    pub frame: Option<u64>,
    /// Its time.
    #[serde(with = "rfc3339")]
    #[cfg_attr(feature = "plan", schema(value_type = String, format = DateTime))]
    pub at: Timestamp,
}

/// A piece of evidence with the title of its rule.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
pub struct ReasonAnswer {
    #[serde(flatten)]
    pub evidence: EvidenceEntry,
    pub title: String,
}

impl JoinAnswer {
    fn new(join: &Join, frames: Option<&FrameNumbers>) -> Self {
        Self {
            coupling: coupling_text(join.coupling),
            with: coupling_text(join.with),
            reason: join.reason,
            title: join.reason.title(),
            by: join.by.as_ref().map(|e| TieAnswer::new(e, frames)),
            decided: join.decided.as_deref().cloned(),
        }
    }
}

impl Shown {
    fn signs(&self) -> Vec<&'static str> {
        self.signs.iter().map(Sign::title).collect()
    }

    fn proof(&self, frames: Option<&FrameNumbers>) -> Option<ProofAnswer> {
        let number = |at| frames.and_then(|f| f.number(at));
        self.proof.map(|(sign, at)| ProofAnswer { by: sign.title(), frame: number(at), at })
    }
}

impl Explanation {
    pub fn new(
        survey: &Survey<'_>,
        subject: Subject,
        policy: &Policy,
        frames: Option<&FrameNumbers>,
    ) -> Self {
        let devices = survey.devices.iter().filter(|d| d.couplings.iter().any(|m| subject.matches(m.key)));
        let device =
            |d: &Device<'_>| DeviceAnswer::new(&DeviceRow::new(d, &Arc::from(d.zone)), policy, frames);
        let lines = survey.lines.iter().filter(|l| subject.matches(l.key));
        let unaddressed =
            survey.unaddressed.iter().filter(|u| matches!(subject, Subject::Mac(mac) if mac == u.mac));
        Self {
            lines: lines.map(|l| LineAnswer::new(l, policy, frames)).collect(),
            unaddressed: unaddressed.map(|u| UnaddressedAnswer::new(u, frames)).collect(),
            ..Self::of_devices(devices.map(device).collect(), policy, survey.as_of)
        }
    }

    /// For a subject that devices alone have.
    pub fn of_devices(devices: Vec<DeviceAnswer>, policy: &Policy, as_of: Timestamp) -> Self {
        Self {
            schema: SCHEMA,
            policy: policy.name.clone(),
            as_of,
            basis: None,
            devices,
            lines: Vec::new(),
            unaddressed: Vec::new(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.devices.is_empty() && self.lines.is_empty() && self.unaddressed.is_empty()
    }
}

/// What a person asks about: an address or a MAC.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Subject {
    Ip(IpAddr),
    Mac(MacAddr),
}

impl Subject {
    fn matches(self, key: CouplingKey) -> bool {
        self.is(key.mac, key.ip)
    }

    /// Whether a coupling of `mac` and `ip` has it.
    pub fn is(self, mac: MacAddr, ip: IpAddr) -> bool {
        match self {
            Self::Ip(asked) => asked == ip,
            Self::Mac(asked) => asked == mac,
        }
    }

    /// Whether facts of a zone are about it, tunnels included.
    pub fn is_in(self, zone: &Zone) -> bool {
        let is_mac = |mac: &MacAddr| matches!(self, Self::Mac(asked) if asked == *mac);
        zone.couplings.keys().any(|key| self.matches(*key))
            || zone.stations.keys().any(is_mac)
            || zone.tunnels.values().any(|tunnel| self.is_in(&tunnel.facts))
    }

    /// Says why nothing may be known about it.
    pub fn unknown(self) -> String {
        match self {
            Self::Ip(ip) => format!(
                "{ip}: no frame showed this address with a MAC; it may be silent or behind another router, or it is a group or broadcast address, which is never a device"
            ),
            Self::Mac(mac) => format!(
                "{mac}: no frame showed this MAC with an address, or speaking LLDP, CDP or STP; it may be silent, or not on a mirrored port"
            ),
        }
    }
}

impl FromStr for Subject {
    type Err = BadSubject;

    fn from_str(text: &str) -> Result<Self, BadSubject> {
        let ip = text.parse().map(Self::Ip);
        ip.or_else(|_| text.parse().map(Self::Mac)).map_err(|_| BadSubject)
    }
}

/// The text is neither an address nor a MAC.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("write an address as 10.2.0.41 or fe80::1, a MAC as aa:bb:cc:dd:ee:ff")]
pub struct BadSubject;

impl DeviceAnswer {
    pub fn new(row: &DeviceRow, policy: &Policy, frames: Option<&FrameNumbers>) -> Self {
        let device = row.entry(frames);
        let couplings = row.couplings.iter().map(|c| CouplingAnswer {
            mac: c.key.mac,
            ip: c.key.ip,
            binding: c.binding,
            state: Some(c.state),
            vlan: c.vlans.to_vec(),
            first_seen: c.first_seen,
            last_seen: c.last_seen,
            signs: c.shown.signs(),
            proof: c.shown.proof(frames),
        });
        let reasons = device.evidence.iter().zip(row.titles());
        let sets_category = device.decided.as_ref().is_some_and(DecisionsEntry::sets_category);
        Self {
            verdict: row.verdict.title(),
            ladder: ladder(row.verdict),
            couplings: couplings.collect(),
            joins: row.joins.iter().map(|join| JoinAnswer::new(join, frames)).collect(),
            decisions: device.decided.as_ref().map(|d| d.sentences(row.last_seen)).unwrap_or_default(),
            forwards: row.forwards.map(|why| why.to_string()),
            reasons: reasons.map(|(e, title)| ReasonAnswer { evidence: e.clone(), title }).collect(),
            changes: verdict_changes(row.verdict, sets_category, row.last_seen, policy),
            device,
        }
    }
}

impl LineAnswer {
    pub fn new(line: &CouplingLine<'_>, policy: &Policy, frames: Option<&FrameNumbers>) -> Self {
        let shown = Shown::new(line.facts, line.binding);
        Self {
            zone: line.zone.to_owned(),
            rule: line.verdict,
            verdict: line.verdict.title(),
            coupling: CouplingAnswer {
                mac: line.key.mac,
                ip: line.key.ip,
                binding: line.binding,
                state: None,
                vlan: line.facts.vlans(),
                first_seen: line.facts.first_seen,
                last_seen: line.facts.last_seen,
                signs: shown.signs(),
                proof: shown.proof(frames),
            },
            forwards: line.forwards.map(|why| why.to_string()),
            changes: verdict_changes(line.verdict, false, line.facts.last_seen, policy),
        }
    }
}

impl UnaddressedAnswer {
    pub fn new(unaddressed: &Unaddressed, frames: Option<&FrameNumbers>) -> Self {
        let what = &unaddressed.classification;
        let answer =
            |r: &Reason| ReasonAnswer { evidence: EvidenceEntry::new(r, frames), title: r.title.to_string() };
        Self {
            mac: unaddressed.mac,
            category: what.category,
            kind: what.kind.to_string(),
            name: what.name.as_ref().map(ToString::to_string),
            reasons: what.reasons.iter().map(answer).collect(),
            changes: vec!["a sensor captures a frame that shows its address".to_owned()],
        }
    }
}

impl TieAnswer {
    fn new(said: &Evidence, frames: Option<&FrameNumbers>) -> Self {
        Self {
            field: said.field.name(),
            value: said.value.to_string(),
            frame: frames.and_then(|f| f.number(said.at)),
            at: said.at,
        }
    }
}
