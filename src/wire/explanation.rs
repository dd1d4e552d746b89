//! The explanation `netcensus.explanation/1`: why an address counts, or does not. The sensor's `explain`, the plan service's
//! page and its API all give this document. It explains exclusions and joins as fully as counted devices.

use std::net::IpAddr;
use std::str::FromStr;

use serde::Serialize;

use super::decided::{self, DecidedEntry, pair};
use super::document::{DeviceEntry, EvidenceEntry, FrameNumbers};
use crate::census::{
    Binding, Category, Coupling, CouplingKey, Device, Evidence, JoinReason, Line, MacAddr, Mark, Policy,
    Reason, Rung, Sign, Signs, State, Survey, Timestamp, Unaddressed, Verdict, changes, ladder,
    time::rfc3339,
};

const SCHEMA: &str = "netcensus.explanation/1";

/// What the inventory document leaves out of a device. The plan service keeps it beside the document.
#[derive(Clone, Debug, Default)]
pub struct Detail {
    /// Why its couplings are one device.
    pub joins: Vec<JoinAnswer>,
    /// Why one of its MACs forwards, if one does.
    pub forwards: Option<String>,
    /// How each coupling showed itself, in the device's order.
    pub shown: Vec<Shown>,
    /// The titles of the rules behind its evidence, in the document's order.
    pub titles: Vec<String>,
}

/// How a coupling showed itself.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    /// By what.
    pub signs: Signs,
    /// What proves it, and from when on.
    pub proof: Option<(Sign, Timestamp)>,
}

/// Everything that is known of an address or a MAC.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
pub struct Explanation {
    /// `netcensus.explanation/1`.
    pub schema: &'static str,
    /// The policy's name.
    pub policy: String,
    /// The instant of the verdicts.
    #[serde(with = "rfc3339")]
    #[cfg_attr(feature = "plan", schema(value_type = String, format = DateTime))]
    pub as_of: Timestamp,
    /// Devices that have it.
    pub devices: Vec<DeviceAnswer>,
    /// Couplings with it that do not belong to a device.
    pub lines: Vec<LineAnswer>,
    /// MACs that speak with it only below IP (I14).
    pub unaddressed: Vec<UnaddressedAnswer>,
}

/// Why a device counts, or does not.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
pub struct DeviceAnswer {
    pub device: DeviceEntry,
    /// The verdict in words.
    pub verdict: &'static str,
    /// The rules asked, in order.
    pub ladder: Vec<Rung>,
    /// Its couplings, each with what showed and what proves it.
    pub couplings: Vec<CouplingAnswer>,
    /// Why they are one device.
    pub joins: Vec<JoinAnswer>,
    /// What people decided about it, each a sentence.
    pub decisions: Vec<String>,
    /// Why one of its MACs forwards, if one does.
    pub forwards: Option<String>,
    /// What was said, and which rule took it for what.
    pub reasons: Vec<ReasonAnswer>,
    /// What would make the verdict another one.
    pub changes: Vec<String>,
}

/// Why a coupling does not belong to a device.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
pub struct LineAnswer {
    pub zone: String,
    /// X-VIRT, X-PUB or X-ROUTED.
    pub rule: Verdict,
    /// The rule in words.
    pub verdict: &'static str,
    pub coupling: CouplingAnswer,
    /// Why its MAC forwards, if it does.
    pub forwards: Option<String>,
    /// What would make it belong to a device.
    pub changes: Vec<String>,
}

/// A MAC that speaks without an address (I14).
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
pub struct UnaddressedAnswer {
    pub mac: MacAddr,
    pub category: Category,
    #[serde(rename = "type")]
    pub kind: String,
    pub name: Option<String>,
    /// What was said.
    pub reasons: Vec<ReasonAnswer>,
    /// What would make it a device.
    pub changes: Vec<String>,
}

/// A coupling with what showed it.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
pub struct CouplingAnswer {
    pub mac: MacAddr,
    #[cfg_attr(feature = "plan", schema(value_type = String))]
    pub ip: IpAddr,
    pub binding: Binding,
    /// Null if the coupling does not belong to a device.
    pub state: Option<State>,
    /// VLAN ids.
    pub vlan: Vec<u16>,
    /// Earliest frame.
    #[serde(with = "rfc3339")]
    #[cfg_attr(feature = "plan", schema(value_type = String, format = DateTime))]
    pub first_seen: Timestamp,
    /// Newest frame.
    #[serde(with = "rfc3339")]
    #[cfg_attr(feature = "plan", schema(value_type = String, format = DateTime))]
    pub last_seen: Timestamp,
    /// What showed it, in words.
    pub signs: Vec<&'static str>,
    /// The first frame that proves it; null if none does.
    pub proof: Option<ProofAnswer>,
}

/// The first frame that proves a coupling (I4).
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
pub struct ProofAnswer {
    /// How it proves, in words.
    pub by: &'static str,
    /// The frame's number; null unless a capture was replayed.
    pub frame: Option<u64>,
    /// The time of that frame.
    #[serde(with = "rfc3339")]
    #[cfg_attr(feature = "plan", schema(value_type = String, format = DateTime))]
    pub at: Timestamp,
}

/// A join.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
pub struct JoinAnswer {
    /// The coupling that was joined, `mac ip`.
    pub coupling: String,
    /// A coupling of the device that it joined.
    pub with: String,
    /// The reason's key.
    pub reason: JoinReason,
    /// The reason in words.
    pub title: &'static str,
    /// What the joined card said that ties them; null if the reason is another.
    pub by: Option<TieAnswer>,
    /// Who merged them, and when; left out if no person did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided: Option<Mark>,
}

/// What a card said that ties it to another.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
pub struct TieAnswer {
    pub field: &'static str,
    pub value: String,
    /// The number of the first frame that said it; null unless a capture was replayed.
    pub frame: Option<u64>,
    /// The time of that frame.
    #[serde(with = "rfc3339")]
    #[cfg_attr(feature = "plan", schema(value_type = String, format = DateTime))]
    pub at: Timestamp,
}

/// A piece of evidence and its rule.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
pub struct ReasonAnswer {
    #[serde(flatten)]
    pub evidence: EvidenceEntry,
    /// The rule's title.
    pub title: String,
}

impl Detail {
    /// The details of a device.
    pub fn new(device: &Device<'_>, frames: Option<&FrameNumbers>) -> Self {
        Self {
            joins: device
                .joins
                .iter()
                .map(|join| JoinAnswer {
                    coupling: pair(join.coupling),
                    with: pair(join.with),
                    reason: join.reason,
                    title: join.reason.title(),
                    by: join.by.as_ref().map(|e| TieAnswer::new(e, frames)),
                    decided: join.decided.as_deref().cloned(),
                })
                .collect(),
            forwards: device.forwards.map(|why| why.to_string()),
            shown: device.couplings.iter().map(|m| Shown::new(m.facts, m.binding)).collect(),
            titles: device
                .decided
                .iter()
                .flat_map(|d| decided::titles(d))
                .chain(device.classification().reasons.iter().map(|r| r.title.clone()))
                .collect(),
        }
    }
}

impl Shown {
    fn new(facts: &Coupling, binding: Binding) -> Self {
        // An announcement proves where the address is on-link: then the binding says that it did.
        let announced = || facts.announced_at().filter(|_| binding == Binding::Proven);
        let proof = facts.proof().map(|p| (p.sign, p.at));
        Self { signs: facts.signs, proof: proof.or_else(|| announced().map(|at| (Sign::Announced, at))) }
    }

    fn signs(&self) -> Vec<&'static str> {
        self.signs.iter().map(Sign::title).collect()
    }

    fn proof(&self, frames: Option<&FrameNumbers>) -> Option<ProofAnswer> {
        let number = |at| frames.and_then(|f| f.number(at));
        self.proof.map(|(sign, at)| ProofAnswer { by: sign.title(), frame: number(at), at })
    }
}

impl Explanation {
    /// Everything that a survey under `policy` knows of `subject`.
    pub fn new(
        survey: &Survey<'_>,
        subject: Subject,
        policy: &Policy,
        frames: Option<&FrameNumbers>,
    ) -> Self {
        let devices = survey.devices.iter().filter(|d| d.couplings.iter().any(|m| subject.matches(m.key)));
        let device = |d: &Device<'_>| {
            DeviceAnswer::new(DeviceEntry::new(d, frames), &Detail::new(d, frames), policy, frames)
        };
        let lines = survey.lines.iter().filter(|l| subject.matches(l.key));
        let unaddressed =
            survey.unaddressed.iter().filter(|u| matches!(subject, Subject::Mac(mac) if mac == u.mac));
        Self {
            schema: SCHEMA,
            policy: policy.name.clone(),
            as_of: survey.as_of,
            devices: devices.map(device).collect(),
            lines: lines.map(|l| LineAnswer::new(l, policy, frames)).collect(),
            unaddressed: unaddressed.map(|u| UnaddressedAnswer::new(u, frames)).collect(),
        }
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.devices.is_empty() && self.lines.is_empty() && self.unaddressed.is_empty()
    }
}

/// What somebody asks about: an address or a MAC.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Subject {
    /// An address.
    Ip(IpAddr),
    /// A card.
    Mac(MacAddr),
}

impl Subject {
    fn matches(self, key: CouplingKey) -> bool {
        self.is(key.mac, key.ip)
    }

    /// Whether a coupling of that MAC and address is meant.
    pub fn is(self, mac: MacAddr, ip: IpAddr) -> bool {
        match self {
            Self::Ip(asked) => asked == ip,
            Self::Mac(asked) => asked == mac,
        }
    }

    /// Why nothing is known of it.
    pub fn unknown(self) -> String {
        match self {
            Self::Ip(ip) => format!(
                "{ip}: no frame showed this address with a MAC; it may be silent, beyond another router, or a group or broadcast address, which is never a device"
            ),
            Self::Mac(mac) => format!(
                "{mac}: no frame showed this MAC with an address, nor speaking LLDP, CDP or STP; it may be silent, or not on the mirrored ports"
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

/// A text that is neither an address nor a MAC.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("write an address as 10.2.0.41 or fe80::1, a MAC as aa:bb:cc:dd:ee:ff")]
pub struct BadSubject;

impl DeviceAnswer {
    /// The answer for a device.
    pub fn new(device: DeviceEntry, detail: &Detail, policy: &Policy, frames: Option<&FrameNumbers>) -> Self {
        let unknown = Shown::default();
        let shown = detail.shown.iter().chain(std::iter::repeat(&unknown));
        let couplings = device.couplings.iter().zip(shown).map(|(c, shown)| CouplingAnswer {
            mac: c.mac,
            ip: c.ip,
            binding: c.binding,
            state: Some(c.state),
            vlan: c.vlan.clone(),
            first_seen: c.first_seen,
            last_seen: c.last_seen,
            signs: shown.signs(),
            proof: shown.proof(frames),
        });
        let titles = detail.titles.iter().map(String::as_str).chain(std::iter::repeat(""));
        let reasons = device.evidence.iter().zip(titles);
        let sets_category = device.decided.as_ref().is_some_and(DecidedEntry::sets_category);
        Self {
            verdict: device.verdict.title(),
            ladder: ladder(device.verdict),
            couplings: couplings.collect(),
            joins: detail.joins.clone(),
            decisions: device.decided.as_ref().map(|d| d.sentences(device.last_seen)).unwrap_or_default(),
            forwards: detail.forwards.clone(),
            reasons: reasons
                .map(|(e, title)| ReasonAnswer { evidence: e.clone(), title: title.to_owned() })
                .collect(),
            changes: changes(device.verdict, sets_category, device.last_seen, policy),
            device,
        }
    }
}

impl LineAnswer {
    /// The answer for a coupling without a device.
    pub fn new(line: &Line<'_>, policy: &Policy, frames: Option<&FrameNumbers>) -> Self {
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
                vlan: line.facts.vlans().to_vec(),
                first_seen: line.facts.first_seen,
                last_seen: line.facts.last_seen,
                signs: shown.signs(),
                proof: shown.proof(frames),
            },
            forwards: line.forwards.map(|why| why.to_string()),
            changes: changes(line.verdict, false, line.facts.last_seen, policy),
        }
    }
}

impl UnaddressedAnswer {
    /// The answer for a MAC without an address.
    pub fn new(unaddressed: &Unaddressed, frames: Option<&FrameNumbers>) -> Self {
        let what = &unaddressed.classification;
        let answer =
            |r: &Reason| ReasonAnswer { evidence: EvidenceEntry::new(r, frames), title: r.title.clone() };
        Self {
            mac: unaddressed.mac,
            category: what.category,
            kind: what.kind.clone(),
            name: what.name.clone(),
            reasons: what.reasons.iter().map(answer).collect(),
            changes: vec!["it becomes a device as soon as a frame shows an address of it".to_owned()],
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
